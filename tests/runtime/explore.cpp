// Exploration: what is found, how it is simplified, and how it is run again.
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/lock.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/testing/explore.hpp>
#include <troupe/runtime/testing/shared.hpp>

#include "support/catch.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

TEST_CASE("each way of choosing orders finds it, and one that departs seldom does so seldom") {
  for (const search how : {search::mixed, search::random, search::priority, search::partial_order,
                           search::departures}) {
    const auto found = failure_of({.how = how}, lost_update);
    CAPTURE(static_cast<int>(how));
    REQUIRE(found);
    CHECK(found->reason.find("an update was lost: 4") != std::string::npos);
    CHECK(found->turns_left <= 2);
    if (how == search::departures) CHECK(found->turns_found <= 4);
    std::filesystem::remove(found->file);
  }
}

TEST_CASE(
    "whose turn is passed over waits until the others have had theirs, so it takes one choice") {
  const auto order_of = [](std::vector<std::uint32_t> answers) {
    std::string order;
    auto body = [&]() -> coro<> {
      auto three = [](char name, std::string& to) -> coro<> {
        for (int step = 0; step < 3; ++step) {
          to += name;
          co_await sleep(0s);
        }
      };
      co_await gather(three('a', order), three('b', order), three('c', order));
    };
    replay given(std::move(answers));
    simulation world(given);
    world.run(body());
    return order;
  };
  CHECK(order_of({}) == "abcabcabc");
  CHECK(order_of({1}) == "bcbcbcaaa");
  CHECK(order_of({0, 1}) == "acacacbbb");
  CHECK(order_of({2}) == "cbcbcbaaa");
  CHECK(order_of({1, 1}) == "bbbaaaccc");
}

TEST_CASE("one who was passed over comes again though another goes on for ever") {
  bool told = false;
  auto body = [&]() -> coro<> {
    auto asks = [&]() -> coro<> {
      while (!told) co_await sleep(0s);
    };
    auto tells = [&]() -> coro<> {
      told = true;
      co_return;
    };
    co_await gather(tells(), asks());
  };
  replay given({1});
  simulation world(given, {.most_steps = 200});
  world.run(body());
  CHECK(told);
}

TEST_CASE(
    "what others do beside it does not make an order rarer, where orders are sampled by what "
    "depends") {
  // Two whose order matters, and eight with many steps of their own: a walk hardly ever lets the last go before all else.
  const auto crowded = []() -> coro<> {
    auto busy = [](shared<int>& own) -> coro<> {
      for (int step = 0; step < 10; ++step) co_await own.write(step);
    };
    std::vector<std::unique_ptr<shared<int>>> own;
    for (int each = 0; each < 8; ++each) own.push_back(std::make_unique<shared<int>>(0));
    shared<int> one(0);
    bool early = false;
    auto writes = [](shared<int>& to, int count) -> coro<> {
      for (int step = 1; step <= count; ++step) co_await to.write(step);
    };
    auto reads = [](shared<int>& from, bool& found) -> coro<> {
      const int seen = co_await from.read();
      found = seen == 0;
    };
    auto writer = create_task(writes(one, 6));
    std::vector<task<>> all;
    for (const auto& each : own) all.push_back(create_task(busy(*each)));
    auto reader = create_task(reads(one, early));
    co_await writer;
    co_await reader;
    for (const auto& each : all) co_await each;
    if (early) throw std::runtime_error("it was read before all writes");
  };
  const auto found_by = [&](search how) {
    try {
      explore({.schedules = 2'000, .how = how, .isolated = true, .shrink_runs = 0}, crowded);
    } catch (const schedule_failed& error) {
      std::filesystem::remove(error.about().file);
      return error.about().schedule;
    }
    return std::size_t{2'001};
  };
  CHECK(found_by(search::partial_order) < 50);
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

TEST_CASE("a task that fails when its program has ended is a failure of the scenario") {
  const auto scenario = [] {
    struct parts {
      static coro<> fails_later(int turns) {
        for (int each = 0; each < turns; ++each) co_await sleep(0s);
        throw std::runtime_error("too late");
      }
      static coro<> body() {
        for (int turns = 0; turns < 5; ++turns) create_task(fails_later(turns));
        co_return;
      }
    };
    troupe::run(parts::body());
  };
  for (const std::size_t loops : {1, 2}) {
    try {
      explore({.schedules = 200, .threads = loops}, scenario);
      FAIL("it was not found");
    } catch (const schedule_failed& found) {
      std::filesystem::remove(found.about().file);
      CHECK_THAT(found.what(), Catch::Contains("too late"));
    }
  }
}
