#pragma once

#include <troupe/actors/link.hpp>
#include <troupe/actors/monitor.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/actors/supervise.hpp>
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/task.hpp>

#include <concepts>
#include <exception>
#include <source_location>
#include <utility>

namespace troupe {

namespace internal {
template <class Factory>
class supervised_task;
}

/// The base of an actor class: a class with a mailbox, whose public `on(M)` is called for each message, one at a time.
///
///     struct deposit { std::int64_t cents; };
///     struct balance { using reply = std::int64_t; };
///     class account : public troupe::actor<troupe::protocol<deposit, balance>> {
///      public:
///       void on(deposit d) { cents_ += d.cents; }
///       std::int64_t on(balance) { return cents_; }
///      private:
///       std::int64_t cents_ = 0;
///     };
///
/// A handler returns nothing, the message's reply, or a `coro` of either. While a coroutine handler waits, the next message
/// waits too. A handler that throws `rejected` refuses a request; anything else it throws crashes the actor: who asked gets
/// the exception, the failure handler hears of it, and the actor stops.
///
/// Life: made by `spawn` only; `on_start` before the first message; `on_stop` after the last, when its children have
/// stopped. A derived class may replace either, plain or as `coro<>`; both must be public.
/// Threads: everything runs on the actor's loop. Its state needs no lock.
template <class P>
class actor {
 public:
  using protocol_type = P;
  using actor_type = actor;

  actor(const actor&) = delete;
  actor& operator=(const actor&) = delete;

  void on_start() {}
  void on_stop() {}

 protected:
  actor() : cell_(internal::taken_cell()) {}
  ~actor() = default;

  /// A ref of this actor, to be passed on.
  actor_ref<P> self() const noexcept {
    cell_.retain();
    return actor_ref<P>(cell_);
  }

  /// Stops this actor when a plain handler in hand has ended; a coroutine handler is cancelled at its next await.
  void stop() noexcept { cell_.request_stop(); }

  /// Starts a child: it stops before this actor does.
  template <class A, class... Args>
    requires(!internal::starts_with_option<Args...>)
  actor_ref<typename A::protocol_type> spawn(Args&&... args) {
    return internal::spawn_here<A>(&cell_, nullptr, std::forward<Args>(args)...);
  }
  template <class A, class... Args>
  actor_ref<typename A::protocol_type> spawn(spawn_options options, Args&&... args) {
    return internal::spawn_placed<A>(&cell_, options, std::forward<Args>(args)...);
  }
  template <class A, class... Args>
  actor_ref<typename A::protocol_type> spawn(place on, Args&&... args) {
    return internal::spawn_placed<A>(&cell_, {.name = {}, .on = on, .mailbox = {}},
                                     std::forward<Args>(args)...);
  }

  /// How this actor supervises its children (supervision.hpp), from now on. In its constructor, best.
  void supervise_as(const supervision& rules) { internal::supervise_as(cell_, rules); }
  /// Starts a child that is restarted when it falls, by the rules in supervision.hpp. Its arguments are copied for each start.
  /// Errors: as of `spawn`.
  template <class A, class... Args>
  actor_ref<typename A::protocol_type> supervise(const child_options& options, Args&&... args) {
    return internal::supervise<A>(cell_, options, std::forward<Args>(args)...);
  }
  /// The same for a coroutine: `factory()` gives a `coro<>` that is run, and made anew when it has thrown or, for a permanent child,
  /// returned.
  template <std::invocable Factory>
  any_actor supervise_task(const child_options& options, Factory factory) {
    return internal::supervise<internal::supervised_task<Factory>>(cell_, options,
                                                                   std::move(factory));
  }
  /// Stops a child for good, whatever its kind. Does nothing when it is no child of this actor.
  void stop_child(const any_actor& child) noexcept { internal::stop_child(cell_, child); }
  /// Takes a supervised child down and starts it anew. That is not counted as a fall.
  void restart_child(const any_actor& child) { internal::restart_child(cell_, child); }

  /// Ends this actor as a handler does that throws: its supervisor decides, its monitors hear of `error`.
  void crash_with(const std::exception_ptr& error) noexcept { cell_.crash(error); }

  /// Has this actor told by a `down` when `who` has ended, at once if it is dead; its protocol has to contain `down`. Several monitors
  /// of the same actor are told of one by one. They end with this actor.
  monitor_handle monitor(const any_actor& who) {
    if constexpr (accepts<P, down>) {
      return internal::monitor(cell_, who);
    } else {
      static_cast<void>(sizeof(actor_that_monitors_has_no_down_in_its_protocol<P>));
    }
  }

  /// Links this actor with `other`, both ways, once: when one of them crashes or is killed, also when it is restarted then, the other
  /// crashes with `link_broken`, unless its protocol contains `exited`; then it is sent that, whatever the reason. A link ends with that,
  /// or with either actor. An actor that is dead already counts as one that ends now.
  void link(const any_actor& other) { internal::link(cell_, other); }
  void unlink(const any_actor& other) noexcept { internal::unlink(cell_, other); }

  /// Runs `body` as a task of this actor, beside its handlers; it is cancelled when the actor stops.
  template <class T>
  task<T> create_task(coro<T> body, const task_options& options = {},
                      std::source_location created_at = std::source_location::current()) {
    return internal::make_task(cell_.home(), cell_.tasks(), std::move(body), options,
                               options.eager || cell_.home().eager_tasks(), created_at);
  }

 private:
  internal::cell& cell_;
};

namespace internal {

/// What runs a coroutine under supervision: its end is the actor's.
template <class Factory>
class supervised_task final : public actor<protocol<>> {
 public:
  explicit supervised_task(Factory factory) : factory_(std::move(factory)) {}
  void on_start() { create_task(run()); }

 private:
  coro<> run() {
    std::exception_ptr failed;
    try {
      co_await factory_();
    } catch (const cancelled&) {
      throw;
    } catch (...) {
      failed = std::current_exception();
    }
    if (failed) {
      crash_with(failed);
    } else {
      stop();
    }
  }
  Factory factory_;
};

}  // namespace internal
}  // namespace troupe
