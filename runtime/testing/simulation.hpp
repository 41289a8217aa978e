#pragma once

#include <troupe/runtime/callable.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/testing/oracle.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <source_location>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace troupe::internal {
class outside;
class simulator;
}  // namespace troupe::internal

namespace troupe::testing {

/// A scenario ended and left tasks behind that still wait for something; or an actor goes on that has nothing to do, no children, and no ref by
/// which anything could come to it, which is looked for when time goes on.
struct leak_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A scenario goes on and on: it has taken more steps than it may.
struct livelock_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A scenario has met something that a simulation does not have: it read the real clock, blocked its thread, or had another one act on its
/// loops. Such a run is not the same again.
struct not_simulated : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct simulation_options {
  std::size_t threads = 1;  ///< loops; of a scenario that calls `run` itself, what that says
  std::size_t most_steps = 100'000;  ///< then it is a livelock
  /// How far time may go on while something is ready, as on a slow machine; in one go, and in all a hundred times as far. Zero: it stands.
  duration lag = duration::zero();
  /// A promise, by which an exhaustive search has much less to try: tasks and actors act on each other by messages, by waking each other, and on
  /// what they `touch`, and not through memory; and it is all the same which of several things that one waits for came first. Without it all
  /// steps on one loop depend on each other.
  bool isolated = false;
  bool leaks =
      false;  ///< tasks that are left behind by `run`, and actors that nothing can come to, are failures; see leak_error
  /// Says which failures belong to the scenario, such as a crash that is followed by a restart; each is asked about.
  std::function<bool(const failure_report&)> expects = {};
  failure_log* expected =
      nullptr;  ///< takes the failures that are provoked; any other ends the run
};

/// A world of its own: loops, as many as a program wants, on one thread and on virtual time, where everything that could happen in
/// one order or another happens as an `oracle` says. The program runs unchanged; `troupe::run` inside makes a runtime of it.
///
///     first_come natural;
///     simulation world(natural);
///     int result = world.run(my_protocol());
///
/// What is chosen: which of the works that are ready is next, over all loops (messages from one loop to another stay in their order, and so
/// do calls of a loop); how far time goes on meanwhile, up to `lag`; and what `choose` is asked for.
///
/// A failure that nobody receives ends the run at once, with `unexpected_failure`; so do a broken invariant, a deadlock
/// (`deadlock_error`) and more steps than there may be (`livelock_error`).
/// Threads: one; two simulations may run on two threads.
/// Cost: some 100 ns per step.
class simulation {
 public:
  explicit simulation(oracle& decides, const simulation_options& options = {});
  /// Pre: the runtimes in it have ended.
  ~simulation();
  simulation(const simulation&) = delete;
  simulation& operator=(const simulation&) = delete;

  /// The one whose loop runs on this thread, or null.
  static simulation* current() noexcept;

  /// Runs `body` on a runtime of its own and returns its result. Errors: as above, and what `body` throws.
  template <class T>
  T run(coro<T> body, std::source_location created_at = std::source_location::current()) {
    return call([&]() -> T {
      run_options options;
      options.threads = threads();
      runtime made(options);
      if constexpr (std::is_void_v<T>) {
        made.run(std::move(body), created_at);
        look_for_leaks(made);
      } else {
        T result = made.run(std::move(body), created_at);
        look_for_leaks(made);
        return result;
      }
    });
  }
  /// Calls a function that makes runtimes itself, such as the heart of a program's `main`.
  template <class Function>
  auto call(Function&& function) {
    const entered here(*this);
    if constexpr (std::is_void_v<decltype(function())>) {
      function();
      finish();
    } else {
      auto result = function();
      finish();
      return result;
    }
  }

  /// Has `holds` called after each step. It throws when something is wrong. To an exhaustive search all steps depend on each other then.
  void always(callable<void()> holds);
  /// Has `act` called at the end of each step, as a part of it, on the loop of that step: it may do something, and make choices.
  void each_step(callable<void()> act);
  /// Waits until nothing is ready any more, on any loop: only time, or somebody outside, can bring something. For the scenario's own tasks.
  coro<> quiet();
  /// Waits until `holds()`, which is asked after each step. Errors: `timeout_error` when that is not so within that virtual time.
  coro<> until(callable<bool()> holds, duration within = std::chrono::minutes(1));
  /// Lets that much virtual time pass, and then everything happen that it has brought.
  coro<> advance(duration time);

  /// Has `belongs` asked of each failure that is reported, besides `simulation_options::expects`.
  void expect_failures(std::function<bool(const failure_report&)> belongs);
  /// A choice of the program's: less than `count`. 0 is what should come out when nothing special is wanted.
  std::size_t choose(std::size_t count, choice::kind what = choice::kind::value);
  /// The choices that were made since there were `from` of them belong together, such as those of a command of many: who simplifies a
  /// failure tries to do without them.
  void mark_part(std::size_t from);
  /// A number for something that several tasks or actors use, and that the simulation does not know of.
  std::uint64_t number_object();
  /// Says that the step which runs now looks at it, or changes it: for the reduction of an exhaustive search.
  void touch(std::uint64_t object, bool changes);
  /// Has `told` called for each loop that is opened, before it runs.
  void on_opened(callable<void(loop&)> told);
  /// Has `belongs` asked of each task that is left when a scenario has ended: to something that may go on until the runtime ends it.
  void spare_tasks(callable<bool(task_base&)> belongs);
  /// The same of each actor that nothing can come to any more, by its description, "account 'main'": one that is there for what its object holds.
  void spare_actors(callable<bool(const std::string&)> belongs);
  /// Gives it what its loops may watch; the kit's network does. Errors: `invalid_state` when it has one.
  void set_outside(std::shared_ptr<troupe::internal::outside> given);
  /// As which the loops see it: for the rest of the kit.
  troupe::internal::simulator& seen_by_loops() const noexcept;

  time_point time() const noexcept;
  std::size_t steps() const noexcept;
  /// All that was chosen so far; `replay` does it again.
  const std::vector<std::uint32_t>& choices() const noexcept;
  /// What they were.
  const std::vector<choice::kind>& kinds() const noexcept;
  /// Those that belong together.
  struct part {
    std::size_t from;
    std::size_t to;
  };
  const std::vector<part>& parts() const noexcept;
  /// Stands for all that has happened: the same for the same choices, on every machine.
  std::uint64_t hash() const noexcept;

 private:
  friend class expected_in_simulation;
  class core;
  /// This thread, as long as runtimes are made for the simulation.
  class entered {
   public:
    explicit entered(simulation& given);
    ~entered();
    entered(const entered&) = delete;
    entered& operator=(const entered&) = delete;
  };

  std::size_t threads() const noexcept;
  void look_for_leaks(runtime& ended);
  void finish();

  std::unique_ptr<core> core_;
};

}  // namespace troupe::testing
