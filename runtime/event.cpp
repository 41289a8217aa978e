#include <troupe/runtime/event.hpp>

namespace troupe {

namespace internal {

void event_wait::await_suspend(std::coroutine_handle<> handle, std::source_location here) {
  event_->served_.expect_same("an event");
  park(handle, here);
  if (waiting()) event_->waiting_.push(*this);
}

bool event_wait::cancel() noexcept {
  leave();
  wake_cancelled();
  return true;
}

void event_wait::settle() {
  finish();
  if (event_ == nullptr) throw_gone("an event");
}

}  // namespace internal

event::~event() {
  while (internal::event_wait* const left = waiting_.pop()) {
    left->event_ = nullptr;
    left->wake();
  }
}

void event::set() {
  if (!waiting_.empty()) served_.expect_here("an event");
  set_ = true;
  while (internal::event_wait* const told = waiting_.pop()) told->wake();
}

}  // namespace troupe
