#include <troupe/runtime/cancel_scope.hpp>

namespace troupe {

void cancel_scope::begin() {
  enter();
  try {
    arm();
  } catch (...) {
    leave(false);
    throw;
  }
}

void cancel_scope::end(std::exception_ptr error) {
  disarm();
  const bool ended_cancelled =
      error && internal::cancellation_of(error) != internal::cancellation::none;
  caught_ = leave(ended_cancelled);
  if (error && !caught_) std::rethrow_exception(error);
}

void cancel_scope::arm() {
  if (deadline_ == time_point::max() || !active()) return;
  loop& on = home();
  if (deadline_ <= on.time()) {
    expired_ = true;
    cancel();
    return;
  }
  armed_on_ = &on;
  on.timers().arm(*this, deadline_);
}

void cancel_scope::disarm() noexcept {
  if (armed()) armed_on_->timers().cancel(*this);
}

void cancel_scope::on_due(timer& due) noexcept {
  auto& self = static_cast<cancel_scope&>(due);
  self.expired_ = true;
  self.cancel();
}

void cancel_scope::set_deadline(time_point deadline) {
  disarm();
  deadline_ = deadline;
  if (!cancel_called()) arm();
}

namespace internal {

time_point deadline_after(duration limit) {
  loop& home = running_loop("a time limit");
  return limit == infinite ? time_point::max() : saturating_add(home.time(), limit);
}

void throw_timeout() { throw timeout_error("the time limit has passed"); }

}  // namespace internal
}  // namespace troupe
