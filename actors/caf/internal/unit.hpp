#pragma once

#include <troupe/actors/caf/internal/timeouts.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/work.hpp>

#include <caf/actor_addr.hpp>
#include <caf/execution_unit.hpp>
#include <caf/exit_reason.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduled_actor.hpp>

#include <cstddef>
#include <vector>

namespace troupe::internal {

class caf_core;

/// Runs CAF actors on one loop, where it is one work among others, and ends its turn when the loop's budget is used up. Each actor that
/// is ready gets the messages that it has when its time comes: no more, so that none keeps others waiting for good, and no less, so that
/// it keeps up with those that send to it, and CAF need not look into the mailbox once more to find it empty.
///
/// Life: as long as its core. Threads: its loop's, except `enqueue` and `exec_later`, which any thread may call.
class caf_unit final : public ::caf::execution_unit, private work {
 public:
  caf_unit(caf_core& owner, loop& home);
  ~caf_unit() override = default;
  caf_unit(const caf_unit&) = delete;
  caf_unit& operator=(const caf_unit&) = delete;

  /// The system is there now, or, by null, no more.
  void serves(::caf::actor_system* system) noexcept { system_ = system; }
  /// On its loop, when the system is there.
  void open() noexcept;
  /// For CAF: makes `job` ready, wherever it belongs. Takes over a count of it.
  void exec_later(::caf::resumable* job) override;
  /// Makes `job` ready here. Takes over a count of it.
  void enqueue(::caf::resumable* job) noexcept;
  /// Tells those that have run here to end; hidden ones are CAF's own.
  enum class whom : bool { not_hidden, all };
  void tell_to_exit(whom these, ::caf::exit_reason why) noexcept;
  /// Whether one of them has not.
  bool anyone_left() const noexcept;
  /// Gives what is ready, and what comes, to `enqueue_late`; nothing runs here any more.
  void close() noexcept;

  bool closed() const noexcept { return closed_; }
  /// The loop's time, read once in a turn: CAF asks for it after every third message.
  time_point time() noexcept;
  /// How far behind that is.
  duration behind() const noexcept;
  loop& home() const noexcept { return home_; }

  /// The actor whose work it is, or null.
  static ::caf::scheduled_actor* as_actor(::caf::resumable* job) noexcept {
    return job->subtype() == ::caf::resumable::scheduled_actor
               ? static_cast<::caf::scheduled_actor*>(job)
               : nullptr;
  }
  caf_timeouts& timeouts() noexcept { return timeouts_; }

 private:
  struct posted;
  struct step;

  void push(::caf::resumable* job) noexcept;
  void schedule() noexcept;
  static void run_turn(work& item) noexcept;
  void turn() noexcept;
  bool take_job() noexcept;
  std::size_t resume(std::size_t most) noexcept;
  bool wants_more(::caf::resumable& job, std::size_t messages) noexcept;
  void put_back(::caf::resumable* job, bool goes_on) noexcept;
  void note_new(::caf::scheduled_actor& begun);

  caf_core& owner_;
  loop& home_;
  caf_timeouts timeouts_;
  bool scheduled_ = false;  ///< in the ready chain of its loop
  bool closed_ = false;
  std::vector<::caf::resumable*> ready_;  ///< for the next turn
  std::vector<::caf::resumable*> batch_;  ///< of the turn that goes on, from `next_job_` on
  std::size_t next_job_ = 0;
  struct {
    ::caf::resumable* job = nullptr;
    std::size_t left = 0;  ///< messages that it is still to have
    bool takes_next = false;
  } running_;                         ///< whose time it is, from one turn to the next if need be
  ::caf::resumable* next_ = nullptr;  ///< comes before the rest of the batch
  bool in_turn_ = false;
  time_point turn_time_{};    ///< none yet: the clock's epoch
  bool takes_next_ = false;   ///< the next one that becomes ready is that
  std::vector<step*> steps_;  ///< those that are ready, in a simulation
  std::vector<::caf::weak_actor_ptr>
      begun_;                    ///< all that were to run here, some that have ended too
  std::size_t look_through_at_;  ///< how many of them there are when that is done
};

}  // namespace troupe::internal
