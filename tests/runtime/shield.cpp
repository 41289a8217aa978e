#include <troupe/runtime/shield.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <troupe/runtime/any_task.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>
#include <troupe/runtime/wait_for.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

coro<> await_shielded(task<> inner) { co_await shield(inner); }

coro<> add_one_after(future<void> when, int& proof) {
  co_await when;
  ++proof;
}

coro<> set(bool& flag) {
  flag = true;
  co_return;
}

coro<> set_after(duration delay, bool& flag) {
  co_await sleep(delay);
  flag = true;
}

coro<> shield_setting(bool& flag) { co_await shield(set(flag)); }

coro<> cancel_now(any_task victim) {
  victim.cancel();
  co_return;
}

coro<> finish_anyway(task<> inner) {
  bool stopped = false;
  try {
    co_await shield(inner);
  } catch (const cancelled&) {
    stopped = true;
  }
  if (!stopped) co_return;
  co_await inner;
  throw cancelled{};
}

coro<int> needs(duration time) { co_return co_await value_after(time, 42); }

}  // namespace

TROUPE_PROGRAM_TEST_CASE("a shield gives what it shields gives", "[shield-01]") {
  auto body = []() -> coro<> {
    promise<int> inner;
    auto outer = shield(inner.get_future());
    CHECK_FALSE(outer.done());
    inner.set_value(42);
    const auto got = co_await outer;
    CHECK(got == 42);

    promise<int> failing;
    auto failed = shield(failing.get_future());
    const auto error = std::make_exception_ptr(std::runtime_error("E"));
    failing.set_exception(error);
    std::exception_ptr seen;
    try {
      co_await failed;
    } catch (...) {
      seen = std::current_exception();
    }
    CHECK(seen == error);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a shield of what is done does not suspend", "[shield-01]") {
  auto body = []() -> coro<> {
    promise<int> inner;
    auto future = inner.get_future();
    inner.set_value(42);
    bool called = false;
    loop::current()->call_soon([&] { called = true; });
    const int value = co_await shield(future);
    CHECK(value == 42);
    CHECK_FALSE(called);
    co_await sleep(1ms);
  };
  testing::run(body());
}

TEST_CASE("a shield of what was cancelled is cancelled", "[shield-01]") {
  auto body = []() -> coro<> {
    const auto inner = create_task(sleep_of(1h));
    auto outer = shield(inner);
    co_await sleep(0s);
    inner.cancel();
    co_await rounds(2);
    CHECK(outer.cancelled());
    auto after = shield(inner);
    CHECK(after.cancelled());
  };
  testing::run(body());
}

TEST_CASE("cancelling the one that awaits a shield leaves the inner task alone", "[shield-03]") {
  int proof = 0;
  manual_loop driven;
  std::optional<promise<void>> gate;
  driven->call_soon([&] { gate.emplace(); });
  driven.step();
  const auto inner = driven.create_task(add_one_after(gate->get_future(), proof));
  const auto outer = driven.create_task(await_shielded(inner));
  driven.run_until_idle();
  driven->call_soon([&] { CHECK(outer.cancel()); });
  driven.step();
  CHECK_FALSE(outer.done());
  driven.step();
  CHECK(outer.cancelled());
  CHECK_FALSE(inner.done());
  CHECK(inner.cancelling() == 0);
  driven->call_soon([&] { gate->set_value(); });
  driven.run_until_idle();
  CHECK(inner.done());
  CHECK_FALSE(inner.cancelled());
  CHECK(proof == 1);
}

TROUPE_PROGRAM_TEST_CASE("cancelling a shield leaves the gather in it alone", "[shield-05]") {
  auto body = []() -> coro<> {
    promise<int> first;
    promise<int> second;
    auto both = gather(first.get_future(), second.get_future());
    auto outer = shield(both);
    CHECK(outer.cancel());
    CHECK(outer.cancelled());
    CHECK_FALSE(both.done());
    first.set_value(1);
    second.set_value(2);
    const auto [a, b] = co_await both;
    CHECK(a == 1);
    CHECK(b == 2);
    CHECK_FALSE(outer.cancel());
  };
  testing::run(body());
}

TEST_CASE("a shielded coroutine starts though its awaiter is cancelled first", "[shield-07]") {
  bool flag = false;
  manual_loop driven;
  const auto outer = driven.create_task(shield_setting(flag));
  driven.create_task(cancel_now(outer));  // its turn is right after that of outer
  driven.step();
  CHECK_FALSE(flag);
  CHECK(outer.cancelling() == 1);
  driven.run_until_idle();
  CHECK(outer.cancelled());
  CHECK(flag);
}

TEST_CASE("a coroutine remembers its cancellation and waits for the shielded work", "[shield-09]") {
  bool flag = false;
  auto body = [&]() -> coro<> {
    const auto inner = create_task(set_after(100ms, flag));
    const auto outer = create_task(finish_anyway(inner));
    co_await rounds(3);
    outer.cancel();
    std::string how = co_await ending(outer);
    CHECK(how == "cancelled");
    CHECK(flag);
    CHECK_FALSE(inner.cancelled());
    CHECK(loop::current()->time() == time_point(100ms));
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a time-out of a shield keeps the work running", "[shield-11]") {
  auto body = []() -> coro<> {
    const auto inner = create_task(needs(100ms));
    std::string how = co_await ending(wait_for(shield(inner), 10ms));
    CHECK(how == "error: the time limit has passed");
    CHECK(loop::current()->time() == time_point(10ms));
    CHECK_FALSE(inner.done());
    CHECK(inner.cancelling() == 0);
    const auto got = co_await inner;
    CHECK(got == 42);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a wait for a shield without a limit gives its value", "[shield-11]") {
  auto body = []() -> coro<> {
    const auto inner = create_task(needs(100ms));
    const int value = co_await wait_for(shield(inner), infinite);
    CHECK(value == 42);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a wait for a shield without time cancels the shield only",
                         "[shield-11]") {
  auto body = []() -> coro<> {
    const auto inner = create_task(needs(100ms));
    auto outer = shield(inner);
    CHECK_THROWS_AS(co_await wait_for(outer, 0s), timeout_error);
    CHECK(loop::current()->time() == time_point(0s));
    CHECK(outer.cancelled());
    CHECK(inner.cancelling() == 0);
    const auto got = co_await inner;
    CHECK(got == 42);
  };
  testing::run(body());
}

TEST_CASE("a shielded failure after its awaiter was cancelled is reported") {
  failure_log log;
  auto outer = []() -> coro<> { co_await shield(fail_after(1s, "too late")); };
  auto body = [&]() -> coro<> {
    const auto waiting = create_task(outer());
    co_await rounds(3);
    waiting.cancel();
    co_await sleep(2s);
    CHECK(waiting.cancelled());
  };
  testing::run(body(), &log);
  CHECK(log.count("too late") == 1);
}

TROUPE_PROGRAM_TEST_CASE("a shielded failure that its awaiter gets is not reported") {
  auto body = []() -> coro<> {
    CHECK_THROWS_AS(co_await shield(fail_after(1s, "seen")), std::runtime_error);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a shield that nobody awaits reports the failure once") {
  failure_log log;
  auto body = []() -> coro<> {
    static_cast<void>(shield(fail_after(1s, "unseen")));
    co_await sleep(2s);
  };
  testing::run(body(), &log);
  CHECK(log.count("unseen") == 1);
}

TROUPE_PROGRAM_TEST_CASE("two shields of one task are cancelled apart") {
  auto body = []() -> coro<> {
    const auto inner = create_task(needs(1s));
    auto first = shield(inner);
    auto second = shield(inner);
    first.cancel();
    CHECK(first.cancelled());
    const auto got = co_await second;
    CHECK(got == 42);
    const auto got_2 = co_await inner;
    CHECK(got_2 == 42);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a shield of a shield keeps the outer cancellation from both") {
  auto body = []() -> coro<> {
    const auto inner = create_task(needs(1s));
    auto near = shield(inner);
    auto far = shield(near);
    far.cancel();
    CHECK(far.cancelled());
    CHECK_FALSE(near.done());
    const auto got = co_await near;
    CHECK(got == 42);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE(
    "a shield that is cancelled in the step in which its task ends stays cancelled") {
  for (const bool request_first : {true, false}) {
    auto body = [](bool cancel_first) -> coro<> {
      promise<int> inner;
      auto outer = shield(inner.get_future());
      if (cancel_first) {
        CHECK(outer.cancel());
        inner.set_value(42);
        CHECK(outer.cancelled());
      } else {
        inner.set_value(42);
        CHECK_FALSE(outer.cancel());
        const auto got = co_await outer;
        CHECK(got == 42);
      }
    };
    testing::run(body(request_first));
  }
}

TEST_CASE("a shield off a loop is an error") {
  bool flag = false;
  CHECK_THROWS_AS(shield(set(flag)), invalid_state);
}

TEST_CASE("a loop may close while shields wait") {
  manual_loop driven;
  driven.create_task(await_shielded(driven.create_task(sleep_of(infinite))));
  driven.create_task(
      await_shielded(driven.create_task(await_shielded(driven.create_task(sleep_of(1h))))));
  driven.run_until_idle();
}

TEST_CASE("a promise may outlive the loop of a shield") {
  std::optional<promise<int>> gate;
  std::vector<future<int>> outer;
  {
    manual_loop driven;
    driven->call_soon([&] {
      gate.emplace();
      outer.push_back(shield(gate->get_future()));
    });
    driven.run_until_idle();
  }
  gate.reset();
  outer.clear();
}
