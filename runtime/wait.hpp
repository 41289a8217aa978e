#pragma once

#include <troupe/runtime/task.hpp>
#include <troupe/runtime/timer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace troupe {

/// When `wait` returns. The first two are `asyncio.ALL_COMPLETED` and `FIRST_COMPLETED`.
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
class several_wait final : public suspension {
 public:
  several_wait(const std::vector<future_base*>& targets, return_when enough, duration limit);
  ~several_wait();

  bool await_ready() noexcept;
  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current());
  void await_resume();
  bool cancel() noexcept override;
  void each_awaited(const callable<void(const future_base&)>& visit) const override;
  std::string_view what() const noexcept override { return "several tasks or futures"; }

 private:
  struct watch final : observer {
    watch() noexcept : observer(&watch::on_done) {}
    static void on_done(observer& self) noexcept;
    future_base* target = nullptr;
    several_wait* all = nullptr;  ///< null when it does not observe
  };
  struct limit_timer : timer {
    explicit limit_timer(several_wait& given) noexcept : timer(&several_wait::on_due), all(given) {}
    several_wait& all;
  };

  static void on_due(timer& due) noexcept;
  bool enough(const future_base& done) const noexcept;
  void stop_watching() noexcept;

  std::vector<watch> watches_;
  std::size_t left_ = 0;
  return_when enough_;
  duration limit_;
  limit_timer timer_;
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
  std::vector<Handle> unique;
  std::vector<future_base*> targets;
  for (Handle& each : handles) {
    bool known = false;
    for (const future_base* other : targets) known |= other == &each.base();
    if (known) continue;
    targets.push_back(&each.base());
    unique.push_back(std::move(each));
  }
  {
    internal::several_wait waiting(targets, options.return_when, options.timeout);
    co_await waiting;
  }
  wait_result<Handle> result;
  for (Handle& each : unique) {
    (each.done() ? result.done : result.pending).push_back(std::move(each));
  }
  co_return result;
}

}  // namespace troupe
