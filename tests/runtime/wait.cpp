#include <troupe/runtime/wait.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <troupe/runtime/any_task.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>

#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

using handles = std::vector<task<int>>;

coro<int> throw_after(duration delay, std::string text) {
  if (delay > 0s) co_await sleep(delay);
  throw std::runtime_error(text);
}

coro<int> value_now(int value) { co_return value; }

coro<> add_one_after(future<void> when, int& proof) {
  co_await when;
  ++proof;
}

coro<> wait_and_note(task<> inner, bool& went_on) {
  std::vector<task<>> all;
  all.push_back(inner);
  co_await wait(all);
  went_on = true;
}

coro<wait_result<task<int>>> wait_for_all(handles all, wait_options options = {}) {
  co_return co_await wait(std::move(all), options);
}

duration now() { return loop::current()->time() - time_point{}; }

}  // namespace

TROUPE_PROGRAM_TEST_CASE("wait returns when all are done, and at once the second time",
                         "[wait-01]") {
  auto body = []() -> coro<> {
    const handles both{create_task(value_after(100ms, 1)), create_task(value_after(150ms, 2))};
    const handles turned{both[1], both[0]};
    auto first = co_await wait(turned);
    CHECK(now() == 150ms);
    CHECK(first.done == turned);
    CHECK(first.pending.empty());
    auto second = co_await wait(turned);
    CHECK(now() == 150ms);
    CHECK(second.done == turned);
    CHECK(second.pending.empty());
  };
  testing::run(body());
}

TEST_CASE("wait returns at once when enough are done already", "[wait-01]") {
  for (const return_when when : {return_when::first_completed, return_when::first_exception}) {
    auto body = [](return_when enough) -> coro<> {
      const handles all{create_task(value_now(1)), create_task(throw_after(0s, "B")),
                        create_task(value_after(1h, 3))};
      co_await rounds(5);
      const duration before = now();
      auto result = co_await wait(all, {.return_when = enough});
      CHECK(now() == before);
      CHECK(result.done == handles{all[0], all[1]});
      CHECK(result.pending == handles{all[2]});
      CHECK(all[1].exception());
    };
    testing::run(body(when));
  }
}

TROUPE_PROGRAM_TEST_CASE("wait for the first leaves the others running", "[wait-03]") {
  auto body = []() -> coro<> {
    const handles both{create_task(value_after(10s, 1)), create_task(value_after(100ms, 2))};
    auto result = co_await wait(both, {.return_when = return_when::first_completed});
    CHECK(now() == 100ms);
    CHECK(result.done == handles{both[1]});
    CHECK(result.pending == handles{both[0]});
    CHECK(both[0].cancelling() == 0);
    const auto got = co_await both[0];
    CHECK(got == 1);
    CHECK(now() == 10s);
  };
  testing::run(body());
}

TEST_CASE("wait for the first exception returns with it and does not throw it", "[wait-05]") {
  struct variant {
    duration delay;
    bool third;
  };
  for (const variant each : {variant{0s, false}, variant{10ms, false}, variant{10ms, true}}) {
    auto body = [](variant given) -> coro<> {
      handles all{create_task(value_after(10s, 1)), create_task(throw_after(given.delay, "B"))};
      if (given.third) all.push_back(create_task(value_after(5ms, 3)));
      auto result = co_await wait(all, {.return_when = return_when::first_exception});
      CHECK(now() == given.delay);
      CHECK(result.pending == handles{all[0]});
      CHECK(result.done.size() == all.size() - 1);
      CHECK(result.done.front() == all[1]);
      CHECK_THROWS_AS(all[1].result(), std::runtime_error);
    };
    testing::run(body(each));
  }
}

