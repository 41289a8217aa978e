#pragma once

#include <troupe/actors/activity.hpp>
#include <troupe/actors/ask.hpp>
#include <troupe/actors/cell.hpp>
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

namespace troupe {
struct exited;
}

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

/// Gives up a request or message whose handler ended by `error`.
inline void fail_handler(cell& owner, envelope& item, std::exception_ptr error) noexcept {
  reply_slot* const reply = item.reply;
  if (reply == nullptr) item.info->free(item);
  owner.handler_failed(reply, std::move(error));
}

/// What waits for a coroutine of an actor.
enum class waits : std::uint8_t {
  all,   ///< every message
  some,  ///< all but those that are interleaved
  none,
};

/// A coroutine that a cell waits for before its next message, unless it interleaves: a handler, on_start or on_stop. Runs as a task
/// of the actor; `End` is told how it ended.
template <class T, class End, waits Who>
class activity final : public typed_task<T>, public activity_base {
 public:
  activity(cell& owner, coro<T> body, End end)
      : typed_task<T>(owner.home(), std::move(body), {}, std::source_location()),
        activity_base(owner, end.in_hand()),
        end_(end) {}
  const task_base& as_activity() const noexcept override { return *this; }

 private:
  void on_ended(future_base::status how) noexcept override {
    this->retrieved_ = true;
    if (how == future_base::status::value) {
      end_.succeeded(this->result_);
    } else if (how == future_base::status::error) {
      std::exception_ptr error = this->result_.error();
      this->result_.clear();
      end_.failed(owner_, std::move(error));
    } else if (owner_.stop_wanted()) {
      end_.stopped(owner_);
    } else {
      end_.failed(owner_, owner_.stray_cancellation());
    }
    if constexpr (Who == waits::all) {
      owner_.activity_ended();
    } else if constexpr (Who == waits::some) {
      owner_.interleaved_activity_ended();
    } else {
      owner_.beside_ended();
    }
  }

  End end_;
};

template <waits Who = waits::all, class T, class End>
void start_activity(cell& owner, coro<T> body, End end, const message_info* message) {
  auto* const made = new activity<T, End, Who>(owner, std::move(body), end);
  if constexpr (Who == waits::none) {
    owner.run_beside(*made);
  } else {
    owner.run_activity(*made, message);
  }
}

/// The end of a coroutine handler of `M`: answers who asked, and frees the message.
template <class M>
struct handler_end {
  envelope* item;

  const envelope* in_hand() const noexcept { return item; }

  template <class T>
  void succeeded(outcome<T>& result) noexcept {
    if constexpr (request<M>) {
      if (item->reply != nullptr) {
        auto& asked = static_cast<ask_state<M>&>(*item->reply);
        if constexpr (std::is_void_v<reply_of<M>>) {
          asked.answer();
        } else {
          asked.answer(std::move(result.get()));
        }
        return;
      }
    }
    item->info->free(*item);
  }
  void failed(cell& owner, std::exception_ptr error) noexcept {
    fail_handler(owner, *item, std::move(error));
  }
  void stopped(cell& owner) noexcept { owner.refuse(*item); }
};

struct start_end {
  static const envelope* in_hand() noexcept { return nullptr; }
  void succeeded(outcome<void>&) noexcept {}
  void failed(cell& owner, const std::exception_ptr& error) noexcept {
    owner.stop_after_crash(error);
  }
  void stopped(cell&) noexcept {}
};

