#include <troupe/runtime/testing/commands.hpp>

#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/testing/command_plan.hpp>
#include <troupe/runtime/testing/exhaustive.hpp>
#include <troupe/runtime/testing/simplifier.hpp>

#include <algorithm>
#include <utility>

namespace troupe::testing::internal {

namespace {

constexpr std::uint64_t probes = 4;

std::string text_of_cause(const std::exception_ptr& cause) {
  try {
    std::rethrow_exception(cause);
  } catch (const detailed_failure& known) {
    return known.what();
  } catch (...) {
    return describe(cause);
  }
}

/// Of a branch, in a text: those side by side come between those before and after.
int rank(const std::string& branch) { return branch == "before" ? 0 : branch == "after" ? 2 : 1; }

/// How many orders a run chooses, at most in a few runs that are always the same.
std::size_t length_of_runs(const explore_options& options,
                           const std::function<void(simulation&, counts&)>& run) {
  std::size_t length = 1;
  for (std::uint64_t seed = 1; seed <= probes; ++seed) {
    random_walk walk(seed);
    simulation world(walk, {.threads = options.threads,
                            .most_steps = options.most_steps,
                            .lag = options.lag,
                            .expects = options.expects});
    counts ignored;
    try {
      run(world, ignored);
    } catch (...) {
      // It is found again by exploring.
    }
    const auto orders = std::count(world.kinds().begin(), world.kinds().end(), choice::kind::next);
    length = std::max(length, static_cast<std::size_t>(orders));
  }
  return length;
}

}  // namespace

void throw_wrong_answer(const std::string& kind, const std::string& command,
                        const std::string& seen, const std::string& expected) {
  throw detailed_failure("wrong answer to " + kind,
                         command + " gave " + seen + ", and the model says " + expected);
}

void command_log::run(const std::function<void()>& run) const {
  try {
    run();
  } catch (const nothing_new&) {
    throw;
  } catch (...) {
    fail(std::current_exception());
  }
}

void command_log::fail(const std::exception_ptr& cause) const {
  std::string text = text_of_cause(cause);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::vector<std::string> commands;
  // By branches, and not as they were begun.
  std::vector<std::string> branches;
  for (const command_line& each : lines_) {
    if (std::find(branches.begin(), branches.end(), each.branch) == branches.end())
      branches.push_back(each.branch);
  }
  std::sort(branches.begin(), branches.end(), [](const auto& one, const auto& other) {
    return std::pair(rank(one), one) < std::pair(rank(other), other);
  });
  text += lines_.empty() ? "\n  before any command" : "\n  the commands:";
  for (const std::string& branch : branches) {
    std::size_t number = 0;
    if (!branch.empty()) text += "\n  " + branch + ":";
    for (const command_line& each : lines_) {
      if (each.branch != branch) continue;
      text += "\n    " + std::to_string(++number) + ". " + each.text;
      commands.push_back((branch.empty() ? "" : branch + ": ") + each.text);
    }
  }
  throw commands_failed(kind_of(cause), text, std::move(commands), cause);
}

model_test_result explore_commands(explore_options options,
                                   const std::function<void(simulation&, counts&)>& run) {
  counts all;
  all.each_once = options.how == search::exhaustive;
  if (options.length == 0 && (options.how == search::mixed || options.how == search::priority))
    options.length = length_of_runs(options, run);
  model_test_result result;
  result.runs = explore(options, [&](simulation& world) { run(world, all); });
  result.commands = all.commands;
  result.refused = all.refused;
  if (all.commands == 0 && all.refused > 0)
    throw std::logic_error("the model allowed none of the " + std::to_string(all.refused) +
                           " commands that were drawn in " + std::to_string(result.runs.schedules) +
                           " runs");
  return result;
}

}  // namespace troupe::testing::internal
