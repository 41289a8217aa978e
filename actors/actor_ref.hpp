#pragma once

#include <troupe/actors/actor_handle.hpp>
#include <troupe/actors/ask.hpp>
#include <troupe/actors/cell.hpp>
#include <troupe/actors/protocol.hpp>
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/time.hpp>

#include <utility>

namespace troupe {

namespace internal {
/// Sends `item` to `target`, to be told when it has room. Errors: std::bad_alloc, `invalid_state` off a loop; `item` is freed then.
future<void> send_and_wait(cell& target, envelope& item);
}  // namespace internal

/// How long an ask waits unless it is told otherwise.
inline constexpr duration default_ask_timeout = std::chrono::seconds(5);

/// Marks a message as urgent: `ref.tell(halt{}, troupe::urgent)`. It comes first, but needs room in a mailbox with a bound like any
/// other message; without, it is refused, and a dead letter.
struct urgent_message {};
inline constexpr urgent_message urgent{};

/// How to reach an actor that understands `P`. A ref does not keep the actor alive, and an actor does not end because its
/// refs are gone. It can be copied, sent in messages and kept for as long as one likes: sent to a dead actor, a message is
/// counted as a dead letter and an ask fails at once with `actor_dead`.
///
/// Messages of one sender to one actor arrive in the order they were sent.
/// Threads: `tell` and `stop` from any thread; `ask` on a loop; a single ref object from one thread at a time.
template <class P>
class actor_ref : public internal::actor_handle {
 public:
  using protocol_type = P;

  /// Refers to nobody. Using it is a programming error.
  actor_ref() noexcept = default;
  /// For spawn.
  explicit actor_ref(internal::cell& owned) noexcept : actor_handle(owned) {}
  /// A ref of a wider protocol serves as one of a narrower.
  template <class Wider>
    requires(P::template within<Wider>)
  actor_ref(const actor_ref<Wider>& other) noexcept  // NOLINT(*-explicit-*)
      : actor_handle(other) {}
  template <class Wider>
    requires(P::template within<Wider>)
  actor_ref(actor_ref<Wider>&& other) noexcept  // NOLINT(*-explicit-*)
      : actor_handle(std::move(other)) {}

  /// Sends `m` and waits for nothing. A request may be told too; its answer is dropped.
  /// Cost: one pooled allocation; no atomic operation when the actor lives on this loop.
  template <message M>
  void tell(M m) const {
    if constexpr (accepts<P, M>) {
      auto* const sent = new internal::envelope_of<M>(std::move(m));
      checked().enqueue(*sent);
    } else {
      static_cast<void>(sizeof(message_is_not_in_the_protocol<M, P>));
    }
  }

  /// As `tell`, but handled before all that waits, behind other urgent messages only. A handler in hand is not interrupted,
  /// and a full mailbox has no more room for it than for others.
  template <message M>
  void tell(M m, urgent_message) const {
    if constexpr (accepts<P, M>) {
      auto* const sent = new internal::envelope_of<M>(std::move(m));
      checked().enqueue_urgent(*sent);
    } else {
      static_cast<void>(sizeof(message_is_not_in_the_protocol<M, P>));
    }
  }

  /// Sends `m`; the future is done when it lies in the mailbox, for which it may have to wait where that has a bound with
  /// `overflow::suspend`. This is how a sender is slowed down to what the actor can take.
  /// Errors, at the await: `mailbox_full`, `actor_dead`; `ask_deadlock`, as for an ask: the room is made only when this handler has ended.
  /// Errors: `invalid_state` when no loop runs on this thread.
  /// Cancel: takes the message back as long as it waits for room.
  /// Cost: two pooled allocations.
  template <message M>
  auto send(M m) const {
    if constexpr (!accepts<P, M>) {
      static_cast<void>(sizeof(message_is_not_in_the_protocol<M, P>));
    } else {
      future<void> result =
          internal::send_and_wait(checked(), *new internal::envelope_of<M>(std::move(m)));
      if constexpr (internal::temporary_is_unsafe<M>) {
        return named_future<void>(std::move(result));
      } else {
        return result;
      }
    }
  }

  /// Sends `m` and gives its answer to come. The time runs from now, whether the future is awaited or not; `infinite` waits
  /// for ever.
  /// Errors, at the await: `ask_timeout`; `actor_dead`; `no_reply`; `ask_deadlock`, where handlers that await each other's answers have closed
  /// a circle; what the handler threw.
  /// Errors: `invalid_state` when no loop runs on this thread.
  /// Cancel: withdraws the request; a handler that has begun goes on, and its answer is dropped.
  /// Cost: one pooled allocation for request, answer and time limit together.
  template <message M>
  auto ask(M m, duration timeout = default_ask_timeout) const {
    if constexpr (!accepts<P, M>) {
      static_cast<void>(sizeof(message_is_not_in_the_protocol<M, P>));
    } else if constexpr (!request<M>) {
      static_cast<void>(sizeof(message_has_no_reply_type_so_use_tell<M>));
    } else if constexpr (internal::temporary_is_unsafe<M>) {
      return named_future<reply_of<M>>(send_request(std::move(m), timeout));
    } else {
      return send_request(std::move(m), timeout);
    }
  }

 private:
  template <class M>
  future<reply_of<M>> send_request(M&& m, duration timeout) const {
    loop* const home = loop::current();
    if (home == nullptr)
      throw invalid_state("ask needs a running loop, and none runs on this thread");
    auto* const asked = new internal::ask_state<M>(*home, checked(), std::move(m), timeout);
    asked->send();
    return future<reply_of<M>>(*asked);
  }
};

}  // namespace troupe

template <class P>
struct std::hash<troupe::actor_ref<P>> {
  std::size_t operator()(const troupe::actor_ref<P>& ref) const noexcept {
    return std::hash<const void*>()(ref.cell());
  }
};
