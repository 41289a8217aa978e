#include <troupe/runtime/internal/simulator.hpp>
#include <troupe/runtime/task.hpp>

namespace troupe::internal {

simulator*& current_simulator() noexcept {
  static thread_local simulator* current = nullptr;
  return current;
}

void simulator::posted() noexcept {
  if (current_simulator() != this) met("another thread than its own posted to one of its loops");
}

bool is_call(const work& item) noexcept { return scheduled_call::is_one(item); }

void simulated_loop::enter() noexcept {
  home_->running_ = true;
  home_->stopping_ = false;
  home_->stalled_ = false;
  home_->inbox_.sleep_on();
}

void simulated_loop::leave() noexcept {
  static_cast<void>(home_->inbox_.end_sleep());
  home_->running_ = false;
  home_->stopping_ = false;
}

time_point simulated_loop::next_deadline() noexcept {
  timer_queue& timers = home_->timers_;
  if (timers.empty() && !timers.looking()) return time_point::max();
  this_thread.current_loop = home_;
  timers.settle(home_->virtual_now_);
  return timers.size() != 0 ? timers.earliest() : time_point::max();
}

void simulated_loop::fire() noexcept {
  this_thread.current_loop = home_;
  home_->timer_due_ = false;
  home_->fire_timers();
}

void simulated_loop::idle() noexcept {
  if (!home_->on_wound_up_) return;
  this_thread.current_loop = home_;
  if (home_->cancel_late_tasks()) return;
  if (home_->wound_up()) home_->on_wound_up_();
}

}  // namespace troupe::internal
