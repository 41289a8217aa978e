#pragma once

#include <troupe/runtime/task.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>

#include <cstddef>
#include <source_location>
#include <utility>

namespace troupe::testing {

/// A loop on virtual time that a test drives by hand, round by round: for what happens when, and in which order. What only
/// has to run to its end needs `testing::run`.
///
///     manual_loop driven;
///     auto sleeping = driven.create_task(nap());   // sleeps an hour
///     driven.run_until_idle();                     // it has begun; time stands still
///     driven.advance(59min);                       // not yet
///     driven.advance(1min);                        // now it is done
///
/// Life: what has not ended when it goes is cancelled, and destroyed if it refuses to end.
/// Errors: a failure that was reported and is not in a log of the test's own aborts the test at the end of the step, as
/// `unexpected_failure`.
/// Threads: the test's.
class manual_loop {
 public:
  /// `expected` takes the failures that the test provokes; it outlives the loop.
  explicit manual_loop(failure_log* expected = nullptr);

  loop& operator*() const noexcept { return *home_; }
  loop* operator->() const noexcept { return home_.get(); }
  time_point time() const noexcept { return home_->time(); }

  /// Makes `body` a task of the loop; it begins with the next round.
  template <class T>
  task<T> create_task(coro<T> body, const task_options& options = {},
                      std::source_location created_at = std::source_location::current()) {
    return troupe::create_task(*home_, std::move(body), options, created_at);
  }

  /// Runs one round: what is ready, and what timers are due for now. Returns whether anything is ready for the next one.
  bool step();
  /// Runs rounds until nothing is ready; time stands still. Returns how many.
  /// Errors: std::runtime_error after a million: something makes itself ready for ever.
  std::size_t run_until_idle();
  /// Lets `time` pass: each timer fires at its own moment, and what it leads to is run before the next.
  void advance(duration time);
  /// Runs, and lets time pass from timer to timer, until `condition()` holds. Returns false when nothing is left that could
  /// change it.
  template <class Condition>
  bool run_until(Condition condition) {
    for (;;) {
      if (condition()) return true;
      if (!step() && !home_->advance_to_next()) return condition();
    }
  }

 private:
  void check();

  failure_log own_;
  failure_log* log_;
  bool checked_;
  loop::handle home_;
};

}  // namespace troupe::testing
