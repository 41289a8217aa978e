#pragma once

#include <troupe/runtime/body.hpp>
#include <troupe/runtime/scope.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/runtime/timer.hpp>

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace troupe {

namespace internal {
/// A result that may be missing.
template <class T>
struct maybe_of {
  using type = std::optional<T>;
};
template <>
struct maybe_of<void> {
  using type = bool;
};
template <class T>
using maybe = typename maybe_of<T>::type;
}  // namespace internal

struct cancel_scope_options {
  time_point deadline = time_point::max();  ///< of the loop's time; cancels the scope
  bool shield = false;                      ///< see `cancel_scope::set_shield`
};

/// A stretch of a task that can be cancelled as a whole, from inside and outside, as trio's CancelScope. Unlike a request by
/// `task::cancel`, which is thrown once, a cancelled scope throws at every suspension until it is left: a `catch (...)` cannot
/// keep it alive. What it throws ends at the scope, and the task goes on behind it.
///
///     cancel_scope scope;
///     bool finished = co_await scope.run([&]() -> coro<> { ... scope.cancel() ... });
///
/// Life: made anywhere, run once in a task; `cancel` before that makes its first suspension throw.
/// Threads: the task's loop. Cancel: what comes from outside goes through it, unless it is a shield.
class cancel_scope : private internal::scope, private timer {
 public:
  explicit cancel_scope(cancel_scope_options options = {}) noexcept
      : timer(&cancel_scope::on_due), deadline_(options.deadline) {
    if (options.shield) set_shielded(true);
  }
  ~cancel_scope() { disarm(); }

  /// Runs `body`: a coroutine, a function that makes one, or something to await. The value, in an optional (true, for `void`); nothing
  /// when the scope's own cancellation ended it.
  /// Errors: what `body` throws; `cancelled` when more than this scope was cancelled; `invalid_state` when it has been run before.
  template <internal::body_for<cancel_scope> Body>
  auto run(Body body) -> coro<internal::maybe<internal::result_of_body<Body, cancel_scope>>> {
    auto running = internal::body_of(std::move(body), *this);
    auto ending = running.ending();  // which throws for one that was awaited before
    begin();
    const run_guard guard{*this};
    auto& ended = co_await ending;
    end(ended.failure());
    if constexpr (std::is_void_v<internal::result_of_body<Body, cancel_scope>>) {
      co_return ended.has_value();
    } else {
      if (!ended.has_value()) co_return std::nullopt;
      co_return ended.take();
    }
  }

  /// Cancels it, for good. Does nothing when it has ended.
  void cancel() noexcept { press(); }
  /// Whether it was cancelled, by `cancel` or its deadline.
  using scope::cancel_called;
  /// Whether that is what ended it.
  bool cancelled_caught() const noexcept { return caught_; }
  /// Whether the deadline cancelled it.
  bool expired() const noexcept { return expired_; }

  /// When it cancels itself; `time_point::max()` for never.
  time_point deadline() const noexcept { return deadline_; }
  void set_deadline(time_point deadline);

  /// A shield keeps cancellations from outside away from what runs in it, for cleanup that has to wait: scopes around it, the
  /// end of an actor or the runtime, and `task::cancel`, whose request is delivered when the shield is left. Give it a deadline.
  void set_shield(bool shield) noexcept { set_shielded(shield); }
  bool shield() const noexcept { return shielded(); }

 private:
  /// In the frame of `run`, which a closing loop destroys unfinished: the scope may outlive it, and its task.
  struct run_guard {
    cancel_scope& scope;
    ~run_guard() {
      scope.disarm();
      scope.abandon();
    }
  };
  static void on_due(timer& due) noexcept;
  void begin();
  void end(std::exception_ptr error);
  void arm();
  void disarm() noexcept;

  time_point deadline_;
  loop* armed_on_ = nullptr;
  bool caught_ = false;
  bool expired_ = false;
};

/// Runs `body`, as `cancel_scope::run` takes it, for at most `limit`, and goes on without it: nothing, or false for `void`, when the
/// time was up. `move_on_after` of trio.
/// Errors: what `body` throws.
template <class Rep, class Period, internal::body_for<cancel_scope> Body>
auto move_on_after(std::chrono::duration<Rep, Period> limit, Body body)
    -> coro<internal::maybe<internal::result_of_body<Body, cancel_scope>>> {
  cancel_scope scope;
  scope.set_deadline(internal::deadline_after(internal::to_duration(limit)));
  auto running = scope.run(std::move(body));
  co_return co_await running;
}

/// Runs `body` for at most `limit`. `fail_after` of trio: as `timeout`, but the cancellation is level-triggered.
/// Errors: what `body` throws; `timeout_error` when the time was up.
template <class Rep, class Period, internal::body_for<cancel_scope> Body>
auto fail_after(std::chrono::duration<Rep, Period> limit, Body body)
    -> coro<internal::result_of_body<Body, cancel_scope>> {
  cancel_scope scope;
  scope.set_deadline(internal::deadline_after(internal::to_duration(limit)));
  auto running = scope.run(std::move(body));
  auto result = co_await running;
  if (!result) internal::throw_timeout();
  if constexpr (!std::is_same_v<decltype(result), bool>) co_return *std::move(result);
}

}  // namespace troupe
