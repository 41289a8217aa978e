#include <troupe/actors/ask.hpp>
#include <troupe/actors/internal/in_seconds.hpp>
#include <troupe/actors/reply_to.hpp>

#include <string>

namespace troupe {

void ask_error::set_waited(duration waited) {
  if (waited <= duration::zero() || ask_.waited != duration::zero()) return;
  ask_.waited = waited;
  text_ += ", after " + internal::in_seconds(waited);
}

namespace internal {

constinit thread_local reply_slot* reply_in_hand = nullptr;
constinit thread_local reply_slot* reply_orphaned = nullptr;

namespace {

failed_ask about(const open_ask& ask) {
  const cell& target = ask.target();
  return {target.description(), std::string(ask.message_type().name), target.condition(), {}, &ask};
}

std::exception_ptr timeout_of(const open_ask& asked) {
  failed_ask ask = about(asked);
  std::string text = ask.target + " did not answer " + ask.message + " within " +
                     in_seconds(asked.limit()) + " (" + ask.state + ")";
  const open_ask& last = asked.standing();
  if (&last != &asked) {
    text += "; it was delegated to " + last.target().description() + " as " +
            std::string(last.message_type().name) + " (" + last.target().condition() + ")";
  }
  ask.waited = asked.limit();
  return std::make_exception_ptr(ask_timeout(std::move(ask), text));
}

}  // namespace

std::exception_ptr no_reply_error(const open_ask& dropped) {
  failed_ask ask = about(dropped);
  const std::string text =
      ask.target + " dropped " + ask.message + " without an answer (" + ask.state + ")";
  return std::make_exception_ptr(no_reply(std::move(ask), text));
}

std::exception_ptr stopped_error(const open_ask& dropped) {
  failed_ask ask = about(dropped);
  const std::string text = ask.target + " stopped before it answered " + ask.message;
  return std::make_exception_ptr(actor_dead(std::move(ask), text));
}

namespace {
/// Of a request or a send, or of what only passes one on: that is no ask, but fails in the same words.
failed_ask about(const cell& target, const envelope& refused) {
  if (const open_ask* const asked = refused.reply->as_ask()) return about(*asked);
  failed_ask ask;
  ask.target = target.description();
  ask.message = refused.info->name;
  ask.state = target.condition();
  return ask;
}
}  // namespace

std::exception_ptr dead_error(const cell& target, const envelope& refused) {
  failed_ask ask = about(target, refused);
  const std::string text =
      ask.target + " was asked " + ask.message + " but is dead or stopping (" + ask.state + ")";
  return std::make_exception_ptr(actor_dead(std::move(ask), text));
}

std::exception_ptr full_error(const cell& target, const envelope& refused, std::size_t waiting,
                              bool lost) {
  failed_ask ask = about(target, refused);
  const std::string text = ask.target + " has no room for " + ask.message + ": " +
                           std::to_string(waiting) + " messages wait" +
                           (lost ? ", and its place was given away" : "");
  return std::make_exception_ptr(mailbox_full(std::move(ask), text));
}

// --- open asks --------------------------------------------------------------------------------------------------------

void open_ask::withdraw() noexcept {
  // Who delegates does it the other way round, so one of the two sees the other.
  withdrawn_.store(true);
  if (open_ask* const by = delegate_.load()) by->withdraw();
}

void open_ask::delegate_as(open_ask& made) noexcept {
  delegate_.store(&made);
  if (withdrawn_.load()) made.withdrawn_.store(true);
}

const open_ask& open_ask::standing() const noexcept {
  const open_ask* last = this;
  while (const open_ask* const by = last->delegate_.load()) last = by;
  return *last;
}

void open_ask::set_number(std::uint64_t number) noexcept {
  if (this->number() == 0) {
    since_ = loop::current()->timers().settled_at();
    // A search may come from another loop before this one has ever settled its timers.
    if (since_ == time_point::min()) since_ = loop::current()->time();
  }
  number_.store(number, std::memory_order_relaxed);
}

duration open_ask::waited() const noexcept {
  return number() != 0 ? loop::current()->time() - since_ : duration::zero();
}

void open_ask::note_wait_of(const void* identity, const std::exception_ptr& error) const noexcept {
  if (number() == 0) return;
  try {
    std::rethrow_exception(error);
  } catch (ask_error& caught) {
    if (caught.ask().identity == identity) caught.set_waited(waited());
  } catch (...) {
  }
}

void open_ask::on_timer(timer& self) noexcept {
  auto& asked = static_cast<open_ask&>(static_cast<lazy_timer&>(self));
  timer_queue& timers = loop::current()->timers();
  if (asked.armed()) {
    if (asked.number() == 0) asked.set_number(only_settled);
    if (!search_deadlock(asked) && asked.armed()) timers.look_again(asked);
  } else {
    timers.look_no_more(asked);
    asked.end_with(timeout_of(asked));
  }
}

}  // namespace internal
}  // namespace troupe
