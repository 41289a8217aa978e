#pragma once

#include <troupe/runtime/check.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/visitor.hpp>

#include <coroutine>
#include <source_location>
#include <string_view>

namespace troupe {

class future_base;
class loop;
class task_base;

/// One wait of one task: the base of every awaiter that really suspends. A task waits for one thing at a time, so the
/// awaiter, which lives in the waiting frame, is all the bookkeeping there is.
///
/// Life: `park` in await_suspend; then exactly one `wake`, by what is waited for or by `cancel`; then `finish` in
/// await_resume. Its destructor takes it out of whatever would wake it while `waiting()`: a loop that closes destroys the
/// frames of tasks that did not end.
/// Invariant: between park and wake the task knows this suspension and can cancel it.
/// Threads: the task's loop only.
class suspension {
 public:
  suspension& operator=(const suspension&) = delete;

  /// Stops the wait: takes this out of whatever would wake it and calls `wake_cancelled`, or passes the cancellation on to
  /// what is waited for, which then ends and wakes this. Called by the task's `cancel`. Returns false when it is too late
  /// for either; the cancellation is then delivered at the next suspension.
  virtual bool cancel() noexcept = 0;

  /// Asked in the task's turn after `wake_to_retry`: whether the wait is over. False goes on waiting.
  virtual bool retry() noexcept { return true; }

  /// Calls `visit` for each future or task that is waited for, for the chain of awaits that debugging shows.
  virtual void each_awaited(const visitor<const future_base>&) const {}
  /// Whether the wait goes on until each of those has ended, or one has failed.
  virtual bool waits_for_each() const noexcept { return true; }
  /// What is waited for, in a word or two, for the same: "sleep", "a lock".
  virtual std::string_view what() const noexcept { return "something"; }
  /// The line of the await; line 0 when it is not known.
  const std::source_location& where() const noexcept { return where_; }

 protected:
  suspension() = default;
  ~suspension() = default;
  /// An awaiter may be handed on, as to `timeout`, until it is awaited.
  suspension(suspension&& other) noexcept {
    expects(other.task_ == nullptr, "an awaiter was moved while a task waits in it");
  }

  /// Suspends the current task at `handle`. A cancellation that is already due is delivered at once. `here` is the line of the
  /// await, which await_suspend gets by a default argument.
  /// Pre: called in a task.
  void park(std::coroutine_handle<> handle, std::source_location here = {});

  /// Takes `park` back, in await_suspend: what was to be waited for could not begin. Pre: waiting().
  void unpark() noexcept;

  /// Makes the task ready; it resumes in the loop's next round.
  void wake() noexcept;
  /// Ends the wait and runs the task at once, inside the work that runs now. Pre: waiting; on the task's loop, outside of any task.
  void resume_now() noexcept;
  /// Makes the task ready to ask `retry`; until then it still waits, and can be cancelled. Pre: waiting, and not woken so.
  void wake_to_retry() noexcept;
  /// Ends the wait by cancellation, also after `wake_to_retry`.
  void wake_cancelled() noexcept;

  /// Whether the await ends by cancellation, because `cancel` ended it or because the task was cancelled after it had been
  /// woken. Asked once, in await_resume, by awaiters that have something to give back.
  bool take_cancelled() noexcept;

  /// What await_resume ends with when there is nothing to give back. Errors: `cancelled`.
  void finish() {
    if (take_cancelled()) [[unlikely]]
      throw_cancelled();
  }
  /// Throws `cancelled` with the reason that the task's `cancel` was given.
  [[noreturn]] void throw_cancelled();

  /// Whether the task is suspended here, neither woken nor cancelled.
  bool waiting() const noexcept;
  /// Whether the task was cancelled for good: then it no longer waits for what it has passed its cancellation on to.
  bool for_good() const noexcept;
  /// Whether every suspension throws: the task was cancelled for good, or stands in a cancelled scope.
  bool pressed() const noexcept;
  /// The reason that the task's `cancel` was given last.
  std::string_view reason() const noexcept;
  /// The task that waits or waited here, or null.
  task_base* waiter() const noexcept { return task_; }
  /// The loop on which it resumes. Pre: suspended().
  loop& resumes_on() const noexcept;
  /// Whether the await ever suspended.
  bool suspended() const noexcept { return task_ != nullptr; }

 private:
  task_base* task_ = nullptr;
  std::source_location where_;
};

}  // namespace troupe
