#include <troupe/runtime/as_completed.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <troupe/runtime/any_task.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

using names = std::vector<std::string>;
using handles = std::vector<task<std::string>>;

duration now() { return loop::current()->time() - time_point{}; }

coro<std::string> named(std::string name, duration delay) {
  co_await sleep(delay);
  co_return name;
}

coro<std::string> failing(duration delay, std::string text) {
  co_await sleep(delay);
  throw std::runtime_error(text);
}

std::vector<coro<std::string>> three() {
  std::vector<coro<std::string>> all;
  all.push_back(named("b", 10ms));
  all.push_back(named("c", 150ms));
  all.push_back(named("a", 10ms));
  return all;
}

coro<> take_all(handles given, int& taken) {
  auto each = as_completed(std::move(given));
  while (auto done = co_await each.next()) ++taken;
}

template <class T>
concept can_be_completed = requires(T given) { as_completed(std::move(given)); };

}  // namespace

TROUPE_PROGRAM_TEST_CASE("results come in the order of completion", "[ascomp-01]") {
  auto body = []() -> coro<> {
    names got;
    auto all = as_completed(three());
    for (auto each : all) got.push_back(co_await each);
    REQUIRE(got.size() == 3);
    CHECK(got[2] == "c");
    std::sort(got.begin(), got.begin() + 2);
    CHECK(got == names{"a", "b", "c"});
    CHECK(now() == 150ms);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("handles come in the order of completion", "[ascomp-01]") {
  auto body = []() -> coro<> {
    names got;
    auto each = as_completed(three());
    CHECK(each.size() == 3);
    while (auto done = co_await each.next()) {
      CHECK(done->done());
      got.push_back(done->result());
    }
    CHECK(got.size() == 3);
    CHECK(got.back() == "c");
    CHECK(now() == 150ms);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("the slot that is awaited first gets what is done first", "[ascomp-03]") {
  auto body = []() -> coro<> {
    std::vector<coro<std::string>> both;
    both.push_back(named("a", 50ms));
    both.push_back(named("b", 100ms));
    auto all = as_completed(std::move(both));
    std::vector<coro<std::string>> slots;
    for (auto each : all) slots.push_back(std::move(each));
    REQUIRE(slots.size() == 2);
    const std::string first = co_await slots[1];
    CHECK(first == "a");
    CHECK(now() == 50ms);
    const std::string second = co_await slots[0];
    CHECK(second == "b");
    CHECK(now() == 100ms);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("slots outlive what they come from", "[ascomp-03]") {
  auto body = []() -> coro<> {
    std::vector<coro<std::string>> slots;
    {
      auto all = as_completed(three());
      for (auto each : all) slots.push_back(std::move(each));
    }
    for (auto& each : slots) co_await each;
    CHECK(now() == 150ms);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a task that is given twice comes out once", "[ascomp-05]") {
  auto body = []() -> coro<> {
    const auto c = create_task(named("c", 10ms));
    const auto d = create_task(named("d", 20ms));
    names got;
    auto all = as_completed(handles{c, c, d});
    CHECK(all.size() == 2);
    for (auto each : all) got.push_back(co_await each);
    CHECK(got == names{"c", "d"});
  };
  testing::run(body());
}

TEST_CASE("a single future is not a collection", "[ascomp-05]") {
  STATIC_REQUIRE(can_be_completed<std::vector<future<int>>>);
  STATIC_REQUIRE_FALSE(can_be_completed<future<int>>);
  STATIC_REQUIRE_FALSE(can_be_completed<coro<int>>);
}

TROUPE_PROGRAM_TEST_CASE("the handles that come out are those that went in", "[ascomp-07]") {
  auto body = []() -> coro<> {
    const handles given{create_task(named("1", 20ms)), create_task(named("2", 10ms)),
                        create_task(named("bare", 30ms))};
    auto each = as_completed(given);
    for (const std::size_t expected : {1u, 0u, 2u}) {
      auto done = co_await each.next();
      REQUIRE(done.has_value());
      CHECK(*done == given[expected]);
      CHECK(done->done());
    }
    const auto got = co_await each.next();
    CHECK_FALSE(got.has_value());
    const auto got_2 = co_await each.next();
    CHECK_FALSE(got_2.has_value());
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("nothing comes out of nothing") {
  auto body = []() -> coro<> {
    auto each = as_completed(handles{});
    const auto got = co_await each.next();
    CHECK_FALSE(got.has_value());
    int count = 0;
    for (auto slot : each) {
      static_cast<void>(slot);
      ++count;
    }
    CHECK(count == 0);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("what was done beforehand comes at once") {
  auto body = []() -> coro<> {
    const handles given{create_task(named("later", 1s)), create_task(named("now", 0s))};
    co_await rounds(3);
    auto each = as_completed(given);
    auto first = co_await each.next();
    CHECK(now() == 0s);
    CHECK(*first == given[1]);
    co_await each.next();
    CHECK(now() == 1s);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a failure is thrown by its slot and stays in its handle") {
  auto body = []() -> coro<> {
    const handles given{create_task(named("fine", 2s)), create_task(failing(1s, "E"))};
    {
      auto all = as_completed(given);
      auto slot = all.begin();
      CHECK_THROWS_AS(co_await *slot, std::runtime_error);
      ++slot;
      const auto got = co_await *slot;
      CHECK(got == "fine");
    }
    auto each = as_completed(given);
    while (auto done = co_await each.next()) CHECK(done->done());
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("after the time limit the next is a timeout, and the tasks run on") {
  auto body = []() -> coro<> {
    const handles given{create_task(named("in time", 1s)), create_task(named("late", 5s))};
    auto each = as_completed(given, 2s);
    auto first = co_await each.next();
    CHECK(*first == given[0]);
    CHECK_THROWS_AS(co_await each.next(), timeout_error);
    CHECK(now() == 2s);
    CHECK(given[1].cancelling() == 0);
    const auto got = co_await given[1];
    CHECK(got == "late");
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("what was done in time can be taken after the limit") {
  auto body = []() -> coro<> {
    const handles given{create_task(named("in time", 1s)), create_task(named("late", 5s))};
    auto each = as_completed(given, 2s);
    co_await sleep(3s);
    auto first = co_await each.next();
    REQUIRE(first.has_value());
    CHECK(*first == given[0]);
    CHECK_THROWS_AS(co_await each.next(), timeout_error);
    co_await given[1];
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a limit that was not needed leaves no timer") {
  auto body = []() -> coro<> {
    auto each = as_completed(three(), 1h);
    while (co_await each.next()) {
    }
    CHECK(loop::current()->timers().empty());
    {
      auto dropped = as_completed(handles{create_task(named("x", 1s))}, 1h);
      static_cast<void>(dropped);
    }
    CHECK(loop::current()->timers().empty());
    co_await sleep(2s);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("cancelling who takes completions leaves the tasks alone") {
  int taken = 0;
  auto body = [&]() -> coro<> {
    const handles given{create_task(named("1", 1s)), create_task(named("2", 3s))};
    const auto taking = create_task(take_all(given, taken));
    co_await sleep(2s);
    taking.cancel();
    std::string how = co_await ending(taking);
    CHECK(how == "cancelled");
    CHECK(taken == 1);
    CHECK(given[1].cancelling() == 0);
    const auto got = co_await given[1];
    CHECK(got == "2");
  };
  testing::run(body());
}

TEST_CASE("a loop may close while completions are awaited") {
  manual_loop driven;
  int taken = 0;
  const handles given{driven.create_task(named("1", 1s)), driven.create_task(named("2", infinite))};
  driven.create_task(take_all(given, taken));
  driven.advance(1s);
  CHECK(taken == 1);
}

TEST_CASE("completions may outlive their loop") {
  std::optional<completions<task<std::string>>> kept;
  {
    manual_loop driven;
    driven->call_soon(
        [&] { kept.emplace(as_completed(handles{create_task(named("x", 1h))}, 10s)); });
    driven.run_until_idle();
  }
  kept.reset();
}
