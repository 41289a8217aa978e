#include <troupe/runtime/wait_for.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <troupe/runtime/any_task.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>

#include <cmath>
#include <stdexcept>
#include <string>

using namespace troupe;
using namespace troupe::testing;

namespace {

coro<std::string> done_after_a_yield() {
  co_await sleep(0s);
  co_return "done";
}

coro<> set(bool& started, counted held) {
  static_cast<void>(held);
  started = true;
  co_return;
}

/// Runs for `time` whatever happens, then sets `ended`.
coro<> refuse_for(duration time, bool& ended) {
  const time_point end = loop::current()->time() + time;
  while (loop::current()->time() < end) {
    try {
      co_await sleep(end - loop::current()->time());
    } catch (const cancelled&) {
    }
  }
  ended = true;
}

coro<> fail_in_cleanup() {
  try {
    co_await sleep(200ms);
  } catch (const cancelled&) {
    throw std::runtime_error("E");
  }
}

/// Sleeps that each begin when the one before is cancelled.
coro<int> die_slowly(journal& log) {
  int requests = 0;
  for (const duration each : {300ms, 300ms, 100ms}) {
    try {
      co_await sleep(each);
      break;
    } catch (const cancelled&) {
      log.push_back("request " + std::to_string(++requests));
    }
  }
  co_return 42;
}

coro<int> wait_for_task(task<int> inner, duration limit) {
  co_return co_await wait_for(inner, limit);
}

coro<> wait_for_refusal(duration time, bool& ended, duration limit) {
  co_await wait_for(refuse_for(time, ended), limit);
}

coro<> swallow_a_timeout(duration limit, std::string& how) {
  try {
    co_await wait_for(sleep_of(10s), limit);
  } catch (const timeout_error&) {
    how = "timeout";
    throw;
  } catch (const cancelled&) {
    how = "cancelled";
    throw;
  }
}

duration now() { return loop::current()->time() - time_point{}; }

}  // namespace

TEST_CASE("a wait without a limit is a plain await and makes no timer", "[waitfor-01]") {
  manual_loop driven;
  const auto waiting = driven.create_task(wait_for(done_after_a_yield(), infinite));
  driven.step();
  CHECK_FALSE(waiting.done());
  CHECK(driven->timers().empty());
  driven.run_until_idle();
  CHECK(waiting.result() == "done");
}

