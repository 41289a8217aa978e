#include <troupe/runtime/calls.hpp>

#include <troupe/runtime/loop.hpp>

#include <exception>

namespace troupe {

void internal::loop_bound::bind(loop& home) noexcept {
  bound_to_ = &home;
  bound_next_ = home.bound_;
  if (bound_next_ != nullptr) bound_next_->bound_previous_ = this;
  home.bound_ = this;
}

void internal::loop_bound::unbind() noexcept {
  if (bound_to_ == nullptr) return;
  (bound_previous_ != nullptr ? bound_previous_->bound_next_ : bound_to_->bound_) = bound_next_;
  if (bound_next_ != nullptr) bound_next_->bound_previous_ = bound_previous_;
  bound_to_ = nullptr;
  bound_previous_ = bound_next_ = nullptr;
}

void internal::scheduled_call::run_call(work& item) noexcept {
  auto& self = static_cast<scheduled_call&>(item);
  thread_state& here = this_thread;
  if (self.state_ == state::waiting && !here.current_loop->discarding_) [[likely]] {
    self.state_ = state::running;
    context_data* const outer = std::exchange(here.context, self.context_);
    try {
      self.invoke();
    } catch (...) {
      here.current_loop->report({"a callback of the loop threw", std::current_exception()});
    }
    self.context_ = std::exchange(here.context, outer);
    if (self.state_ == state::running) self.state_ = state::over;
  }
  self.drop();
  self.release();
}

void internal::scheduled_call::cancel() noexcept {
  if (state_ != state::waiting) return;
  state_ = state::cancelled;
  drop();
  if (disarm()) release();
}

void internal::delayed_call::on_due(timer& due) noexcept {
  auto& self = static_cast<delayed_call&>(due);
  self.home_->push(self);
}

void internal::delayed_call::forget(timer& armed) noexcept {
  if (armed.fire != &delayed_call::on_due) return;
  auto& self = static_cast<delayed_call&>(armed);
  self.drop();
  self.release();
}

bool internal::delayed_call::disarm() noexcept {
  if (!armed()) return false;
  home_->timers().cancel(*this);
  return true;
}

}  // namespace troupe
