// Exploration: what is found, how it is simplified, and how it is run again.
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/lock.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/testing/explore.hpp>

#include "support/catch.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// The classic: what was read before an await is written after it.
coro<> add(int& to, int times) {
  for (int each = 0; each < times; ++each) {
    const int before = to;
    co_await sleep(0s);
    to = before + 1;
  }
}

coro<> lost_update() {
  int count = 0;
  // In the natural order both read, then both write; the first waits for that reason.
  auto first = create_task(add(count, 3));
  co_await first;
  co_await gather(add(count, 1), [](int& to) -> coro<> {
    for (int turn = 0; turn < 5; ++turn) co_await sleep(0s);
    co_await add(to, 1);
  }(count));
  if (count != 5) throw std::runtime_error("an update was lost: " + std::to_string(count));
}

std::optional<schedule_failed::details> failure_of(const explore_options& options,
                                                   coro<> (*scenario)()) {
  try {
    explore(options, scenario);
  } catch (const schedule_failed& error) {
    return error.about();
  }
  return {};
}

/// Sets a variable of the environment for as long as it lives.
struct with_variable {
  with_variable(const char* given, const std::string& value) : name(given) {
    ::setenv(name, value.c_str(), 1);
  }
  ~with_variable() { ::unsetenv(name); }
  with_variable(const with_variable&) = delete;
  with_variable& operator=(const with_variable&) = delete;
  const char* name;
};

}  // namespace

TEST_CASE("an update that is lost in few orders is found, and simplified to the turns it takes") {
  const auto found = failure_of({}, lost_update);
  REQUIRE(found);
  CHECK(found->reason.find("an update was lost: 4") != std::string::npos);
  CHECK(found->schedule > 1);
  CHECK(found->turns_left <= found->turns_found);
  CHECK(found->turns_left <= 5);
  CHECK(found->turns_left > 0);
  replay again(found->choices);
  simulation world(again);
  CHECK_THROWS_WITH(world.run(lost_update()), "an update was lost: 4");
  std::filesystem::remove(found->file);
}

