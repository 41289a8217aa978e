#pragma once

#include <sys/epoll.h>

#include <cstdint>

namespace troupe {
class loop;

namespace internal {

/// The descriptors that a loop watches, in an epoll set of its own.
///
/// A descriptor is registered once and stays so, edge-triggered unless it is said otherwise: no system call is made per wait,
/// which is what sets this apart from a reactor that re-arms, and is worth a tenth of the requests of a small echo.
/// Threads: the loop's only.
class poller {
 public:
  /// Somebody who is told of a descriptor's readiness. Told nothing any more once it is removed.
  class listener {
   public:
    /// `events` are epoll's.
    virtual void on_events(std::uint32_t events) noexcept = 0;

   protected:
    ~listener() = default;
  };

  static constexpr std::uint32_t both_ways = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

  /// One that `watches` nothing is for a loop in a simulation, which has no outside. Errors: std::system_error.
  explicit poller(bool watches = true);
  ~poller();
  poller(const poller&) = delete;
  poller& operator=(const poller&) = delete;

  /// Errors: std::system_error; `invalid_state` when it watches nothing.
  void add(int descriptor, listener& told, std::uint32_t events);
  void remove(int descriptor, const listener& told) noexcept;

  /// Waits until something is ready, or for no time, and tells the listeners, calling `between(context)` after each.
  using function = void (*)(void* context) noexcept;
  void wait(bool block, function between, void* context) noexcept;

  int native() const noexcept { return descriptor_; }

 private:
  static constexpr int batch = 128;

  int descriptor_;
  epoll_event* ready_ = nullptr;  ///< what is left of the batch that is being told
  int left_ = 0;
};

/// The poller of a loop, for the layers above.
poller& poller_of(loop& owner) noexcept;

}  // namespace internal
}  // namespace troupe
