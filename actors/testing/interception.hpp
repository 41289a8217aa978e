#pragma once

#include <troupe/actors/any_actor.hpp>
#include <troupe/actors/envelope.hpp>
#include <troupe/actors/protocol.hpp>
#include <troupe/actors/testing/relayed_ask.hpp>
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/time.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace troupe::testing {

/// What an actor crashes with that a rule has crash. A report of it is no failure of the scenario.
struct injected_crash : std::runtime_error {
  injected_crash() : std::runtime_error("the test has crashed it") {}
};

/// When an actor crashes, seen from a message.
enum class moment : std::uint8_t {
  before,  ///< the message lies in its mailbox, and is there still after a restart
  during,  ///< its handler is a coroutine and waits; one that does not wait is not met
  after,   ///< it has been handled, and answered
};

/// A rule of an `interception`. Copies are of the same; it holds on when they go.
class rule {
 public:
  explicit rule(std::shared_ptr<internal::rule_state> made) noexcept : state_(std::move(made)) {}
  /// To how many messages it was applied, or how often it crashed somebody.
  std::size_t count() const noexcept;
  /// It is applied no more. What it has delayed comes in its time.
  void end() noexcept;

 private:
  std::shared_ptr<internal::rule_state> state_;
};

/// The messages that a rule is about, of type `M`, or of any for void; each word narrows it down, and the last one makes the rule.
template <class M>
class selected_messages {
 public:
  explicit selected_messages(internal::interception_core& core) noexcept : core_(core) {
    if constexpr (!std::is_void_v<M>) about_.type = &troupe::internal::envelope_of<M>::type;
  }

  /// Sent by that actor, or one of its tasks. Pre: an actor, as of the next.
  selected_messages&& from(const any_actor& sender) && {
    expects(static_cast<bool>(sender), "a rule was to be about what nobody sends");
    about_.from = sender;
    return std::move(*this);
  }
  /// Sent to that actor.
  selected_messages&& to(const any_actor& receiver) && {
    expects(static_cast<bool>(receiver), "a rule was to be about what nobody gets");
    about_.to = receiver;
    return std::move(*this);
  }
  /// Only those of which `fits(message)` holds.
  template <class Fits>
    requires(!std::is_void_v<M>) && std::is_invocable_r_v<bool, Fits&, const M&>
  selected_messages&& where(Fits fits) && {
    about_.fits = [held = std::move(fits)](const troupe::internal::envelope& item) mutable {
      return held(static_cast<const troupe::internal::envelope_of<M>&>(item).message);
    };
    return std::move(*this);
  }
  /// Not the first `count`.
  selected_messages&& skip(std::size_t count) && {
    about_.skip = count;
    return std::move(*this);
  }
  /// `count` of them at most.
  selected_messages&& times(std::size_t count) && {
    about_.times = count;
    return std::move(*this);
  }
  /// Each only when it is so chosen, and `times` counts those that were: as `choice::kind::fault`, so that an exploration finds out what comes of it.
  selected_messages&& maybe() && {
    about_.maybe = true;
    return std::move(*this);
  }

  // These make the rule. Errors: std::invalid_argument for a rule that is about no message (`times(0)`), for a delay that is negative or has
  // no end, for a `reorder` behind no other.

  /// They never come. Who asked waits for nothing.
  rule drop() && { return core_.add_drop(std::move(about_)); }
  /// They come later, and as late as each other; others overtake them.
  rule delay(duration by) && { return core_.add_delay(std::move(about_), by, by); }
  /// They come later by a time that is chosen for each, so that they may overtake each other.
  rule delay(duration least, duration most) && {
    return core_.add_delay(std::move(about_), least, most);
  }
  /// One comes behind the next `others` messages for the same actor, or after `patience`, when there are no others; then another may.
  rule reorder(std::size_t others = 1, duration patience = std::chrono::seconds(1)) && {
    return core_.add_reorder(std::move(about_), others, patience);
  }
  /// They come twice. The second one is told, even of an ask, and comes a little later.
  rule duplicate() &&
      requires(std::copy_constructible<M>) {
        return core_.add(std::move(about_), [&core = core_](internal::passage& on) {
          using troupe::internal::envelope_of;
          core.send_later(on,
                          *new envelope_of<M>(M(static_cast<envelope_of<M>&>(on.item).message)));
          return false;
        });
      }
      /// `change(message)` changes them.
      template <class Change>
        requires(!std::is_void_v<M>) && std::is_invocable_v<Change&, M&>
      rule rewrite(Change change) && {
    return core_.add(std::move(about_), [held = std::move(change)](internal::passage& on) mutable {
      held(static_cast<troupe::internal::envelope_of<M>&>(on.item).message);
      return false;
    });
  }
  /// They are handled, and the answer to who asked is lost.
  rule drop_answer() &&
    requires request<M>
  {
    return std::move(*this).delay_answer(infinite);
  }
  /// They are handled, and the answer comes later.
  rule delay_answer(duration by) &&
    requires request<M>
  {
    return core_.add(std::move(about_), [&core = core_, by](internal::passage& on) {
      using slot = troupe::internal::typed_reply_slot<reply_of<M>>;
      if (!on.is_ask()) return false;
      auto& asked = static_cast<slot&>(*on.item.reply);
      auto* const relayed = new internal::relayed_ask<M>(
          asked, on.to, std::move(static_cast<troupe::internal::envelope_of<M>&>(on.item).message),
          core.shared_from_this(), by);
      core.pass_on(on, relayed->request());
      return true;
    });
  }
  /// Who gets one crashes, with `injected_crash`. A process has no handlers, and crashes `before` only: the others end the run with
  /// `invalid_state`. Where handlers are interleaved, `during` and `after` are about all that go on.
  rule crash(moment when) && { return core_.add_crash(std::move(about_), when); }

 private:
  internal::interception_core& core_;
  internal::selection about_;
};

/// Rules for messages that are on their way between the actors of a simulation: the network that loses them, the machine that stops. The
/// program runs unchanged.
///
///     interception on_the_way;
///     on_the_way.each<vote>().from(participants[1]).times(1).drop();
///     on_the_way.each<deposit>().maybe().duplicate();
///     on_the_way.each<transfer>().to(bank).crash(moment::during);
///
/// A message is held against the rules in the order in which they were made, where it is sent, until one has taken it. News of the runtime
/// (the end of who is monitored or linked), ticks of timers, and what is sent to the dead, are no messages in this sense. What a pool, router or
/// `delegate` passes on is sent anew, and held against the rules again.
/// Life: one at a time, made inside a running simulation. At its end what is delayed comes at once, and who waits for an answer that was
/// dropped gets `no_reply`.
/// Threads: that of the simulation. Cost: a walk along the rules for each message.
class interception {
 public:
  /// Errors: `invalid_state` outside of a simulation, and while there is another.
  interception();
  ~interception();
  interception(const interception&) = delete;
  interception& operator=(const interception&) = delete;

  /// The messages of type `M`: ends with what becomes of them.
  template <message M>
  selected_messages<M> each() {
    return selected_messages<M>(*core_);
  }
  /// Those of any type.
  selected_messages<void> any() { return selected_messages<void>(*core_); }

  /// Of what one side sends to the other, nothing comes, in either direction, until the rule ends. Answers do: they belong to what was asked before,
  /// and `drop_answer` is about them. Pre: actors.
  rule partition(std::vector<any_actor> one, std::vector<any_actor> other);

  /// It crashes now, or as soon as its loop gets to it. Pre: an actor.
  void crash(const any_actor& who);
  /// It crashes once, at the end of a step of anybody's that is chosen, or never: each is a choice. Pre: an actor.
  rule crash_at_any_step(const any_actor& who);

 private:
  std::shared_ptr<internal::interception_core> core_;
};

}  // namespace troupe::testing
