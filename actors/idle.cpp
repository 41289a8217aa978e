#include <troupe/actors/idle.hpp>

#include <troupe/actors/internal/belongings.hpp>
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/loop.hpp>

#include <exception>
#include <stdexcept>
#include <utility>

namespace troupe::internal {

constexpr message_info place_of_idle{.name = "an idle time-out",
                                     .free = &idle_watch::freed,
                                     .reached = &idle_watch::reached,
                                     .always_fits = true};

idle_watch::idle_watch(cell& owner) noexcept
    : timer(&idle_watch::on_due), envelope(place_of_idle), owner_(owner), turn_(owner.run) {}

void idle_watch::set(duration limit) {
  if (limit <= duration::zero())
    throw std::invalid_argument("the idle time-out of " + owner_.description() +
                                " has to be longer than nothing");
  off();
  if (limit == infinite || owner_.state() >= cell::life::stopping) return;
  expects(&owner_.home() == loop::current(), "an idle time-out was set on another loop");
  turn_ = std::exchange(owner_.run, &idle_watch::run_turn);
  limit_ = limit;
  was_busy_ = owner_.busy();
  last_ = owner_.home().time();
  arm(last_);
}

void idle_watch::off() noexcept {
  limit_ = infinite;
  owner_.home().timers().cancel(*this);
  if (owner_.run == &idle_watch::run_turn) owner_.run = turn_;
}

void idle_watch::arm(time_point from) {
  owner_.home().timers().arm(*this, saturating_add(from, limit_));
}

bool idle_watch::has_message() noexcept {
  return owner_.has_urgent() || owner_.messages().find([this](const envelope& item) noexcept {
    return &item != this && !keyed_timer::is_place(item) && !keyed_timer::is_message(item);
  }) != nullptr;
}

void idle_watch::run_turn(work& item) noexcept {
  auto& owner = static_cast<cell&>(item);
  idle_watch& self = owner.kept_already()->idle;
  // A coroutine handler has had its message until now.
  self.active_ = self.was_busy_ || self.has_message();
  owner.retain();  // the turn may be its last
  self.turn_(item);
  self.was_busy_ = owner.busy();
  if (self.active_) self.last_ = owner.home().time();
  owner.release();
}

void idle_watch::beside_ended() noexcept {
  if (limit_ != infinite) last_ = owner_.home().time();
}

void idle_watch::on_due(timer& due) noexcept {
  auto& self = static_cast<idle_watch&>(due);
  const time_point now = self.owner_.home().time();
  if (self.owner_.busy() || self.was_busy_ || self.owner_.works_beside() || self.has_message()) {
    self.arm(now);
  } else if (saturating_add(self.last_, self.limit_) > now) {
    self.arm(self.last_);
  } else if (!self.queued_) {
    self.queued_ = self.owner_.put_last(self);
  }
}

void idle_watch::freed(envelope& place) noexcept {
  auto& self = static_cast<idle_watch&>(place);
  self.queued_ = false;
  if (self.limit_ != infinite && !self.armed()) self.arm(self.owner_.home().time());
}

void idle_watch::reached(envelope& place) noexcept {
  auto& self = static_cast<idle_watch&>(place);
  self.queued_ = false;
  // Set anew, or taken back, while this lay in the mailbox.
  if (self.limit_ == infinite || self.armed()) return;
  cell& owner = self.owner_;
  const time_point now = owner.home().time();
  // One has come in between, and may have been handled before this.
  const bool kept_busy = self.active_ || owner.works_beside() || self.has_message();
  if (!kept_busy && saturating_add(self.last_, self.limit_) > now) return self.arm(self.last_);
  self.last_ = now;
  self.arm(now);
  if (kept_busy) return;
  if (owner.type().idle == nullptr) {
    owner.request_stop();
    return;
  }
  std::exception_ptr error;
  try {
    owner.type().idle(owner);
    return;
  } catch (...) {
    error = std::current_exception();
  }
  owner.handler_failed(nullptr, std::move(error));
}

void set_idle_timeout(cell& owner, duration limit) { owner.kept().idle.set(limit); }

}  // namespace troupe::internal
