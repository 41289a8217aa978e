#pragma once

#include <concepts>
#include <type_traits>

namespace troupe {

/// What can be sent: a plain struct, moved into its envelope and from there to the handler.
template <class M>
concept message =
    std::is_class_v<M> && std::move_constructible<M> && std::same_as<M, std::remove_cvref_t<M>>;

/// A message that is answered: it names the type of its answer as `M::reply`.
template <class M>
concept request = message<M> && requires { typename M::reply; };

template <request M>
using reply_of = typename M::reply;

/// The messages an actor understands. A ref is typed by it, and converts to a ref of any smaller protocol.
/// A message may be incomplete where it is named here: it may hold a ref of a protocol that it is part of.
template <class... Ms>
struct protocol {
  template <class M>
  static constexpr bool contains = (std::same_as<M, Ms> || ...);

  /// Whether every message of this protocol is one of `Other`.
  template <class Other>
  static constexpr bool within = (Other::template contains<Ms> && ...);
};

/// Whether an actor of protocol `P` may be sent an `M`.
template <class P, class M>
concept accepts = P::template contains<M>;

/// Left undefined: the compiler names both in the one line that says what is wrong with a call.
template <class Message, class Protocol>
struct message_is_not_in_the_protocol;
template <class Message>
struct message_has_no_reply_type_so_use_tell;
template <class Message>
struct message_is_no_class_that_can_be_moved;
template <class Actor, class Message>
struct actor_has_no_public_handler_on_for_message;
template <class Actor, class Message, class Returned>
struct handler_returns_something_else_than_the_reply;
template <class Actor, class... Arguments>
struct actor_has_no_constructor_for_copies_of;
template <class Actor, class... Arguments>
struct actor_has_no_constructor_for;

}  // namespace troupe
