#pragma once

#include <troupe/actors/ask.hpp>
#include <troupe/actors/cell.hpp>
#include <troupe/actors/handler_activity.hpp>
#include <troupe/actors/interleave.hpp>
#include <troupe/actors/protocol.hpp>
#include <troupe/actors/reply_to.hpp>
#include <troupe/runtime/body.hpp>
#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/task.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <source_location>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace troupe::internal {

/// The cell of actors of class `A`, with the object in it.
template <class A>
struct cell_of final : cell {
  cell_of(work::function run_function, const actor_class& type, loop& home, cell* parent) noexcept
      : cell(run_function, type, home, parent) {}
  ~cell_of() {}  // the object dies with the actor, before its cell

  union {
    A object;
  };
};

/// Whether `A` answers `M` later than its handler returns: it takes a `reply_to`.
template <class A, class M>
inline constexpr bool replies_later = false;
template <class A, request M>
inline constexpr bool replies_later<A, M> = requires(
    A& object, M&& m, reply_to<reply_of<M>> reply) { object.on(std::move(m), std::move(reply)); };

/// What the handler of `M` returns. Pre: `A` has one.
template <class A, class M>
auto returned_by_handler() {
  if constexpr (replies_later<A, M>) {
    using reply = reply_to<reply_of<M>>;
    return std::type_identity<decltype(std::declval<A&>().on(std::declval<M>(),
                                                             std::declval<reply>()))>();
  } else {
    return std::type_identity<decltype(std::declval<A&>().on(std::declval<M>()))>();
  }
}
template <class A, class M>
using handler_returns = typename decltype(returned_by_handler<A, M>())::type;

/// Whether `A` has a handler of `M`, and whether it may return what it does.
template <class A, class M>
inline constexpr bool has_handler =
    message<M> && (replies_later<A, M> || requires(A& object, M&& m) { object.on(std::move(m)); });
template <class A, class M>
inline constexpr bool returns_well = true;
template <class A, request M>
inline constexpr bool returns_well<A, M> =
    replies_later<A, M> ? std::is_void_v<handler_returns<A, M>>
                        : std::same_as<handler_returns<A, M>, coro<reply_of<M>>> ||
                              std::convertible_to<handler_returns<A, M>, reply_of<M>>;

/// Whether actors of class `A` have states that handle their messages: see `state_machine`.
template <class A>
concept has_states = requires { typename A::states_type; };
/// Whether `A` takes over messages as they come, to pass them on: a pool.
template <class A>
concept passes_on = requires(A& object, envelope& item) { object.pass_on(item); };

/// Whether `A` can handle `M`; if it cannot, says so in one line. Evaluated where an actor class is first spawned.
template <class A, class M>
constexpr bool check_handler() {
  if constexpr (!message<M>) {
    static_cast<void>(sizeof(message_is_no_class_that_can_be_moved<M>));
  } else if constexpr (has_states<A>) {
    static_assert(!interleaves_some<A>,
                  "a state machine handles one message at a time: it cannot interleave");
    return A::states_type::template check<A, M>();
  } else if constexpr (!has_handler<A, M>) {
    static_cast<void>(sizeof(actor_has_no_public_handler_on_for_message<A, M>));
  } else if constexpr (!returns_well<A, M>) {
    static_cast<void>(
        sizeof(handler_returns_something_else_than_the_reply<A, M, handler_returns<A, M>>));
  }
  return true;
}

/// Lets the handler of `handling` have a message, which answers by returning, or by its coroutine's return. `handling` is the
/// actor's object, or one that takes messages for it. Returns false when the handler has thrown at once.
template <waits Who = waits::all, class Handling, class M, class End>
[[gnu::always_inline]] inline bool handle_now(cell& owner, Handling& handling, envelope_of<M>& item,
                                              End end) noexcept {
  using returned = decltype(handling.on(std::move(item.message)));
  std::exception_ptr error;
  try {
    if constexpr (is_coro<returned>) {
      // The message stays where it is until the coroutine ends: a handler may take it by reference.
      start_activity<Who>(owner, handling.on(std::move(item.message)), end, item.info);
      return true;
    } else if constexpr (request<M>) {
      if (item.reply != nullptr) {
        auto& asked = static_cast<ask_state<M>&>(*item.reply);
        if constexpr (std::is_void_v<reply_of<M>>) {
          handling.on(std::move(item.message));
          asked.answer();
        } else {
          reply_of<M> value = handling.on(std::move(item.message));
          asked.answer(std::move(value));
        }
        return true;
      }
      static_cast<void>(handling.on(std::move(item.message)));
    } else {
      handling.on(std::move(item.message));
    }
    envelope_of<M>::free_told(item);
    return true;
  } catch (...) {
    error = std::current_exception();
  }
  // Not in the catch block, which holds the exception: once it is answered it belongs to the asker's loop alone.
  fail_handler(owner, item, std::move(error));
  return false;
}

