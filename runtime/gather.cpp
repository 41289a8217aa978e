#include <troupe/runtime/gather.hpp>

namespace troupe::internal {

void all_wait::target::on_done(observer& self) noexcept {
  auto& one = static_cast<target&>(self);
  one.waiter->told(one);
}

all_wait::~all_wait() {
  for (std::size_t index = 0; index < count_; ++index) {
    target& one = targets_[index];
    if (one.waiter != nullptr) one.future->remove_observer(one);
  }
}

bool all_wait::await_ready() noexcept {
  for (std::size_t index = 0; index < count_; ++index) {
    const future_base& future = *targets_[index].future;
    if (!future.done()) {
      ++left_;
    } else if (!future.succeeded()) {
      return true;
    }
  }
  return left_ == 0;
}

void all_wait::await_suspend(std::coroutine_handle<> handle) {
  for (std::size_t index = 0; index < count_; ++index) {
    target& one = targets_[index];
    if (one.future->done()) continue;
    one.waiter = this;
    one.future->add_observer(one);
  }
  park(handle);
}

void all_wait::told(target& one) noexcept {
  one.waiter = nullptr;
  --left_;
  const bool failed = !one.future->succeeded() && !cancel_requested_;
  if ((failed || left_ == 0) && waiting()) wake();
}

void all_wait::await_resume() {
  if (!suspended()) return;
  if (take_cancelled() || cancel_requested_) throw cancelled{};
}

bool all_wait::cancel() noexcept {
  cancel_requested_ = true;
  bool accepted = false;
  for (std::size_t index = 0; index < count_; ++index) accepted |= targets_[index].future->cancel();
  // Nobody took it: they are passing on a request that has come round to this wait. Or this task is to end, come what may.
  if (waiting() && (!accepted || for_good())) wake_cancelled();
  return true;
}

}  // namespace troupe::internal
