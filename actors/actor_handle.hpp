#pragma once

#include <troupe/actors/cell.hpp>
#include <troupe/actors/exit_reason.hpp>
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/time.hpp>

#include <string>
#include <utility>

namespace troupe::internal {

/// What `actor_ref` and `any_actor` have in common: a count of an actor, or nobody, and what can be done with every actor.
class actor_handle {
 public:
  actor_handle() noexcept = default;
  /// Takes over one count of `owned`.
  explicit actor_handle(internal::cell& owned) noexcept : cell_(&owned) {}
  actor_handle(const actor_handle& other) noexcept : cell_(other.cell_) {
    if (cell_ != nullptr) cell_->retain();
  }
  actor_handle(actor_handle&& other) noexcept : cell_(std::exchange(other.cell_, nullptr)) {}
  actor_handle& operator=(actor_handle other) noexcept {
    std::swap(cell_, other.cell_);
    return *this;
  }
  ~actor_handle() {
    if (cell_ != nullptr) cell_->release();
  }

  explicit operator bool() const noexcept { return cell_ != nullptr; }
  /// Whether both are the same actor, whatever they know of its protocol.
  friend bool operator==(const actor_handle& a, const actor_handle& b) noexcept {
    return a.cell_ == b.cell_;
  }

  /// Asks the actor to stop: it finishes a plain handler, cancels a coroutine handler, refuses what is queued, stops its
  /// children, runs on_stop. Does nothing when it is stopping already. (With `mailbox_options::drain_for`, as below.)
  void stop() const noexcept { checked().request_stop(); }
  /// As `stop`, but it finishes what waits for it, for so long at most, and takes nothing new.
  void stop_when_drained(duration within = infinite) const noexcept {
    checked().request_drain(exit_reason::kind::stopped, within);
  }
  /// Ends the actor without its on_stop, and its children likewise: coroutine handlers, and an on_stop that is under way, are cancelled
  /// for good. A plain handler in hand still ends first.
  void kill() const noexcept { checked().request_kill(); }
  /// The future of its end, done at once if it is dead: its object and its children are destroyed, and all it has sent is on its way.
  /// Errors: `invalid_state` when no loop runs on this thread. Cancel: leaves the actor alone.
  future<exit_reason> stopped() const { return when_stopped(checked()); }

  /// The future of its readiness, done when its on_start has ended, at once if that is long ago; of a restart, when it goes on.
  /// Errors, at the await: what it crashed with before that; `actor_dead` when it has ended otherwise. One that was ready, and has ended
  /// since, gives these too. Errors: `invalid_state` when no
  /// loop runs on this thread. Cancel: leaves the actor alone.
  future<void> started() const { return when_started(checked()); }

  /// "account 'savings'", for messages to people.
  std::string description() const { return cell_ != nullptr ? cell_->description() : "nobody"; }

  internal::cell* cell() const noexcept { return cell_; }

 protected:
  internal::cell& checked() const noexcept {
    expects(cell_ != nullptr, "an actor_ref that refers to nobody was used");
    return *cell_;
  }

 private:
  internal::cell* cell_ = nullptr;
};

}  // namespace troupe::internal
