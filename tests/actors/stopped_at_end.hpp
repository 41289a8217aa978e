#pragma once

#include <troupe/actors/actor_ref.hpp>

#include <utility>

namespace troupe::testing {

/// Stops its actor with the frame that made it, also when that frame is cancelled.
template <class P>
class stopped_at_end {
 public:
  explicit stopped_at_end(actor_ref<P> given) : ref_(std::move(given)) {}
  stopped_at_end(const stopped_at_end&) = delete;
  stopped_at_end& operator=(const stopped_at_end&) = delete;
  ~stopped_at_end() { ref_.stop(); }
  const actor_ref<P>& operator*() const noexcept { return ref_; }

 private:
  actor_ref<P> ref_;
};

}  // namespace troupe::testing
