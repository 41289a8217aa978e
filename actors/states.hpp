#pragma once

#include <troupe/actors/cell.hpp>
#include <troupe/actors/dispatch.hpp>
#include <troupe/actors/envelope.hpp>
#include <troupe/actors/protocol.hpp>
#include <troupe/actors/timer_key.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/outcome.hpp>

#include <concepts>
#include <exception>
#include <string_view>
#include <type_traits>
#include <utility>

namespace troupe {

/// Left undefined: the compiler names all in the one line that says what is wrong.
template <class Machine, class Message>
struct no_state_and_not_the_machine_has_a_public_handler_on_for_message;
template <class Machine, class State>
struct state_is_not_one_of_the_machine;
template <class Machine, class State>
struct state_does_not_derive_from_the_state_of_its_machine;
template <class State, class... Arguments>
struct state_has_no_constructor_for;
template <class State>
struct on_enter_and_on_exit_of_a_state_cannot_be_coroutines;

namespace internal {

/// What a machine does with its states besides giving them messages.
struct state_class {
  std::string_view name;
  void (*enter)(void* state);
  void (*exit)(void* state);
  void (*destroy)(void* state) noexcept;
};

/// The state that a machine is in, and the one that it is to change to.
///
/// Invariant: while a handler is in hand, the present state stays.
/// Threads: the actor's loop.
class present_state {
 public:
  present_state() = default;
  present_state(const present_state&) = delete;
  present_state& operator=(const present_state&) = delete;
  ~present_state() { drop(); }

  bool is(const state_class& type) const noexcept { return now_.type == &type; }
  void* object() const noexcept { return now_.object; }
  std::string_view name() const noexcept { return now_.type != nullptr ? now_.type->name : "none"; }

  /// Errors: `invalid_state` when no handler is in hand that the change could come after.
  void expect_changeable() const;
  /// Has `made` become the present state; one that was to, before, is destroyed.
  void propose(void* made, const state_class& type) noexcept;

  void handler_begins() noexcept { ++in_hand_; }
  /// Changes the state if the handler wanted that and has not failed.
  void handler_ended(bool well) noexcept {
    --in_hand_;
    if (next_.object != nullptr) [[unlikely]]
      settle(well);
  }
  void starts(cell& owner) noexcept { owner_ = &owner; }
  cell& owner() const noexcept { return *owner_; }
  bool wants_change() const noexcept { return next_.object != nullptr; }
  /// Enters the first state.
  void enter_first() noexcept;
  [[noreturn]] void no_first(std::string_view first) const;
  /// A message came that neither the state nor the machine handles.
  void not_handled(envelope& item) const noexcept;
  /// Destroys the states.
  void drop() noexcept;

 private:
  struct held {
    void* object = nullptr;
    const state_class* type = nullptr;
  };
  static void destroy(held& state) noexcept;
  void settle(bool well) noexcept;
  void change();

  cell* owner_ = nullptr;
  held now_;
  held next_;
  unsigned in_hand_ = 0;   ///< handlers that have begun
  bool changing_ = false;  ///< inside on_exit or on_enter
  bool begun_ = false;
};

/// The machine whose state is being constructed on this thread, for the constructor of the state.
extern constinit thread_local void* machine_of_new_state;
void* taken_machine() noexcept;

/// The key of the timer that ends with the state.
inline constexpr timer_key state_timer{std::string_view("\0state", 6)};

/// The end of a coroutine handler in a machine.
template <class M>
struct state_handler_end {
  handler_end<M> answer;
  present_state* states;

  const envelope* in_hand() const noexcept { return answer.in_hand(); }
  template <class T>
  void succeeded(outcome<T>& result) noexcept {
    answer.succeeded(result);
    states->handler_ended(true);
  }
  void failed(cell& owner, std::exception_ptr error) noexcept {
    answer.failed(owner, std::move(error));
    states->handler_ended(false);
  }
  void stopped(cell& owner) noexcept {
    answer.stopped(owner);
    states->handler_ended(false);
  }
};

/// How an actor with states handles its messages; `dispatch.hpp` asks it.
template <class Machine, class... States>
struct states_of {
  template <class S>
  static constexpr bool derives = std::derived_from<S, typename Machine::state>;
  template <class S>
  static constexpr state_class type{type_name<S>(),
                                    [](void* state) {
                                      if constexpr (derives<S>) static_cast<S*>(state)->on_enter();
                                    },
                                    [](void* state) {
                                      if constexpr (derives<S>) static_cast<S*>(state)->on_exit();
                                    },
                                    [](void* state) noexcept {
                                      static_cast<S*>(state)->~S();
                                      deallocate(state, sizeof(S));
                                    }};

