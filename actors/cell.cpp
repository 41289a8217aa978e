#include <troupe/actors/cell.hpp>

#include <troupe/actors/actor_roots.hpp>
#include <troupe/actors/bounds.hpp>
#include <troupe/actors/dead_letter.hpp>
#include <troupe/actors/errors.hpp>
#include <troupe/actors/internal/interceptor.hpp>
#include <troupe/actors/keeper.hpp>
#include <troupe/actors/open_ask.hpp>
#include <troupe/actors/order.hpp>
#include <troupe/actors/trace.hpp>
#include <troupe/actors/traced_step.hpp>

#include <troupe/runtime/check.hpp>

#include <stdexcept>
#include <utility>

namespace troupe::internal {

namespace {

bool is_rejected(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const rejected&) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace

std::string cell::description() const {
  std::string text(class_->name);
  const cell_extra* const known = extra_.load(std::memory_order_acquire);
  if (known != nullptr && !known->name.empty()) text += " '" + known->name + "'";
  return text;
}

std::string cell::condition() const {
  if (home_ != loop::current()) return "on loop " + std::to_string(home_->index());
  switch (life_) {
    case life::dead:
      return "dead";
    case life::stopping:
      return "stopping";
    case life::starting:
      return resting_ ? "down, to be restarted" : "starting";
    case life::running:
      break;
  }
  // Many asks may time out together: no walk along a long queue for each.
  constexpr std::size_t most = 1000;
  const cell_extra* const known = known_extra();
  std::size_t queued = mailbox_.length(most + 1);
  const auto counted = [](std::size_t count) {
    return count > most ? "over " + std::to_string(most) : std::to_string(count);
  };
  if (known != nullptr) {
    queued += known->kept_waiting.length(most + 1 - queued);
    queued += known->urgent.length(most + 1 - queued);
  }
  std::string text =
      "alive, " + counted(queued) + (queued == 1 ? " message queued" : " messages queued");
  const bool bounded = known != nullptr && known->limits != nullptr;
  if (const std::size_t parked = bounded ? known->limits->parked.length(most + 1) : 0; parked != 0)
    text += ", " + counted(parked) + " waiting for room";
  if (known != nullptr && known->in_hand != nullptr)
    text += ", handling " + std::string(known->in_hand->name);
  return text;
}

// --- messages --------------------------------------------------------------------------------------------------------

void cell::post(envelope& item, work::function arrival) noexcept {
  retain();
  item.target = this;
  item.run = arrival;
  if (maybe_traced()) [[unlikely]]
    trace_posted(item, *this);
  if (!home_->post(item)) {
    refuse(item);
    release();
  }
}

void cell::post_sent(envelope& item, work::function arrival) noexcept {
  // On a loop of a simulation all actors may be looked at.
  if (intercepting != nullptr && home_->simulator() != nullptr && !closed() &&
      intercepting->take(*this, item, arrival))
    return;
  post(item, arrival);
}

void cell::refuse(envelope& item) noexcept {
  if ((gate_ & gate_watched) != 0) tell_interceptor(item);
  if (traced()) trace_lost(item);
  if (item.reply != nullptr) {
    if (item.reply->withdrawn()) {
      item.reply->skip();
    } else {
      item.reply->fail(dead_error(*this, item));
    }
    return;
  }
  if (!item.is_place()) count_dead_letter(dead_letter::reason::dead, this, *item.info);
  item.info->free(item);
}

void cell::handler_failed(reply_slot* reply, std::exception_ptr error) noexcept {
  if (cancellation_of(error) != cancellation::none) error = stray_cancellation();
  const bool crashes = !is_rejected(error);
  if (crashes) {
    stop_after_crash(error);
  } else if (reply == nullptr) {
    // Nobody asked, so nobody would hear of a rejection.
    home_->report({description() + " rejected a message that was told, not asked", error});
  }
  if (crashes && retries() && try_again(reply)) return;
  // Last, and given away: what is posted to another loop is not looked at here any more.
  if (reply != nullptr) reply->fail(std::move(error));
}

void cell::stop_after_crash(const std::exception_ptr& error) noexcept {
  crashed(error);
  // Its supervisor reports what is done about it.
  if (!supervised_ || !will_fall())
    home_->report({description() + " crashed and is stopped", error});
  stop_wanted_ = attention_ = true;
}

void cell::crashed(const std::exception_ptr& error) noexcept {
  if (ended_as_ == exit_reason::kind::killed) return;
  ended_as_ = exit_reason::kind::crashed;
  extra().crash = error;
  if (traced()) trace_crash(error);
}

std::exception_ptr cell::stray_cancellation() const {
  return std::make_exception_ptr(std::runtime_error(
      "a handler of " + description() + " let a `cancelled` escape that was not meant for it"));
}

// --- a turn ---------------------------------------------------------------------------------------------------------

void cell::notice(const envelope& item) noexcept {
  if (counted()) taken(item);
  if (retries()) keep_copy(item);
  if ((gate_ & gate_watched) != 0 && intercepting != nullptr) intercepting->begins(*this, item);
  if (traced()) trace_delivered(item);
}

void cell::handled() noexcept {
  if (traced()) trace_leave();
  if (retries() && !busy_) drop_copy();
}

bool cell::attend() noexcept {
  if (!attend_to_life()) return false;
  if (has_urgent()) {
    message_queue& urgent = extra().urgent;
    mailbox_.push_front(*urgent.pop());
    attention_ = attentive() || !urgent.empty();
  }
  // The turn takes what is in front now.
  if (noticed() && !mailbox_.empty()) notice(*mailbox_.front());
  return true;
}

bool cell::attend_to_life() noexcept {
  if (busy_) return false;
  if (life_ == life::stopping) {
    advance_stop();
    return false;
  }
  if (stop_wanted_ || drained()) {
    if (supervised_ && will_fall()) {
      begin_fall();
    } else {
      begin_stop();
    }
    return false;
  }
  if (resting_) {
    scheduled_ = false;
    return false;
  }
  attention_ = attentive();
  if (life_ == life::running) {
    in_on_start_ = false;
    if (coming_up_) came_up();
    return true;
  }
  // Starting. Whatever on_start does, messages come after it.
  life_ = life::running;
  attention_ = attention_ || coming_up_;
  if (class_->start != nullptr) {
    in_on_start_ = true;
    try {
      const traced_step step(*this);
      class_->start(*this);
    } catch (...) {
      stop_after_crash(std::current_exception());
    }
    if (busy_) {
      attention_ = true;
      return false;
    }
    in_on_start_ = false;
  }
  return !attention_ || attend_to_life();
}

void cell::end_turn() noexcept {
  // A busy cell stays out of the ready chain until its handler ends.
  if (attention_) [[unlikely]] {
    if (noticed()) handled();
    if (busy_ || !attend_to_life()) return;
    if (has_urgent()) {
      attention_ = true;
      home_->push(*this);
      return;
    }
  } else if (busy_) {
    return;
  }
  if (mailbox_.empty()) {
    scheduled_ = false;
    backlog_ = no_backlog;
  } else {
    home_->push(*this);
  }
}

// --- coroutine handlers ----------------------------------------------------------------------------------------------

void cell::run_activity(task_base& activity, const message_info* message) noexcept {
  extra().in_hand = message;
  extra().at_work = &activity;
  busy_ = entering_ = true;
  tasks().add(activity);
  activity.start_now();
  activity.release();  // the list holds it
  entering_ = false;
}

void cell::activity_ended() noexcept {
  busy_ = false;
  extra().in_hand = nullptr;
  extra().at_work = nullptr;
  if (!entering_) home_->push(*this);
}

}  // namespace troupe::internal
