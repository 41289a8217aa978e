#pragma once

#include <troupe/actors/cell.hpp>
#include <troupe/actors/envelope.hpp>
#include <troupe/actors/protocol.hpp>
#include <troupe/actors/timer_key.hpp>
#include <troupe/runtime/time.hpp>

#include <concepts>
#include <cstddef>
#include <utility>

namespace troupe {

/// Left undefined: a periodic timer sends a copy of its message each time.
template <class Message>
struct periodic_message_cannot_be_copied;

namespace internal {

class keyed_timer;

/// What a timer needs to know of its type of message.
struct timed_message {
  const message_info* place;              ///< of the timer's place in the mailbox
  envelope* (*copy)(const envelope& of);  ///< null for once
};

/// In the mailbox, where the message of a timer is to come.
void timer_freed(envelope& place) noexcept;
void timer_reached(envelope& place) noexcept;
template <class M>
inline constexpr message_info timer_place{type_name<M>(), &timer_freed, &timer_reached};

template <class M>
inline constexpr timed_message timed_once{&timer_place<M>, nullptr};
template <class M>
envelope* copy_of(const envelope& of) {
  return new envelope_of<M>(M(static_cast<const envelope_of<M>&>(of).message));
}
template <class M>
inline constexpr timed_message timed_often{&timer_place<M>, &copy_of<M>};

/// Starts a timer of `owner`; takes over `message`. On its loop.
/// Errors: std::invalid_argument for a period of nothing or less.
void start_timer(cell& owner, const timer_key& key, duration time, envelope& message,
                 const timed_message& how);
bool cancel_timer(cell& owner, const timer_key& key) noexcept;
void cancel_all_timers(cell& owner) noexcept;
bool timer_active(const cell& owner, const timer_key& key) noexcept;

template <class P, class M>
void start_timer(cell& owner, const timer_key& key, duration delay, M&& m) {
  if constexpr (!accepts<P, M>) {
    static_cast<void>(sizeof(message_is_not_in_the_protocol<M, P>));
  } else {
    start_timer(owner, key, delay, *new envelope_of<M>(std::move(m)), timed_once<M>);
  }
}
template <class P, class M>
void start_periodic_timer(cell& owner, const timer_key& key, duration period, M&& m) {
  if constexpr (!accepts<P, M>) {
    static_cast<void>(sizeof(message_is_not_in_the_protocol<M, P>));
  } else if constexpr (!std::copy_constructible<M>) {
    static_cast<void>(sizeof(periodic_message_cannot_be_copied<M>));
  } else {
    start_timer(owner, key, period, *new envelope_of<M>(std::move(m)), timed_often<M>);
  }
}

}  // namespace internal
}  // namespace troupe
