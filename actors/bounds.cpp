#include <troupe/actors/bounds.hpp>

#include <troupe/actors/any_actor.hpp>
#include <troupe/actors/cell.hpp>
#include <troupe/actors/dead_letter.hpp>
#include <troupe/actors/errors.hpp>
#include <troupe/actors/internal/belongings.hpp>
#include <troupe/actors/open_ask.hpp>
#include <troupe/actors/order.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace troupe::internal {

bounds::bounds(const mailbox_options& whole, const message_limit* first, std::size_t count)
    : whole_(whole) {
  for (const message_limit* each = first; each != first + count; ++each) set_limit(*each);
}

void bounds::set_limit(const message_limit& given) {
  if (limited* const known = find(*given.type)) {
    known->limit = given;
  } else {
    limited_.push_back({given, 0});
  }
}

const bounds::limited* bounds::find(const message_info& type) const noexcept {
  const auto found = std::find_if(limited_.begin(), limited_.end(),
                                  [&](const limited& each) { return each.limit.type == &type; });
  return found != limited_.end() ? &*found : nullptr;
}

bool bounds::is_full_of(const message_info& type) const noexcept {
  const limited* const known = find(type);
  return known != nullptr && known->queued >= known->limit.capacity;
}

overflow bounds::policy_for(const message_info& type) const noexcept {
  return is_full_of(type) ? find(type)->limit.when_full : whole_.when_full;
}

void bounds::came(const message_info& type) noexcept {
  if (type.always_fits) return;
  ++queued_;
  if (limited* const known = find(type)) ++known->queued;
}

void bounds::went(const message_info& type) noexcept {
  if (type.always_fits) return;
  --queued_;
  if (limited* const known = find(type)) --known->queued;
  if (queued_ <= whole_.high_water / 2) warned_ = false;
}

bool bounds::reached_high_water() noexcept {
  if (warned_ || whole_.high_water == 0 || queued_ < whole_.high_water) return false;
  return warned_ = true;
}

// --- the cell's side --------------------------------------------------------------------------------------------------

cell_extra::~cell_extra() {
  if (copy_in_hand != nullptr) copy_in_hand->info->free(*copy_in_hand);
  delete limits;
  delete kept;
}

void cell::bound(const mailbox_options& whole) {
  extra().drain_for = whole.drain_for;
  if (whole.capacity == 0 && whole.high_water == 0 && class_->limit_count == 0) return;
  extra().limits = new bounds(whole, class_->limits, class_->limit_count);
  gate_ |= gate_counted;
}

void cell::bound_meanwhile(const mailbox_options& whole) {
  if (counted()) return;
  cell_extra& known = extra();
  if (known.limits == nullptr) known.limits = new bounds(whole, nullptr, 0);
  const auto count = [&](const envelope& each) { known.limits->came(*each.info); };
  mailbox_.for_each(count);
  known.urgent.for_each(count);
  gate_ |= gate_counted;
  attention_ = true;  // each message is a turn of its own now
}

void cell::unbound() noexcept {
  const bounds& known = *extra().limits;
  if (known.queued() == 0 && known.parked.empty())
    gate_ &= static_cast<std::uint8_t>(~gate_counted);
}

void cell::accept_slowly(envelope& item) noexcept {
  touched();
  if (intercepted(item, false)) return;
  if (traced()) trace_sent(item);
  if (closed()) {
    refuse(item);
    return;
  }
  if (!counted()) {
    if (item.reply == nullptr || item.reply->admitted(item)) put(item);
    return;
  }
  bounds& known = *extra().limits;
  if (item.info->always_fits || known.room_for(*item.info)) {
    admit(item);
    return;
  }
  switch (known.policy_for(*item.info)) {
    case overflow::suspend:
      // A tell has nobody who could wait.
      if (item.reply == nullptr) return overflowed(item, false);
      known.parked.push(item);
      return;
    case overflow::drop_oldest: {
      const bool of_its_type = known.is_full_of(*item.info);
      const auto may_go = [&](const envelope& each) {
        return of_its_type ? each.info == item.info : !each.info->always_fits;
      };
      envelope* oldest = extra().kept_waiting.remove_first(may_go);
      if (oldest == nullptr) oldest = mailbox_.remove_first(may_go);
      if (oldest == nullptr) return overflowed(item, true);  // all that wait are urgent
      known.went(*oldest->info);
      tell_process_of(*oldest);
      overflowed(*oldest, true);
      admit(item);
      return;
    }
    case overflow::drop_newest:
      return overflowed(item, true);
    case overflow::reject:
      return overflowed(item, false);
  }
}

void cell::admit(envelope& item) noexcept {
  if (item.reply != nullptr && !item.reply->admitted(item)) return;
  bounds& known = *extra().limits;
  known.came(*item.info);
  put(item);
  if (known.reached_high_water())
    home_->report({description() + " has " + std::to_string(known.queued()) +
                       " messages waiting, which is its high-water mark",
                   nullptr});
}

