#pragma once

#include <troupe/runtime/runtime.hpp>

#include <source_location>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing {

/// Something failed during a test and nobody received it: a task nobody awaited, an actor that crashed.
struct unexpected_failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The failures reported during a run, for tests that expect some.
class failure_log {
 public:
  void add(const failure_report& report);
  /// The handler that adds to this log. The log outlives the run.
  failure_handler handler();

  const std::vector<failure_report>& reports() const noexcept { return reports_; }
  /// How many reports hold `text` in their message or the description of their error.
  std::size_t count(std::string_view text) const;
  /// All reports, one per line.
  std::string text() const;

 private:
  std::vector<failure_report> reports_;
};

/// In a simulation, has that log take the failures that are reported as long as it is there.
class expected_in_simulation {
 public:
  explicit expected_in_simulation(failure_log* log);
  ~expected_in_simulation();
  expected_in_simulation(const expected_in_simulation&) = delete;
  expected_in_simulation& operator=(const expected_in_simulation&) = delete;

 private:
  failure_log* log_;  ///< the one before
  bool holds_;
};

/// Runs `body` on one loop on virtual time: a sleep of an hour takes no time, and when nothing can ever run again the test
/// ends with `deadlock_error` instead of hanging.
/// In a scenario of `explore`, or inside a `simulation`, that one decides what comes next.
/// Errors: what `body` throws; `deadlock_error`; `unexpected_failure` when a failure was reported and no log was given.
template <class T>
T run(coro<T> body, failure_log* expected = nullptr,
      std::source_location created_at = std::source_location::current()) {
  failure_log unexpected;
  failure_log& log = expected != nullptr ? *expected : unexpected;
  auto checked = [&log, expected] {
    if (expected == nullptr && !log.reports().empty()) throw unexpected_failure(log.text());
  };
  run_options options;
  options.virtual_time = true;
  options.handle_interrupt = false;
  options.on_failure = log.handler();
  const expected_in_simulation here(expected);
  if constexpr (std::is_void_v<T>) {
    troupe::run(std::move(body), std::move(options), created_at);
    checked();
  } else {
    T result = troupe::run(std::move(body), std::move(options), created_at);
    checked();
    return result;
  }
}

}  // namespace troupe::testing
