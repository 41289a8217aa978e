#pragma once

#include <troupe/runtime/task.hpp>

#include <coroutine>
#include <exception>
#include <type_traits>
#include <utility>

namespace troupe {

namespace internal {

/// The current task's move to another loop.
class move_wait final : public suspension {
 public:
  explicit move_wait(loop& there, bool coming_back = false) noexcept
      : there_(there), coming_back_(coming_back) {}

  bool await_ready() const noexcept { return loop::current() == &there_; }
  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current());
  void await_resume();
  bool cancel() noexcept override;
  std::string_view what() const noexcept override { return "the move to another loop"; }

 private:
  loop& there_;
  bool coming_back_;  ///< not to be stopped: what called is waiting there
  bool under_way_ = false;
};

/// Goes to `there` and runs `body`. A cancellation on the way is thrown there.
template <class T>
coro<T> away(loop& there, coro<T> body) {
  move_wait going(there);
  co_await going;
  co_return co_await body;
}

}  // namespace internal

/// Moves the current task to `there`, another loop of the runtime: `co_await on(runtime::current()->loop_at(1))`. From then on
/// its steps run there, beside what else that loop has to do. Its handles stay where the task was made: who awaits it is told
/// there, and `cancel` is passed on to where it runs. A task must leave what belongs to a loop before it leaves that: time
/// limits, scopes and groups that it is inside of are noticed; locks and events are noticed when they are next used.
/// Errors: `invalid_state` inside such a scope, or when the loop is closed; `cancelled`, without moving.
/// Cancel: on the way it is kept for the arrival.
/// Cost: one crossing from thread to thread.
inline internal::move_wait on(loop& there) noexcept { return internal::move_wait(there); }

/// Runs `body` on `there` as part of the current task, and brings its result back.
/// Errors: what `body` throws; otherwise as `on`.
template <class T>
coro<T> on(loop& there, coro<T> body) {
  loop& here = internal::running_loop("on");
  auto journey = internal::away(there, std::move(body));
  auto& ended = co_await journey.ending();
  {
    internal::move_wait returning(here, true);
    co_await returning;
  }
  co_return ended.take();
}

}  // namespace troupe