void cell::taken(const envelope& item) noexcept {
  bounds& known = *extra().limits;
  known.went(*item.info);
  while (known.has_room()) {
    envelope* const first =
        known.parked.remove_first([&](const envelope& each) { return known.room_for(*each.info); });
    if (first == nullptr) return;
    if (first->reply->withdrawn()) {
      if (traced()) trace_lost(*first);
      first->reply->skip();
    } else {
      admit(*first);
    }
  }
}

void cell::overflowed(envelope& item, bool lost) noexcept {
  if ((gate_ & gate_watched) != 0) tell_interceptor(item);
  if (traced()) trace_lost(item);
  // Who only sends does not hear of a loss.
  if (item.reply != nullptr && lost && !item.reply->admitted(item)) return;
  if (item.reply != nullptr) {
    item.reply->fail(full_error(*this, item, extra().limits->queued(), lost));
    return;
  }
  count_dead_letter(lost ? dead_letter::reason::dropped : dead_letter::reason::full, this,
                    *item.info);
  item.info->free(item);
}

void cell::take_back(work** link, const message_info& unwanted) noexcept {
  auto& item = static_cast<envelope&>(**link);
  if ((gate_ & gate_watched) != 0) tell_interceptor(item);
  if (has_process()) {
    // It may lie there for ever: nobody comes past it who wants something else.
    tell_process_of(item);
    return discard(link);
  }
  if (counted()) {
    extra().limits->went(*item.info);
    extra().limits->came(unwanted);
  }
  if (traced()) trace_lost(item);
  item.info = &unwanted;
}

void cell::backlog_grows() noexcept {
  std::size_t& reported = extra().reported_backlog;
  const std::size_t waiting = mailbox_.length(std::size_t{1} << 30);
  if (waiting < reported / 2) reported = 0;
  if (!counted() && waiting >= default_high_water && bounded_when_long_) {
    bound_meanwhile({.capacity = default_high_water, .when_full = overflow::suspend});
  } else if (!counted() && waiting >= default_high_water && waiting >= 2 * reported) {
    reported = waiting;
    home_->report({description() + " has " + std::to_string(waiting) +
                       " messages waiting and no bound: give it a mailbox_options::capacity",
                   nullptr});
  }
  // The next look when there may be twice as many, or so many at all: looking costs a step per message that waits.
  backlog_ = 0 - static_cast<std::uint32_t>(std::max(
                     default_high_water - std::min(waiting, default_high_water - 1), waiting));
}

void cell::refuse_set_aside() noexcept {
  cell_extra& known = extra();
  std::exchange(known.drain_limit, {}).cancel();
  while (envelope* const left = known.urgent.pop()) refuse(*left);
  if (known.limits == nullptr) return;
  while (envelope* const left = known.limits->parked.pop()) refuse(*left);
}

// --- stopping with an empty mailbox -------------------------------------------------------------------------------------

void cell::request_drain(exit_reason::kind why, duration within) noexcept {
  if (home_ != loop::current()) {
    send_order(*this, [=](cell& to) noexcept { to.request_drain(why, within); });
    return;
  }
  if (life_ == life::dead) return;  // and its parent, on another loop, may be reading that
  // Whatever else it is about: it is not to be restarted.
  if (why != exit_reason::kind::stopped) for_good_ = true;
  if (life_ >= life::stopping || stop_wanted_ || resting_) return;
  // Of several orders the first says why, and the one with the nearest limit when.
  if (!draining_) ended_as_ = why;
  draining_ = true;
  gate_ |= gate_closed;
  if (within != infinite && saturating_add(home_->time(), within) < extra().drain_limit.when()) {
    timer_handle nearest = home_->call_later(within, [self = any_actor::of(*this), as = ended_as_] {
      self.cell()->request_stop_now(as);
    });
    std::exchange(extra().drain_limit, std::move(nearest)).cancel();
  }
  // Not `pay_attention`, which ends what is in hand.
  attention_ = true;
  make_ready();
}

// --- urgent messages --------------------------------------------------------------------------------------------------

void cell::accept_urgent(envelope& item) noexcept {
  touched();
  if (intercepted(item, true)) return;
  if (traced()) trace_sent(item);
  if (closed()) return refuse(item);
  if (counted()) {
    bounds& known = *extra().limits;
    if (!item.info->always_fits && !known.room_for(*item.info)) return overflowed(item, false);
    known.came(*item.info);
  }
  extra().urgent.push(item);
  attention_ = begins_slowly_ = true;
  make_ready();
}

// --- who waits for room -----------------------------------------------------------------------------------------------

void cell::accept_sent(envelope& item) noexcept {
  if (gate_ != 0) {
    accept_slowly(item);
  } else if (item.reply->admitted(item)) {
    put(item);
  }
}

}  // namespace troupe::internal