struct stop_end {
  static const envelope* in_hand() noexcept { return nullptr; }
  void succeeded(outcome<void>&) noexcept {}
  void failed(cell& owner, const std::exception_ptr& error) noexcept {
    owner.home().report({"on_stop of " + owner.description() + " threw", error});
  }
  void stopped(cell&) noexcept {}
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
  } else if constexpr (passes_on<A>) {
    owner.object.pass_on(item);
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
      // A chain of comparisons with constants, the handlers inlined behind them: for the handful of messages that
      // protocols have it beats a table, which costs an indirect call.
      if (!(handle_as<A, Ms>(owner, next) || ...)) [[unlikely]]
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
      if (owner.counted()) owner.taken(next);
      static_cast<void>((handle_as<A, Ms>(owner, next) || ...));
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

/// Sends an `M` made of who has ended and why. A template, for `M` is complete only where somebody understands it.
template <class M>
void tell_of_end(cell& to, cell& ended, const exit_reason& why) {
  ended.retain();
  auto* const news = new envelope_of<M>(M{decltype(M::who)(ended), why});
  if (!to.put_last(*news)) to.refuse(*news);
}

/// The name of the class in messages to people: its own, unless it has another.
template <class A>
constexpr std::string_view class_name() noexcept {
  if constexpr (requires { A::class_name; }) {
    return A::class_name;
  } else {
    return type_name<A>();
  }
}

template <class A>
struct class_of {
  using protocol_type = typename A::protocol_type;

  static void destroy(cell& dead) noexcept {
    auto& object = static_cast<cell_of<A>&>(dead).object;
    if constexpr (has_states<A>) A::states_type::drop(object);
    object.~A();
  }

  static void start(cell& owner) {
    auto& object = static_cast<cell_of<A>&>(owner).object;
    if constexpr (has_states<A>) {
      A::states_type::start(owner, object);
    } else if constexpr (is_coro<decltype(object.on_start())>) {
      start_activity(owner, object.on_start(), start_end{}, nullptr);
    } else {
      object.on_start();
    }
  }
  static void idle(cell& owner) {
    auto& object = static_cast<cell_of<A>&>(owner).object;
    if constexpr (is_coro<decltype(object.on_idle())>) {
      start_activity<interleaves_some<A> ? waits::some : waits::all>(owner, object.on_idle(),
                                                                     start_end{}, nullptr);
    } else {
      object.on_idle();
    }
  }
  static void stop(cell& owner) {
    auto& object = static_cast<cell_of<A>&>(owner).object;
    if constexpr (is_coro<decltype(object.on_stop())>) {
      start_activity(owner, object.on_stop(), stop_end{}, nullptr);
    } else {
      object.on_stop();
    }
  }

  // A private on_start, on_stop or on_idle is an error here, not one that is never called.
  static constexpr bool has_start =
      has_states<A> || !std::same_as<decltype(&A::on_start), decltype(&A::actor_type::on_start)>;
  static constexpr bool has_stop =
      !std::same_as<decltype(&A::on_stop), decltype(&A::actor_type::on_stop)>;
  static constexpr bool has_idle =
      !std::same_as<decltype(&A::on_idle), decltype(&A::actor_type::on_idle)>;

  // Apart from the pointers, which g++ does not compare with null when compiling with -fsanitize=undefined.
  static constexpr bool has_bound =
      requires { requires std::same_as<decltype(A::mailbox), const mailbox_options>; };
  static constexpr bool has_limits = requires { &A::limits[0].type; };

  static constexpr const mailbox_options* bound() {
    if constexpr (has_bound) return &A::mailbox;
    return nullptr;
  }
  static constexpr const message_limit* limits() {
    if constexpr (has_limits) return A::limits;
    return nullptr;
  }
  static constexpr std::size_t limit_count() {
    if constexpr (has_limits) return sizeof A::limits / sizeof *A::limits;
    return 0;
  }

  static constexpr auto send_exited() -> void (*)(cell&, cell&, const exit_reason&) {
    if constexpr (accepts<protocol_type, exited>)
      return [](cell& to, cell& ended, const exit_reason& why) {
        tell_of_end<exited>(to, ended, why);
      };
    else
      return nullptr;
  }

  static constexpr auto interleaved() noexcept {
    using known = bool (*)(const message_info&) noexcept;
    if constexpr (interleaves_some<A>) {
      return known(&interleaved_messages<A, protocol_type>::contain);
    } else {
      return known(nullptr);
    }
  }

  static constexpr actor_class table{class_name<A>(),
                                     sizeof(cell_of<A>),
                                     &destroy,
                                     has_start ? &start : nullptr,
                                     has_stop ? &stop : nullptr,
                                     bound(),
                                     limits(),
                                     limit_count(),
                                     send_exited(),
                                     has_idle ? &idle : nullptr,
                                     interleaved()};
};

}  // namespace troupe::internal
