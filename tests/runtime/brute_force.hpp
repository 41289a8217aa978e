// Brute force: a scenario is run again and again, and stopped at every place where it can be stopped.
//
//     struct two_users {                    // made anew for each run
//       lock shared;
//       int inside = 0;
//     };
//     for_each_cancellation<two_users>(
//         [](two_users& with) -> coro<> { ... },                          // without captures: they would not outlive the lambda
//         [](two_users& with) { CHECK_FALSE(with.shared.locked()); });    // what has to hold, however it ended
//
// Each run is on a loop of its own on virtual time. The n-th one lets n rounds of the loop go by, then cancels, and runs on
// until all tasks have ended: the scenario by a value or `cancelled`, its other tasks as they like. Any other error of the
// scenario, a report to the failure handler, a task that never ends and a run without end fail the test; the message says
// after how many rounds the run was cancelled. The search ends with the run that nobody got to disturb.
#pragma once

#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <string>
#include <utility>

namespace troupe::testing {

struct brute_force_options {
  std::string victim = {};  ///< name of the task to cancel; empty: the one that runs the scenario
  bool for_good = false;    ///< by cancel_for_good, so that every later suspension throws as well
  bool twice = false;       ///< a second request follows, after 0, 1, 2, ... more rounds: all pairs
  bool may_fail = false;    ///< the scenario may end by an error
  bool two_loops =
      false;         ///< there is another loop, `other_loop()`, run by the same thread in turns
  int patience = 1;  ///< rounds without anything ready or timed before a run counts as over
  int most_rounds = 1'000;  ///< a run of more rounds is one without end
};

namespace internal {

inline loop* brute_force_other = nullptr;

/// One run: a loop, or two, driven by hand.
class brute_force_run {
 public:
  explicit brute_force_run(const brute_force_options& options)
      : options_(options), home_(opened()) {
    if (options.two_loops) other_ = opened();
    brute_force_other = other_.get();
  }
  ~brute_force_run() { brute_force_other = nullptr; }
  brute_force_run(const brute_force_run&) = delete;
  brute_force_run& operator=(const brute_force_run&) = delete;

  loop& home() const noexcept { return *home_; }
  const failure_log& log() const noexcept { return log_; }

  /// Lets `count` rounds go by, or fewer when the scenario ends; returns whether it goes on.
  bool let_go_by(int count, const task<>& scenario) {
    while (count > 0 && !scenario.done() && step()) --count;
    return !scenario.done();
  }
  /// Gives up on what has not ended.
  void abandon() {
    home_->abandon();
    if (options_.two_loops) other_->abandon();
    home_->let_go();
    if (options_.two_loops) other_->let_go();
  }
  /// Runs on until nothing can happen any more.
  void finish() {
    while (step()) {
    }
  }
  void cancel(const task<>& scenario) const {
    task_base* victim = options_.victim.empty() ? &scenario.base() : nullptr;
    home_->tasks().for_each([&](task_base& each) {
      if (each.name() == options_.victim) victim = &each;
    });
    if (victim == nullptr) return;  // not made yet, or gone
    if (options_.for_good) {
      victim->cancel_for_good();
    } else {
      victim->cancel("brute force");
    }
  }

 private:
  loop::handle opened() {
    loop_options with;
    with.virtual_time = true;
    with.on_failure = log_.handler();
    return loop::open(std::move(with));
  }
  /// Lets a round go by, and time when nothing is ready. False when nothing can happen any more.
  bool step() {
    if (++rounds_ > options_.most_rounds) return false;
    bool goes_on = home_->run_once();
    if (options_.two_loops) goes_on = other_->run_once() || goes_on;
    goes_on = goes_on || home_->advance_to_next();
    if (options_.two_loops) goes_on = goes_on || other_->advance_to_next();
    idle_ = goes_on ? 0 : idle_ + 1;
    return idle_ < options_.patience;
  }

  const brute_force_options& options_;
  failure_log log_;
  loop::handle home_;
  loop::handle other_;
  int rounds_ = 0;
  int idle_ = 0;
};

/// Returns how often it came to cancelling before the scenario had ended.
template <class Fixture, class Scenario, class Check>
int run_and_cancel(Scenario& scenario, Check& check, const brute_force_options& options, int first,
                   int second) {
  brute_force_run run(options);
  Fixture with;
  int requests = 0;
  {
    const task<> running = create_task(run.home(), scenario(with), {.name = "scenario"});
    if (run.let_go_by(first, running)) {
      run.cancel(running);
      ++requests;
      if (options.twice && run.let_go_by(second, running)) {
        run.cancel(running);
        ++requests;
      }
    }
    run.finish();
    INFO("cancelled after " << first << " rounds"
                            << (options.twice ? " and " + std::to_string(second) + " more" : ""));
    CHECK(run.home().unfinished() == "");
    if (running.done() && !running.cancelled()) {
      const std::exception_ptr error = running.exception();
      CHECK((error && !options.may_fail ? describe(error) : "") == "");
    }
    CHECK(run.log().text() == "");
    if (run.home().tasks().empty()) check(with);
  }
  run.abandon();  // what never ended must not outlive the fixture
  return requests;
}

}  // namespace internal

/// The second loop of the present run. Pre: `two_loops`.
inline loop& other_loop() noexcept { return *internal::brute_force_other; }

/// Runs `scenario(fixture)`, a coro<>, as a task of the name "scenario" that is cancelled after 0, 1, 2, ... rounds, and calls
/// `check(fixture)` after each run. Returns the number of runs.
template <class Fixture, class Scenario, class Check>
int for_each_cancellation(Scenario scenario, Check check, const brute_force_options& options = {}) {
  int runs = 0;
  for (int first = 0; first < options.most_rounds; ++first) {
    for (int second = 0;; ++second) {
      const int requests =
          internal::run_and_cancel<Fixture>(scenario, check, options, first, second);
      ++runs;
      if (requests == 0) return runs;
      if (requests == 1) break;  // the only one wanted, or the scenario ended before the second
    }
  }
  FAIL("the scenario does not end");
  return runs;
}

/// Runs `scenario(fixture)` as a task whose loop is abandoned after 0, 1, 2, ... rounds: the frames of all tasks are destroyed
/// where they wait, in the order in which the tasks were made. Then calls `check(fixture)`. Returns the number of runs.
template <class Fixture, class Scenario, class Check>
int for_each_abandonment(Scenario scenario, Check check, const brute_force_options& options = {}) {
  for (int rounds = 0; rounds < options.most_rounds; ++rounds) {
    internal::brute_force_run run(options);
    Fixture with;
    const task<> running = create_task(run.home(), scenario(with), {.name = "scenario"});
    const bool goes_on = run.let_go_by(rounds, running);
    run.abandon();
    INFO("abandoned after " << rounds << " rounds");
    CHECK(run.log().text() == "");
    check(with);
    if (!goes_on) return rounds + 1;
  }
  FAIL("the scenario does not end");
  return 0;
}

}  // namespace troupe::testing
