// The corpus of planted bugs: small protocols that are wrong when they are told to be. The test kit has to find each of them by its default
// options, and to find nothing in the same protocol without the bug. A file may hold several; each is a function of its own:
//
//     coro<> lost_update(bool planted) { ... throws when it has gone wrong ... }
//     TROUPE_BUG("an update is lost across an await", lost_update)
#pragma once

#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task_group.hpp>
#include <troupe/runtime/testing/explore.hpp>

#include "support/catch.hpp"

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing::bugs {

using scenario = coro<> (*)(bool planted);

struct bug {
  const char* name;
  scenario run;
};

/// All of them, for what is measured over the corpus.
std::vector<bug>& corpus();
/// For the beginning of the program.
bool add(const char* name, scenario run);
/// The test that each bug is.
void check(scenario run);

/// What a scenario says when it has found itself wrong. Catch2's macros would report each of thousands of runs.
inline void require(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

/// Lets others go first, so many times.
inline coro<> give_way(int turns = 1) {
  for (int turn = 0; turn < turns; ++turn) co_await sleep(duration::zero());
}
/// Time stands still while anything is ready, so after this nothing is.
inline coro<> all_quiet() { co_await sleep(std::chrono::seconds(1)); }

/// Runs them side by side; when it ends, however it ends, none of them goes on.
template <class... Coros>
coro<> together(Coros... all) {
  task_group group;
  auto body = [&]() -> coro<> {
    (group.create_task(std::move(all)), ...);
    co_return;
  };
  co_await group.run(body);
}

}  // namespace troupe::testing::bugs

#define TROUPE_BUG(NAME, RUN)                                                  \
  TEST_CASE("planted and found: " NAME) { troupe::testing::bugs::check(RUN); } \
  [[maybe_unused]] static const bool RUN##_is_known = troupe::testing::bugs::add(NAME, RUN);
