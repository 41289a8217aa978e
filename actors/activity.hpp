#pragma once

#include <cstdint>

namespace troupe {
class task_base;
}

namespace troupe::internal {

class cell;
struct envelope;

/// A coroutine that an actor runs for a message, or as its on_start or on_stop: what the search for deadlocks goes through.
/// Threads: the actor's loop.
class activity_base {
 public:
  cell& owner() const noexcept { return owner_; }
  virtual const task_base& as_activity() const noexcept = 0;
  /// What it works on; null for on_start and on_stop.
  const envelope* in_hand() const noexcept { return in_hand_; }
  /// Whether the search of that number has not been here; from now on it has.
  bool first_visit(std::uint64_t search) noexcept {
    if (visited_by_ == search) return false;
    visited_by_ = search;
    return true;
  }

 protected:
  activity_base(cell& owner, const envelope* in_hand) noexcept : owner_(owner), in_hand_(in_hand) {}
  ~activity_base() = default;

  cell& owner_;

 private:
  const envelope* in_hand_;
  std::uint64_t visited_by_ = 0;
};

}  // namespace troupe::internal
