#include <troupe/runtime/timeout.hpp>

#include <troupe/runtime/cancel_scope.hpp>

namespace troupe {

void timeout_scope::enter() {
  if (state_ != state::made)
    throw invalid_state("a timeout has been run before: make another one for each run");
  task_base* const current = task_base::current();
  if (current == nullptr)
    throw invalid_state("a timeout is run in a task, and none runs here: use create_task or run");
  internal::scope::bind(*current);  // before anything changes, for it may throw
  task_ = current;
  around_ = internal::scope::innermost(*current);
  cancelling_before_ = current->requests_let_through();
  state_ = state::entered;
  try {
    arm();
  } catch (...) {
    internal::scope::unbind(*current);
    throw;
  }
}

void timeout_scope::arm() {
  if (when_ == time_point::max()) return;
  home_ = &task_->here();
  loop& home = *home_;
  if (when_ > home.time()) {
    home.timers().arm(*this, when_);
    return;
  }
  soon_ = home.call_soon([this] { expire(); });
}

void timeout_scope::disarm() noexcept {
  if (armed()) home_->timers().cancel(*this);
  std::exchange(soon_, {}).cancel();
}

void timeout_scope::on_due(timer& due) noexcept { static_cast<timeout_scope&>(due).expire(); }

void timeout_scope::expire() noexcept {
  state_ = state::expiring;
  internal::scope::cancel_task(*task_, around_);
}

void timeout_scope::abandon() noexcept {
  disarm();
  if (state_ == state::entered || state_ == state::expiring) state_ = state::left;
}

void timeout_scope::leave(std::exception_ptr error) {
  disarm();
  internal::scope::unbind(*task_);
  const bool expired = state_ == state::expiring;
  state_ = expired ? state::expired : state::left;
  if (!expired) {
    if (error) std::rethrow_exception(error);
    return;
  }
  // A cancelled scope around it makes no request that could be counted.
  task_->uncancel();
  const bool mine_alone =
      task_->requests_let_through() <= cancelling_before_ && !internal::scope::pressed(*task_);
  if (!error) return;
  if (mine_alone && internal::cancellation_of(error) != internal::cancellation::none)
    internal::throw_timeout();
  std::rethrow_exception(error);
}

void timeout_scope::reschedule(time_point when) {
  if (state_ == state::made) throw invalid_state("a timeout that does not run yet was rescheduled");
  if (state_ != state::entered)
    throw invalid_state("a timeout that has ended or expired was rescheduled");
  disarm();
  when_ = when;
  arm();
}

}  // namespace troupe
