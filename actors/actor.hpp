#pragma once

#include <troupe/actors/actor_family.hpp>
#include <troupe/actors/idle.hpp>
#include <troupe/actors/link.hpp>
#include <troupe/actors/monitor.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/actors/stash.hpp>
#include <troupe/actors/timers.hpp>
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/task.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <source_location>
#include <utility>

namespace troupe {

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
/// waits too, unless the class names it in `interleave` (see interleave.hpp). A handler that throws `rejected` refuses a request;
/// anything else it throws crashes the actor: who asked gets the exception, the failure handler hears of it, and the actor stops.
///
/// Life: made by `spawn` only; `on_start` before the first message; `on_stop` after the last, when its children have
/// stopped; `on_idle` when it has had no message for the time that it has set. A derived class may replace each of them, plain
/// or as `coro<>`; they must be public.
/// Threads: everything runs on the actor's loop. Its state needs no lock.
template <class P>
class actor : protected internal::actor_family {
 public:
  using protocol_type = P;
  using actor_type = actor;

  actor(const actor&) = delete;
  actor& operator=(const actor&) = delete;

  void on_start() {}
  void on_stop() {}
  /// Called when the idle time-out has passed, between two messages; unless it is replaced it stops the actor.
  void on_idle() { stop(); }

 protected:
  actor() : actor_family(internal::taken_cell()) {}
  ~actor() = default;

  /// A ref of this actor, to be passed on.
  actor_ref<P> self() const noexcept {
    cell_.retain();
    return actor_ref<P>(cell_);
  }

  /// Stops this actor when a plain handler in hand has ended; a coroutine handler is cancelled at its next await.
  void stop() noexcept { cell_.request_stop(); }

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

  /// Tells this actor `m` once `delay` has passed. It replaces the timer of that key: no message of the one before comes any more,
  /// nor after `cancel_timer`, even if it lies in the mailbox already. Timers end with the actor; one that is stopping starts none.
  /// Cost: some 250 bytes while it runs; arming as of any timer, a look-up of the key, and three steps of a turn instead of one.
  template <message M>
  void start_timer(const timer_key& key, duration delay, M m) {
    internal::start_timer<P>(cell_, key, delay, std::move(m));
  }
  /// Tells this actor a copy of `m` after each `period`, counted from now, at most one at a time: times that pass while one waits
  /// or is handled are left out, so that a handler which takes long is followed by no burst. Otherwise as `start_timer`. A copy
  /// that throws is a crash.
  /// Errors: std::invalid_argument when the period is not longer than nothing.
  template <message M>
  void start_periodic_timer(const timer_key& key, duration period, M m) {
    internal::start_periodic_timer<P>(cell_, key, period, std::move(m));
  }
  /// Whether a message of the timer would have come.
  bool cancel_timer(const timer_key& key) noexcept { return internal::cancel_timer(cell_, key); }
  void cancel_all_timers() noexcept { internal::cancel_all_timers(cell_); }
  /// Whether a message of the timer is still to be handled.
  bool timer_active(const timer_key& key) const noexcept {
    return internal::timer_active(cell_, key);
  }

  /// Puts a message aside until `unstash`. When the actor ends it is refused as those are that wait in the mailbox; when it is
  /// restarted it comes before them.
  /// Errors: `stash_full`, which rejects the message if the handler lets it pass.
  template <message M>
  void stash(M m) {
    internal::stash_told<P>(cell_, std::move(m));
  }
  /// The same for a request, from a handler `void on(M m, reply_to<R> reply)`. Its time limit runs on.
  /// Pre: `reply` came with `m`.
  template <request M>
  void stash(M m, reply_to<reply_of<M>> reply) {
    internal::stash_asked<P>(cell_, std::move(m), reply);
  }
  /// Puts the oldest message of the stash before all that wait in the mailbox. False when there is none.
  bool unstash() noexcept { return internal::unstash(cell_, 1) != 0; }
  /// The same with all of them, in the order in which they were put aside. Returns how many they were.
  std::size_t unstash_all() noexcept {
    return internal::unstash(cell_, static_cast<std::size_t>(-1));
  }
  std::size_t stashed() const noexcept { return internal::stashed(cell_); }
  /// How many messages may be put aside: `default_stash_capacity` unless it is set. What is there stays.
  void set_stash_capacity(std::size_t most) { internal::set_stash_capacity(cell_, most); }

  /// Calls `on_idle` when no message has come for `limit`, counted from now or the end of the last handler, and again each time
  /// that much has passed. Messages of the actor's own timers do not count. `infinite` takes it back.
  /// Errors: std::invalid_argument when it is not longer than nothing.
  /// Cost: a reading of the clock for each turn of this actor; none for others.
  void set_idle_timeout(duration limit) { internal::set_idle_timeout(cell_, limit); }

  /// Runs `body` as a task of this actor, beside its handlers; it is cancelled when the actor stops.
  template <class T>
  task<T> create_task(coro<T> body, const task_options& options = {},
                      std::source_location created_at = std::source_location::current()) {
    return internal::make_task(cell_.home(), cell_.tasks(), std::move(body), options,
                               options.eager || cell_.home().eager_tasks(), created_at);
  }
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
