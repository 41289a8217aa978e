#include <troupe/runtime/sleep.hpp>

#include <troupe/runtime/task.hpp>

namespace troupe::internal {

void sleep_wait::await_suspend(std::coroutine_handle<> handle, std::source_location here) {
  if (delay_ <= duration::zero()) {
    park(handle, here);
    // A cancellation that was due has woken the task already.
    if (waiting()) wake();
    return;
  }
  if (delay_ != infinite) arm();
  park(handle, here);
}

/// Before it parks, for it may throw; a cancellation that is due disarms it again.
void sleep_wait::arm() {
  loop& home = running_loop("sleep");
  home.timers().arm(*this, saturating_add(home.time(), delay_));
}

void sleep_wait::on_due(timer& self) noexcept { static_cast<sleep_wait&>(self).wake(); }

void sleep_wait::disarm() noexcept { resumes_on().timers().cancel(*this); }

bool sleep_wait::cancel() noexcept {
  disarm();
  wake_cancelled();
  return true;
}

}  // namespace troupe::internal