TEST_CASE("what is right under every order is explored to the end") {
  const auto locked = []() -> coro<> {
    int count = 0;
    lock guard;
    auto one = [&]() -> coro<> {
      co_await guard.acquire();
      co_await add(count, 1);
      guard.release();
    };
    co_await gather(one(), one(), one());
    if (count != 3) throw std::runtime_error("an update was lost");
  };
  const exploration all = explore({.schedules = 500}, locked);
  CHECK(all.schedules == 500);
  CHECK(all.different > 10);
  CHECK(all.steps > 5'000);
}

TEST_CASE("a seed in the environment runs that schedule only, and a file the simplified one") {
  const auto found = failure_of({}, lost_update);
  REQUIRE(found);
  {
    const with_variable seed("TROUPE_SEED", std::to_string(found->seed));
    const auto again = failure_of({.shrink_runs = 0}, lost_update);
    REQUIRE(again);
    CHECK(again->steps_found == found->steps_found);
    CHECK(again->turns_found == found->turns_found);
    CHECK(again->reason == found->reason);
  }
  {
    const with_variable file("TROUPE_REPLAY", found->file);
    const auto again = failure_of({}, lost_update);
    REQUIRE(again);
    CHECK(again->steps_left == found->steps_left);
    CHECK(again->choices == found->choices);
  }
  {
    const with_variable wrong("TROUPE_SEED", "12x");
    CHECK_THROWS_WITH(explore({}, lost_update), "TROUPE_SEED is no number: '12x'");
  }
  {
    const with_variable wrong("TROUPE_REPLAY", "/nowhere/at/all");
    CHECK_THROWS_WITH(explore({}, lost_update), Catch::Contains("/nowhere/at/all"));
  }
  {
    std::ofstream(found->file) << "troupe replay 1\n1\nx\n";
    const with_variable wrong("TROUPE_REPLAY", found->file);
    CHECK_THROWS_WITH(explore({}, lost_update), Catch::Contains("a line that is no number: 'x'"));
  }
  std::filesystem::remove(found->file);
}

TEST_CASE("the message says what failed, how to run it again, and how simple it has become") {
  std::string text;
  try {
    explore({}, lost_update);
  } catch (const schedule_failed& error) {
    text = error.what();
    std::filesystem::remove(error.about().file);
  }
  CHECK_THAT(text, Catch::StartsWith("std::runtime_error: an update was lost: 4\n  in schedule "));
  CHECK_THAT(text, Catch::Contains("TROUPE_SEED=0x"));
  CHECK_THAT(text, Catch::Contains("TROUPE_REPLAY="));
}

TEST_CASE("a deadlock that takes one order is found") {
  const auto two_locks = []() -> coro<> {
    lock one;
    lock other;
    auto both = [](lock& first, lock& second, int turns) -> coro<> {
      for (int turn = 0; turn < turns; ++turn) co_await sleep(0s);
      co_await first.acquire();
      co_await sleep(0s);
      co_await second.acquire();
      second.release();
      first.release();
    };
    co_await gather(both(one, other, 0), both(other, one, 6));
  };
  const auto found = failure_of({}, two_locks);
  REQUIRE(found);
  CHECK_THROWS_AS(std::rethrow_exception(found->cause), deadlock_error);
  std::filesystem::remove(found->file);
}

TEST_CASE("a task that is left behind is a failure, unless that is said to be right") {
  const auto leaving = []() -> coro<> {
    static_cast<void>(create_task([]() -> coro<> { co_await sleep(1h); }(), {.name = "forgotten"}));
    co_return;
  };
  const auto found = failure_of({.schedules = 1}, leaving);
  REQUIRE(found);
  CHECK(found->reason.find("task 'forgotten'") != std::string::npos);
  CHECK(explore({.schedules = 3, .leaks = false}, leaving).schedules == 3);
  std::filesystem::remove(found->file);
}

TEST_CASE("a scenario that is not deterministic is stopped, with what to look for") {
  int runs = 0;
  const auto changing = [&runs]() -> coro<> {
    for (int turn = 0; turn < 3 + runs % 2; ++turn) co_await sleep(1s);
    ++runs;
  };
  CHECK_THROWS_AS(explore({}, changing), not_deterministic);
}

TEST_CASE("a scenario may take the simulation, for invariants and for choices of its own") {
  const auto scenario = [](simulation& world) -> coro<> {
    const std::size_t first = world.choose(10);
    const std::size_t second = world.choose(10);
    co_await sleep(0s);
    if (first > 3 && second > 3) throw std::runtime_error("both large");
  };
  try {
    explore({}, scenario);
    FAIL("nothing was found");
  } catch (const schedule_failed& error) {
    CHECK(error.about().turns_left == 2);
    std::filesystem::remove(error.about().file);
  }
}

TEST_CASE("a plain function that makes its own runtime can be explored") {
  const auto program = [] {
    run_options options;
    options.threads = 2;
    troupe::run(lost_update(), options);
  };
  CHECK_THROWS_AS(explore({}, program), schedule_failed);
}

TEST_CASE("a thousand seeds run twice make the same runs") {
  for (std::uint64_t seed = 1; seed <= 1'000; ++seed) {
    std::uint64_t hashes[2];
    for (std::uint64_t& hash : hashes) {
      by_priority order(seed, 3, 64);
      simulation world(order, {.threads = 2, .lag = 1ms});
      try {
        world.run(lost_update());
      } catch (const std::runtime_error&) {
      }
      hash = world.hash();
    }
    CHECK(hashes[0] == hashes[1]);
  }
}

TEST_CASE("tasks have the same names in the same run") {
  const auto names = []() -> coro<std::string> {
    auto nothing = []() -> coro<> { co_return; };
    auto one = create_task(nothing());
    auto other = create_task(nothing());
    co_await one;
    co_await other;
    co_return one.name() + " " + other.name();
  };
  std::string first;
  for (int run = 0; run < 2; ++run) {
    first_come natural;
    simulation world(natural);
    const std::string now = world.run(names());
    if (run == 0) first = now;
    CHECK(now == first);
  }
}

TEST_CASE("a failure is not simplified into another") {
  const auto scenario = []() -> coro<> {
    std::string order;
    auto say = [&order](char what) -> coro<> {
      co_await sleep(0s);
      co_await sleep(0s);
      order += what;
    };
    co_await gather(say('a'), say('b'), say('c'), say('d'));
    if (order == "dcba") throw std::runtime_error("the rare one");
    if (order != "abcd" && order[0] == 'd') throw std::runtime_error("the frequent one");
  };
  bool rare = false;
  for (std::uint64_t seed = 1; seed < 60; ++seed) {
    try {
      explore({.schedules = 60, .seed = seed}, scenario);
    } catch (const schedule_failed& found) {
      std::filesystem::remove(found.about().file);
      rare = rare || found.about().reason.find("the rare one") != std::string::npos;
    }
  }
  CHECK(rare);
}
