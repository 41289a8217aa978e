#include <troupe/runtime/coro.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <memory>
#include <optional>
#include <string>
#include <tuple>

using namespace troupe;
using namespace troupe::testing;

namespace {

coro<int> answer() { co_return 42; }
coro<> nothing_at_all() { co_return; }
coro<> throw_error(std::string text) {
  throw std::runtime_error(text);
  co_return;
}
coro<> hold([[maybe_unused]] counted argument) { co_return; }
coro<> note(journal& log, std::string text) {
  log.push_back(text);
  co_return;
}

coro<long> await_ready_children(int count) {
  long sum = 0;
  for (int index = 0; index < count; ++index) {
    const int one = co_await answer();
    sum += one;
  }
  co_return sum;
}

coro<int> nested(int depth) {
  if (depth == 0) co_return 0;
  const int below = co_await nested(depth - 1);
  co_return below + 1;
}

coro<int> nested_throw(int depth) {
  if (depth == 0) throw std::runtime_error("at the bottom");
  const int below = co_await nested_throw(depth - 1);
  co_return below + 1;
}

coro<int> nested_sleep(int depth) {
  if (depth == 0) {
    co_await sleep(1s);
    co_return 0;
  }
  const int below = co_await nested_sleep(depth - 1);
  co_return below + 1;
}

coro<int> suspend_now_and_then(int index) {
  if (index % 7 == 0) co_await sleep(0s);
  co_return index;
}

struct late_thrower {
  bool armed = true;
  ~late_thrower() noexcept(false) {
    if (armed) throw std::runtime_error("thrown by a destructor");
  }
};

coro<std::string> throw_after_return() {
  const late_thrower thrower;
  co_return "a result that is longer than a small string";
}

}  // namespace

TROUPE_PROGRAM_TEST_CASE("a coroutine gives its value to the one that awaits it") {
  CHECK(testing::run(answer()) == 42);
}

TROUPE_PROGRAM_TEST_CASE("a coroutine of no value can be awaited") {
  testing::run(nothing_at_all());
}

TROUPE_PROGRAM_TEST_CASE("a coroutine can give a value that only moves") {
  auto make = []() -> coro<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
  auto body = [&]() -> coro<int> {
    std::unique_ptr<int> made = co_await make();
    co_return *made;
  };
  CHECK(testing::run(body()) == 7);
}

TROUPE_PROGRAM_TEST_CASE("a coroutine can return what its type converts from") {
  auto make = []() -> coro<std::optional<std::string>> { co_return "text"; };
  auto body = [&]() -> coro<std::string> {
    const auto made = co_await make();
    co_return made.value_or("none");
  };
  CHECK(testing::run(body()) == "text");
}

TROUPE_PROGRAM_TEST_CASE("a coroutine can return a braced value") {
  auto make = []() -> coro<std::tuple<int, std::string>> { co_return {1, "one"}; };
  auto body = [&]() -> coro<std::string> {
    const auto made = co_await make();
    co_return std::get<1>(made);
  };
  CHECK(testing::run(body()) == "one");
}

TROUPE_PROGRAM_TEST_CASE("an exception passes through every awaiting coroutine") {
  auto body = []() -> coro<> { co_await throw_error("deep"); };
  CHECK_THROWS_WITH(testing::run(body()), "deep");
}

TROUPE_PROGRAM_TEST_CASE("an exception can be caught at the await, and life goes on") {
  auto body = []() -> coro<int> {
    try {
      co_await throw_error("deep");
    } catch (const std::runtime_error&) {
    }
    const int value = co_await answer();
    co_return value;
  };
  CHECK(testing::run(body()) == 42);
}

TROUPE_PROGRAM_TEST_CASE("a coroutine does not run before it is awaited") {
  journal log;
  auto body = [&]() -> coro<> {
    auto child = note(log, "child");
    log.push_back("parent");
    co_await child;
  };
  testing::run(body());
  CHECK(log == journal{"parent", "child"});
}

TROUPE_PROGRAM_TEST_CASE("an await of a coroutine that does not suspend is no suspension") {
  journal log;
  auto body = [&]() -> coro<> {
    loop::current()->call_soon([&] { log.push_back("callback"); });
    for (int index = 0; index < 200; ++index) co_await nothing_at_all();
    log.push_back("awaited");
    co_await sleep(0s);
  };
  testing::run(body());
  CHECK(log == journal{"awaited", "callback"});
}

