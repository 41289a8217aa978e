#pragma once

#include <troupe/runtime/callable.hpp>
#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/loop.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace troupe {

/// Calls `handler` on the running loop each time the process receives `signal`; replaces the handler set before, the one
/// by which `run` answers SIGINT too. Bursts of a signal may arrive as one call.
/// It runs as a callback of the loop, in the context of now. Errors: std::invalid_argument for a number that no signal has;
/// std::system_error for a signal that cannot be caught; `invalid_state` off a loop, or when another loop of the process handles it.
void add_signal_handler(int signal, callable<void()> handler);

/// Takes the handler away: the process does with `signal` what it did before. Returns false when it had no handler here.
/// Errors: std::invalid_argument for a number that no signal has; `invalid_state` off a loop.
bool remove_signal_handler(int signal);

namespace internal {

/// A signal handler for as long as this lives, unless another replaces it.
class scoped_signal {
 public:
  scoped_signal(loop& home, int signal, callable<void()> handler);
  ~scoped_signal();
  scoped_signal(const scoped_signal&) = delete;
  scoped_signal& operator=(const scoped_signal&) = delete;

 private:
  loop& home_;
  int signal_;
  std::uint64_t number_;
};

/// A wait for the first of several signals.
class signal_wait {
 public:
  /// Errors: as `add_signal_handler`.
  signal_wait(const int* signals, std::size_t count);
  ~signal_wait();
  signal_wait(const signal_wait&) = delete;
  signal_wait& operator=(const signal_wait&) = delete;

  future<int> first() { return promise_.get_future(); }
  void received(int signal) noexcept;

 private:
  const int* signals_;
  std::size_t count_;
  promise<int> promise_;
  bool received_ = false;
};

}  // namespace internal

/// Waits for the first of `signals` and returns its number. While it waits they have no other effect; several may wait for the
/// same one. Afterwards they do again what they did before: SIGINT is `run`'s once more, SIGTERM ends the process.
/// Errors: as `add_signal_handler`.
template <class... Signals>
  requires(sizeof...(Signals) != 0)
coro<int> received_signal(Signals... signals) {
  const std::array<int, sizeof...(Signals)> wanted{signals...};
  internal::signal_wait wait(wanted.data(), wanted.size());
  const future<int> first = wait.first();
  co_return co_await first;
}

}  // namespace troupe
