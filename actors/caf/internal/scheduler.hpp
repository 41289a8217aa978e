#pragma once

#include <caf/scheduler/abstract_coordinator.hpp>

#include <troupe/actors/caf/internal/timeouts.hpp>

namespace troupe::internal {

/// CAF's scheduler module: hands its work to the units of a core.
///
/// What actors print by `aout` is printed by a thread of CAF's own; in a simulation by an actor.
class caf_scheduler final : public ::caf::scheduler::abstract_coordinator {
 public:
  caf_scheduler(::caf::actor_system& system, caf_core& owner) noexcept
      : abstract_coordinator(system), owner_(owner), clock_(owner) {}

  void enqueue(::caf::resumable* job) override;
  ::caf::actor_clock& clock() noexcept override { return clock_; }
  bool detaches_utility_actors() const override;

 protected:
  void init(::caf::actor_system_config& config) override;
  void start() override;
  void stop() override;

 private:
  caf_core& owner_;
  caf_clock clock_;
};

}  // namespace troupe::internal
