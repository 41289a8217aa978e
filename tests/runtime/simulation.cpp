// The simulation: every order that may happen does, and the same choices make the same run.
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/lock.hpp>
#include <troupe/runtime/on.hpp>
#include <troupe/runtime/queue.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task_group.hpp>
#include <troupe/runtime/testing/explore.hpp>
#include <troupe/runtime/testing/simulation.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <filesystem>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

coro<> append(std::string& to, char what, int times) {
  for (int each = 0; each < times; ++each) {
    to += what;
    co_await sleep(0s);
  }
}

coro<std::string> three_at_once() {
  std::string all;
  co_await gather(append(all, 'a', 2), append(all, 'b', 2), append(all, 'c', 2));
  co_return all;
}

std::string once(std::uint64_t seed, std::uint64_t* hash = nullptr) {
  random_walk walk(seed);
  simulation world(walk);
  std::string result = world.run(three_at_once());
  if (hash != nullptr) *hash = world.hash();
  return result;
}

}  // namespace

TEST_CASE("a simulation in the natural order does what a loop does") {
  first_come natural;
  simulation world(natural);
  CHECK(world.run(three_at_once()) == testing::run(three_at_once()));
}

TEST_CASE("at random, all orders of tasks come about") {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 5'000; ++seed) seen.insert(once(seed));
  CHECK(seen.size() == 90);  // six places, two for each
}

TEST_CASE("the same seed makes the same run, and so do the choices that were made") {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    CHECK(once(seed, &first) == once(seed, &second));
    CHECK(first == second);
    random_walk walk(seed);
    simulation world(walk);
    const std::string result = world.run(three_at_once());
    replay again(world.choices());
    simulation other(again);
    CHECK(other.run(three_at_once()) == result);
    CHECK(other.hash() == world.hash());
    CHECK(other.choices() == world.choices());
  }
}

TEST_CASE("priorities with changes let each go on until it waits, but for the changes") {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 1'000; ++seed) {
    by_priority order(seed, 1, 20);
    simulation world(order);
    seen.insert(world.run(three_at_once()));
  }
  CHECK(seen == std::set<std::string>{"aabbcc", "aaccbb", "bbaacc", "bbccaa", "ccaabb", "ccbbaa"});
}

TEST_CASE("several loops run on one thread, and on one time") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    random_walk walk(seed);
    simulation world(walk, {.threads = 3});
    auto body = []() -> coro<int> {
      int sum = 0;
      for (std::size_t index = 0; index < 3; ++index) {
        const time_point before = loop::current()->time();
        sum += co_await on(runtime::current()->loop_at(index), [](std::size_t where) -> coro<int> {
          co_await sleep(1h);
          CHECK(loop::current()->index() == where);
          co_return 1;
        }(index));
        CHECK(loop::current()->time() - before == 1h);
      }
      co_return sum;
    };
    CHECK(world.run(body()) == 3);
    CHECK(world.time() == time_point{} + 3h);
  }
}

