#pragma once

#include <troupe/actors/actor_ref.hpp>

#include <string>
#include <utility>

namespace troupe {

/// An actor, whatever it understands: who has ended, who is to be stopped. A copy is a count.
/// Threads: as `actor_ref`.
class any_actor {
 public:
  /// Nobody.
  any_actor() noexcept = default;
  template <class P>
  any_actor(const actor_ref<P>& ref) noexcept : cell_(ref.cell()) {  // NOLINT(*-explicit-*)
    if (cell_ != nullptr) cell_->retain();
  }
  /// Takes over one count of `owned`.
  explicit any_actor(internal::cell& owned) noexcept : cell_(&owned) {}
  any_actor(const any_actor& other) noexcept : cell_(other.cell_) {
    if (cell_ != nullptr) cell_->retain();
  }
  any_actor(any_actor&& other) noexcept : cell_(std::exchange(other.cell_, nullptr)) {}
  any_actor& operator=(any_actor other) noexcept {
    std::swap(cell_, other.cell_);
    return *this;
  }
  ~any_actor() {
    if (cell_ != nullptr) cell_->release();
  }

  explicit operator bool() const noexcept { return cell_ != nullptr; }
  friend bool operator==(const any_actor& a, const any_actor& b) noexcept {
    return a.cell_ == b.cell_;
  }

  /// As those of `actor_ref`.
  void stop() const noexcept { checked().request_stop(); }
  void stop_when_drained(duration within = infinite) const noexcept {
    checked().request_drain(exit_reason::kind::stopped, within);
  }
  void kill() const noexcept { checked().request_kill(); }
  future<exit_reason> stopped() const { return internal::when_stopped(checked()); }
  std::string description() const { return cell_ != nullptr ? cell_->description() : "nobody"; }

  internal::cell* cell() const noexcept { return cell_; }

 private:
  internal::cell& checked() const noexcept {
    expects(cell_ != nullptr, "an any_actor that is nobody was used");
    return *cell_;
  }
  internal::cell* cell_ = nullptr;
};

}  // namespace troupe
