#include <troupe/runtime/scope.hpp>

#include <troupe/runtime/check.hpp>

namespace troupe::internal {

void scope::abandon() noexcept {
  if (task_ == nullptr) return;
  // Frames are destroyed from the outside inwards: there may be scopes further in.
  scope** at = &std::exchange(task_, nullptr)->rarities_->scope;
  while (*at != nullptr && *at != this) at = &(*at)->parent_;
  if (*at == this) *at = parent_;
}

bool scope::shields(const task_base& of, const scope* around) noexcept {
  for (const scope* each = of.scope(); each != around && each != nullptr; each = each->parent_) {
    if (each->shielded_) return true;
  }
  return false;
}

void scope::update(task_base& of) noexcept {
  bool pressed = of.for_good_;
  for (const scope* each = of.scope(); each != nullptr; each = each->parent_) {
    pressed = each->cancelled_;
    if (pressed || each->shielded_) break;
    pressed = of.for_good_;
  }
  of.set_due(task_base::pressed, pressed);
  if (of.held() != 0 && !shields(of, nullptr)) {
    of.rarities_->held = 0;
    of.set_due(task_base::kept, true);
  }
}

void scope::interrupt(task_base& of) noexcept {
  if (of.waiting_ == nullptr || of.passing_on_) return;
  of.passing_on_ = true;
  if (of.waiting_->cancel()) of.set_due(task_base::kept, false);
  of.passing_on_ = false;
}

void scope::enter() {
  task_base* const current = task_base::current();
  if (current == nullptr)
    throw invalid_state("a scope is run in a task, and none runs here: use create_task or run");
  if (used_) throw invalid_state("a scope has been run before: make another one for each run");
  bind(*current);  // before anything changes, for it may throw
  used_ = true;
  task_ = current;
  parent_ = std::exchange(current->rare().scope, this);
  // A request that is still to be delivered will be in here, and is then one that came from outside.
  cancelling_before_ = current->requests_let_through() - (current->is_due(task_base::kept) ? 1 : 0);
  update(*current);
}

bool scope::leave(bool ended_cancelled) noexcept {
  task_base& mine = *std::exchange(task_, nullptr);
  expects(mine.scope() == this,
          "scopes of a task are left in another order than they were entered");
  mine.rarities_->scope = parent_;
  unbind(mine);
  update(mine);
  if (!ended_cancelled || !cancelled_) return false;
  // A request that this held as a shield is delivered by what now leaves it.
  if (mine.is_due(task_base::kept)) {
    mine.set_due(task_base::kept, false);
    return false;
  }
  return !pressed(mine) && mine.requests_let_through() <= cancelling_before_;
}

void scope::press() noexcept {
  if (std::exchange(cancelled_, true) || task_ == nullptr) return;
  update(*task_);
  if (pressed(*task_)) interrupt(*task_);
}

void scope::set_shielded(bool shielded) noexcept {
  shielded_ = shielded;
  if (task_ == nullptr) return;
  update(*task_);
  if (task_->is_due(task_base::kept | task_base::pressed)) interrupt(*task_);
}

void scope::cancel_task(task_base& target, const scope* around) noexcept {
  target.request_cancel({}, around);
}

}  // namespace troupe::internal
