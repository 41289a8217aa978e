// What the tests of CAF actors share.
#pragma once

#include <troupe/actors/caf/caf_system.hpp>
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>
#include <troupe/runtime/timeout.hpp>

#include "support/catch.hpp"

#include <caf/all.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace troupe::testing::caf_actors {

using namespace std::chrono_literals;

/// Runs `body` on so many loops, in real time; what is reported fails the test.
template <class T>
T really(coro<T> body, std::size_t threads = 1, failure_log* expected = nullptr,
         duration shutdown_timeout = std::chrono::seconds(30)) {
  failure_log unexpected;
  failure_log& log = expected != nullptr ? *expected : unexpected;
  run_options options;
  options.threads = threads;
  options.handle_interrupt = false;
  options.shutdown_timeout = shutdown_timeout;
  options.on_failure = log.handler();
  if constexpr (std::is_void_v<T>) {
    troupe::run(std::move(body), options);
    CHECK(unexpected.text() == "");
  } else {
    T result = troupe::run(std::move(body), options);
    CHECK(unexpected.text() == "");
    return result;
  }
}

/// The same program on virtual time, in real time on one loop, and on three.
inline void everywhere(coro<> (*scenario)()) {
  testing::run(scenario());
  really(scenario());
  really(scenario(), 3);
}

/// Something that a CAF actor says once, and a task waits for.
template <class T>
class word {
 public:
  word() : future_(promise_.get_future()) {}
  void say(T value) { promise_.set_value(std::move(value)); }
  /// Waits for it, in real time not for ever.
  coro<T> heard() {
    auto said = wait();
    co_return co_await timeout(60s, std::move(said));
  }

 private:
  coro<T> wait() { co_return co_await future_; }
  promise<T> promise_;
  future<T> future_;
};

}  // namespace troupe::testing::caf_actors
