#pragma once

#include <troupe/runtime/callable.hpp>
#include <troupe/runtime/internal/simulator.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/work.hpp>

#include <memory>
#include <utility>

namespace troupe::testing::internal {

/// Something that is done in a turn of its own, so that the oracle chooses when; as often as it is asked for.
///
/// Life: shared; it stays until a turn that was asked for has been taken, and does nothing in it when it was withdrawn.
/// Threads: that of the simulation.
class virtual_turn final : public work, public std::enable_shared_from_this<virtual_turn> {
 public:
  explicit virtual_turn(callable<void()> act) noexcept
      : work(&virtual_turn::take), act_(std::move(act)) {
    if (auto* const here = troupe::internal::current_simulator()) here->born(*this);
  }

  /// Once, however often it is asked for before it comes.
  void ask(loop& home) noexcept {
    if (kept_ != nullptr || !act_ || home.closed()) return;
    kept_ = shared_from_this();
    if (loop::current() == &home) {
      home.push(*this);
    } else if (!home.post(*this)) {
      kept_.reset();
    }
  }
  bool asked() const noexcept { return kept_ != nullptr; }
  void withdraw() noexcept { act_ = {}; }

 private:
  static void take(work& item) noexcept {
    auto& self = static_cast<virtual_turn&>(item);
    const std::shared_ptr<virtual_turn> held = std::move(self.kept_);
    const callable<void()> act = self.act_;
    if (act) act();
  }

  callable<void()> act_;
  std::shared_ptr<virtual_turn> kept_;
};

}  // namespace troupe::testing::internal
