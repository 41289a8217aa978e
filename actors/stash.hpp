#pragma once

#include <troupe/actors/cell.hpp>
#include <troupe/actors/envelope.hpp>
#include <troupe/actors/errors.hpp>
#include <troupe/actors/protocol.hpp>
#include <troupe/actors/reply_to.hpp>
#include <troupe/runtime/check.hpp>

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace troupe {

/// How many messages an actor may put aside unless it says otherwise.
inline constexpr std::size_t default_stash_capacity = 1000;

/// Thrown by `stash` when as many messages are put aside as may be. It is a rejection: a handler that lets it pass refuses the
/// message, and the actor lives on.
struct stash_full : rejected {
  using rejected::rejected;
};

/// Left undefined: a request that is put aside is moved back to where it came from, which must not fail half-way.
template <class Message>
struct stashed_request_may_throw_when_it_is_moved;

namespace internal {

// All of these are for the loop of `owner`.

/// Errors: `stash_full`, which names the message.
void expect_stash_room(cell& owner, const message_info& of);
/// Puts it aside; refuses it when the actor takes no messages any more. Pre: there is room.
void stash(cell& owner, envelope& item);
/// Puts up to `most` of them, the oldest ones, before the messages that wait. Returns how many.
std::size_t unstash(cell& owner, std::size_t most) noexcept;
std::size_t stashed(const cell& owner) noexcept;
void set_stash_capacity(cell& owner, std::size_t most);

/// Takes the slot out of a `reply_to`.
struct reply_access {
  template <class R>
  static typed_reply_slot<R>* peek(const reply_to<R>& held) noexcept {
    return held.slot_;
  }
  template <class R>
  static void take(reply_to<R>& held) noexcept {
    held.take();
  }
};

template <class P, class M>
void stash_told(cell& owner, M&& m) {
  if constexpr (!accepts<P, M>) {
    static_cast<void>(sizeof(message_is_not_in_the_protocol<M, P>));
  } else {
    expect_stash_room(owner, envelope_of<M>::type);
    stash(owner, *new envelope_of<M>(std::move(m)));
  }
}

template <class P, class M>
void stash_asked(cell& owner, M&& m, reply_to<reply_of<M>>& reply) {
  auto* const slot = reply_access::peek(reply);
  if constexpr (!accepts<P, M>) {
    static_cast<void>(sizeof(message_is_not_in_the_protocol<M, P>));
  } else if constexpr (!std::is_nothrow_move_constructible_v<M>) {
    static_cast<void>(sizeof(stashed_request_may_throw_when_it_is_moved<M>));
  } else if (slot == nullptr) {
    stash_told<P>(owner, std::move(m));
  } else {
    expects(slot->request().info == &envelope_of<M>::type,
            "a request was to be put aside with the reply_to of another");
    expect_stash_room(owner, envelope_of<M>::type);
    auto& place = static_cast<envelope_of<M>&>(slot->request());
    place.destroy_message();
    ::new (static_cast<void*>(&place.message)) M(std::move(m));
    reply_access::take(reply);
    stash(owner, place);
  }
}

}  // namespace internal
}  // namespace troupe
