#include <troupe/actors/timers.hpp>

#include <troupe/actors/internal/belongings.hpp>
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/loop.hpp>

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <utility>

namespace troupe::internal {

void timer_freed(envelope& place) noexcept { static_cast<keyed_timer&>(place).thrown_out(); }
void timer_reached(envelope& place) noexcept { static_cast<keyed_timer&>(place).reach(); }

keyed_timer::keyed_timer(keyed_timers& table, const timer_key& key, duration time,
                         envelope& message, const timed_message& how)
    : timer(&keyed_timer::on_due),
      envelope(*how.place),
      table_(&table),
      owner_(table.owner()),
      message_(nullptr),
      copy_(how.copy),
      type_(message.info),
      time_(time),
      number_(key.number),
      name_(key.name) {
  message_ = &message;  // last: what throws above leaves it to the caller
}

keyed_timer::~keyed_timer() {
  if (message_ != nullptr) message_->info->free(*message_);
}

void keyed_timer::begin() {
  due_ = saturating_add(owner_.home().time(), std::max(time_, duration::zero()));
  arm();
}

void keyed_timer::arm() {
  where_ = where::armed;
  if (time_ != infinite) owner_.home().timers().arm(*this, due_);
}

void keyed_timer::on_due(timer& due) noexcept {
  auto& self = static_cast<keyed_timer&>(due);
  self.where_ = where::queued;
  // A timer has one message at a time, so a mailbox with a limit takes it all the same.
  if (self.owner_.put_last(self)) return;
  self.table_->remove(self);
  delete &self;
}

void keyed_timer::forget() noexcept {
  table_ = nullptr;
  if (where_ == where::armed) {
    owner_.home().timers().cancel(*this);
    delete this;
    return;
  }
  if (where_ != where::behind_message) return;
  if (work** const place = find_message()) owner_.discard(place);
}

work** keyed_timer::find_message() const noexcept {
  owner_.take_up_waiting();
  // No other timer's message can stand before this one, so the one that is found there is the right one.
  work** const found = owner_.messages().find([this](const envelope& item) noexcept {
    return &item == this || (&item == sent_ && is_message(item));
  });
  return found != nullptr && *found != this ? found : nullptr;
}

bool keyed_timer::to_come() const noexcept {
  return copy_ != nullptr || where_ != where::behind_message || find_message() != nullptr;
}

void keyed_timer::reach() noexcept {
  if (table_ == nullptr) {
    delete this;
  } else if (where_ == where::queued) {
    try {
      put_message();
    } catch (...) {
      owner_.stop_after_crash(std::current_exception());
      table_->remove(*this);
      delete this;
    }
  } else {
    handled();
  }
}

void keyed_timer::put_message() {
  envelope* const sent = copy_ != nullptr ? copy_(*message_) : std::exchange(message_, nullptr);
  sent->run = &never_run;
  sent_ = sent;
  where_ = where::behind_message;
  owner_.put_first(*this);
  owner_.put_first(*sent);
}

void keyed_timer::handled() noexcept {
  if (copy_ == nullptr) {
    table_->remove(*this);
    delete this;
    return;
  }
  // Times that have passed while the message waited or was handled are left out.
  const time_point now = owner_.home().time();
  due_ = saturating_add(due_, time_);
  if (due_ <= now) due_ += ((now - due_) / time_ + 1) * time_;
  arm();
}

void keyed_timer::thrown_out() noexcept {
  if (table_ == nullptr) {
    delete this;
  } else {
    handled();
  }
}

// --- the table --------------------------------------------------------------------------------------------------------

void keyed_timers::start(const timer_key& key, duration time, envelope& message,
                         const timed_message& how) {
  struct held_message {
    ~held_message() {
      if (held != nullptr) held->info->free(*held);
    }
    envelope* held;
  } held{&message};
  if (how.copy != nullptr && time <= duration::zero())
    throw std::invalid_argument("a periodic timer of " + owner_.description() +
                                " has to have a period");
  if (owner_.state() >= cell::life::stopping) return;  // no message comes any more
  expects(&owner_.home() == loop::current(), "a timer of an actor was started on another loop");
  owned<keyed_timer> made(new keyed_timer(*this, key, time, message, how));
  held.held = nullptr;
  cancel(key);
  timers_.insert(&*made);
  keyed_timer& started = *made.release();
  started.begin();
}

bool keyed_timers::cancel(const timer_key& key) noexcept {
  const auto found = timers_.find(key);
  if (found == timers_.end()) return false;
  keyed_timer& unwanted = **found;
  timers_.erase(found);
  const bool to_come = unwanted.to_come();
  unwanted.forget();
  return to_come;
}

void keyed_timers::cancel_all() noexcept {
  for (keyed_timer* const each : std::exchange(timers_, {})) each->forget();
}

bool keyed_timers::active(const timer_key& key) const noexcept {
  const auto found = timers_.find(key);
  return found != timers_.end() && (*found)->to_come();
}

void keyed_timers::remove(keyed_timer& ended) noexcept { timers_.erase(&ended); }

// --- what actors call -------------------------------------------------------------------------------------------------

void start_timer(cell& owner, const timer_key& key, duration time, envelope& message,
                 const timed_message& how) {
  owner.kept().timers.start(key, time, message, how);
}

bool cancel_timer(cell& owner, const timer_key& key) noexcept {
  belongings* const kept = owner.kept_already();
  return kept != nullptr && kept->timers.cancel(key);
}

void cancel_all_timers(cell& owner) noexcept {
  if (belongings* const kept = owner.kept_already()) kept->timers.cancel_all();
}

bool timer_active(const cell& owner, const timer_key& key) noexcept {
  const belongings* const kept = owner.kept_already();
  return kept != nullptr && kept->timers.active(key);
}

}  // namespace troupe::internal
