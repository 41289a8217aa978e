#pragma once

#include <troupe/runtime/internal/poller.hpp>
#include <troupe/runtime/time.hpp>

#include <cstdint>

namespace troupe::internal {

/// Descriptors from here on belong to a simulation. The system gives none so high: its table of them would take two gigabytes.
inline constexpr int first_simulated = 1 << 28;
inline bool is_simulated(int descriptor) noexcept { return descriptor >= first_simulated; }

/// What there is outside of the loops of a simulation, and simulated as well: things come from there when it is their time, and its
/// descriptors can be watched.
/// Threads: that of the simulation.
class outside {
 public:
  virtual ~outside() = default;

  /// As `poller::add` and `remove`, of the running loop. Errors: std::system_error for a descriptor that is none of its own.
  virtual void watch(int descriptor, poller::listener& told, std::uint32_t events) = 0;
  virtual void forget(int descriptor) noexcept = 0;

  /// When something comes next; time_point::max() when nothing is under way.
  virtual time_point next() noexcept = 0;
  /// Lets come what is due: works become ready, on any of the loops, and none is run.
  virtual void advance(time_point now) = 0;
};

}  // namespace troupe::internal