  template <class A, class M>
  static constexpr bool check() {
    if constexpr (!(has_handler<States, M> || ... || has_handler<A, M>)) {
      static_cast<void>(
          sizeof(no_state_and_not_the_machine_has_a_public_handler_on_for_message<A, M>));
    } else {
      static_cast<void>((check_returned<States, M>() && ... && check_returned<A, M>()));
    }
    return (check_state<States>() && ...);
  }

  template <class A, class M>
  static void handle(cell_of<A>& owner, A& machine, envelope_of<M>& item) noexcept {
    if ((handle_in<States>(owner, machine, item) || ...)) return;
    if constexpr (has_handler<A, M>) {
      give(owner, machine, machine, item);
    } else {
      machine.present_.not_handled(item);
    }
  }

  template <class A>
  static void start(cell& owner, A& machine) {
    machine.present_.starts(owner);
    if constexpr (is_coro<decltype(machine.on_start())>) {
      start_activity(owner, machine.on_start(), first_state_end<A>{&machine}, nullptr);
    } else {
      machine.on_start();
      enter_first(owner, machine);
    }
  }

  static void drop(Machine& machine) noexcept { machine.present_.drop(); }

 private:
  template <class A>
  struct first_state_end : start_end {
    explicit first_state_end(A* given) noexcept : machine(given) {}
    void succeeded(outcome<void>&) noexcept {
      cell& owner = machine->present_.owner();
      try {
        enter_first(owner, *machine);
      } catch (...) {
        owner.stop_after_crash(std::current_exception());
      }
    }
    A* machine;
  };

  template <class A>
  static void enter_first(cell& owner, A& machine) {
    if (owner.stop_wanted()) return;
    if (!machine.present_.wants_change()) make_first<States...>(machine);
    machine.present_.enter_first();
  }
  template <class First, class...>
  static void make_first(Machine& machine) {
    if constexpr (std::constructible_from<First>) {
      machine.template become<First>();
    } else {
      machine.present_.no_first(type_name<First>());
    }
  }

  template <class S>
  static constexpr bool check_state() {
    if constexpr (!derives<S>) {
      static_cast<void>(sizeof(state_does_not_derive_from_the_state_of_its_machine<Machine, S>));
    } else if constexpr (!std::is_void_v<decltype(std::declval<S&>().on_enter())> ||
                         !std::is_void_v<decltype(std::declval<S&>().on_exit())>) {
      static_cast<void>(sizeof(on_enter_and_on_exit_of_a_state_cannot_be_coroutines<S>));
    }
    static_assert(
        alignof(S) <= pool_granule,
        "a state that needs more than 16-byte alignment: keep what needs it behind a pointer");
    return true;
  }
  template <class H, class M>
  static constexpr bool check_returned() {
    if constexpr (has_handler<H, M>) {
      if constexpr (!returns_well<H, M>) {
        static_cast<void>(
            sizeof(handler_returns_something_else_than_the_reply<H, M, handler_returns<H, M>>));
      }
    }
    return true;
  }

  template <class S, class A, class M>
  static bool handle_in(cell_of<A>& owner, A& machine, envelope_of<M>& item) noexcept {
    if constexpr (has_handler<S, M>) {
      if (machine.present_.is(type<S>)) {
        give(owner, machine, *static_cast<S*>(machine.present_.object()), item);
        return true;
      }
    }
    return false;
  }

  /// `handling` is the state, or the machine itself.
  template <class Handling, class M>
  static void give(cell& owner, Machine& machine, Handling& handling,
                   envelope_of<M>& item) noexcept {
    present_state& states = machine.present_;
    states.handler_begins();
    if constexpr (!returns_well<Handling, M>) {
      // an error already
    } else if constexpr (replies_later<Handling, M>) {
      states.handler_ended(handle_later(owner, handling, item));
    } else if constexpr (is_coro<handler_returns<Handling, M>>) {
      const state_handler_end<M> end{handler_end<M>{&item}, &states};
      if (!handle_now(owner, handling, item, end)) states.handler_ended(false);
    } else {
      states.handler_ended(handle_now(owner, handling, item, handler_end<M>{&item}));
    }
  }
};

}  // namespace internal

}  // namespace troupe
