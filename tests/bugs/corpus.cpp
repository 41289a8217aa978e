#include "bugs/bug.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
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

/// Minutes.
TEST_CASE("what is right is right under a hundred thousand schedules", "[.][long]") {
  for (const bug& each : corpus()) {
    CAPTURE(each.name);
    CHECK_NOTHROW(explore({.schedules = most_schedules}, [&] { return each.run(false); }));
  }
}

/// `test-bugs "[table]"` prints what docs/testing.md says.
TEST_CASE("how soon each bug is found, and how simple it is made", "[.][table]") {
  std::printf(
      "| bug | natural | random | priority | partial order | departures | mixed | found with | "
      "simplified |\n");
  std::printf("|---|---|---|---|---|---|---|---|---|\n");
  std::map<search, std::vector<double>> ratios;
  for (const bug& each : corpus()) {
    std::printf("| %s |", each.name);
    const bool natural = find(each.run, {.schedules = 1, .shrink_runs = 0})
                             .has_value();  // the first is the natural one
    std::printf(" %s |", natural ? "yes" : "");
    std::optional<schedule_failed::details> last;
    for (const search how : {search::random, search::priority, search::partial_order,
                             search::departures, search::mixed}) {
      last = find(each.run, {.schedules = most_schedules, .how = how});
      std::printf(" %s |", last ? std::to_string(last->schedule).c_str() : "not found");
      if (last && last->turns_found != 0)
        ratios[how].push_back(static_cast<double>(last->turns_left) /
                              static_cast<double>(last->turns_found));
    }
    REQUIRE(last);
    std::printf(" %zu | %zu |\n", last->turns_found, last->turns_left);
  }
  for (auto& [how, of_each] : ratios) {
    std::sort(of_each.begin(), of_each.end());
    static constexpr const char* names[] = {"mixed", "random", "priority", "partial order",
                                            "departures"};
    std::printf("%s: median of what is left %.2f, of %zu\n", names[static_cast<std::size_t>(how)],
                of_each[of_each.size() / 2], of_each.size());
  }
}
