#pragma once

#include <troupe/io/socket.hpp>
#include <troupe/runtime/internal/poller.hpp>
#include <troupe/runtime/loop.hpp>

#include <cstdint>
#include <utility>

namespace troupe::io::internal {

using troupe::internal::poller;

/// A descriptor that a loop watches for `told`; closed when this goes.
/// Threads: the loop's.
class watch {
 public:
  /// Errors: std::system_error when the descriptor cannot be watched; it is closed then.
  watch(loop& home, poller::listener& told, descriptor owned,
        std::uint32_t events = poller::both_ways)
      : poller_(troupe::internal::poller_of(home)), told_(told), owned_(std::move(owned)) {
    poller_.add(owned_.get(), told_, events);
  }
  watch(const watch&) = delete;
  watch& operator=(const watch&) = delete;
  ~watch() { close(); }

  int native() const noexcept { return owned_.get(); }

  /// No notices until `resume`, not even of errors.
  void pause() noexcept { poller_.remove(owned_.get(), told_); }
  /// Errors: ends the process when the system has no memory for it.
  void resume(std::uint32_t events) noexcept { poller_.add(owned_.get(), told_, events); }

  /// Stops watching and gives the descriptor back.
  descriptor release() noexcept {
    if (owned_) poller_.remove(owned_.get(), told_);
    return std::move(owned_);
  }
  void close() noexcept { release().close(); }

 private:
  poller& poller_;
  poller::listener& told_;
  descriptor owned_;
};

}  // namespace troupe::io::internal
