#include <troupe/runtime/cancel_scope.hpp>

#include "runtime/brute_force.hpp"
#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <troupe/runtime/any_task.hpp>
#include <troupe/runtime/shield.hpp>
#include <troupe/runtime/task_group.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>
#include <troupe/runtime/timeout.hpp>

#include <optional>
#include <stdexcept>
#include <string>

using namespace troupe;
using namespace troupe::testing;

namespace {

duration now() { return loop::current()->time() - time_point{}; }

/// Tries `tries` times to sleep, and catches everything; counts how often it was thrown out.
coro<> catch_everything(int tries, int& thrown) {
  for (int each = 0; each < tries; ++each) {
    try {
      co_await sleep(1h);
    } catch (...) {
      ++thrown;
    }
  }
}

coro<> note_end(duration delay, journal& log, std::string name) {
  std::string how = co_await ending(sleep_of(delay));
  log.push_back(name + " " + how);
  if (how == "cancelled") throw cancelled{};
}

/// Runs for `time` whatever happens.
coro<int> refuse_for(duration time) {
  const time_point end = loop::current()->time() + time;
  while (loop::current()->time() < end) {
    try {
      co_await sleep(end - loop::current()->time());
    } catch (const cancelled&) {
    }
  }
  co_return 42;
}

coro<int> await_task(task<int> awaited) { co_return co_await awaited; }

/// Runs `body` in `scope` and notes how the run ended.
coro<> run_in(cancel_scope& scope, coro<> body, std::string& how) {
  how = co_await ending(scope.run(std::move(body)));
}

}  // namespace

