#pragma once

#include <troupe/runtime/testing/simulation.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing {

/// How the orders to be tried are chosen.
enum class search : std::uint8_t {
  mixed,  ///< each of those below in turn, but for the last; the first order tried is the natural one
  random,         ///< `random_walk`
  priority,       ///< `by_priority`, with a depth from 1 to 4
  partial_order,  ///< `partial_order_sampling`
  departures,     ///< `few_departures`, from 1 to 4
  /// Every order, but of those that differ only in the order of independent steps one; see `exhaustive`. For small scenarios; without lag.
  exhaustive,
};

struct explore_options {
  std::size_t schedules = 1'000;  ///< how many are tried
  std::uint64_t seed = 1;         ///< of the whole; each schedule has one that follows from it
  search how = search::mixed;
  std::size_t threads = 1;  ///< see simulation_options, as the next three
  std::size_t most_steps = 100'000;
  duration lag = duration::zero();
  bool isolated = false;
  std::function<bool(const failure_report&)> expects = {};  ///< see simulation_options
  bool leaks = true;                                        ///< see simulation_options
  /// About how many choices a run makes, over which `priority` and `departures` spread theirs; 0: as many as in the natural order.
  std::size_t length = 0;
  std::size_t shrink_runs = 5'000;  ///< how many are made to find a simpler one that fails; 0: none
};

/// What came of an exploration in which nothing failed.
struct exploration {
  std::size_t schedules = 0;
  std::uint64_t steps = 0;    ///< of all of them
  std::size_t different = 0;  ///< schedules that differ from each other
  /// An exhaustive search has tried all there are, within `schedules`; `different` is how many that were.
  bool complete = false;
};

/// A schedule that fails, made as simple as could be found. `what()` tells all of it, and how to run it again:
///
///     TROUPE_SEED=0x2a  as it was found
///     TROUPE_REPLAY=/tmp/troupe-1f3a.replay  as it was simplified
///
/// in the environment of the same test.
class schedule_failed : public std::runtime_error {
 public:
  struct details {
    std::exception_ptr cause;            ///< what the scenario failed with, in the simplified run
    std::string reason;                  ///< the same as text
    std::uint64_t seed = 0;              ///< of the run that was found
    std::size_t schedule = 0;            ///< which it was, from 1
    std::vector<std::uint32_t> choices;  ///< of the simplified run; see `replay`
    std::size_t turns_found = 0;         ///< choices that were not the natural ones, as found
    std::size_t turns_left = 0;          ///< and simplified
    std::size_t steps_found = 0;
    std::size_t steps_left = 0;
    std::string file;   ///< that can be replayed, unless it could not be written
    std::string story;  ///< what the witnesses saw of the simplified run
  };
  explicit schedule_failed(details given);
  const details& about() const noexcept { return details_; }

 private:
  details details_;
};

/// What a scenario throws when what went wrong has been said already, by the assertions of a test framework: it is not simplified, for each run
/// would say it again.
struct reported_failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The same choices led to different runs: something in the scenario does not go through the simulation.
struct not_deterministic : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// One who watches a run that is shown, and tells of it afterwards; the actors' charts are one.
class witness {
 public:
  virtual ~witness() = default;
  /// A loop has been opened for the run, and does not run yet. Nothing that is done here may change the run.
  virtual void opened(loop& home) = 0;
  /// What it saw, as text that ends with a line's end; or nothing.
  virtual std::string story() = 0;
};

namespace internal {

using scenario = std::function<void(simulation&)>;

exploration explore(const explore_options& options, const scenario& run);

template <class Scenario>
scenario as_scenario(Scenario given) {
  if constexpr (std::invocable<Scenario&, simulation&>) {
    using result = std::invoke_result_t<Scenario&, simulation&>;
    if constexpr (std::is_void_v<result>) {
      return given;
    } else {
      return [given](simulation& world) mutable { world.run(given(world)); };
    }
  } else if constexpr (std::is_void_v<std::invoke_result_t<Scenario&>>) {
    return [given](simulation& world) mutable { world.call(given); };
  } else {
    return [given](simulation& world) mutable { world.run(given()); };
  }
}

/// Those who make witnesses, known from the beginning of the program.
using make_witness = std::unique_ptr<witness> (*)();
bool add_witness(make_witness made);

}  // namespace internal

/// Runs a scenario under many schedules, and ends with the first that fails, simplified.
///
///     explore({.schedules = 10'000}, [] { return my_protocol(); });
///
/// `scenario` is a function that makes a coroutine; it may take the `simulation`, to add invariants or to make choices. Or a plain function,
/// which then calls `troupe::run` itself. It begins anew each time, and depends on nothing but the simulation.
///
/// What is found without being asked for: exceptions; failures that nobody receives; deadlocks; livelocks; tasks that are left behind; a
/// scenario that is not deterministic.
///
/// The same options try the same schedules on every machine. TROUPE_SEED in the environment runs one of them only, TROUPE_REPLAY the choices
/// of a file; that holds for every exploration of the process, so name the test as well.
/// Errors: `schedule_failed`; `not_deterministic`; std::runtime_error for a file that is none.
template <class Scenario>
exploration explore(const explore_options& options, Scenario scenario) {
  return internal::explore(options, internal::as_scenario(std::move(scenario)));
}

}  // namespace troupe::testing
