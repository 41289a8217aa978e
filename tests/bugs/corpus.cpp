#include "bugs/bug.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>

namespace troupe::testing::bugs {

namespace {

constexpr std::size_t most_schedules = 100'000;
// Of the same protocol without the bug, in each run of the tests; the hidden test below makes as many as the bug has.
constexpr std::size_t usual_schedules = 500;

/// How it was found, or nothing.
std::optional<schedule_failed::details> find(scenario run, const explore_options& options) {
  try {
    explore(options, [run] { return run(true); });
  } catch (const schedule_failed& found) {
    std::filesystem::remove(found.about().file);
    return found.about();
  }
  return {};
}

}  // namespace

std::vector<bug>& corpus() {
  static std::vector<bug> all;
  return all;
}

bool add(const char* name, scenario run) {
  corpus().push_back({name, run});
  return true;
}

void check(scenario run) {
  const auto found = find(run, {.schedules = most_schedules});
  REQUIRE(found);
  INFO(found->reason);
  CHECK(found->turns_left <= found->turns_found);
  const auto right = [run] { return run(false); };
  CHECK_NOTHROW(explore({.schedules = usual_schedules}, right));
}

}  // namespace troupe::testing::bugs

using namespace troupe::testing;
using namespace troupe::testing::bugs;

/// Minutes. `test-bugs "[long]"` prints the table of docs/testing.md.
TEST_CASE(
    "what is right is right under a hundred thousand schedules, and how soon each bug is found",
    "[.][long]") {
  std::printf("| bug | natural | random | priority | mixed | turns found | left |\n");
  std::vector<double> ratios;
  for (const bug& each : corpus()) {
    CHECK_NOTHROW(explore({.schedules = most_schedules}, [&] { return each.run(false); }));
    std::printf("| %s |", each.name);
    const bool natural = find(each.run, {.schedules = 1, .shrink_runs = 0})
                             .has_value();  // the first is the natural one
    std::printf(" %s |", natural ? "yes" : "");
    for (const search how : {search::random, search::priority, search::mixed}) {
      const auto found =
          find(each.run, {.schedules = most_schedules, .how = how, .shrink_runs = 0});
      std::printf(" %s |", found ? std::to_string(found->schedule).c_str() : "not found");
    }
    const auto found = find(each.run, {.schedules = most_schedules});
    REQUIRE(found);
    std::printf(" %zu | %zu |\n", found->turns_found, found->turns_left);
    if (found->turns_found != 0)
      ratios.push_back(static_cast<double>(found->turns_left) /
                       static_cast<double>(found->turns_found));
  }
  std::sort(ratios.begin(), ratios.end());
  if (!ratios.empty())
    std::printf("median of what is left: %.2f, of %zu\n", ratios[ratios.size() / 2], ratios.size());
}
