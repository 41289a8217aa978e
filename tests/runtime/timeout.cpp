#include <troupe/runtime/timeout.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <troupe/runtime/cancel_scope.hpp>
#include <troupe/runtime/wait_for.hpp>

#include <troupe/runtime/queue.hpp>

#include <troupe/runtime/lock.hpp>

#include <troupe/runtime/gather.hpp>

#include <troupe/runtime/event.hpp>

#include <troupe/runtime/any_task.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>

#include <memory>
#include <stdexcept>
#include <string>

using namespace troupe;
using namespace troupe::testing;

namespace {

duration now() { return loop::current()->time() - time_point{}; }

const std::string timed_out = "error: the time limit has passed";

coro<> note_cancellation(duration delay, bool& seen) {
  try {
    co_await sleep(delay);
  } catch (const cancelled&) {
    seen = true;
    throw;
  }
}

/// What leaves `scope`, in words, when its body is `note_cancellation`.
coro<> note_between(timeout_scope& scope, duration delay, std::string& how) {
  try {
    co_await scope.run(sleep_of(delay));
  } catch (const cancelled&) {
    how = "cancelled";
    throw;
  } catch (const timeout_error&) {
    how = "timeout";
    throw;
  }
}

coro<> fail_in_cleanup() {
  try {
    co_await sleep(1s);
  } catch (const cancelled&) {
    throw std::runtime_error("E");
  }
}

coro<> clean_up_for(duration time) {
  bool stopped = false;
  try {
    co_await sleep(1h);
  } catch (const cancelled&) {
    stopped = true;
  }
  if (stopped) co_await sleep(time);
  throw cancelled{};
}

/// Runs `body` in `scope`, and notes how that ended and how many requests there are then.
coro<> in_scope(timeout_scope& scope, coro<> body, std::string& how, int& cancelling) {
  how = co_await ending(scope.run(std::move(body)));
  cancelling = current_task().cancelling();
}

/// A task that runs `body` with a time limit, on a loop that is driven by hand, and how that ended.
struct limited_task {
  limited_task(time_point deadline, coro<> body)
      : scope(deadline),
        running(driven.create_task(in_scope(scope, std::move(body), how, cancelling))) {}

  manual_loop driven;
  timeout_scope scope;
  std::string how;
  int cancelling = -1;
  task<> running;
};

coro<int> await_future(future<int> awaited) { co_return co_await awaited; }

}  // namespace

