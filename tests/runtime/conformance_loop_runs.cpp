// asyncio's rules for runs of a loop and its end, as `conformance/asyncio.md` numbers them.
#include <troupe/runtime/any_task.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/signals.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>
#include <troupe/runtime/threadsafe.hpp>
#include <troupe/runtime/to_thread.hpp>

#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <unistd.h>

#include <array>
#include <csignal>
#include <functional>
#include <limits>
#include <optional>
#include <thread>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("a loop that is stopped too early says so and leaves the task to be resumed",
          "[loop-13]") {
  loop_options options;
  options.virtual_time = true;
  const auto home = loop::open(std::move(options));
  int x = 0;
  auto body = [&]() -> coro<> {
    for (int turn = 0; turn < 10; ++turn) {
      co_await sleep(100ms);
      if (++x == 2) home->stop();
    }
  };
  const auto made = create_task(*home, body());
  CHECK_THROWS_AS(home->run_until_complete(made), invalid_state);
  CHECK(x == 2);
  CHECK_FALSE(made.done());
  SECTION("and cancelled") {
    CHECK(made.cancel());
    CHECK_THROWS_AS(home->run_until_complete(made), cancelled);
  }
  SECTION("and run on") {
    home->run_until_complete(made);
    CHECK(x == 10);
  }
}

TEST_CASE("run_until_complete gives the result, or throws it, also of a task that is done",
          "[loop-13]") {
  const auto home = loop::open();
  auto good = []() -> coro<int> { co_return 7; };
  const auto made = create_task(*home, good());
  CHECK(home->run_until_complete(made) == 7);
  CHECK(home->run_until_complete(made) == 7);
  CHECK(home->run_until_complete(good()) == 7);
  CHECK_THROWS_AS(home->run_until_complete(testing::fail_after(0s, "E")), std::runtime_error);
}

TEST_CASE("a closed loop refuses everything cleanly, and to close again does nothing",
          "[loop-15]") {
  const auto home = loop::open();
  int started = 0;
  int alive = 0;
  auto body = [&](counted) -> coro<> {
    ++started;
    co_return;
  };
  const auto over = create_task(*home, body(counted(alive)));
  home->run_until_complete(over);
  home->close();
  home->close();
  home->close();
  CHECK(home->closed());
  started = 0;
  CHECK_THROWS_AS(home->run_forever(), invalid_state);
  CHECK_THROWS_AS(home->run_until_complete(body(counted(alive))), invalid_state);
  CHECK_THROWS_AS(home->call_soon([] {}), invalid_state);
  CHECK_THROWS_AS(home->call_soon_threadsafe([] {}), invalid_state);
  CHECK_THROWS_AS(home->call_later(1s, [] {}), invalid_state);
  CHECK_THROWS_AS(home->call_at(time_point{}, [] {}), invalid_state);
  CHECK_THROWS_AS(create_task(*home, body(counted(alive))), invalid_state);
  CHECK_THROWS_AS(run_coroutine_threadsafe(body(counted(alive)), *home), invalid_state);
  CHECK_THROWS_AS(internal::default_pool(*home), invalid_state);
  CHECK_THROWS_AS(to_thread([] {}), invalid_state);
  CHECK_THROWS_AS(add_signal_handler(SIGUSR1, [] {}), invalid_state);
  CHECK(started == 0);
  CHECK(alive == 0);
}

TEST_CASE("a running loop cannot be closed", "[loop-15]") {
  const auto home = loop::open();
  auto body = [&]() -> coro<bool> {
    bool refused = false;
    try {
      home->close();
    } catch (const invalid_state&) {
      refused = true;
    }
    co_return refused;
  };
  CHECK(home->run_until_complete(body()));
  CHECK_FALSE(home->closed());
  CHECK(home->run_until_complete(body()));
}

TEST_CASE("a task may close another loop and go on", "[loop-15]") {
  journal log;
  auto left_over = [&]() -> coro<> {
    try {
      co_await sleep(infinite);
    } catch (const cancelled&) {
      log.push_back("left over");
    }
  };
  auto body = [&]() -> coro<> {
    const auto other = loop::open();
    const auto made = create_task(*other, left_over());
    other->call_soon([&] { log.push_back("callback"); });
    other->close();
    log.push_back(current_task() ? "in a task" : "in no task");
    CHECK(loop::current() != other.get());
    if (current_task()) co_await sleep(0s);
  };
  testing::run(body());
  CHECK(log.back() == "in a task");
}

TEST_CASE("a loop cannot be run while it or another one runs here", "[loop-15]") {
  const auto home = loop::open();
  const auto other = loop::open();
  int refused = 0;
  home->call_soon([&] {
    for (loop* const each : {home.get(), other.get()}) {
      try {
        each->run_forever();
      } catch (const invalid_state&) {
        ++refused;
      }
    }
    home->stop();
  });
  home->run_forever();
  CHECK(refused == 2);
  other->call_soon([&] { other->stop(); });
  other->run_forever();
}

TEST_CASE("a sleep takes one round to end, however short it is", "[loop-19]") {
  manual_loop home;
  auto body = []() -> coro<> {
    using seconds = std::chrono::duration<double>;
    for (const double delay : {1e-2, 1e-4, 1e-6, 1e-8, 1e-10}) co_await sleep(seconds(delay));
  };
  const auto sleeping = home.create_task(body());
  int passes = 0;
  while (!sleeping.done() && ++passes < 100) {
    if (!home.step()) home->advance_to_next();
  }
  CHECK(sleeping.done());
  CHECK(passes <= 12);
}
