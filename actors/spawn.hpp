#pragma once

#include <troupe/actors/actor_ref.hpp>
#include <troupe/actors/cell.hpp>
#include <troupe/actors/class_of.hpp>
#include <troupe/actors/dispatch.hpp>
#include <troupe/actors/mailbox_options.hpp>
#include <troupe/actors/place.hpp>
#include <troupe/runtime/runtime.hpp>

#include <concepts>
#include <cstddef>
#include <new>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace troupe {

struct spawn_options {
  std::string_view name = {};  ///< shown in reports beside the class; copied
  place on = place::here;
  mailbox_options mailbox = {};  ///< replaces that of the class when anything is set
};

namespace internal {

/// The actor whose object is being constructed on this thread, for the constructor of `actor`.
extern constinit thread_local cell* constructing;
/// That actor, once. Ends the process when there is none: somebody constructed an actor without spawn.
cell& taken_cell() noexcept;

/// Errors: std::out_of_range when the runtime has no such loop; `invalid_state` off a loop.
loop& find_place(place wanted);
[[noreturn]] void throw_nowhere();
inline loop& this_place() {
  loop* const here = this_thread.current_loop;
  if (here == nullptr) throw_nowhere();
  return *here;
}

/// Constructs the actor on its loop, when that is not the spawner's.
template <class A, class... Args>
struct remote_start final : work, pooled {
  template <class... Given>
  explicit remote_start(std::in_place_t, Given&&... given_args)
      : work(&remote_start::arrive), args(std::forward<Given>(given_args)...) {}

  static void arrive(work& item) noexcept {
    const owned<remote_start> self(static_cast<remote_start*>(&item));
    cell& owner = *self->made;
    constructing = &owner;
    try {
      std::apply(
          [&](Args&... each) {
            ::new (static_cast<void*>(&self->made->object)) A(std::move(each)...);
          },
          self->args);
      owner.begin();
    } catch (...) {
      loop::current()->report(
          {"the constructor of " + owner.description() + " threw", std::current_exception()});
      owner.begin_without_object(std::current_exception());
    }
    constructing = nullptr;
  }

  cell_of<A>* made = nullptr;
  std::tuple<Args...> args;
};

template <class A>
cell_of<A>* make_cell(loop& home, cell* parent, const spawn_options* options) {
  static_assert(
      alignof(A) <= pool_granule,
      "an actor that needs more than 16-byte alignment: keep what needs it behind a pointer");
  auto* const made = ::new (allocate(sizeof(cell_of<A>)))
      cell_of<A>(&turn_of<A, typename A::protocol_type>::run, class_of<A>::table, home, parent);
  if (options != nullptr && !options->name.empty()) made->set_name(options->name);
  if (options != nullptr && options->mailbox.set()) {
    made->bound(options->mailbox);
  } else if constexpr (class_of<A>::has_bound) {
    made->bound(A::mailbox);
  } else if constexpr (class_of<A>::has_limits) {
    made->bound(mailbox_options());
  }
  if (parent != nullptr) made->join_parent();
  return made;
}

template <class A>
constexpr void check_handlers() {
  if constexpr (!passes_on<A>) {
    []<class... Ms>(protocol<Ms...>*) {
      (check_handler<A, Ms>(), ...);
    }(static_cast<typename A::protocol_type*>(nullptr));
  }
}

/// Starts an actor on this loop. The common way in, and apart from the other so that a program that places no actor
/// elsewhere compiles none of that.
template <class A, class... Args>
actor_ref<typename A::protocol_type> spawn_here(cell* parent, const spawn_options* options,
                                                Args&&... args) {
  check_handlers<A>();
  if constexpr (std::constructible_from<A, Args...>) {
    cell_of<A>* const made = make_cell<A>(this_place(), parent, options);
    cell* const outer = std::exchange(constructing, made);
    try {
      ::new (static_cast<void*>(&made->object)) A(std::forward<Args>(args)...);
    } catch (...) {
      // It goes the way of every actor, for the sake of children that the constructor may have spawned.
      constructing = outer;
      made->begin_without_object(std::current_exception());
      made->release();
      throw;
    }
    constructing = outer;
    made->begin();
    return actor_ref<typename A::protocol_type>(*made);
  } else {
    static_cast<void>(sizeof(actor_has_no_constructor_for<A, Args...>));
  }
}

/// Starts an actor on the loop that `options` names; its arguments are copied, or moved, on their way there.
template <class A, class... Args>
actor_ref<typename A::protocol_type> spawn_placed(cell* parent, const spawn_options& options,
                                                  Args&&... args) {
  if constexpr (std::constructible_from<A, std::decay_t<Args>...>) {
    loop& home = find_place(options.on);
    if (&home == loop::current())
      return spawn_here<A>(parent, &options, std::decay_t<Args>(std::forward<Args>(args))...);
    check_handlers<A>();
    // Copying an argument may throw: there is no actor yet that would have to end.
    using start_type = remote_start<A, std::decay_t<Args>...>;
    owned<start_type> start(new start_type(std::in_place, std::forward<Args>(args)...));
    cell_of<A>* const made = start->made = make_cell<A>(home, parent, &options);
    if (!home.post(*start.release())) fail("an actor was placed on a loop that is closed");
    return actor_ref<typename A::protocol_type>(*made);
  } else {
    static_cast<void>(sizeof(actor_has_no_constructor_for_copies_of<A, std::decay_t<Args>...>));
  }
}

template <class First>
inline constexpr bool is_spawn_option = std::same_as<std::remove_cvref_t<First>, spawn_options> ||
                                        std::same_as<std::remove_cvref_t<First>, place>;

template <class... Args>
inline constexpr bool starts_with_option = false;
template <class First, class... Rest>
inline constexpr bool starts_with_option<First, Rest...> = is_spawn_option<First>;

}  // namespace internal

/// Starts an actor of class `A`, constructed from `args`, that the runtime owns: it lives until it stops or the runtime does.
/// (Inside an actor, `spawn` without a qualifier is the member function, and the new actor a child.)
/// Errors: on this loop, what the constructor throws; on another one that is reported, and the actor is dead.
/// Cost: one pooled allocation for the actor and all the runtime keeps of it.
template <class A, class... Args>
  requires(!internal::starts_with_option<Args...>)
actor_ref<typename A::protocol_type> spawn(Args&&... args) {
  return internal::spawn_here<A>(nullptr, nullptr, std::forward<Args>(args)...);
}

/// As above, with a name or a place: `spawn<account>({.name = "savings", .on = place::spread}, 100)`. The arguments are copied or
/// moved, as std::thread does it; `std::ref` for references.
template <class A, class... Args>
actor_ref<typename A::protocol_type> spawn(spawn_options options, Args&&... args) {
  return internal::spawn_placed<A>(nullptr, options, std::forward<Args>(args)...);
}
template <class A, class... Args>
actor_ref<typename A::protocol_type> spawn(place on, Args&&... args) {
  return internal::spawn_placed<A>(nullptr, {.name = {}, .on = on, .mailbox = {}},
                                   std::forward<Args>(args)...);
}

}  // namespace troupe
