#pragma once

#include <troupe/actors/cell.hpp>

namespace troupe::internal {

/// Stands around something that a traced actor does by itself, not for a message: what it sends there is its own doing. Whatever
/// becomes of the tracing meanwhile, nothing of it is left.
class traced_step {
 public:
  explicit traced_step(cell& of) noexcept : of_(of.traced() ? &of : nullptr) {
    if (of_ != nullptr) of_->trace_enter(0);
  }
  traced_step(const traced_step&) = delete;
  traced_step& operator=(const traced_step&) = delete;
  ~traced_step() {
    if (of_ != nullptr) of_->trace_leave();
  }

 private:
  cell* of_;
};

}  // namespace troupe::internal