TROUPE_PROGRAM_TEST_CASE("a cancelled task is no first exception", "[wait-05]") {
  auto body = []() -> coro<> {
    const handles both{create_task(value_after(10s, 1)), create_task(value_after(10s, 2))};
    loop::current()->call_later(1s, [second = both[1]] { second.cancel(); });
    auto result = co_await wait(both, {.return_when = return_when::first_exception});
    CHECK(now() == 10s);
    CHECK(result.done == both);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("with no exception a wait for the first one ends when all are done",
                         "[wait-05]") {
  auto body = []() -> coro<> {
    const handles both{create_task(value_after(1s, 1)), create_task(value_after(2s, 2))};
    auto result = co_await wait(both, {.return_when = return_when::first_exception});
    CHECK(now() == 2s);
    CHECK(result.done.size() == 2);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("failures stay inside the tasks that are waited for", "[wait-07]") {
  auto body = []() -> coro<> {
    const handles both{create_task(value_after(100ms, 1)), create_task(throw_after(150ms, "B"))};
    for (int time = 0; time < 2; ++time) {
      auto result = co_await wait(both);
      CHECK(now() == 150ms);
      REQUIRE(result.done == both);
      CHECK_FALSE(result.done[0].exception());
      CHECK(result.done[1].exception());
    }
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a failure that nobody takes out of what was waited for is reported",
                         "[wait-07]") {
  failure_log log;
  auto body = []() -> coro<> {
    handles one;
    one.push_back(create_task(throw_after(1s, "unseen")));
    co_await wait(std::move(one));
  };
  testing::run(body(), &log);
  CHECK(log.count("unseen") == 1);
}

TROUPE_PROGRAM_TEST_CASE("cancelling a wait leaves alone what is waited for", "[wait-09]") {
  int proof = 0;
  auto body = [&]() -> coro<> {
    promise<void> gate;
    const auto inner = create_task(add_one_after(gate.get_future(), proof));
    bool went_on = false;
    const auto outer = create_task(wait_and_note(inner, went_on));
    co_await rounds(3);
    CHECK(outer.cancel());
    std::string how = co_await ending(outer);
    CHECK(how == "cancelled");
    CHECK_FALSE(went_on);
    CHECK(inner.cancelling() == 0);
    gate.set_value();
    co_await inner;
  };
  testing::run(body());
  CHECK(proof == 1);
}

TROUPE_PROGRAM_TEST_CASE("wait gives up after its timeout and cancels nothing") {
  auto body = []() -> coro<> {
    const handles both{create_task(value_after(1s, 1)), create_task(value_after(5s, 2))};
    auto result = co_await wait(both, {.timeout = 2s});
    CHECK(now() == 2s);
    CHECK(result.done == handles{both[0]});
    CHECK(result.pending == handles{both[1]});
    const auto got = co_await both[1];
    CHECK(got == 2);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a wait that ends before its timeout leaves no timer") {
  auto body = []() -> coro<> {
    const handles one{create_task(value_after(1s, 1))};
    co_await wait(one, {.timeout = 1h});
    CHECK(loop::current()->timers().empty());
  };
  testing::run(body());
}

TEST_CASE("a wait without time lets those run once that are ready") {
  auto body = []() -> coro<> {
    const handles both{create_task(value_now(1)), create_task(value_after(1s, 2))};
    auto result = co_await wait(both, {.timeout = 0s});
    CHECK(now() == 0s);
    CHECK(result.done == handles{both[0]});
    CHECK(result.pending == handles{both[1]});
    auto again = co_await wait(both, {.timeout = -1s});
    CHECK(again.done == handles{both[0]});
    co_await both[1];
  };
  testing::run(body());
}

TEST_CASE("polling by waits without time starves nobody") {
  auto body = []() -> coro<int> {
    const handles one{create_task(value_after(0s, 1))};
    int polls = 0;
    for (; polls < 100 && !one[0].done(); ++polls) co_await wait(one, {.timeout = 0s});
    co_return polls;
  };
  CHECK(testing::run(body()) < 5);
}

TROUPE_PROGRAM_TEST_CASE("wait for nothing is an error that says so") {
  auto body = []() -> coro<> {
    const handles none;
    co_await wait(none);
  };
  CHECK_THROWS_AS(testing::run(body()), std::invalid_argument);
}

TROUPE_PROGRAM_TEST_CASE("wait returns a handle once that it was given twice") {
  auto body = []() -> coro<std::size_t> {
    const auto one = create_task(value_after(1s, 1));
    const handles thrice{one, one, one};
    auto result = co_await wait(thrice);
    co_return result.done.size();
  };
  CHECK(testing::run(body()) == 1);
}

TROUPE_PROGRAM_TEST_CASE("wait takes futures") {
  auto body = []() -> coro<> {
    promise<int> first;
    promise<int> second;
    std::vector<future<int>> both;
    both.push_back(first.get_future());
    both.push_back(second.get_future());
    loop::current()->call_later(1s, [&] { second.set_value(2); });
    auto result = co_await wait(both, {.return_when = return_when::first_completed});
    REQUIRE(result.done.size() == 1);
    CHECK(result.done[0].result() == 2);
    CHECK(result.pending.size() == 1);
  };
  testing::run(body());
}

TEST_CASE("a wait that is cancelled in the step in which it is over ends as cancelled") {
  manual_loop driven;
  const auto awaited = driven.create_task(value_after(1s, 1));
  any_task victim;
  // Told before the wait is, and so called before the one that waits resumes.
  awaited.add_done_callback([&](const task<int>&) { victim.cancel(); });
  const auto waiting = driven.create_task(wait_for_all({awaited}, {.timeout = 1h}));
  victim = waiting;
  driven.advance(1s);
  CHECK(waiting.cancelled());
  CHECK(awaited.result() == 1);
  CHECK(driven->timers().empty());
  CHECK(all_tasks(*driven).empty());
}

TEST_CASE("several waits for the same tasks do not disturb each other") {
  manual_loop driven;
  const handles both{driven.create_task(value_after(1s, 1)),
                     driven.create_task(value_after(2s, 2))};
  const auto all = driven.create_task(wait_for_all(both));
  const auto stopped = driven.create_task(wait_for_all(both));
  const auto first =
      driven.create_task(wait_for_all(both, {.return_when = return_when::first_completed}));
  driven.run_until_idle();
  stopped.cancel();
  driven.advance(1s);
  CHECK(stopped.cancelled());
  CHECK(first.done());
  CHECK_FALSE(all.done());
  driven.advance(1s);
  CHECK(all.done());
}

TEST_CASE("a loop may close while tasks wait for each other by wait") {
  manual_loop driven;
  const auto sleeping = driven.create_task(value_after(infinite, 1));
  const auto waiting = driven.create_task(wait_for_all({sleeping}, {.timeout = 1h}));
  driven.run_until_idle();
}
