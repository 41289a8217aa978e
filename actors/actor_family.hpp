#pragma once

#include <troupe/actors/any_actor.hpp>
#include <troupe/actors/place.hpp>
#include <troupe/actors/process_function.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/actors/supervise.hpp>
#include <troupe/actors/supervision.hpp>

#include <concepts>
#include <utility>

namespace troupe {

template <class P>
class actor;

namespace internal {

template <class Factory>
class supervised_task;

/// What an actor can do with its children: the same for classes of actors and for processes.
/// Its name is known inside of every class of actors, so it is one that no user has for something else. Threads: the actor's loop.
class actor_family {
 public:
  actor_family(const actor_family&) = delete;
  actor_family& operator=(const actor_family&) = delete;

  /// Starts a child: it stops before this actor does; when this is a process, once its coroutine has ended.
  template <class A, class... Args>
    requires(!starts_with_option<Args...>)
  actor_ref<typename A::protocol_type> spawn(Args&&... args) {
    return spawn_here<A>(&cell_, nullptr, std::forward<Args>(args)...);
  }
  template <class A, class... Args>
  actor_ref<typename A::protocol_type> spawn(spawn_options options, Args&&... args) {
    return spawn_placed<A>(&cell_, options, std::forward<Args>(args)...);
  }
  template <class A, class... Args>
  actor_ref<typename A::protocol_type> spawn(place on, Args&&... args) {
    return spawn_placed<A>(&cell_, {.name = {}, .on = on, .mailbox = {}},
                           std::forward<Args>(args)...);
  }

  /// Starts a process (see <troupe/actors/process.hpp>) as a child.
  template <process_function F, class... Args>
  auto spawn(F function, Args&&... args) {
    return spawn_process(&cell_, std::move(function), std::forward<Args>(args)...);
  }
  template <process_function F, class... Args>
  auto spawn(spawn_options options, F function, Args&&... args) {
    return spawn_process_placed(&cell_, options, std::move(function), std::forward<Args>(args)...);
  }
  template <process_function F, class... Args>
  auto spawn(place on, F function, Args&&... args) {
    return spawn_process_placed(&cell_, spawn_options{.name = {}, .on = on, .mailbox = {}},
                                std::move(function), std::forward<Args>(args)...);
  }

  /// How this actor supervises its children (supervision.hpp), from now on. Before it starts them, best.
  void supervise_as(const supervision& rules) { internal::supervise_as(cell_, rules); }
  /// Starts a child that is restarted when it falls, by the rules in supervision.hpp. Its arguments are copied for each start.
  /// Errors: as of `spawn`.
  template <class A, class... Args>
  actor_ref<typename A::protocol_type> supervise(const child_options& options, Args&&... args) {
    return internal::supervise<A>(cell_, options, std::forward<Args>(args)...);
  }
  template <process_function F, class... Args>
  auto supervise(const child_options& options, F function, Args&&... args) {
    return supervise_process(cell_, options, std::move(function), std::forward<Args>(args)...);
  }
  /// The same for a coroutine: `factory()` gives a `coro<>` that is run, and made anew when it has thrown or, for a permanent child,
  /// returned.
  template <std::invocable Factory>
  any_actor supervise_task(const child_options& options, Factory factory) {
    return internal::supervise<supervised_task<Factory>>(cell_, options, std::move(factory));
  }
  /// Stops a child for good, whatever its kind. Does nothing when it is no child of this actor.
  void stop_child(const any_actor& child) noexcept { internal::stop_child(cell_, child); }
  /// Takes a supervised child down and starts it anew. That is not counted as a fall.
  void restart_child(const any_actor& child) { internal::restart_child(cell_, child); }

 protected:
  explicit actor_family(cell& given) noexcept : cell_(given) {}
  ~actor_family() = default;

 private:
  template <class P>
  friend class troupe::actor;
  cell& cell_;
};

}  // namespace internal
}  // namespace troupe
