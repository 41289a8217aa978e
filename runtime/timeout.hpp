#pragma once

#include <troupe/runtime/body.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/timer.hpp>

#include <cstdint>
#include <exception>
#include <troupe/runtime/time.hpp>
#include <utility>

namespace troupe {

/// A stretch of a task that has to end in time: when the deadline passes, what it waits for is cancelled, and the `cancelled`
/// that leaves it becomes `timeout_error`. asyncio's `Timeout`; for the short form see `timeout`.
///
///     timeout_scope limit(1s);
///     co_await limit.run(fetch());     // or a function: limit.run([&]() -> coro<> { ... })
///
/// Life: made on a loop, run once in a task. It takes back only its own request to cancel: a cancellation from elsewhere that
/// meets it stays one.
/// Threads: its loop's. Cancel: as what runs in it.
class timeout_scope : private timer {
 public:
  /// Ends `limit` from now; never for `infinite`; at the first suspension for zero or less.
  /// Errors: `invalid_state` off a loop.
  template <class Rep, class Period>
  explicit timeout_scope(std::chrono::duration<Rep, Period> limit)
      : timeout_scope(internal::deadline_after(internal::to_duration(limit))) {}
  /// Ends at `deadline` of the loop's time; never for `time_point::max()`.
  explicit timeout_scope(time_point deadline) noexcept
      : timer(&timeout_scope::on_due), when_(deadline) {}
  ~timeout_scope() { disarm(); }
  timeout_scope(const timeout_scope&) = delete;
  timeout_scope& operator=(const timeout_scope&) = delete;

  /// Runs `body` in it: a coroutine, a function that makes one, or something to await, such as a task or the get of a queue. Gives what
  /// that ends with.
  /// Errors: what `body` throws; `timeout_error`; `invalid_state` when it has been run before.
  template <internal::body_for<timeout_scope> Body>
  auto run(Body body) -> coro<internal::result_of_body<Body, timeout_scope>> {
    auto running = internal::body_of(std::move(body), *this);
    auto ending = running.ending();  // which throws for one that was awaited before
    enter();
    const run_guard guard{*this};
    auto& ended = co_await ending;
    leave(ended.failure());
    co_return ended.take();
  }

  /// Gives it another deadline while it runs; `time_point::max()` takes the deadline away.
  /// Errors: `invalid_state` when it does not run, or has expired.
  void reschedule(time_point when);
  /// The deadline; `time_point::max()` when there is none.
  time_point when() const noexcept { return when_; }
  /// Whether the deadline has passed while it ran.
  bool expired() const noexcept { return state_ == state::expiring || state_ == state::expired; }

 private:
  enum class state : std::uint8_t { made, entered, expiring, expired, left };

  /// In the frame of `run`, which a closing loop destroys unfinished: the scope may outlive it, and its task.
  struct run_guard {
    timeout_scope& scope;
    ~run_guard() { scope.abandon(); }
  };
  static void on_due(timer& due) noexcept;
  void expire() noexcept;
  void enter();
  /// The end of the body: throws what leaves the scope, if anything does.
  void leave(std::exception_ptr error);
  /// Ends it when it has not been left.
  void abandon() noexcept;
  void arm();
  void disarm() noexcept;

  state state_ = state::made;
  time_point when_;
  task_base* task_ = nullptr;
  loop* home_ = nullptr;               ///< where it is armed
  internal::scope* around_ = nullptr;  ///< the scope of the task that this is in
  int cancelling_before_ = 0;
  call_handle soon_;  ///< for a deadline that has passed
};

/// Runs `body`, as `timeout_scope::run` takes it, and cancels it when it has not ended after `limit`:
/// `co_await timeout(1s, fetch())`. `infinite` sets no limit.
/// Errors: what `body` throws; `timeout_error`, once it has ended.
template <class Rep, class Period, internal::body_for<timeout_scope> Body>
auto timeout(std::chrono::duration<Rep, Period> limit, Body body)
    -> coro<internal::result_of_body<Body, timeout_scope>> {
  timeout_scope scope(limit);
  auto running = scope.run(std::move(body));
  co_return co_await running;
}

/// The same with a deadline of the loop's time.
template <internal::body_for<timeout_scope> Body>
auto timeout_at(time_point deadline, Body body)
    -> coro<internal::result_of_body<Body, timeout_scope>> {
  timeout_scope scope(deadline);
  auto running = scope.run(std::move(body));
  co_return co_await running;
}

}  // namespace troupe
