#pragma once

#include <troupe/actors/envelope.hpp>
#include <troupe/actors/protocol.hpp>

#include <concepts>

namespace troupe {

/// Some of the messages of a protocol. A class of actors names with it those that are handled also while a coroutine handler waits:
///
///     using interleave = troupe::messages<status, ping>;  // in the class; or troupe::all_messages
///
/// Where the handler of such a message is a coroutine itself, nothing waits for it in turn: several run side by side, and each finds the
/// actor's state changed after an await. All other messages keep their order, one at a time; those named here may overtake them.
/// Before on_start has ended and after a stop was asked for nothing is handled. Urgent messages and those of timers are handled so as well, if
/// they are named; an actor that drains lets handlers end that run beside.
template <class... Ms>
struct messages {
  template <class M>
  static constexpr bool contains = (std::same_as<M, Ms> || ...);
};
struct all_messages {
  template <class>
  static constexpr bool contains = true;
};

namespace internal {

/// Whether `A` handles some messages while a handler waits, and whether `M` is one of them.
template <class A>
inline constexpr bool interleaves_some = requires { typename A::interleave; };
template <class A, class M>
inline constexpr bool interleaves = false;
template <class A, class M>
  requires interleaves_some<A>
inline constexpr bool interleaves<A, M> = A::interleave::template contains<M>;

/// For `actor_class`.
template <class A, class P>
struct interleaved_messages;
template <class A, class... Ms>
struct interleaved_messages<A, protocol<Ms...>> {
  static bool contain(const message_info& info) noexcept {
    return ((interleaves<A, Ms> && &info == &envelope_of<Ms>::type) || ...);
  }
};

}  // namespace internal
}  // namespace troupe
