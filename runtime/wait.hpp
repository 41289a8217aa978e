#pragma once

#include <troupe/runtime/future_watch.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/timer.hpp>

#include <cstddef>
#include <cstdint>
#include <troupe/runtime/time.hpp>
#include <utility>
#include <vector>

namespace troupe {

/// When `wait` returns; asyncio's ALL_COMPLETED, FIRST_COMPLETED and FIRST_EXCEPTION.
enum class return_when : std::uint8_t {
  all_completed,
  first_completed,
  first_exception,  ///< the first that fails, or else when all are done; one that is cancelled has not failed
};

/// Trivially destructible, as `task_options` are.
struct wait_options {
  duration timeout = infinite;
  troupe::return_when return_when = troupe::return_when::all_completed;
};

/// What `wait` returns: the handles it was given, in their order, each once.
template <class Handle>
struct wait_result {
  std::vector<Handle> done;
  std::vector<Handle> pending;
};

namespace internal {

/// Waits until enough of several futures are done, or a time has passed. Cancelling leaves the futures alone.
class several_wait final : public suspension, private future_watch, private timer {
 public:
  several_wait(std::size_t room, return_when enough, duration limit)
      : future_watch(room), timer(&several_wait::on_due), enough_(enough), limit_(limit) {}
  ~several_wait() override { stop_watching(); }

  /// Errors: `invalid_state` for one of another loop.
  void add(future_base& target) {
    expect_of_this_loop(target);
    future_watch::add(target);
  }
  bool await_ready() noexcept;
  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current());
  void await_resume();
  bool cancel() noexcept override;
  void each_awaited(const visitor<const future_base>& visit) const override;
  bool waits_for_each() const noexcept override {
    return enough_ == return_when::all_completed && limit_ == infinite;
  }
  std::string_view what() const noexcept override { return "several tasks or futures"; }

 private:
  future_watch::waiter_of_all waits() const noexcept override {
    return {nullptr, waits_for_each() && suspended() ? suspension::waiter() : nullptr};
  }
  void told(std::size_t number) noexcept override;
  static void on_due(timer& due) noexcept;
  bool enough(const future_base& done) const noexcept;
  void stop_watching() noexcept;

  return_when enough_;
  duration limit_;
};

/// Waits until `target` is done, without cancelling it when this is cancelled.
coro<> until_done(future_base& target);

/// Errors: std::invalid_argument.
[[noreturn]] void throw_nothing_to_wait_for();

}  // namespace internal

/// Waits for tasks or futures, all handles of one type, without cancelling any, and tells which are done:
/// `auto [done, pending] = co_await wait(tasks, {.timeout = 1s})`. Their failures stay in them.
/// Errors: std::invalid_argument when there are none; `cancelled`.
/// Cancel: leaves them alone.
template <class Handle>
coro<wait_result<Handle>> wait(std::vector<Handle> handles, wait_options options = {}) {
  if (handles.empty()) internal::throw_nothing_to_wait_for();
  internal::keep_each_once(handles);
  {
    internal::several_wait waiting(handles.size(), options.return_when, options.timeout);
    for (const Handle& each : handles) waiting.add(each.base());
    co_await waiting;
  }
  wait_result<Handle> result;
  for (Handle& each : handles) {
    (each.done() ? result.done : result.pending).push_back(std::move(each));
  }
  co_return result;
}

}  // namespace troupe
