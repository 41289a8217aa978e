#pragma once

#include <troupe/runtime/task_group.hpp>
#include <troupe/runtime/testing/command_plan.hpp>
#include <troupe/runtime/testing/commands.hpp>
#include <troupe/runtime/testing/draw.hpp>
#include <troupe/runtime/testing/explore.hpp>
#include <troupe/runtime/testing/linearizable.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace troupe::testing {

struct model_test_options {
  std::size_t commands = 20;  ///< at most, in a run
  explore_options runs = {};
};

struct parallel_test_options {
  std::size_t before = 3;    ///< commands one after the other, at most
  std::size_t branches = 2;  ///< that are run side by side then,
  std::size_t each = 3;      ///< with so many commands at most
  std::size_t after = 2;     ///< one after the other, when all branches are over
  linearizability_options check = {};
  explore_options runs = {};
};

/// Commands at random for a model and for the real thing, whose answers have to be the same: QuickCheck's state machines (Claessen, Hughes,
/// "QuickCheck", 2000; Hughes and others, "Testing telecoms software with Quviq QuickCheck", 2006), under the orders of `explore`.
///
///     struct bounded {                                     // the model: see sequential_model.hpp
///       std::size_t count = 0;
///       bool apply(put) { return count < 3 && ++count > 0; }
///       void apply(take) { --count; }
///       bool allows(take) const { return count > 0; }      // optional: a command that may not come now is not run
///     };
///     struct real {                                        // made anew for each run, inside of it
///       my_queue queue{3};
///       bool run(put p) { return queue.try_put(p.value); } // the answer, or something to await that gives it
///       void run(take) { queue.take(); }
///     };
///     model_test<bounded, real> test;
///     test.command([](draw& from) { return put{from.between(0, 9)}; });
///     test.command([] { return take{}; });
///     test.check();
///
/// `Real` may have `start()` and `stop()`, before the first command and after the last, and `check(const Model&)`, after each command of `check`
/// (not of `check_parallel`), which throws when something is wrong; all of them may be coroutines.
///
/// What fails is simplified to the fewest commands with the simplest arguments, in an order of steps that is near to the natural one; no command is ever
/// run where the model does not allow it. It ends with `schedule_failed`, whose text has the list of the commands with their answers, and
/// says how to run it again.
template <class Model, class Real>
class model_test {
 public:
  using maker = std::function<std::unique_ptr<Real>()>;

  /// `make` makes the real thing, if that is not to be done by its constructor without arguments.
  explicit model_test(Model initial = Model(), maker make = {})
      : initial_(std::move(initial)), make_(std::move(make)) {
    if constexpr (std::is_default_constructible_v<Real>) {
      if (!make_) make_ = [] { return std::make_unique<Real>(); };
    }
  }

  /// Adds a kind of command. `generate` makes one of it: a function of nothing, of `draw&`, or of that and the `const Model&` to which it is to come;
  /// it may also return a std::optional that is empty when there is none now. Commands that are added earlier are simpler; `weight` is how
  /// often it is drawn, to the sum of all.
  template <class Generate>
  model_test& command(Generate generate, std::size_t weight = 1) {
    kinds_.add(internal::generator_of<Model, Real>(std::move(generate)), weight);
    return *this;
  }

  /// Runs commands one after the other, and compares the answer of each with the model's.
  /// Errors: `schedule_failed`, and what else `explore` throws; std::logic_error when there are no commands, or none was ever allowed.
  model_test_result check(const model_test_options& options = {}) const {
    return kinds_.explore(options.runs, [this, &options](simulation& world, internal::counts& all) {
      plan made = kinds_.plan_for(world, initial_, options.commands, all);
      run_in(world, [&](internal::command_log& log) { return one_by_one(made, log); });
    });
  }
  /// Runs some commands, then some branches of them side by side, then some more; what was answered has to be linearizable. Commands of
  /// a branch are such as the model allows whatever the others have done. How `generate` sees the model is after those before, and those of the
  /// same branch.
  /// Errors: as `check`.
  model_test_result check_parallel(const parallel_test_options& options = {}) const {
    return kinds_.explore(options.runs, [this, &options](simulation& world, internal::counts& all) {
      internal::branched_plan<Model, Real> made = kinds_.branched_plan_for(
          world, initial_, {options.before, options.branches, options.each, options.after}, all);
      run_in(world, [&](internal::command_log& log) { return branched(made, options.check, log); });
    });
  }

 private:
  using plan = internal::command_plan<Model, Real>;

  template <class Body>
  void run_in(simulation& world, Body body) const {
    if (!make_) throw std::logic_error("a model test was not told how to make the real thing");
    internal::command_log log;
    log.run([&] { world.run(body(log)); });
  }

  coro<> one_by_one(const plan& commands, internal::command_log& log) const {
    const std::unique_ptr<Real> real = make_();
    auto starting = internal::start(*real);
    co_await starting;
    Model model = initial_;
    for (const auto& each : commands) {
      auto running = each->run(*real, model, log.add("", each->text()));
      co_await running;
      auto checking = internal::check_against(*real, model);
      co_await checking;
    }
    auto stopping = internal::stop(*real);
    co_await stopping;
  }

  coro<> branched(const internal::branched_plan<Model, Real>& commands,
                  const linearizability_options& options, internal::command_log& log) const {
    const std::unique_ptr<Real> real = make_();
    auto starting = internal::start(*real);
    co_await starting;
    history<Model> seen(initial_);
    auto before = one_branch("before", commands.before, *real, seen, log);
    co_await before;
    task_group group;
    auto all_branches = [&]() -> coro<> {
      for (std::size_t each = 0; each < commands.branches.size(); ++each)
        group.create_task(one_branch("branch " + std::to_string(each + 1), commands.branches[each],
                                     *real, seen, log));
      co_return;
    };
    co_await group.run(all_branches);
    auto after = one_branch("after", commands.after, *real, seen, log);
    co_await after;
    auto stopping = internal::stop(*real);
    co_await stopping;
    seen.check(options);
  }

  coro<> one_branch(std::string name, const plan& commands, Real& real, history<Model>& seen,
                    internal::command_log& log) const {
    for (const auto& each : commands) {
      auto running = each->run_noted(real, seen, name, log.add(name, each->text()));
      co_await running;
    }
  }

  Model initial_;
  maker make_;
  internal::command_kinds<Model, Real> kinds_;
};

}  // namespace troupe::testing
