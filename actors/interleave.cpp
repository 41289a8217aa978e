// What cells of classes do that let some messages be handled while a coroutine handler waits; see interleave.hpp.
#include <troupe/actors/cell.hpp>

#include <troupe/actors/internal/belongings.hpp>
#include <troupe/actors/trace.hpp>

namespace troupe::internal {

void cell::run_beside(task_base& activity) noexcept {
  ++extra().beside;
  tasks().add(activity);
  activity.start_now();
  activity.release();  // the list holds it
}

void cell::beside_ended() noexcept {
  --extra().beside;
  if (belongings* const known = kept_already()) known->idle.beside_ended();
  if (life_ >= life::stopping) return;
  if (stop_wanted_) {
    pay_attention();  // it may have crashed the actor
  } else if (draining_ && !busy_) {
    make_ready();  // it may have been the last that was waited for
  }
}

void cell::pass_over(envelope& item) noexcept {
  if (keyed_timer::is_place(item) &&
      class_->interleaves(static_cast<keyed_timer&>(item).message_type())) {
    if (counted()) taken(item);
    item.info->reached(item);
  } else {
    extra().kept_waiting.push(item);
  }
}

envelope* cell::pop_urgent_beside() noexcept {
  cell_extra* const known = known_extra();
  if (known == nullptr) return nullptr;
  return known->urgent.remove_first(
      [this](const envelope& each) noexcept { return class_->interleaves(*each.info); });
}

void cell::interleaved_activity_ended() noexcept {
  busy_ = false;
  extra().in_hand = nullptr;
  extra().at_work = nullptr;
  if (!entering_) make_ready();
}

void cell::take_up_waiting() noexcept {
  if (cell_extra* const known = known_extra()) mailbox_.prepend(known->kept_waiting);
}

void cell::end_turn_beside() noexcept {
  if (maybe_traced()) trace_leave();  // tracing may have ended since
  if (stop_wanted_) {
    scheduled_ = false;  // the end of the handler makes it ready again
    pay_attention();
    return;
  }
  const auto beside = [this](const envelope& each) noexcept {
    return class_->interleaves(*each.info);
  };
  if (mailbox_.empty() && extra().urgent.find(beside) == nullptr) {
    scheduled_ = false;
    backlog_ = no_backlog;
  } else {
    home_->push(*this);
  }
}

}  // namespace troupe::internal
