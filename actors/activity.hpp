#pragma once

#include <cstdint>

namespace troupe {
class task_base;
}

namespace troupe::internal {

class cell;
struct envelope;
struct message_info;

/// A coroutine that an actor runs for a message, or as its on_start or on_stop, or that a process is: what the search for deadlocks goes
/// through. Threads: the actor's loop.
class activity_base {
 public:
  cell& owner() const noexcept { return owner_; }
  virtual const task_base& as_activity() const noexcept = 0;
  /// What it works on; null for on_start, on_stop and processes.
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

/// What the search knows of a request: where it lay, what it is, the number of its ask when it is to be looked for closely, else 0, and
/// whether it only waits for room.
struct awaited_request {
  const envelope& request;
  const message_info& info;
  std::uint64_t number;
  bool for_room;
};

}  // namespace troupe::internal
