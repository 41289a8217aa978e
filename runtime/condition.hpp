#pragma once

#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/lock.hpp>
#include <troupe/runtime/waiters.hpp>

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace troupe {

namespace internal {
struct condition_place;
}

/// A state that a lock guards, and tasks that wait for it to change; asyncio's `Condition`.
///
///     auto held = co_await changed.scoped();
///     co_await changed.wait_for([&] { return !jobs.empty(); });
///
/// Several conditions may share a lock. A wait gives the lock back, and has it again when it ends, however it ends; a
/// `held_lock` of the waiting task follows suit. Who is notified queues for the lock like everybody else, so that the state may
/// have changed again: `wait_for` looks.
///
/// Life: when it goes, tasks that still wait for it throw `invalid_state`, without the lock. The lock that it was given
/// outlives it.
/// Threads: one loop's, that of the first task that had to wait.
class condition {
 public:
  /// With a lock of its own.
  condition() noexcept : lock_(&own_) {}
  /// With `shared`.
  explicit condition(lock& shared) noexcept : lock_(&shared) {}
  condition(const condition&) = delete;
  condition& operator=(const condition&) = delete;
  ~condition();

  /// The lock's; see there.
  [[nodiscard]] auto acquire() noexcept { return lock_->acquire(); }
  [[nodiscard]] auto scoped() noexcept { return lock_->scoped(); }
  [[nodiscard]] bool try_acquire() noexcept { return lock_->try_acquire(); }
  void release() { lock_->release(); }
  bool locked() const noexcept { return lock_->locked(); }

  /// Gives the lock back, waits to be notified, and takes the lock again.
  /// Errors: `invalid_state` when the lock is not held, it serves another loop, or goes meanwhile.
  /// Cancel: thrown when it has the lock again, which may take as long as the lock is held; a notification that it had
  /// got goes to another task then.
  coro<> wait();

  /// Waits until `predicate()` is true, and returns its value; looks before it waits, and after each wait.
  /// Errors: as `wait`, if it has to wait; what `predicate` throws. Cancel: as `wait`.
  template <std::invocable Predicate>
  auto wait_for(Predicate predicate) -> coro<std::decay_t<std::invoke_result_t<Predicate&>>> {
    for (;;) {
      auto value = predicate();
      if (static_cast<bool>(value)) co_return value;
      co_await wait();
    }
  }

  /// Lets `count` of those that wait go on when they get the lock, in the order they came; all if they are fewer.
  /// Errors: `invalid_state` when the lock is not held, or on another loop than that of the tasks that wait.
  void notify(std::size_t count = 1);
  void notify_all();

 private:
  friend class internal::condition_wait;

  /// Returns false when nobody waits.
  bool notify_next() noexcept;
  void expect_held(const char* message) const;

  lock own_;
  lock* lock_;
  internal::chain<internal::condition_place> waiting_;    ///< to be notified
  internal::chain<internal::condition_place> returning_;  ///< on their way to the lock
  internal::served_loop served_;
};

}  // namespace troupe
