#pragma once

#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/loop.hpp>

#include <array>
#include <functional>

namespace troupe {

/// Calls `handler` on the running loop each time the process receives `signal`; replaces the handler set before, the one
/// by which `run` answers SIGINT too. Bursts of a signal may arrive as one call.
/// Errors: std::system_error for a signal that cannot be caught; `invalid_state` off a loop.
void add_signal_handler(int signal, std::function<void()> handler);

/// Gives `signal` its default action again. Returns false when it had no handler here.
bool remove_signal_handler(int signal);

namespace internal {

/// A signal handler for as long as this lives.
class scoped_signal {
 public:
  scoped_signal(loop& home, int signal, std::function<void()> handler);
  ~scoped_signal();
  scoped_signal(const scoped_signal&) = delete;
  scoped_signal& operator=(const scoped_signal&) = delete;

 private:
  loop& home_;
  int signal_;
};

/// Sets handlers that fulfil one promise, and takes them away again.
class signal_wait {
 public:
  signal_wait(const int* signals, std::size_t count);
  ~signal_wait();
  signal_wait(const signal_wait&) = delete;
  signal_wait& operator=(const signal_wait&) = delete;
  future<int>& received() noexcept { return received_; }

 private:
  const int* signals_;
  std::size_t count_;
  promise<int> promise_;
  future<int> received_;
};

}  // namespace internal

/// Waits for the first of `signals` and returns its number; while it waits they have no other effect.
/// Cancel: gives the signals their default action again.
template <class... Signals>
coro<int> received_signal(Signals... signals) {
  const std::array<int, sizeof...(Signals)> wanted{signals...};
  internal::signal_wait wait(wanted.data(), wanted.size());
  const int number = co_await wait.received();
  co_return number;
}

}  // namespace troupe