/// The same for a handler that answers through a `reply_to`.
template <class Handling, class M>
bool handle_later(cell& owner, Handling& handling, envelope_of<M>& held) noexcept {
  auto* const asked = static_cast<ask_state<M>*>(held.reply);
  struct told_message {
    ~told_message() { free(); }
    void free() noexcept {
      if (item != nullptr) envelope_of<M>::free_told(*std::exchange(item, nullptr));
    }
    envelope_of<M>* item;
  };
  reply_in_hand = asked;
  std::exception_ptr error;
  try {
    told_message told{asked == nullptr ? &held : nullptr};
    reply_to<reply_of<M>> reply(asked);
    // The answer destroys what is in the envelope, and may come before the handler returns.
    M taken(std::move(held.message));
    told.free();
    handling.on(std::move(taken), std::move(reply));
  } catch (...) {
    error = std::current_exception();
  }
  reply_in_hand = nullptr;
  reply_slot* const orphaned = std::exchange(reply_orphaned, nullptr);
  if (error) [[unlikely]] {
    owner.handler_failed(orphaned, std::move(error));
    return false;
  }
  if (orphaned != nullptr) [[unlikely]] {
    // It threw and caught what it threw: nobody has failed, and nobody has answered.
    orphaned->fail(no_reply_error(static_cast<const open_ask&>(*orphaned)));
  }
  return true;
}

/// Handles `item` if it is an `M`. Returns whether it was.
template <class A, class M>
bool handle_as([[maybe_unused]] cell_of<A>& owner, envelope& item) noexcept {
  if (item.info != &envelope_of<M>::type) return false;
  auto& held = static_cast<envelope_of<M>&>(item);
  if constexpr (request<M>) {
    if (item.reply != nullptr && static_cast<ask_state<M>*>(item.reply)->withdrawn()) [[unlikely]] {
      item.reply->skip();
      return true;
    }
  }
  if constexpr (has_states<A>) {
    A::states_type::handle(owner, owner.object, held);
  } else if constexpr (!has_handler<A, M>) {
    // an error already
  } else if constexpr (!returns_well<A, M>) {
    // likewise
  } else if constexpr (replies_later<A, M>) {
    handle_later(owner, owner.object, held);
  } else {
    constexpr waits who = interleaves<A, M>     ? waits::none
                          : interleaves_some<A> ? waits::some
                                                : waits::all;
    handle_now<who>(owner, owner.object, held, handler_end<M>{&held});
  }
  return true;
}

/// The same for any of them.
template <class A, class... Ms>
bool handle_as_any(cell_of<A>& owner, envelope& item) noexcept {
  if constexpr (passes_on<A>) {
    if (!((item.info == &envelope_of<Ms>::type) || ...)) return false;
    if (item.reply != nullptr && item.reply->withdrawn()) {
      item.reply->skip();
    } else {
      owner.object.pass_on(item);
    }
    return true;
  } else {
    // A chain of comparisons with constants, the handlers inlined behind them: for the handful of messages that
    // protocols have it beats a table, which costs an indirect call.
    return (handle_as<A, Ms>(owner, item) || ...);
  }
}

/// What the loop runs for an actor of class `A` of protocol `P`: one turn.
template <class A, class P>
struct turn_of;

template <class A, class... Ms>
struct turn_of<A, protocol<Ms...>> {
  static void run(work& item) noexcept {
    auto& owner = static_cast<cell_of<A>&>(item);
    if constexpr (interleaves_some<A>) {
      if (owner.busy()) {
        handle_beside(owner);
        return;
      }
      owner.take_up_waiting();
    }
    if (!owner.begin_turn()) return;
    // What arrives during the turn waits for the next one, so an actor that sends to itself lets others run.
    message_queue& messages = owner.messages();
    work** const newest = messages.mark();
    const std::size_t limit = owner.home().turn_limit();
    std::size_t handled = 0;
    bool more = !messages.empty();
    while (more) {
      envelope& next = *messages.pop();
      more = !message_queue::is_mark(next, newest) && ++handled != limit;
      if (!handle_as_any<A, Ms...>(owner, next)) [[unlikely]]
        next.info->reached(next);  // taken back while it lay here, or no message
      if (!owner.turn_goes_on()) break;
    }
    owner.home().spent(handled);
    if constexpr (interleaves_some<A>) {
      if (owner.busy()) {
        owner.end_turn_beside();
        return;
      }
    }
    owner.end_turn();
  }

 private:
  /// A turn while a handler waits: what is not interleaved is passed over until that has ended.
  static void handle_beside(cell_of<A>& owner) noexcept {
    message_queue& messages = owner.messages();
    work** const newest = messages.mark();
    const std::size_t limit = owner.home().turn_limit();
    std::size_t handled = 0;
    const auto handle = [&owner](envelope& next) {
      if (owner.noticed()) owner.notice(next);
      static_cast<void>(handle_as_any<A, Ms...>(owner, next));
    };
    while (handled != limit && !owner.stop_wanted()) {
      envelope* const next = owner.pop_urgent_beside();
      if (next == nullptr) break;
      ++handled;
      handle(*next);
    }
    bool more = handled != limit;
    while (more && !owner.stop_wanted()) {
      envelope* const next = messages.pop();
      if (next == nullptr) break;  // the newest was dropped for one that a handler has sent
      more = !message_queue::is_mark(*next, newest) && ++handled != limit;
      if (interleaved_messages<A, protocol<Ms...>>::contain(*next->info)) {
        handle(*next);
      } else {
        owner.pass_over(*next);
      }
    }
    owner.home().spent(handled);
    owner.end_turn_beside();
  }
};

}  // namespace troupe::internal
