#include <troupe/runtime/testing/manual_loop.hpp>

#include "runtime/helpers.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("a step is one round") {
  journal log;
  manual_loop home;
  home->call_soon([&] {
    log.push_back("a");
    home->call_soon([&] { log.push_back("b"); });
  });
  CHECK(log.empty());
  CHECK(home.step());
  CHECK(log == journal{"a"});
  CHECK_FALSE(home.step());
  CHECK(log == journal{"a", "b"});
}

TEST_CASE("running until idle lets no time pass") {
  manual_loop home;
  const auto made = home.create_task(sleep_of(1h));
  const time_point before = home.time();
  CHECK(home.run_until_idle() >= 1);
  CHECK(home.time() == before);
  CHECK_FALSE(made.done());
  home.advance(59min);
  CHECK_FALSE(made.done());
  home.advance(1min);
  CHECK(made.done());
  CHECK(home.time() - before == 1h);
}

TEST_CASE("each timer fires at its own moment, and what it leads to runs before the next") {
  std::vector<duration> at;
  manual_loop home;
  const time_point before = home.time();
  auto body = [&]() -> coro<> {
    for (int turn = 0; turn < 3; ++turn) {
      co_await sleep(1s);
      at.push_back(loop::current()->time() - before);
    }
  };
  home.create_task(body());
  home.advance(1h);
  CHECK(at == std::vector<duration>{1s, 2s, 3s});
  CHECK(home.time() - before == 1h);
}

TEST_CASE("a loop is run until something holds, or nothing can change") {
  manual_loop home;
  const auto made = home.create_task(sleep_of(1h));
  CHECK(home.run_until([&] { return made.done(); }));
  CHECK_FALSE(home.run_until([] { return false; }));
}

TEST_CASE("a failure that no log expects ends the test, one that a log takes does not") {
  manual_loop strict;
  strict->call_soon([] { throw std::runtime_error("surprise"); });
  CHECK_THROWS_AS(strict.step(), unexpected_failure);
  failure_log log;
  manual_loop expecting(&log);
  expecting->call_soon([] { throw std::runtime_error("foreseen"); });
  expecting.step();
  CHECK(log.count("foreseen") == 1);
}

TEST_CASE("what has not ended when a manual loop goes is cancelled") {
  int alive = 0;
  auto body = [](counted) -> coro<> { co_await sleep(infinite); };
  {
    manual_loop home;
    home.create_task(body(counted(alive)));
    home.step();
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
}
