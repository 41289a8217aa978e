#pragma once

#include <troupe/runtime/work.hpp>

namespace troupe::internal {

class cell;
struct envelope;

/// Who may take messages that are on their way between actors of a simulation: the test kit's `interception`.
class interceptor {
 public:
  /// `item` has been sent to `to` now. Whether it has been taken over; `arrival` run with it, its target set and counted, on the
  /// loop of the actor, delivers it. News, and what an actor puts before or behind its own messages, are not asked about.
  virtual bool take(cell& to, envelope& item, work::function arrival) noexcept = 0;
  /// `who` is about to handle it.
  virtual void begins(cell& who, const envelope& item) noexcept = 0;
  /// It was not handled, and is about to go: refused, lost for lack of room, or taken back.
  virtual void ends(const envelope& item) noexcept = 0;

 protected:
  ~interceptor() = default;
};

/// That of the simulation on this thread; nearly always null.
extern constinit thread_local interceptor* intercepting;

}  // namespace troupe::internal
