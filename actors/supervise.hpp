#pragma once

#include <troupe/actors/any_actor.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/actors/supervision.hpp>
#include <troupe/runtime/callable.hpp>

#include <concepts>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

namespace troupe {

/// Left undefined: the compiler says that what a supervised actor is constructed from is copied for each start.
template <class Actor, class... Arguments>
struct supervised_actor_has_no_constructor_for_copies_of;

namespace internal {

/// Sets the rules by which an actor supervises.
void supervise_as(cell& parent, const supervision& rules);
/// Puts the child under its parent's supervision and constructs its object, on its loop. Errors: what the constructor throws, when that
/// is this one; the child is no longer supervised then, and goes.
void start_supervised(cell& made, cell& parent, const child_options& options,
                      callable<void(cell&)> construct);
/// On the parent's loop.
void stop_child(cell& parent, const any_actor& child) noexcept;
void restart_child(cell& parent, const any_actor& child);

/// Starts `A` as a child of `parent` that is restarted by its rules.
template <class A, class... Args>
actor_ref<typename A::protocol_type> supervise(cell& parent, const child_options& options,
                                               Args&&... args) {
  if constexpr (std::constructible_from<A, std::decay_t<Args>...> &&
                (std::copy_constructible<std::decay_t<Args>> && ...)) {
    check_handlers<A>();
    callable<void(cell&)> construct(
        [kept = std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...)](cell& at) {
          std::apply(
              [&at](const auto&... each) {
                ::new (static_cast<void*>(&static_cast<cell_of<A>&>(at).object))
                    A(std::decay_t<Args>(each)...);
              },
              kept);
        });
    const spawn_options spawned{.name = options.name, .on = options.on, .mailbox = options.mailbox};
    auto* const made = make_cell<A>(find_place(options.on), &parent, &spawned);
    actor_ref<typename A::protocol_type> ref(*made);
    start_supervised(*made, parent, options, std::move(construct));
    return ref;
  } else {
    static_cast<void>(
        sizeof(supervised_actor_has_no_constructor_for_copies_of<A, std::decay_t<Args>...>));
  }
}

}  // namespace internal
}  // namespace troupe
