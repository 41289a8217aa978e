#pragma once

#include <troupe/actors/actor_handle.hpp>
#include <troupe/actors/actor_ref.hpp>

namespace troupe {

/// An actor, whatever it understands: who has ended, who is to be stopped. A copy is a count.
/// Threads: as `actor_ref`.
class any_actor : public internal::actor_handle {
 public:
  /// Nobody.
  any_actor() noexcept = default;
  template <class P>
  any_actor(const actor_ref<P>& ref) noexcept : actor_handle(ref) {}  // NOLINT(*-explicit-*)
  /// Takes over one count of `owned`.
  explicit any_actor(internal::cell& owned) noexcept : actor_handle(owned) {}
  /// Takes a count of its own.
  static any_actor of(internal::cell& known) noexcept {
    known.retain();
    return any_actor(known);
  }
};

}  // namespace troupe
