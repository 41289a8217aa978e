#include <troupe/actors/internal/belongings.hpp>

#include <troupe/actors/bounds.hpp>

#include <limits>

namespace troupe::internal {

belongings::belongings(cell& given_owner) noexcept
    : owner(given_owner), timers(given_owner), idle(given_owner) {}

void belongings::drop() noexcept {
  timers.cancel_all();
  idle.off();
  if (owner.falling()) {
    // Another object is to take over the mailbox, and this first.
    unstash(owner, std::numeric_limits<std::size_t>::max());
    stash.capacity = default_stash_capacity;
  } else {
    while (envelope* const left = stash.pop()) owner.refuse(*left);
  }
}

// --- the cell's side --------------------------------------------------------------------------------------------------

belongings& cell::kept() {
  belongings*& known = extra().kept;
  if (known == nullptr) known = new belongings(*this);
  return *known;
}

void cell::put_first(envelope& item) noexcept {
  if (traced()) trace_put_first(item);
  if (life_ >= life::stopping && !falling_) return refuse(item);
  if (counted()) extra().limits->came(*item.info);
  take_up_waiting();  // it comes before those too
  mailbox_.push_front(item);
  make_ready();
}

bool cell::put_last(envelope& item) noexcept {
  if ((gate_ & gate_closed) != 0) return false;
  if (counted()) extra().limits->came(*item.info);
  put(item);
  return true;
}

void cell::take_out(work** link) noexcept {
  // A turn that goes on up to what was the newest would not meet it any more, so it ends with the message in hand.
  attention_ = true;
  tell_process_of(static_cast<envelope&>(**link));
  discard(link);
}

void cell::discard(work** link) noexcept {
  envelope& item = mailbox_.take(link);
  if (counted()) taken(item);
  if (traced()) trace_lost(item);
  item.info->free(item);
}

}  // namespace troupe::internal
