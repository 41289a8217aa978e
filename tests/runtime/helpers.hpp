// What the tests of the runtime share.
#pragma once

#include <troupe/runtime/future.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>

#include "support/counted.hpp"
#include "support/journal.hpp"
#include "support/random_numbers.hpp"

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing {

using namespace std::chrono_literals;

/// Lets everything run that is ready, `rounds` times.
inline coro<> rounds(int count) {
  for (int round = 0; round < count; ++round) co_await sleep(0s);
}

inline coro<> sleep_of(duration delay) { co_await sleep(delay); }

/// Waits to be cancelled, and notes in `log` that it was when it has cleaned up, for a second.
inline coro<> wait_and_clean_up(journal& log) {
  bool stopped = false;
  try {
    co_await sleep(infinite);
  } catch (const cancelled&) {
    stopped = true;
  }
  co_await sleep(1s);
  log.push_back(stopped ? "cleaned up" : "went on");
}

inline coro<> fail_after(duration delay, std::string text) {
  co_await sleep(delay);
  throw std::runtime_error(text);
}

template <class T>
coro<T> value_after(duration delay, T value) {
  co_await sleep(delay);
  co_return value;
}

/// How an awaitable coroutine ended, in words.
template <class T>
coro<std::string> ending(coro<T> body) {
  try {
    co_await body;
    co_return "value";
  } catch (const std::exception& error) {
    co_return std::string("error: ") + error.what();
  } catch (const cancelled&) {
    co_return "cancelled";
  }
}

/// How a task ended, in words.
template <class T>
coro<std::string> ending(task<T> awaited) {
  try {
    co_await awaited;
    co_return "value";
  } catch (const std::exception& error) {
    co_return std::string("error: ") + error.what();
  } catch (const cancelled&) {
    co_return "cancelled";
  }
}

/// Options for runs in real time that must report no failure; `threads` loops.
inline run_options real_time(failure_log& log, std::size_t threads = 1) {
  run_options options;
  options.threads = threads;
  options.handle_interrupt = false;
  options.on_failure = log.handler();
  return options;
}

/// The same for a run that an interrupt ends.
inline run_options interruptible(failure_log& log) {
  run_options options = real_time(log);
  options.handle_interrupt = true;
  return options;
}

/// A promise and its future on `home`, which need not run.
template <class T>
struct promised_future {
  explicit promised_future(const manual_loop& home) {
    home->call_soon([this] {
      promised.emplace();
      awaited.emplace(promised->get_future());
    });
    home->run_once();
  }
  const future<T>& operator*() const { return *awaited; }
  const future<T>* operator->() const { return &*awaited; }

  std::optional<promise<T>> promised;
  std::optional<future<T>> awaited;
};

}  // namespace troupe::testing
