#include <troupe/runtime/gather.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <troupe/runtime/any_task.hpp>
#include <troupe/runtime/shield.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

duration now() { return loop::current()->time() - time_point{}; }

std::exception_ptr error_named(const std::string& text) {
  return std::make_exception_ptr(std::runtime_error(text));
}

/// Promises and their futures; made on a loop.
struct row {
  explicit row(std::size_t count) : promises(count) {
    for (auto& each : promises) futures.push_back(each.get_future());
  }
  std::vector<promise<int>> promises;
  std::vector<future<int>> futures;
};

coro<> block_on(future<void> gate, bool& went_on) {
  co_await gate;
  went_on = true;
}

coro<> await_gathering(
    future<std::tuple<troupe::internal::nothing, troupe::internal::nothing>> both, bool& went_on) {
  co_await both;
  went_on = true;
}

coro<> end_slowly(duration time, bool& ended) {
  bool stopped = false;
  try {
    co_await sleep(1h);
  } catch (const cancelled&) {
    stopped = true;
  }
  if (stopped) co_await sleep(time);
  ended = true;
  throw cancelled{};
}

coro<> gather_two(bool collecting, bool& ended) {
  if (collecting) {
    co_await gather(return_exceptions, sleep_of(1h), end_slowly(100ms, ended));
  } else {
    co_await gather(sleep_of(1h), end_slowly(100ms, ended));
  }
}

coro<> gather_for_ever(int& turns) {
  for (;; ++turns) co_await gather(return_exceptions, sleep_of(50ms));
}

coro<int> value_now(int value) { co_return value; }

}  // namespace

