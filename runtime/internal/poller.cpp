#include <troupe/runtime/check.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/internal/poller.hpp>
#include <troupe/runtime/internal/simulator.hpp>

#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace troupe::internal {

poller::poller(bool watches) : descriptor_(watches ? ::epoll_create1(EPOLL_CLOEXEC) : -1) {
  if (watches && descriptor_ < 0)
    throw std::system_error(errno, std::generic_category(), "a loop's epoll descriptor");
}

poller::~poller() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

namespace {

outside* outside_of_simulation() noexcept {
  const simulator* const here = current_simulator();
  return here != nullptr ? here->outside() : nullptr;
}

void watch_simulated(int descriptor, poller::listener& told, std::uint32_t events) {
  outside* const there = outside_of_simulation();
  if (there != nullptr && is_simulated(descriptor)) return there->watch(descriptor, told, events);
  throw invalid_state(
      "a simulation has no outside, and a loop in it was to watch a descriptor: a socket, a "
      "pipe, a signal, a child; use what the test kit has in their place, such as its network, "
      "which has to be there before the sockets");
}

}  // namespace

void poller::add(int descriptor, listener& told, std::uint32_t events) {
  if (descriptor_ < 0) return watch_simulated(descriptor, told, events);
  epoll_event wanted{};
  wanted.events = events;
  wanted.data.ptr = &told;
  if (::epoll_ctl(descriptor_, EPOLL_CTL_ADD, descriptor, &wanted) != 0) {
    throw std::system_error(errno, std::generic_category(), "watching a descriptor");
  }
}

void poller::remove(int descriptor, const listener& told) noexcept {
  if (descriptor_ < 0) {
    outside* const there = outside_of_simulation();
    if (there != nullptr && is_simulated(descriptor)) there->forget(descriptor);
    return;
  }
  static_cast<void>(::epoll_ctl(descriptor_, EPOLL_CTL_DEL, descriptor, nullptr));
  // An event of it may be in the batch that is being told.
  for (int index = 0; index < left_; ++index) {
    if (ready_[index].data.ptr == &told) ready_[index].data.ptr = nullptr;
  }
}

void poller::wait(bool block, function between, void* context) noexcept {
  // Called by a listener, or by work that runs between two: the batch that is being told comes first.
  if (ready_ != nullptr || descriptor_ < 0) return;
  epoll_event events[batch];
  const int count = ::epoll_wait(descriptor_, events, batch, block ? -1 : 0);
  if (count < 0) {
    expects(errno == EINTR, "epoll_wait failed");
    return;
  }
  for (int index = 0; index < count; ++index) {
    ready_ = events + index + 1;
    left_ = count - index - 1;
    if (events[index].data.ptr == nullptr) continue;
    static_cast<listener*>(events[index].data.ptr)->on_events(events[index].events);
    between(context);
  }
  ready_ = nullptr;
  left_ = 0;
}

}  // namespace troupe::internal
