#pragma once

#include <troupe/io/internal/child_body.hpp>
#include <troupe/io/internal/spawn.hpp>

namespace troupe::io::internal {

/// Who starts the children of a simulation, in the place of the system: a stand-in of its simulator (`stand_in<simulated_children>`). The
/// test kit has one, testing::programs.
/// Threads: that of the simulation.
class simulated_children {
 public:
  virtual ~simulated_children() = default;
  /// On the running loop. Errors: `spawn_error`; `invalid_state` for what it cannot do.
  virtual started_child start(const launch& wanted) = 0;
};

}  // namespace troupe::io::internal