TROUPE_PROGRAM_TEST_CASE("gathered results follow the arguments, not the order of completion",
                         "[gather-01]") {
  auto body = []() -> coro<> {
    row given(3);
    auto all = gather(given.futures);
    given.promises[1].set_value(1);
    given.promises[0].set_value(2);
    co_await rounds(5);
    CHECK_FALSE(all.done());
    given.promises[2].set_value(3);
    co_await rounds(1);
    REQUIRE(all.done());
    CHECK(all.result() == std::vector<int>{2, 1, 3});
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("gathering nothing gives nothing and makes no task", "[gather-01]") {
  auto body = []() -> coro<> {
    auto nothing = gather(std::vector<future<int>>{});
    CHECK(nothing.done());
    auto values = co_await nothing;
    CHECK(values.empty());
    auto settled_ones = co_await gather(return_exceptions, std::vector<coro<int>>{});
    CHECK(settled_ones.empty());
    CHECK(all_tasks().size() == 1);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a collecting gather stores the errors in their places", "[gather-03]") {
  auto body = []() -> coro<> {
    row given(4);
    auto all = gather(return_exceptions, given.futures);
    const auto first = error_named("E");
    const auto second = error_named("E2");
    given.promises[1].set_value(1);
    given.promises[2].set_exception(first);
    given.promises[0].set_value(3);
    co_await rounds(5);
    CHECK_FALSE(all.done());
    given.promises[3].set_exception(second);
    co_await rounds(1);
    REQUIRE(all.done());
    auto& results = all.result();
    REQUIRE(results.size() == 4);
    CHECK(*results[0] == 3);
    CHECK(*results[1] == 1);
    CHECK(results[2].error() == first);
    CHECK(results[3].error() == second);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a collecting gather has cancelled children in their places",
                         "[gather-05]") {
  auto body = []() -> coro<> {
    row given(6);
    auto all = gather(return_exceptions, given.futures);
    given.promises[0].set_value(1);
    given.promises[1].set_exception(error_named("E"));
    given.futures[2].cancel();
    given.promises[3].set_value(3);
    given.futures[4].cancel();
    co_await rounds(3);
    CHECK_FALSE(all.done());
    given.promises[5].set_exception(error_named("E2"));
    auto results = co_await all;
    journal ends;
    for (auto& each : results)
      ends.push_back(each ? std::to_string(*each) : describe(each.error()));
    CHECK(ends == journal{"1", "std::runtime_error: E", "cancelled", "3", "cancelled",
                          "std::runtime_error: E2"});
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("without collecting a cancelled child ends the gather as cancelled",
                         "[gather-05]") {
  auto body = []() -> coro<> {
    row given(2);
    auto all = gather(given.futures);
    given.futures[0].cancel();
    co_await rounds(2);
    REQUIRE(all.done());
    CHECK_THROWS_AS(co_await all, cancelled);
    given.promises[1].set_value(1);
  };
  testing::run(body());
}

TEST_CASE("cancelling the awaiter of a gather cancels every child", "[gather-07]") {
  bool went_on = false;
  auto body = [&]() -> coro<> {
    promise<void> gate;
    auto w = gate.get_future();
    const auto first = create_task(block_on(w, went_on));
    const auto second = create_task(block_on(w, went_on));
    auto both = gather(first, second);
    const auto outer = create_task(await_gathering(both, went_on));
    co_await rounds(3);
    outer.cancel();
    co_await rounds(5);
    CHECK(w.cancelled());
    CHECK(first.cancelled());
    CHECK(second.cancelled());
    CHECK(outer.cancelled());
    CHECK_FALSE(both.cancel());
  };
  testing::run(body());
  CHECK_FALSE(went_on);
}

TROUPE_PROGRAM_TEST_CASE("a cancellation is not collected", "[gather-09]") {
  int turns = 0;
  auto body = [&]() -> coro<> {
    const auto looping = create_task(gather_for_ever(turns));
    co_await sleep(200ms);
    looping.cancel();
    std::string how = co_await ending(looping);
    CHECK(how == "cancelled");
    CHECK(now() <= 250ms);
  };
  testing::run(body());
  CHECK(turns >= 3);
  CHECK(turns <= 4);
}

TEST_CASE("a cancelled gather does not wait for slow siblings", "[gather-11]") {
  bool ended = false;
  auto body = [&]() -> coro<> {
    const auto outer = create_task(gather_two(false, ended));
    co_await rounds(3);
    outer.cancel();
    std::string how = co_await ending(outer);
    CHECK(how == "cancelled");
    CHECK(now() == 0s);
    CHECK_FALSE(ended);
    co_await sleep(1s);
    CHECK(ended);
  };
  testing::run(body());
}

TEST_CASE("a cancelled gather that collects waits for slow siblings", "[gather-11]") {
  bool ended = false;
  auto body = [&]() -> coro<> {
    const auto outer = create_task(gather_two(true, ended));
    co_await rounds(3);
    outer.cancel();
    std::string how = co_await ending(outer);
    CHECK(how == "cancelled");
    CHECK(now() == 100ms);
    CHECK(ended);
  };
  testing::run(body());
}

TEST_CASE("a gather of finished children is done and does not suspend", "[gather-13]") {
  auto body = []() -> coro<> {
    const auto first = create_task(value_now(1));
    const auto second = create_task(value_now(2));
    co_await rounds(3);
    bool called = false;
    loop::current()->call_soon([&] { called = true; });
    auto both = gather(first, second);
    CHECK(both.done());
    const auto [a, b] = co_await both;
    CHECK(a + b == 3);
    CHECK_FALSE(called);
    co_await sleep(0s);
  };
  testing::run(body());
}

TEST_CASE("a gather of children that failed before is done and throws", "[gather-13]") {
  auto body = []() -> coro<> {
    const auto failed = create_task(fail_after(0s, "E"));
    const auto sleeping = create_task(sleep_of(1h));
    co_await rounds(3);
    auto both = gather(sleeping, failed);
    CHECK(both.done());
    CHECK_THROWS_AS(co_await both, std::runtime_error);
    CHECK_FALSE(sleeping.done());
    sleeping.cancel();
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("one future may be gathered twice in one gather") {
  auto body = []() -> coro<> {
    promise<int> one;
    auto waited = one.get_future();
    auto both = gather(waited, waited);
    one.set_value(5);
    const auto [a, b] = co_await both;
    CHECK(a == 5);
    CHECK(b == 5);
  };
  testing::run(body());
}

TEST_CASE("gathers in gathers are cancelled down to the last child") {
  bool went_on = false;
  auto body = [&]() -> coro<> {
    promise<void> gate;
    auto w = gate.get_future();
    auto inner = gather(create_task(block_on(w, went_on)), create_task(block_on(w, went_on)));
    const auto outer = create_task(await_gathering(inner, went_on));
    auto all = gather(outer, sleep_of(1h));
    co_await rounds(3);
    CHECK(all.cancel());
    co_await rounds(5);
    CHECK(w.cancelled());
    CHECK(outer.cancelled());
    CHECK(all.done());
    CHECK_THROWS_AS(co_await all, cancelled);
    CHECK(all_tasks().size() == 1);
  };
  testing::run(body());
}

TEST_CASE("a gather that is dropped while its children run is kept by them") {
  manual_loop driven;
  std::optional<promise<int>> gate;
  driven->call_soon([&] {
    gate.emplace();
    static_cast<void>(gather(gate->get_future(), value_after(1s, 2)));
  });
  driven.advance(2s);
  driven->call_soon([&] { gate->set_value(1); });
  driven.run_until_idle();
  CHECK(all_tasks(*driven).empty());
}

TEST_CASE("a loop may close while gathers wait") {
  manual_loop driven;
  driven->call_soon([] {
    static_cast<void>(gather(sleep_of(1h), shield(gather(sleep_of(infinite), sleep_of(2h)))));
  });
  driven.run_until_idle();
}

TEST_CASE("a promise may outlive the loop of a gather") {
  std::optional<promise<int>> gate;
  {
    manual_loop driven;
    driven->call_soon([&] {
      gate.emplace();
      static_cast<void>(gather(gate->get_future(), sleep_of(1h)));
    });
    driven.step();
  }
  gate.reset();
}

TEST_CASE("a gather leaves a callback of its member the value") {
  auto body = []() -> coro<int> {
    int seen = 0;
    auto made = create_task(value_after(1s, 5));
    auto all = gather(made);
    made.add_done_callback([&seen](const task<int>& ended) { seen = ended.result(); });
    made = create_task(value_after(2s, 6));  // the first handle goes
    co_await all;
    co_await rounds(2);
    co_return seen;
  };
  CHECK(testing::run(body()) == 5);
}
