#pragma once

#include <troupe/actors/any_actor.hpp>
#include <troupe/actors/envelope.hpp>
#include <troupe/actors/exit_reason.hpp>

#include <utility>

namespace troupe {

namespace internal {
class monitor_watch;
void keep(monitor_watch& held) noexcept;
void let_go(monitor_watch& held) noexcept;
void cancel(monitor_watch& watch) noexcept;
}  // namespace internal

/// One monitor that an actor has set. A copy is of the same one; dropping it changes nothing.
/// Threads: the loop of the actor that has set it.
class monitor_handle {
 public:
  /// Of none.
  monitor_handle() noexcept = default;
  /// Takes over one count.
  explicit monitor_handle(internal::monitor_watch& owned) noexcept : watch_(&owned) {}
  monitor_handle(const monitor_handle& other) noexcept : watch_(other.watch_) {
    if (watch_ != nullptr) internal::keep(*watch_);
  }
  monitor_handle(monitor_handle&& other) noexcept : watch_(std::exchange(other.watch_, nullptr)) {}
  monitor_handle& operator=(monitor_handle other) noexcept {
    std::swap(watch_, other.watch_);
    return *this;
  }
  ~monitor_handle() {
    if (watch_ != nullptr) internal::let_go(*watch_);
  }

  /// Takes the monitor away: no `down` of it comes any more, not even one that lies in the mailbox already.
  void cancel() const noexcept {
    if (watch_ != nullptr) internal::cancel(*watch_);
  }
  friend bool operator==(const monitor_handle& a, const monitor_handle& b) noexcept {
    return a.watch_ == b.watch_;
  }

 private:
  internal::monitor_watch* watch_ = nullptr;
};

/// What an actor is sent, once, when one that it monitors has ended: its object is destroyed, and so are its children. It comes behind
/// all that the one that ended has sent.
struct down {
  any_actor who;
  exit_reason reason;
  monitor_handle monitor;  ///< which one it is, where several are of the same actor
};

/// Left undefined: the compiler says that an actor which monitors others has to understand `down`.
template <class Protocol>
struct actor_that_monitors_has_no_down_in_its_protocol;

namespace internal {
template <>
inline constexpr bool is_news<down> = true;
/// Sends `observer` a `down` when `target` ends. On the observer's loop.
monitor_handle monitor(cell& observer, const any_actor& target);
}  // namespace internal

}  // namespace troupe
