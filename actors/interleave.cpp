// What cells of classes do that let some messages be handled while a coroutine handler waits; see interleave.hpp.
#include <troupe/actors/cell.hpp>

namespace troupe::internal {

void cell::run_beside(task_base& activity) noexcept {
  tasks().add(activity);
  activity.start_now();
  activity.release();  // the list holds it
}

void cell::beside_ended() noexcept {
  // It may have crashed the actor.
  if (stop_wanted_ && life_ < life::stopping) pay_attention();
}

void cell::interleaved_activity_ended() noexcept {
  busy_ = false;
  extra().in_hand = nullptr;
  extra().at_work = nullptr;
  if (entering_ || scheduled_) return;
  scheduled_ = true;
  home_->push(*this);
}

void cell::take_up_waiting() noexcept {
  if (cell_extra* const known = extra_.load(std::memory_order_relaxed))
    mailbox_.prepend(known->kept_waiting);
}

void cell::end_turn_beside() noexcept {
  if (stop_wanted_) {
    scheduled_ = false;  // the end of the handler makes it ready again
    pay_attention();
  } else if (mailbox_.empty()) {
    scheduled_ = false;
    backlog_ = no_backlog;
  } else {
    home_->push(*this);
  }
}

}  // namespace troupe::internal
