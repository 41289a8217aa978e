#pragma once

#include <troupe/actors/actor_ref.hpp>
#include <troupe/actors/any_actor.hpp>
#include <troupe/actors/envelope.hpp>
#include <troupe/actors/name_errors.hpp>
#include <troupe/actors/protocol.hpp>
#include <troupe/runtime/check.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace troupe {

/// Left undefined: the compiler names the message in the one line that says what is wrong.
template <class Message>
struct message_of_a_topic_cannot_be_copied;

/// What becomes of what is published for a subscriber that lags behind by as much as its subscription allows.
enum class lag : unsigned char {
  drop_newest,  ///< it does not get that
  drop_oldest,  ///< it gets that, and loses what waits longest
  end,          ///< it does not get that, nor anything more: the subscription ends
};

/// What a subscriber puts up with. What it loses is a dead letter, and counted: see `topic::lost`.
struct subscription_options {
  /// Messages of the topic that may wait in the subscriber's mailbox. 0: no bound. Those in hand count too, and those on their way from
  /// another loop, but not with `drop_oldest`, which can only take back what has arrived and waits.
  std::size_t capacity = 0;
  lag when_full = lag::drop_newest;
};

namespace internal {

class topic_state;

topic_state& make_topic(const message_info& of);
topic_state& named_topic(std::string_view name, const message_info& of);
void keep(topic_state& held) noexcept;
void let_go(topic_state& held) noexcept;
bool subscribe(topic_state& to, cell* who, const subscription_options& options);
bool unsubscribe(topic_state& from, cell* who) noexcept;
std::size_t subscribers(const topic_state& of) noexcept;
std::uint64_t lost(const topic_state& of, const cell* who) noexcept;
std::string_view topic_name(const topic_state& of) noexcept;
/// Sends each subscriber what `copied(message)` makes.
std::size_t publish(topic_state& to, const void* message, envelope* (*copied)(const void* message));

}  // namespace internal

/// A message for whoever wants it: who publishes does not know who they are. Each subscriber gets a copy of each message, in its mailbox
/// like any other.
///
///     topic<price> prices = topic<price>::named("prices");   // or topic<price> prices;
///     prices.subscribe(self());                              // in an actor that understands price
///     prices.publish(price{"tea", 3});                       // anywhere
///
/// Life: this is a handle, and copies are of the same topic, so it may be passed on in messages. Dropping the handles changes nothing for
/// the subscribers. A subscriber that has ended is one no more.
/// Threads: any; a single handle from one at a time. What one thread publishes arrives in that order.
template <class M>
class topic {
 public:
  using message_type = M;

  /// A new one, known to those who get a copy.
  topic() : state_(&internal::make_topic(internal::envelope_of<M>::type)) {}
  /// The one of that name in this runtime; a new one when there is none. Names of topics and of actors are apart. The name goes with
  /// the last handle and subscriber.
  /// Errors: `name_mismatch` when that is a topic of another message; `invalid_state` off a loop; std::invalid_argument for an empty name.
  static topic named(std::string_view name) {
    return topic(internal::named_topic(name, internal::envelope_of<M>::type));
  }
  topic(const topic& other) noexcept : state_(other.state_) {
    if (state_ != nullptr) internal::keep(*state_);
  }
  topic(topic&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  topic& operator=(topic other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~topic() {
    if (state_ != nullptr) internal::let_go(*state_);
  }
  friend bool operator==(const topic& a, const topic& b) noexcept { return a.state_ == b.state_; }

  /// Sends `message` to all who subscribe now and have room for it; returns to how many. A subscriber that is stopping is still one of them.
  /// Errors: what copying the message throws; those who came before have got theirs.
  /// Cost: per subscriber as a tell, twice that for one with a bound; one with `drop_oldest` that is full looks through its mailbox.
  /// The list of subscribers is not copied.
  std::size_t publish(const M& message) const {
    if constexpr (std::copy_constructible<M>) {
      return internal::publish(checked(), &message, [](const void* given) -> internal::envelope* {
        return new internal::envelope_of<M>(M(*static_cast<const M*>(given)));
      });
    } else {
      static_cast<void>(sizeof(message_of_a_topic_cannot_be_copied<M>));
      return 0;
    }
  }

  /// Has `who` sent what is published from now on. Returns false when it subscribes already; its options stay as they are then.
  /// Pre: an actor. Cost: linear in the number of subscribers, as that of the following.
  template <class P>
  bool subscribe(const actor_ref<P>& who, const subscription_options& options = {}) const {
    if constexpr (!std::copy_constructible<M>) {
      static_cast<void>(sizeof(message_of_a_topic_cannot_be_copied<M>));
    } else if constexpr (!accepts<P, M>) {
      static_cast<void>(sizeof(message_is_not_in_the_protocol<M, P>));
    }
    return internal::subscribe(checked(), who.cell(), options);
  }
  /// Ends that. Returns false when `who` does not subscribe. What lies in its mailbox stays there, and what another thread is publishing
  /// at this moment may still come.
  bool unsubscribe(const any_actor& who) const {
    return internal::unsubscribe(checked(), who.cell());
  }

  /// How many messages `who` has lost because it lagged behind, since it subscribed; 0 when it does not. With `drop_oldest` what another
  /// loop publishes counts once it has arrived.
  /// Cost: linear in the number of subscribers.
  std::uint64_t lost(const any_actor& who) const { return internal::lost(checked(), who.cell()); }

  /// How many there are.
  std::size_t subscribers() const { return internal::subscribers(checked()); }
  /// Empty when it has none.
  std::string_view name() const { return internal::topic_name(checked()); }

 private:
  explicit topic(internal::topic_state& owned) noexcept : state_(&owned) {}
  internal::topic_state& checked() const noexcept {
    expects(state_ != nullptr, "a topic was used that was moved from");
    return *state_;
  }

  internal::topic_state* state_;
};

}  // namespace troupe