TEST_CASE("a dropped coroutine runs nothing and destroys its arguments") {
  int alive = 0;
  {
    const auto never = hold(counted(alive));
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
}

TROUPE_PROGRAM_TEST_CASE("a coroutine that has run destroys its arguments") {
  int alive = 0;
  testing::run(hold(counted(alive)));
  CHECK(alive == 0);
}

TEST_CASE("a coroutine that was given a new one drops the old one") {
  int alive = 0;
  auto held = hold(counted(alive));
  held = nothing_at_all();
  CHECK(alive == 0);
}

TROUPE_PROGRAM_TEST_CASE("an await of a coroutine that was awaited before is an error") {
  auto body = []() -> coro<> {
    auto child = answer();
    co_await child;
    co_await child;
  };
  CHECK_THROWS_AS(testing::run(body()), invalid_state);
}

TROUPE_PROGRAM_TEST_CASE("an await of a coroutine that was moved from is an error") {
  auto body = []() -> coro<> {
    auto child = answer();
    auto other = std::move(child);
    co_await other;
    co_await child;
  };
  CHECK_THROWS_AS(testing::run(body()), invalid_state);
}

TROUPE_PROGRAM_TEST_CASE("a coroutine that was awaited and then moved cannot be awaited again") {
  auto body = []() -> coro<> {
    auto child = answer();
    co_await child;
    auto moved = std::move(child);
    co_await moved;
  };
  CHECK_THROWS_AS(testing::run(body()), invalid_state);
}

TROUPE_PROGRAM_TEST_CASE("a coroutine that was awaited cannot become a task") {
  auto body = []() -> coro<> {
    auto child = answer();
    co_await child;
    create_task(std::move(child));
  };
  CHECK_THROWS_AS(testing::run(body()), invalid_state);
}

TROUPE_PROGRAM_TEST_CASE("a coroutine that became a task cannot be awaited") {
  auto body = []() -> coro<> {
    auto child = answer();
    const auto made = create_task(std::move(child));
    co_await made;
    co_await child;
  };
  CHECK_THROWS_AS(testing::run(body()), invalid_state);
}

TROUPE_PROGRAM_TEST_CASE(
    "an exception of a destructor after co_return takes the place of the value") {
  CHECK_THROWS_WITH(testing::run(throw_after_return()), "thrown by a destructor");
}

TEST_CASE("five million awaits of a ready child leave the stack as it was") {
  CHECK(testing::run(await_ready_children(5'000'000)) == 42L * 5'000'000);
}

TEST_CASE("a million nested coroutines start and end on a bounded stack") {
  CHECK(testing::run(nested(1'000'000)) == 1'000'000);
}

TEST_CASE("an exception leaves a hundred thousand nested coroutines on a bounded stack") {
  CHECK_THROWS_WITH(testing::run(nested_throw(100'000)), "at the bottom");
}

TEST_CASE("a suspension under a hundred thousand nested coroutines resumes the innermost") {
  CHECK(testing::run(nested_sleep(100'000)) == 100'000);
}

TROUPE_PROGRAM_TEST_CASE("chains of awaits that suspend now and then keep their values") {
  auto body = []() -> coro<long> {
    long sum = 0;
    for (int index = 0; index < 1000; ++index) {
      const int one = co_await suspend_now_and_then(index);
      sum += one;
    }
    co_return sum;
  };
  CHECK(testing::run(body()) == 499'500);
}

TROUPE_PROGRAM_TEST_CASE("many tasks interleave long chains without mixing them up") {
  auto chain = [](int depth, int rest) -> coro<int> {
    const int below = co_await nested(depth);
    co_await sleep(0s);
    const int again = co_await nested(rest);
    co_return below + again;
  };
  auto body = [&]() -> coro<int> {
    std::vector<task<int>> tasks;
    for (int index = 0; index < 100; ++index)
      tasks.push_back(create_task(chain(index, 200 - index)));
    int wrong = 0;
    for (const task<int>& each : tasks) {
      const int sum = co_await each;
      wrong += sum != 200;
    }
    co_return wrong;
  };
  CHECK(testing::run(body()) == 0);
}
