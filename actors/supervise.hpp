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
/// Puts the child under its parent's supervision and constructs its object, on its loop. Null `copies`: no message can be tried again.
/// Errors: what the constructor throws, when that is this one; the child is no longer supervised then, and goes.
void start_supervised(cell& made, cell& parent, const child_options& options,
                      callable<void(cell&)> construct, const message_copies* copies);
/// On the parent's loop.
void stop_child(cell& parent, const any_actor& child) noexcept;
void restart_child(cell& parent, const any_actor& child);

/// Copies of the messages of `P` that can be copied and move without a throw.
template <class P>
struct copies_of;
template <class... Ms>
struct copies_of<protocol<Ms...>> {
  template <class M>
  static constexpr bool possible =
      std::copy_constructible<M> && std::is_nothrow_move_constructible_v<M>;

  template <class M>
  static bool copy_as(const envelope& of, envelope*& made) {
    if (of.info != &envelope_of<M>::type) return false;
    if constexpr (possible<M>)
      made = new envelope_of<M>(M(static_cast<const envelope_of<M>&>(of).message));
    return true;
  }
  static envelope* copy(const envelope& of) {
    envelope* made = nullptr;
    static_cast<void>((copy_as<Ms>(of, made) || ...));
    return made;
  }
  template <class M>
  static bool restore_as(envelope& request, envelope& copy) noexcept {
    if (copy.info != &envelope_of<M>::type) return false;
    if constexpr (possible<M>) {
      auto& to = static_cast<envelope_of<M>&>(request);
      to.destroy_message();
      ::new (static_cast<void*>(&to.message))
          M(std::move(static_cast<envelope_of<M>&>(copy).message));
    }
    return true;
  }
  static void restore(envelope& request, envelope& copy) noexcept {
    static_cast<void>((restore_as<Ms>(request, copy) || ...));
    copy.info->free(copy);
  }
  static constexpr message_copies table{&copy, &restore};
};

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
    start_supervised(*made, parent, options, std::move(construct),
                     &copies_of<typename A::protocol_type>::table);
    return ref;
  } else {
    static_cast<void>(
        sizeof(supervised_actor_has_no_constructor_for_copies_of<A, std::decay_t<Args>...>));
  }
}

}  // namespace internal
}  // namespace troupe
