#pragma once

#include <troupe/actors/actor_ref.hpp>
#include <troupe/actors/cell.hpp>

#include <utility>

namespace troupe::internal {

/// Whom an actor serves that stands for something outside, such as a connection: it tells him what comes, and what has become of it.
/// Where the owner has spawned that actor, it goes with the object that did so: when a supervisor makes another object of the owner, that
/// one knows nothing of it, and is told nothing of it. So what is told here are news of the owner's present object.
/// Threads: those of the actor that has it.
template <class P>
class owner_ref {
 public:
  /// For the actor `servant`. Without an owner it is empty, and only to be asked for that.
  owner_ref(actor_ref<P> owner, const actor_handle& servant) noexcept
      : owner_(std::move(owner)), goes_with_it_(descends(servant.cell()->parent())) {}

  template <class M>
  void tell(M m) const {
    if (!goes_with_it_) return owner_.tell(std::move(m));
    static_assert(accepts<P, M>);
    owner_.cell()->put_news(*new envelope_of<M>(std::move(m)));
  }
  explicit operator bool() const noexcept { return static_cast<bool>(owner_); }

 private:
  bool descends(const cell* from) const noexcept {
    while (from != nullptr && from != owner_.cell()) from = from->parent();
    return from != nullptr;
  }

  actor_ref<P> owner_;
  bool goes_with_it_;
};

}  // namespace troupe::internal
