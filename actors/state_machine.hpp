#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/states.hpp>
#include <troupe/actors/timer_key.hpp>
#include <troupe/runtime/memory.hpp>

#include <concepts>
#include <cstddef>
#include <new>
#include <source_location>
#include <string_view>
#include <utility>

namespace troupe {

/// An actor whose present state decides what a message does: a finite state machine, each state a class with handlers of its
/// own. A message goes to the present state; if that has no handler for it, to the machine, whose handlers are those of every
/// state; if that has none either, a tell is a dead letter and an ask is `rejected`, saying in which state.
///
///     class closed;
///     class open;
///     class door : public troupe::state_machine<door, door_protocol, closed, open> {
///      public:
///       int on(how_often) { return opened; }                        // in every state
///       int opened = 0;
///     };
///     class closed : public door::state {
///      public:
///       void on(push) { become<open>(); }
///     };
///     class open : public door::state {
///      public:
///       void on_enter() { ++machine().opened; start_state_timer(5s, close{}); }
///       void on(close) { become<closed>(); }
///     };
///
/// `become<S>(args...)` constructs the new state at once. It is entered when the handler has ended, after the answer: `on_exit` of
/// the old state, its destructor, `on_enter` of the new one; then comes the next message. A coroutine handler has ended when
/// its coroutine has, so its state stays while it waits. Of several calls the last one counts; a handler that throws, or an
/// actor that is to stop, changes no state. `on_enter` and `on_exit` may call it too. `become` of the present state
/// leaves and enters it anew.
///
/// Life: the first state of the list is entered after `on_start`, unless the constructor or `on_start` has called `become`.
/// When the actor ends, the state's destructor runs before the machine's, without `on_exit`. What throws in `on_enter` or
/// `on_exit` is a crash; they are plain functions. A task that a state creates belongs to the actor and may outlive the state.
/// Messages that are put aside with `stash` stay so; `unstash_all()` where the state changes brings them back.
/// Threads: as `actor`.
/// Cost: a pooled allocation for each change; a comparison per state for each message.
template <class Machine, class P, class... States>
class state_machine : public actor<P> {
 public:
  using states_type = internal::states_of<Machine, States...>;
  class state;

  /// Whether it is in that state; in none before `on_start` has ended.
  template <class S>
  bool in_state() const noexcept {
    if constexpr ((std::same_as<S, States> || ...)) {
      return present_.is(states_type::template type<S>);
    } else {
      static_cast<void>(sizeof(state_is_not_one_of_the_machine<Machine, S>));
    }
  }
  /// The name of its class, for messages to people.
  std::string_view state_name() const noexcept { return present_.name(); }

 protected:
  /// Has the machine change to a new `S`; see above.
  /// Errors: what its constructor throws; `invalid_state` outside of handlers, `on_enter`, `on_exit` and the machine's start.
  template <class S, class... Args>
  void become(Args&&... args) {
    if constexpr (!(std::same_as<S, States> || ...)) {
      static_cast<void>(sizeof(state_is_not_one_of_the_machine<Machine, S>));
    } else if constexpr (!std::constructible_from<S, Args...>) {
      static_cast<void>(sizeof(state_has_no_constructor_for<S, Args...>));
    } else {
      present_.expect_changeable();
      void* const place = internal::allocate(sizeof(S));
      void* const outer = std::exchange(internal::machine_of_new_state, this);
      try {
        ::new (place) S(std::forward<Args>(args)...);
      } catch (...) {
        internal::machine_of_new_state = outer;
        internal::deallocate(place, sizeof(S));
        throw;
      }
      internal::machine_of_new_state = outer;
      present_.propose(place, states_type::template type<S>);
    }
  }

 private:
  template <class, class...>
  friend struct internal::states_of;
  internal::present_state present_;
};

/// The base of the states of a machine: what an actor can do, done by its state.
template <class Machine, class P, class... States>
class state_machine<Machine, P, States...>::state {
 public:
  state(const state&) = delete;
  state& operator=(const state&) = delete;

  void on_enter() {}
  void on_exit() {}

 protected:
  state() noexcept : machine_(*static_cast<state_machine*>(internal::taken_machine())) {}
  ~state() = default;

  Machine& machine() noexcept { return static_cast<Machine&>(machine_); }
  const Machine& machine() const noexcept { return static_cast<const Machine&>(machine_); }

  template <class S, class... Args>
  void become(Args&&... args) {
    machine_.template become<S>(std::forward<Args>(args)...);
  }
  /// Tells the machine `m` after `delay`, unless it has left this state by then. There is one such timer.
  template <message M>
  void start_state_timer(duration delay, M m) {
    machine_.start_timer(internal::state_timer, delay, std::move(m));
  }
  void cancel_state_timer() noexcept { machine_.cancel_timer(internal::state_timer); }

  // Those of `actor`.
  actor_ref<P> self() const noexcept { return machine_.self(); }
  void stop() noexcept { machine_.stop(); }
  template <message M>
  void start_timer(const timer_key& key, duration delay, M m) {
    machine_.start_timer(key, delay, std::move(m));
  }
  template <message M>
  void start_periodic_timer(const timer_key& key, duration period, M m) {
    machine_.start_periodic_timer(key, period, std::move(m));
  }
  bool cancel_timer(const timer_key& key) noexcept { return machine_.cancel_timer(key); }
  bool timer_active(const timer_key& key) const noexcept { return machine_.timer_active(key); }
  template <message M>
  void stash(M m) {
    machine_.stash(std::move(m));
  }
  template <request M>
  void stash(M m, reply_to<reply_of<M>> reply) {
    machine_.stash(std::move(m), std::move(reply));
  }
  bool unstash() noexcept { return machine_.unstash(); }
  std::size_t unstash_all() noexcept { return machine_.unstash_all(); }
  template <class A, class... Args>
  auto spawn(Args&&... args) {
    return machine_.template spawn<A>(std::forward<Args>(args)...);
  }
  monitor_handle monitor(const any_actor& who) { return machine_.monitor(who); }
  template <class T>
  task<T> create_task(coro<T> body, const task_options& options = {},
                      std::source_location created_at = std::source_location::current()) {
    return machine_.create_task(std::move(body), options, created_at);
  }

 private:
  state_machine& machine_;
};

}  // namespace troupe