TROUPE_PROGRAM_TEST_CASE("a result before the limit is returned and leaves no timer",
                         "[waitfor-01]") {
  auto body = []() -> coro<> {
    promise<std::string> later;
    loop::current()->call_later(100ms, [&] { later.set_value("ok"); });
    const std::string text = co_await wait_for(later.get_future(), 200ms);
    CHECK(text == "ok");
    CHECK(now() == 100ms);
    CHECK(loop::current()->timers().empty());
    co_await sleep(1s);
    CHECK(current_task().cancelling() == 0);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a result in the round in which the wait begins is returned",
                         "[waitfor-01]") {
  auto body = []() -> coro<> {
    promise<std::string> later;
    loop::current()->call_soon([&] { later.set_value("ok"); });
    const std::string text = co_await wait_for(later.get_future(), 200ms);
    CHECK(text == "ok");
    CHECK(now() == 0s);
    CHECK(loop::current()->timers().empty());
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("what is done already needs no time", "[waitfor-03]") {
  auto body = []() -> coro<> {
    promise<std::string> given;
    auto done = given.get_future();
    given.set_value("done");
    const auto got = co_await wait_for(done, 0s);
    CHECK(got == "done");
    const auto got_2 = co_await wait_for(done, -1s);
    CHECK(got_2 == "done");
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a coroutine that has no time never begins and is destroyed",
                         "[waitfor-03]") {
  int alive = 0;
  bool started = false;
  auto body = [&]() -> coro<> {
    for (const duration limit : {duration(0s), duration(-1s)}) {
      CHECK_THROWS_AS(co_await wait_for(set(started, counted(alive)), limit), timeout_error);
      CHECK(alive == 0);
    }
    CHECK(now() == 0s);
  };
  testing::run(body());
  CHECK_FALSE(started);
}

TEST_CASE("a task that has no time is cancelled, and waited for", "[waitfor-03]") {
  bool ended = false;
  auto body = [&]() -> coro<> {
    const auto stubborn = create_task(refuse_for(1s, ended));
    const auto sleeping = create_task(sleep_of(1h));
    co_await rounds(2);
    std::string how = co_await ending(wait_for(sleeping, 0s));
    CHECK(how == "error: the time limit has passed");
    CHECK(sleeping.cancelled());
    co_await wait_for(stubborn, 0s);  // its value comes all the same
    CHECK(ended);
    CHECK(now() == 1s);
  };
  testing::run(body());
}

TEST_CASE("what refuses to be cancelled delays the time-out", "[waitfor-05]") {
  for (const bool as_task : {false, true}) {
    bool ended = false;
    auto body = [&](bool make_task) -> coro<> {
      if (make_task) {
        co_await wait_for(create_task(refuse_for(200ms, ended)), 100ms);
      } else {
        co_await wait_for(refuse_for(200ms, ended), 100ms);
      }
      CHECK(ended);
      CHECK(now() == 200ms);
      CHECK(current_task().cancelling() == 0);
      co_await sleep(1s);  // undisturbed
    };
    testing::run(body(as_task));
  }
}

TROUPE_PROGRAM_TEST_CASE("an error in answer to the time-out wins", "[waitfor-07]") {
  for (const bool as_task : {false, true}) {
    auto body = [](bool make_task) -> coro<std::string> {
      std::string how;
      if (make_task) {
        how = co_await ending(wait_for(create_task(fail_in_cleanup()), 1ms));
      } else {
        how = co_await ending(wait_for(fail_in_cleanup(), 1ms));
      }
      CHECK(current_task().cancelling() == 0);
      co_return how;
    };
    CHECK(testing::run(body(as_task)) == "error: E");
  }
}

TEST_CASE("a cancelled caller waits for what it has waited for", "[waitfor-09]") {
  bool ended = false;
  auto body = [&]() -> coro<> {
    const auto waiting = create_task(wait_for_refusal(200ms, ended, 400ms));
    co_await rounds(2);
    waiting.cancel();
    co_await ending(waiting);
    CHECK(ended);
    CHECK(now() == 200ms);
    CHECK(loop::current()->timers().empty());
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE(
    "a request while the timed-out task ends is passed on, and its value returned",
    "[waitfor-11]") {
  journal log;
  auto body = [&]() -> coro<> {
    const auto inner = create_task(die_slowly(log));
    const auto waiting = create_task(wait_for_task(inner, 100ms));
    co_await sleep(200ms);
    CHECK(log == journal{"request 1"});
    waiting.cancel();
    const int value = co_await waiting;
    CHECK(value == 42);
    CHECK(waiting.cancelling() == 1);
    CHECK(log == journal{"request 1", "request 2"});
    CHECK(now() == 300ms);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("of nested waits with one deadline only the outer one times out",
                         "[waitfor-13]") {
  std::string inner;
  auto body = [&]() -> coro<> {
    std::string outer = co_await ending(wait_for(swallow_a_timeout(1s, inner), 1s));
    CHECK(outer == "error: the time limit has passed");
    CHECK(inner == "cancelled");
    CHECK(now() == 1s);
    CHECK(current_task().cancelling() == 0);
    co_await sleep(1s);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("the inner one of nested waits times out when its time is shorter",
                         "[waitfor-13]") {
  std::string inner;
  auto body = [&]() -> coro<> {
    CHECK_THROWS_AS(co_await wait_for(swallow_a_timeout(1s, inner), 2s), timeout_error);
    CHECK(inner == "timeout");
    CHECK(now() == 1s);
    CHECK(loop::current()->timers().empty());
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a wait that times out cancels the task or future it waits for") {
  auto body = []() -> coro<> {
    const auto sleeping = create_task(sleep_of(1h));
    CHECK_THROWS_AS(co_await wait_for(sleeping, 1s), timeout_error);
    CHECK(sleeping.cancelled());
    promise<int> never;
    auto waited = never.get_future();
    CHECK_THROWS_AS(co_await wait_for(waited, 1s), timeout_error);
    CHECK(waited.cancelled());
    CHECK_THROWS_AS(never.set_value(1), invalid_state);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a coroutine that is waited for runs in the calling task") {
  auto asks = []() -> coro<any_task> { co_return current_task(); };
  auto body = [&]() -> coro<bool> {
    const any_task inside = co_await wait_for(asks(), 1s);
    co_return inside == current_task();
  };
  CHECK(testing::run(body()));
}

TROUPE_PROGRAM_TEST_CASE("a limit that is not a number is an error") {
  auto body = []() -> coro<> {
    co_await wait_for(sleep_of(1s), std::chrono::duration<double>(std::nan("")));
  };
  CHECK_THROWS_AS(testing::run(body()), std::invalid_argument);
}
