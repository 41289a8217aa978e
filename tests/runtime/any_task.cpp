#include <troupe/runtime/any_task.hpp>

#include <troupe/runtime/testing/manual_loop.hpp>

#include "runtime/helpers.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("an any_task that holds none says so") {
  const any_task none;
  CHECK_FALSE(none);
  CHECK_THROWS_AS(none.done(), invalid_state);
  CHECK_THROWS_AS(none.cancel(), invalid_state);
  CHECK_THROWS_AS(none.name(), invalid_state);
  CHECK_FALSE(current_task());
}

TEST_CASE("an any_task is a handle of a task, whatever its result") {
  auto body = []() -> coro<> {
    const auto made = create_task(value_after(1s, 4), {.name = "four"});
    const any_task any = made;
    const any_task same = any;
    CHECK(any == same);
    CHECK_FALSE(any == current_task());
    CHECK(any.name() == "four");
    any.set_name("vier");
    CHECK(made.name() == "vier");
    CHECK_FALSE(any.done());
    CHECK_THROWS_AS(any.exception(), invalid_state);
    co_await made;
    CHECK(any.done());
    CHECK(any.exception() == nullptr);
    CHECK_FALSE(any.cancel());
    const any_task ended = create_task(sleep_of(1s));
    CHECK(ended.cancel("why"));
    CHECK(ended.cancelling() == 1);
    CHECK(ended.uncancel() == 0);
    CHECK(ended.cancel());
    co_await sleep(0s);
    CHECK(ended.cancelled());
    CHECK(describe(ended.exception()) == "cancelled");
  };
  testing::run(body());
}

TEST_CASE("all_tasks gives those that have not ended") {
  CHECK_THROWS_AS(all_tasks(), invalid_state);
  manual_loop home;
  const auto first = home.create_task(sleep_of(1s), {.name = "first"});
  const auto second = home.create_task(sleep_of(2s), {.name = "second"});
  CHECK(all_tasks(*home).size() == 2);
  home.advance(1s);
  const auto left = all_tasks(*home);
  REQUIRE(left.size() == 1);
  CHECK(left[0] == any_task(second));
  home.advance(1s);
  CHECK(all_tasks(*home).empty());
}