TEST_CASE("what nobody can end is a deadlock, and what never ends a livelock") {
  random_walk walk(1);
  {
    simulation world(walk);
    auto body = []() -> coro<> {
      lock one;
      co_await one.acquire();
      co_await one.acquire();
    };
    CHECK_THROWS_AS(world.run(body()), deadlock_error);
  }
  {
    simulation world(walk, {.most_steps = 1'000});
    auto body = []() -> coro<> {
      for (;;) co_await sleep(0s);
    };
    CHECK_THROWS_AS(world.run(body()), livelock_error);
  }
}

TEST_CASE("a failure that nobody receives ends the simulation at once") {
  first_come natural;
  simulation world(natural);
  bool went_on = false;
  auto body = [&]() -> coro<> {
    loop::current()->call_soon([] { throw std::runtime_error("nobody looks"); });
    co_await sleep(1s);
    went_on = true;
  };
  CHECK_THROWS_AS(world.run(body()), unexpected_failure);
  CHECK_FALSE(went_on);
}

TEST_CASE("an invariant is looked at after each step") {
  random_walk walk(7);
  simulation world(walk);
  int inside = 0;
  world.always([&] {
    if (inside > 1) throw std::runtime_error("two are inside");
  });
  auto one = [&]() -> coro<> {
    ++inside;
    co_await sleep(0s);
    --inside;
  };
  auto body = [&]() -> coro<> { co_await gather(one(), one()); };
  CHECK_THROWS_WITH(world.run(body()), "two are inside");
}

TEST_CASE("a program that makes its runtime itself runs in a simulation unchanged") {
  const auto program = [] {
    run_options options;
    options.threads = 2;
    return troupe::run(
        []() -> coro<int> {
          co_await sleep(24h);
          co_return static_cast<int>(runtime::current()->size());
        }(),
        options);
  };
  random_walk walk(3);
  simulation world(walk);
  CHECK(world.call(program) == 2);
  CHECK(world.time() == time_point{} + 24h);
}

TEST_CASE("time may go on a little while something is ready, when that is wanted") {
  const auto slept_first = [](std::uint64_t seed, duration lag) {
    random_walk walk(seed, 4);
    simulation world(walk, {.lag = lag});
    auto body = []() -> coro<bool> {
      std::string order;
      auto late = create_task([](std::string& to) -> coro<> {
        co_await sleep(1ms);
        to += 's';
      }(order));
      for (int turn = 0; turn < 5; ++turn) co_await sleep(0s);
      order += 'w';
      co_await late;
      co_return order == "sw";
    };
    return world.run(body());
  };
  int first = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    CHECK_FALSE(slept_first(seed, duration::zero()));
    CHECK_FALSE(slept_first(seed, 999us));
    first += slept_first(seed, 1ms);
  }
  CHECK(first > 20);
  CHECK(first < 200);
}

TEST_CASE("a scenario waits until nothing is ready on any loop, and no time has passed") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    random_walk walk(seed);
    simulation world(walk, {.threads = 2});
    auto body = [&]() -> coro<> {
      int steps = 0;
      auto works = [](int& done, bool moves) -> coro<> {
        if (moves) co_await on(runtime::current()->loop_at(1));
        for (int step = 0; step < 5; ++step) {
          co_await sleep(0s);
          ++done;
        }
        co_await sleep(1s);
        ++done;
      };
      auto here = create_task(works(steps, false));
      auto there = create_task(works(steps, true));
      const time_point begun = loop::current()->time();
      co_await world.quiet();
      CHECK(steps == 10);
      CHECK(loop::current()->time() == begun);
      co_await world.quiet();  // at once: nothing has become ready
      CHECK(loop::current()->time() == begun);
      co_await world.advance(1s);
      CHECK(steps == 12);
      CHECK(loop::current()->time() == begun + 1s);
      co_await here;
      co_await there;
    };
    world.run(body());
  }
}

TEST_CASE("a scenario waits until something holds, for so long and no longer") {
  first_come natural;
  simulation world(natural);
  auto body = [&]() -> coro<> {
    int count = 0;
    auto counts = [](int& to) -> coro<> {
      for (int step = 0; step < 100; ++step) {
        co_await sleep(1s);
        ++to;
      }
    };
    auto counting = create_task(counts(count));
    co_await world.until([&] { return count == 7; });
    CHECK(count == 7);
    CHECK(loop::current()->time() == time_point{} + 7s);
    co_await world.until([&] { return count == 7; });  // holds already
    bool in_time = true;
    try {
      co_await world.until([&] { return count == 1'000; }, 10s);
    } catch (const timeout_error&) {
      in_time = false;
    }
    CHECK_FALSE(in_time);
    CHECK(loop::current()->time() == time_point{} + 17s);
    co_await counting;  // and who gave up waiting is asked no more
  };
  world.run(body());
}

TEST_CASE("a failure that is reported while a runtime goes is told of at the end") {
  const auto program = [] {
    auto body = []() -> coro<> {
      create_task([]() -> coro<> {
        bool stopped = false;
        try {
          co_await sleep(infinite);
        } catch (const cancelled&) {
          stopped = true;
        }
        if (stopped) throw std::runtime_error("in the shutdown");
      }());
      co_await sleep(1s);
    };
    troupe::run(body());
  };
  first_come natural;
  simulation world(natural);
  CHECK_THROWS_WITH(world.call(program), Catch::Contains("in the shutdown"));
}

TEST_CASE("an invariant over everything is looked at in every order, isolated or not") {
  const auto violated = [](bool isolated) {
    try {
      explore({.how = search::exhaustive, .isolated = isolated, .shrink_runs = 0},
              [](simulation& world) -> coro<> {
                const auto both = std::make_shared<std::pair<int, int>>(0, 0);
                world.always([both] {
                  if (both->first == 1 && both->second == 0)
                    throw std::runtime_error("one before the other");
                });
                auto sets = [](int& what) -> coro<> {
                  what = 1;
                  co_return;
                };
                auto second = create_task(sets(both->second));
                auto first = create_task(sets(both->first));
                co_await first;
                co_await second;
              });
    } catch (const schedule_failed& found) {
      std::filesystem::remove(found.about().file);
      return true;
    }
    return false;
  };
  CHECK(violated(false));
  CHECK(violated(true));
}
