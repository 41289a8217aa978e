#pragma once

#include <troupe/actors/envelope.hpp>
#include <troupe/actors/protocol.hpp>
#include <troupe/runtime/time.hpp>

#include <cstddef>

namespace troupe {

/// What becomes of a message for which a mailbox has no room. Whoever asks and is not to be answered gets `mailbox_full`; a told
/// message that is lost is a dead letter.
enum class overflow : unsigned char {
  reject,       ///< the new one is refused: `send` throws `mailbox_full`
  drop_newest,  ///< the new one is lost: `send` is none the wiser
  drop_oldest,  ///< the one that has waited longest is lost, and the new one takes its room
  /// `send` and asks wait for room, in their order; a tell, which cannot wait, is refused. What waits for room is in no mailbox yet: a
  /// process that receives only some types does not find it, and while others fill the mailbox no room is made, so the two may wait for
  /// each other for ever. Limits of the types that it leaves there prevent that, or a receive of all.
  suspend,
};

/// How many messages may wait for an actor. Either its class says so,
///     static constexpr troupe::mailbox_options mailbox{.capacity = 100, .when_full = troupe::overflow::suspend};
/// or whoever spawns it, in `spawn_options`. What stops, kills, monitors or supervises an actor is no message and always gets through;
/// a message that a handler works on waits no more. Urgent messages need room like others, and are refused where there is none, whatever
/// the policy. Messages from other loops count from their arrival.
struct mailbox_options {
  std::size_t capacity = 0;  ///< 0: no bound
  overflow when_full = overflow::reject;
  /// When so many wait, a report says so, and again when they have been half as many and are as many again. 0: for a mailbox without
  /// bound, `default_high_water`; with one, never.
  std::size_t high_water = 0;
  /// For how long an actor that is to stop goes on with what waits, taking nothing new; `infinite` for ever, zero not at all: what
  /// waits is refused. A crash or `kill` ends it.
  duration drain_for{};

  constexpr bool set() const noexcept {
    return capacity != 0 || high_water != 0 || drain_for != duration{};
  }
};

/// When an actor without bound has so many messages waiting, a report says so, and again at twice as many.
inline constexpr std::size_t default_high_water = std::size_t{1} << 16;

/// How many messages of one type may wait for an actor. Its class names them:
///     static constexpr troupe::message_limit limits[] = {troupe::limit<tick>(1, troupe::overflow::drop_oldest)};
struct message_limit {
  const internal::message_info* type;
  std::size_t capacity;
  overflow when_full;
};

template <message M>
constexpr message_limit limit(std::size_t capacity, overflow when_full = overflow::reject) {
  return {&internal::envelope_of<M>::type, capacity, when_full};
}

}  // namespace troupe