TROUPE_PROGRAM_TEST_CASE("a scope that nobody cancels gives what its body gives") {
  auto body = []() -> coro<> {
    cancel_scope scope;
    auto value = co_await scope.run(value_after(1s, 5));
    CHECK(value == 5);
    CHECK_FALSE(scope.cancel_called());
    CHECK_FALSE(scope.cancelled_caught());
    cancel_scope other;
    const bool finished = co_await other.run(sleep_of(1s));
    CHECK(finished);
    cancel_scope failing;
    CHECK_THROWS_AS(co_await failing.run(fail_after(1s, "E")), std::runtime_error);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a cancelled scope ends at its edge and the task goes on") {
  auto body = []() -> coro<> {
    cancel_scope scope;
    loop::current()->call_later(1s, [&] { scope.cancel(); });
    auto value = co_await scope.run(value_after(1h, 5));
    CHECK_FALSE(value.has_value());
    CHECK(scope.cancelled_caught());
    CHECK_FALSE(scope.expired());
    CHECK(now() == 1s);
    CHECK(current_task().cancelling() == 0);
    co_await sleep(1s);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a scope cancelled before it runs throws at the first suspension") {
  auto step = [](bool& began) -> coro<> {
    began = true;
    co_await sleep(1h);
  };
  auto body = [&]() -> coro<> {
    cancel_scope scope;
    scope.cancel();
    bool began = false;
    const bool finished = co_await scope.run(step(began));
    CHECK(began);
    CHECK_FALSE(finished);
    CHECK(now() == 0s);
    auto quick = []() -> coro<int> { co_return 1; };
    cancel_scope second;
    second.cancel();
    auto value = co_await second.run(quick());
    CHECK(value == 1);
    CHECK_FALSE(second.cancelled_caught());
    co_await rounds(2);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("every suspension in a cancelled scope throws") {
  int thrown = 0;
  auto body = [&]() -> coro<> {
    cancel_scope scope;
    loop::current()->call_later(1s, [&] { scope.cancel(); });
    const bool finished = co_await scope.run(catch_everything(5, thrown));
    CHECK(finished);  // it swallowed them all and came to its end
    CHECK_FALSE(scope.cancelled_caught());
    CHECK(scope.cancel_called());
    CHECK(now() == 1s);
    co_await sleep(1s);
  };
  testing::run(body());
  CHECK(thrown == 5);
}

TROUPE_PROGRAM_TEST_CASE("a scope that cancels itself is thrown out at its next suspension") {
  auto body = []() -> coro<> {
    auto inside = [](cancel_scope& mine) -> coro<int> {
      mine.cancel();
      mine.cancel();
      co_await sleep(1h);
      co_return 1;
    };
    cancel_scope scope;
    auto value = co_await scope.run(inside);
    CHECK_FALSE(value.has_value());
    CHECK(now() == 0s);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE(
    "a scope ends though its body throws something else while being cancelled") {
  auto fail = []() -> coro<> {
    try {
      co_await sleep(1h);
    } catch (const cancelled&) {
      throw std::runtime_error("E");
    }
  };
  auto body = [&]() -> coro<> {
    cancel_scope scope;
    scope.cancel();
    CHECK_THROWS_AS(co_await scope.run(fail()), std::runtime_error);
    CHECK_FALSE(scope.cancelled_caught());
    co_await sleep(1s);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a cancelled outer scope is caught by the outer one") {
  journal log;
  auto body = [&]() -> coro<> {
    cancel_scope outer;
    cancel_scope inner;
    loop::current()->call_later(1s, [&] {
      inner.cancel();
      outer.cancel();
    });
    auto nested = [&]() -> coro<> {
      co_await inner.run(note_end(1h, log, "inside"));
      log.push_back("between");
    };
    const bool finished = co_await outer.run(nested);
    CHECK_FALSE(finished);
    CHECK_FALSE(inner.cancelled_caught());
    CHECK(outer.cancelled_caught());
  };
  testing::run(body());
  CHECK(log == journal{"inside cancelled"});
}

TROUPE_PROGRAM_TEST_CASE("an inner scope is left before the outer one is cancelled by its body") {
  journal log;
  auto body = [&]() -> coro<> {
    cancel_scope outer;
    cancel_scope inner;
    auto nested = [&]() -> coro<> {
      inner.cancel();
      co_await inner.run(note_end(1h, log, "inside"));
      log.push_back("between");
      co_await note_end(1s, log, "behind");
    };
    const auto got = co_await outer.run(nested);
    CHECK(got);
    CHECK(inner.cancelled_caught());
  };
  testing::run(body());
  CHECK(log == journal{"inside cancelled", "between", "behind value"});
}

TROUPE_PROGRAM_TEST_CASE("move_on_after goes on without its body") {
  auto body = []() -> coro<> {
    const auto got = co_await move_on_after(1s, sleep_of(1h));
    CHECK_FALSE(got);
    CHECK(now() == 1s);
    const auto got_2 = co_await move_on_after(1s, sleep_of(10ms));
    CHECK(got_2);
    auto value = co_await move_on_after(1s, value_after(10ms, 3));
    CHECK(value == 3);
    CHECK(loop::current()->timers().empty());
    const auto got_3 = co_await move_on_after(0s, sleep_of(0s));
    CHECK_FALSE(got_3);
    const auto got_4 = co_await move_on_after(-1s, sleep_of(0s));
    CHECK_FALSE(got_4);
    const auto got_5 = co_await move_on_after(infinite, sleep_of(10ms));
    CHECK(got_5);
    CHECK_THROWS_AS(co_await move_on_after(1s, fail_after(0s, "E")), std::runtime_error);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("move_on_after is not held up by a body that catches everything") {
  int thrown = 0;
  auto body = [&]() -> coro<> {
    const auto got = co_await move_on_after(1s, catch_everything(3, thrown));
    CHECK(got);
    CHECK(now() == 1s);
  };
  testing::run(body());
  CHECK(thrown == 3);
}

TROUPE_PROGRAM_TEST_CASE("fail_after throws timeout_error when the time is up") {
  auto body = []() -> coro<> {
    CHECK_THROWS_AS(co_await fail_after(1s, sleep_of(1h)), timeout_error);
    CHECK(now() == 1s);
    const int value = co_await fail_after(1s, value_after(10ms, 3));
    CHECK(value == 3);
    const bool no = co_await fail_after(1s, value_after(10ms, false));
    CHECK_FALSE(no);
    CHECK_THROWS_AS(co_await fail_after(1s, testing::fail_after(0s, "E")), std::runtime_error);
    CHECK(loop::current()->timers().empty());
    auto function = []() -> coro<int> { co_return 4; };
    const auto got = co_await fail_after(1s, function);
    CHECK(got == 4);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("of nested limits with one deadline the outer one decides") {
  std::string between;
  auto body = [&]() -> coro<> {
    auto inner = [&]() -> coro<> {
      between = co_await ending(fail_after(1s, sleep_of(1h)));
      co_await sleep(0s);  // throws once more
    };
    CHECK_THROWS_AS(co_await fail_after(1s, inner), timeout_error);
    CHECK(between == "cancelled");
    CHECK(now() == 1s);
    co_await sleep(1s);
  };
  testing::run(body());
}

TEST_CASE("a time-out in a scope that is cancelled in the same round stays a cancellation") {
  for (const bool scope_first : {false, true}) {
    auto body = [](bool first) -> coro<> {
      cancel_scope scope;
      if (first) scope.set_deadline(time_point(1s));
      auto inside = [&]() -> coro<> {
        auto limited = timeout(1s, sleep_of(1h));
        if (!first) loop::current()->call_at(time_point(1s), [&] { scope.cancel(); });
        co_await limited;
      };
      std::string how = co_await ending(scope.run(inside));
      CHECK(how == "value");
      CHECK(scope.cancelled_caught());
      CHECK(current_task().cancelling() == 0);
      co_await sleep(1s);
    };
    testing::run(body(scope_first));
  }
}

TEST_CASE("a deadline may be changed from outside") {
  manual_loop driven;
  cancel_scope scope({.deadline = time_point(10s)});
  std::string how;
  const auto running = driven.create_task(run_in(scope, sleep_of(50s), how));
  driven.run_until_idle();
  CHECK(driven->timers().size() == 2);
  scope.set_deadline(time_point(30s));
  CHECK(driven->timers().size() == 2);
  driven.advance(20s);
  CHECK_FALSE(running.done());
  scope.set_deadline(time_point::max());
  CHECK(driven->timers().size() == 1);
  scope.set_deadline(time_point(25s));
  driven.advance(5s);
  CHECK(running.done());
  CHECK(scope.expired());
  CHECK(scope.cancelled_caught());
  CHECK(driven->timers().empty());
  scope.set_deadline(time_point(60s));
  CHECK(driven->timers().empty());
}

TEST_CASE("a deadline in the past cancels at once") {
  manual_loop driven;
  cancel_scope scope;
  std::string how;
  const auto running = driven.create_task(run_in(scope, sleep_of(50s), how));
  driven.advance(1s);
  scope.set_deadline(time_point(0s));
  CHECK(scope.cancel_called());
  driven.run_until_idle();
  CHECK(running.done());
  CHECK(scope.expired());
  CHECK(scope.cancelled_caught());
}

TEST_CASE("a request to cancel the task goes through the scope") {
  for (const bool scope_first : {false, true}) {
    manual_loop driven;
    cancel_scope scope;
    std::string how;
    const auto running = driven.create_task(run_in(scope, sleep_of(1h), how));
    driven.run_until_idle();
    driven->call_soon([&] {
      if (scope_first) scope.cancel();
      running.cancel();
      if (!scope_first) scope.cancel();
    });
    driven.run_until_idle();
    CHECK(how == "cancelled");
    CHECK_FALSE(scope.cancelled_caught());
    CHECK(running.cancelling() == 1);
  }
}

TEST_CASE("a request that was due when a cancelled scope was entered is not lost in it") {
  auto body = []() -> coro<> {
    current_task().cancel();
    cancel_scope scope;
    scope.cancel();
    co_await scope.run(sleep_of(1h));
  };
  manual_loop driven;
  const auto running = driven.create_task(body());
  driven.run_until_idle();
  CHECK(running.cancelled());
}

TROUPE_PROGRAM_TEST_CASE("a scope is run once, and in a task") {
  auto body = []() -> coro<> {
    cancel_scope scope;
    co_await scope.run(sleep_of(0s));
    CHECK_THROWS_AS(co_await scope.run(sleep_of(0s)), invalid_state);
    auto nested = [](cancel_scope& active) -> coro<> {
      CHECK_THROWS_AS(co_await active.run(sleep_of(0s)), invalid_state);
    };
    cancel_scope other;
    co_await other.run(nested);
    scope.cancel();  // too late to do anything
    co_await sleep(0s);
  };
  testing::run(body());
  cancel_scope untouched;
  CHECK_FALSE(untouched.cancel_called());
}

TROUPE_PROGRAM_TEST_CASE("a scope waits for a child task that takes its time") {
  auto body = []() -> coro<> {
    const auto child = create_task(refuse_for(3s));
    cancel_scope scope({.deadline = time_point(1s)});
    auto value = co_await scope.run(await_task(child));
    CHECK_FALSE(value.has_value());
    CHECK(scope.cancelled_caught());
    CHECK(child.result() == 42);
    CHECK(now() == 3s);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a cancelled scope with a group in it ends with the group's tasks") {
  journal log;
  auto body = [&]() -> coro<> {
    cancel_scope scope({.deadline = time_point(1s)});
    auto inside = [&]() -> coro<> {
      task_group group;
      auto members = [&]() -> coro<> {
        group.create_task(note_end(1h, log, "a"));
        group.create_task(note_end(1h, log, "b"));
        co_return;
      };
      co_await group.run(members);
    };
    const auto got = co_await scope.run(inside);
    CHECK_FALSE(got);
    CHECK(scope.cancelled_caught());
    CHECK(all_tasks().size() == 1);
    CHECK(current_task().cancelling() == 0);
  };
  testing::run(body());
  CHECK(log.size() == 2);
}