TROUPE_PROGRAM_TEST_CASE("a time-out throws cancelled inside the scope and timeout_error out of it",
                         "[timeout-01]") {
  auto body = []() -> coro<> {
    timeout_scope scope(10ms);
    bool seen = false;
    CHECK_FALSE(scope.expired());
    std::string how = co_await ending(scope.run(note_cancellation(10s, seen)));
    CHECK(how == timed_out);
    CHECK(seen);
    CHECK(scope.expired());
    CHECK(now() == 10ms);
    CHECK(current_task().cancelling() == 0);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a time-out may be given as a moment", "[timeout-01]") {
  auto body = []() -> coro<> {
    const time_point deadline = loop::current()->time() + 10ms;
    timeout_scope scope(deadline);
    std::string how = co_await ending(scope.run(sleep_of(10s)));
    CHECK(how == timed_out);
    CHECK(scope.when() == deadline);
    CHECK(scope.expired());
    CHECK_THROWS_AS(co_await timeout_at(deadline + 1s, sleep_of(10s)), timeout_error);
    CHECK(now() == 1010ms);
  };
  testing::run(body());
}

TEST_CASE("a time-out of zero or less fires at the first suspension", "[timeout-03]") {
  for (const duration limit : {duration(0s), duration(-11s)}) {
    for (const duration delay : {duration(10s), duration(0s)}) {
      auto body = [](duration short_limit, duration pause) -> coro<> {
        timeout_scope scope(short_limit);
        std::string how = co_await ending(scope.run(sleep_of(pause)));
        CHECK(how == timed_out);
        CHECK(scope.expired());
        CHECK(scope.when() <= loop::current()->time());
        CHECK(now() == 0s);
        co_await rounds(2);
      };
      testing::run(body(limit, delay));
    }
  }
}

TROUPE_PROGRAM_TEST_CASE("a body that does not suspend has time enough even without any",
                         "[timeout-03]") {
  auto give = []() -> coro<int> { co_return 1; };
  auto body = [&]() -> coro<> {
    const int value = co_await timeout(0s, give());
    CHECK(value == 1);
    co_await rounds(3);  // nothing comes late
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("of two scopes with one deadline only the outer one reports",
                         "[timeout-05]") {
  auto body = []() -> coro<> {
    const time_point deadline = loop::current()->time() + 1s;
    timeout_scope outer(deadline);
    timeout_scope inner(deadline);
    std::string between;
    std::string how = co_await ending(outer.run(note_between(inner, 10s, between)));
    CHECK(how == timed_out);
    CHECK(between == "cancelled");
    CHECK(outer.expired());
    CHECK(inner.expired());
    CHECK(current_task().cancelling() == 0);
    co_await sleep(1s);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("an outer deadline that comes first leaves the inner scope unexpired",
                         "[timeout-07]") {
  auto body = []() -> coro<> {
    timeout_scope outer(50ms);
    timeout_scope inner(200ms);
    std::string between;
    std::string how = co_await ending(outer.run(note_between(inner, 1s, between)));
    CHECK(how == timed_out);
    CHECK(between == "cancelled");
    CHECK_FALSE(inner.expired());
    CHECK(now() == 50ms);
    CHECK(loop::current()->timers().empty());
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("an error before the deadline passes through", "[timeout-09]") {
  auto body = []() -> coro<> {
    timeout_scope scope(10ms);
    std::string how = co_await ending(scope.run(fail_after(0s, "E")));
    CHECK(how == "error: E");
    CHECK_FALSE(scope.expired());
    CHECK(loop::current()->timers().empty());
    co_await sleep(1s);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("an error thrown while being timed out leaves the scope", "[timeout-09]") {
  auto body = []() -> coro<> {
    timeout_scope scope(10ms);
    std::string how = co_await ending(scope.run(fail_in_cleanup()));
    CHECK(how == "error: E");
    CHECK(scope.expired());
    CHECK(current_task().cancelling() == 0);
    co_await sleep(1s);
  };
  testing::run(body());
}

TEST_CASE("a request from outside in the round of the deadline stays a cancellation",
          "[timeout-11]") {
  for (const bool request_first : {false, true}) {
    limited_task limited(time_point(1s), sleep_of(1h));
    // Of the timers of one moment all fire before the calls that they make.
    limited.driven->call_at(request_first ? time_point(500ms) : time_point(1s), [&] {
      if (request_first) limited.scope.reschedule(time_point(0s));  // comes before the task resumes
      limited.running.cancel();
    });
    limited.driven.advance(1s);
    CHECK(limited.how == "cancelled");
    CHECK(limited.scope.expired());
    CHECK(limited.cancelling == 1);
  }
}

TEST_CASE("a request from outside interrupts the cleanup after a time-out", "[timeout-13]") {
  limited_task limited(time_point(10ms), clean_up_for(100ms));
  limited.driven.advance(50ms);
  CHECK_FALSE(limited.running.done());
  limited.running.cancel();
  limited.driven.run_until_idle();
  CHECK(limited.how == "cancelled");
  CHECK(limited.cancelling == 1);
  CHECK(limited.driven.time() == time_point(50ms));
}

TROUPE_PROGRAM_TEST_CASE("a new request in a scope entered with an old one stays a cancellation",
                         "[timeout-15]") {
  auto cancel_itself = []() -> coro<> {
    current_task().cancel();
    co_await sleep(2s);
  };
  auto inner = [&]() -> coro<> {
    current_task().cancel();
    co_await ending(sleep_of(1s));
    CHECK(current_task().cancelling() == 1);
    timeout_scope scope(1s);
    std::string how = co_await ending(scope.run(cancel_itself()));
    CHECK(how == "cancelled");
    CHECK(current_task().cancelling() == 2);
    CHECK_FALSE(scope.expired());
  };
  testing::run(inner());
}

TROUPE_PROGRAM_TEST_CASE("a scope entered with an old request times out all the same",
                         "[timeout-15]") {
  auto inner = []() -> coro<> {
    current_task().cancel();
    co_await ending(sleep_of(1s));
    CHECK_THROWS_AS(co_await timeout(1s, sleep_of(1h)), timeout_error);
    CHECK(current_task().cancelling() == 1);
  };
  testing::run(inner());
}

TEST_CASE("a deadline may be moved and taken away from outside", "[timeout-17]") {
  limited_task limited(time_point(10s), sleep_of(50s));
  limited.driven.run_until_idle();
  CHECK(limited.driven->timers().size() == 2);
  limited.scope.reschedule(time_point(30s));
  CHECK(limited.scope.when() == time_point(30s));
  CHECK(limited.driven->timers().size() == 2);
  limited.driven.advance(20s);
  CHECK_FALSE(limited.running.done());
  limited.scope.reschedule(time_point::max());
  CHECK(limited.scope.when() == time_point::max());
  CHECK(limited.driven->timers().size() == 1);
  limited.driven.advance(30s);
  CHECK(limited.how == "value");
  CHECK_FALSE(limited.scope.expired());
}

TEST_CASE("a deadline that is moved to a moment soon fires then", "[timeout-17]") {
  for (const time_point when : {time_point(1020ms), time_point(0s), time_point(-1s)}) {
    limited_task limited(time_point(10s), sleep_of(50s));
    limited.driven.advance(1s);
    limited.scope.reschedule(when);
    CHECK(limited.scope.when() == when);
    limited.driven.advance(20ms);
    CHECK(limited.how == timed_out);
    CHECK(limited.scope.expired());
    CHECK(limited.driven->timers().empty());
    CHECK(limited.running.done());
  }
}

TEST_CASE("a deadline that has been moved twice into the past fires once", "[timeout-17]") {
  limited_task limited(time_point(10s), sleep_of(50s));
  limited.driven.advance(1s);
  limited.scope.reschedule(time_point(0s));
  limited.scope.reschedule(time_point(0s));
  limited.driven.run_until_idle();
  CHECK(limited.how == timed_out);
  CHECK(limited.cancelling == 0);
  CHECK_THROWS_AS(limited.scope.reschedule(time_point(20s)), invalid_state);
}

TROUPE_PROGRAM_TEST_CASE("a scope is used once", "[timeout-19]") {
  auto body = []() -> coro<> {
    timeout_scope scope(1s);
    CHECK_THROWS_AS(scope.reschedule(time_point(5s)), invalid_state);
    auto again = [&]() -> coro<> {
      CHECK_THROWS_AS(co_await scope.run(sleep_of(0s)), invalid_state);
      co_await sleep(1h);  // it keeps working
    };
    std::string how = co_await ending(scope.run(again));
    CHECK(how == timed_out);
    CHECK(now() == 1s);
    CHECK_THROWS_AS(co_await scope.run(sleep_of(0s)), invalid_state);
    CHECK(scope.expired());
  };
  testing::run(body());
}

TEST_CASE("a time-out needs a task", "[timeout-19]") {
  CHECK_THROWS_AS(timeout_scope(1s), invalid_state);
  manual_loop driven;
  timeout_scope scope(time_point(1s));
  bool refused = false;
  driven->call_soon([&] {
    auto running = scope.run(sleep_of(1h));
    auto entering = running.release();
    entering.resume();  // as no task
    try {
      entering.promise().result.take();
    } catch (const invalid_state&) {
      refused = true;
    }
    entering.destroy();
  });
  driven.run_until_idle();
  CHECK(refused);
  // The scope has not been entered, so it can be.
  std::string how;
  int cancelling = -1;
  const auto running = driven.create_task(in_scope(scope, sleep_of(1h), how, cancelling));
  driven.advance(1s);
  CHECK(running.done());
  CHECK(how == timed_out);
}

TEST_CASE("a deadline that comes after the result, before the task resumes, times out",
          "[timeout-21]") {
  manual_loop driven;
  promised_future<int> awaited(driven);
  timeout_scope scope(time_point(1h));
  const auto running = driven.create_task(scope.run(await_future(*awaited)));
  driven.run_until_idle();
  driven->call_soon([&] {
    scope.reschedule(time_point(0s));  // fires in the next round, before the task resumes
    awaited.promised->set_value(1);
    CHECK_FALSE(scope.expired());
  });
  driven.run_until_idle();
  REQUIRE(running.done());
  CHECK_THROWS_AS(running.result(), timeout_error);
  CHECK(awaited->result() == 1);
}

TEST_CASE("a result that comes after the deadline finds its future cancelled", "[timeout-21]") {
  manual_loop driven;
  promised_future<int> awaited(driven);
  const auto running = driven.create_task(timeout_at(time_point(1s), await_future(*awaited)));
  driven.run_until_idle();
  bool refused = false;
  driven->call_at(time_point(1s), [&] {
    refused = awaited.promised->cancelled();
    CHECK_THROWS_AS(awaited.promised->set_value(1), invalid_state);
  });
  driven.advance(1s);
  CHECK(refused);
  CHECK_THROWS_AS(running.result(), timeout_error);
}

TROUPE_PROGRAM_TEST_CASE("a time-out gives the value of its body, which may be a function") {
  auto body = []() -> coro<> {
    const int value = co_await timeout(1s, value_after(500ms, 7));
    CHECK(value == 7);
    auto made = [](timeout_scope& scope) -> coro<bool> { co_return scope.expired(); };
    const bool expired = co_await timeout(1s, made);
    CHECK_FALSE(expired);
    CHECK(loop::current()->timers().empty());
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a body that swallows its time-out ends by its value") {
  auto swallow = []() -> coro<int> {
    co_await ending(sleep_of(1h));
    co_return 3;
  };
  auto body = [&]() -> coro<> {
    timeout_scope scope(1s);
    const int value = co_await scope.run(swallow());
    CHECK(value == 3);
    CHECK(scope.expired());
    CHECK(current_task().cancelling() == 0);
    co_await sleep(1s);
  };
  testing::run(body());
}

TEST_CASE("a time-out without limit makes no timer") {
  manual_loop driven;
  const auto running = driven.create_task(timeout(infinite, sleep_of(infinite)));
  driven.run_until_idle();
  CHECK(driven->timers().empty());
  running.cancel();
  driven.run_until_idle();
  CHECK(running.cancelled());
}

TEST_CASE("a time limit may outlive the task that a closing loop destroyed in it") {
  for (const time_point deadline : {time_point(1s), time_point(0s)}) {
    timeout_scope scope(deadline);
    std::string how;
    int cancelling = -1;
    {
      manual_loop driven;
      driven.create_task(in_scope(scope, sleep_of(1h), how, cancelling));
      driven.step();
      driven->abandon();
      driven->let_go();
    }
    CHECK_THROWS_AS(scope.reschedule(time_point(5s)), invalid_state);
  }
}

TROUPE_PROGRAM_TEST_CASE("a time limit takes what can be awaited, though it is no coroutine") {
  auto body = []() -> coro<std::string> {
    queue<int> items;
    event happened;
    lock held;
    co_await held.acquire();
    std::string log;
    const auto attempt = [&log](auto limited) -> coro<> {
      try {
        co_await limited;
      } catch (const timeout_error&) {
        log += "late ";
      }
    };
    co_await attempt(timeout(1s, items.get()));
    co_await attempt(timeout(1s, happened.wait()));
    co_await attempt(timeout(1s, held.acquire()));
    co_await attempt(timeout(1s, sleep(2s)));
    co_await attempt(wait_for(items.get(), 1s));
    items.put_nowait(5);
    const int got = co_await timeout(1s, items.get());
    auto both = co_await gather(sleep(1s), items.put(6));
    static_cast<void>(both);
    co_return log + std::to_string(got + *items.try_get());
  };
  CHECK(testing::run(body()) == "late late late late late 11");
}

TROUPE_PROGRAM_TEST_CASE(
    "a time limit takes a task or a future, and cancels it when the time is up") {
  auto body = []() -> coro<std::string> {
    auto in_time = create_task(value_after(1s, 5));
    const int got = co_await timeout(2s, in_time);
    auto late = create_task(sleep_of(3s));
    std::string log = std::to_string(got);
    try {
      co_await timeout(1s, late);
    } catch (const timeout_error&) {
      log += late.cancelled() ? ", late and cancelled" : ", late";
    }
    promise<std::unique_ptr<int>> given;
    auto kept = given.get_future();
    given.set_value(std::make_unique<int>(7));
    const auto moved = co_await fail_after(1s, std::move(kept));
    co_return log + ", " + std::to_string(*moved);
  };
  CHECK(testing::run(body()) == "5, late and cancelled, 7");
}
