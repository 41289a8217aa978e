#pragma once

#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/waiters.hpp>

#include <cstdint>
#include <stdexcept>

namespace troupe {

namespace internal {
class barrier_wait;
}

/// Thrown by a wait at a barrier that is aborted, or was reset meanwhile.
struct broken_barrier : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A place where so many tasks of one loop meet: none goes on before all have come; asyncio's `Barrier`. It can be used again
/// and again: who comes for the next round while tasks of this one are still on their way out waits in front of it.
///
/// Life: when it goes, tasks that wait at it throw `invalid_state`.
/// Threads: one loop's, that of the first task that had to wait.
/// Invariants: it fills until `parties` tasks are inside; then it drains, or is being reset, until none is.
class barrier {
 public:
  /// Errors: std::invalid_argument for less than one party.
  explicit barrier(int parties);
  barrier(const barrier&) = delete;
  barrier& operator=(const barrier&) = delete;
  ~barrier();

  /// Waits until all parties are there; returns a number from 0 to parties - 1, which no other of the round gets, in the
  /// order they came. The last one to come does not wait.
  /// Errors: `broken_barrier` when it is aborted, or reset while this is inside; `invalid_state` when it serves another loop,
  /// or goes meanwhile.
  /// Cancel: takes it out; the barrier waits for another one in its stead.
  coro<int> wait();

  /// Empties it: those inside throw `broken_barrier`, those in front of it come in afterwards. Mends an aborted one.
  /// Errors: `invalid_state` on another loop than that of the tasks that wait.
  void reset();
  /// Breaks it, until a `reset`: all who wait, or come later, throw `broken_barrier`. For a party that cannot come.
  /// Errors: as `reset`.
  void abort();

  int parties() const noexcept { return parties_; }
  /// How many are there and wait for the others; 0 unless it fills.
  int n_waiting() const noexcept { return state_ == state::filling ? inside_ : 0; }
  bool broken() const noexcept { return state_ == state::broken; }

 private:
  friend class internal::barrier_wait;
  enum class state : std::uint8_t { filling, draining, resetting, broken };

  bool closed() const noexcept { return state_ == state::draining || state_ == state::resetting; }
  void open_up() noexcept;
  void expel() noexcept;
  void admit() noexcept;
  void left() noexcept;
  void expect_here() const;

  int parties_;
  int inside_ = 0;
  state state_ = state::filling;
  internal::chain<internal::barrier_wait> waiting_;   ///< inside
  internal::chain<internal::barrier_wait> leaving_;   ///< inside, but woken
  internal::chain<internal::barrier_wait> queueing_;  ///< in front of it
  internal::chain<internal::barrier_wait> entering_;  ///< in front of it, but woken
  internal::served_loop served_;
};

}  // namespace troupe
