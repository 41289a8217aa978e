#include <troupe/runtime/sleep.hpp>

#include <troupe/runtime/task.hpp>

namespace troupe::internal {

void sleep_wait::await_suspend(std::coroutine_handle<> handle) {
  loop& home = *loop::current();
  if (delay_ <= duration::zero()) {
    park(handle);
    // A cancellation that was due has woken the task already.
    if (waiting()) wake();
    return;
  }
  if (delay_ != infinite) home.timers().arm(*this, saturating_add(home.now(), delay_));
  park(handle);
}

void sleep_wait::on_due(timer& self) noexcept { static_cast<sleep_wait&>(self).wake(); }

bool sleep_wait::cancel() noexcept {
  loop::current()->timers().cancel(*this);
  wake_cancelled();
  return true;
}

}  // namespace troupe::internal
