#pragma once

#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/suspension.hpp>
#include <troupe/runtime/time.hpp>

#include <coroutine>
#include <utility>

namespace troupe {

namespace internal {

class sleep_wait final : public suspension, private timer {
 public:
  explicit sleep_wait(duration delay) noexcept : timer(&sleep_wait::on_due), delay_(delay) {}
  sleep_wait(sleep_wait&& other) noexcept
      : suspension(std::move(other)), timer(&sleep_wait::on_due), delay_(other.delay_) {}
  ~sleep_wait() {
    if (armed()) [[unlikely]]
      disarm();
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current());
  void await_resume() { finish(); }
  bool cancel() noexcept override;
  std::string_view what() const noexcept override { return "sleep"; }

 private:
  static void on_due(timer& self) noexcept;
  void arm();
  void disarm() noexcept;
  duration delay_;
};

}  // namespace internal

/// Suspends the task for at least `delay`. A delay of zero, or a negative one, lets everything run that is ready now, and
/// comes back in the loop's next round. `sleep(infinite)` waits for cancellation.
/// Cancel: the timer is dropped and `cancelled` thrown.
/// Cost: that of a timer, O(log n) up to a hundred or so of them, constant beyond; no allocation.
template <class Rep, class Period>
[[nodiscard]] auto sleep(std::chrono::duration<Rep, Period> delay) {
  return internal::sleep_wait(internal::to_duration(delay));
}

/// The same, and gives `value`.
template <class Rep, class Period, class T>
coro<T> sleep(std::chrono::duration<Rep, Period> delay, T value) {
  co_await sleep(delay);
  co_return value;
}

}  // namespace troupe
