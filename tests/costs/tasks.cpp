// What tasks cost, and what they wait for: nothing of the system, once the pool is warm.
#include <troupe/troupe.hpp>

#include "actors/helpers.hpp"
#include "costs/counting.hpp"
#include "support/catch.hpp"

#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

coro<> nothing() { co_return; }
coro<int> number(int value) { co_return value; }
coro<> take(lock& from, int count) {
  for (int times = 0; times < count; ++times) {
    const auto held = co_await from.scoped();
    co_await sleep(0s);
  }
}
coro<> put(queue<int>& into, int count) {
  for (int value = 0; value < count; ++value) co_await into.put(value);
}

/// What one of the operations costs that `act` does, alone on a loop on virtual time.
template <class Act>
cost measured(const Act& act) {
  auto body = [](const Act& given) -> coro<cost> { co_return co_await cost_of(given); };
  return testing::run(body(act));
}

}  // namespace

TEST_CASE("a coroutine that is awaited takes a block for its frame") {
  const cost each = measured([](int count) -> coro<> {
    for (int times = 0; times < count; ++times) {
      if (co_await number(times) != times) fail("another number");
    }
  });
  CAPTURE(each);
  // clang may do without, where it sees the whole life of the frame.
  CHECK((costs(each, {.blocks = 1}) || costs(each, {})));
}

TEST_CASE("sleeping takes no memory") {
  const cost each = measured([](int count) -> coro<> {
    for (int times = 0; times < count; ++times) co_await sleep(1s);
  });
  CAPTURE(each);
  CHECK(costs(each, {}));
}

TEST_CASE("a task takes two blocks, for itself and for its coroutine, and nothing of the system") {
  const cost each = measured([](int count) -> coro<> {
    for (int times = 0; times < count; ++times) {
      auto made = create_task(nothing());
      co_await made;
    }
  });
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 2}));
}

TEST_CASE("putting into a queue and getting from it takes no memory") {
  queue<int> numbers(4);
  const cost each = measured([&](int count) -> coro<> {
    auto putting = create_task(put(numbers, count));
    for (int times = 0; times < count; ++times) {
      if (co_await numbers.get() != times) fail("another number");
    }
    co_await putting;
  });
  CAPTURE(each);
  CHECK(costs(each, {}));
}

TEST_CASE("a lock takes no memory, whoever waits for it") {
  const cost each = measured([](int count) -> coro<> {
    lock door;
    auto other = create_task(take(door, count));
    co_await take(door, count);
    co_await other;
  });
  CAPTURE(each);
  CHECK(costs(each, {}));
}

TEST_CASE("a time limit takes blocks for its coroutines, and nothing of the system") {
  const cost each = measured([](int count) -> coro<> {
    for (int times = 0; times < count; ++times) co_await timeout(1s, sleep(1ms));
  });
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 3}));
}

TEST_CASE("a promise and its future take one block") {
  const cost each = measured([](int count) -> coro<> {
    for (int times = 0; times < count; ++times) {
      promise<int> given;
      auto waited = given.get_future();
      given.set_value(times);
      if (co_await waited != times) fail("another number");
    }
  });
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 1}));
}

TEST_CASE("a call later takes one block") {
  const cost each = measured([](int count) -> coro<> {
    int called = 0;
    for (int times = 0; times < count; ++times)
      loop::current()->call_later(1ms, [&called] { ++called; });
    co_await sleep(2ms);
    if (called != count) fail("a call was lost");
  });
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 1}));
}

TEST_CASE("a gather of two takes blocks for both tasks, and nothing of the system") {
  const cost each = measured([](int count) -> coro<> {
    for (int times = 0; times < count; ++times) co_await gather(nothing(), nothing());
  });
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 6}));
}

TEST_CASE(
    "a task group takes blocks for itself, its tasks and the coroutines, and nothing of the "
    "system") {
  const cost each = measured([](int count) -> coro<> {
    for (int times = 0; times < count; ++times) {
      task_group group;
      const auto body = [](task_group& in) -> coro<> {
        in.create_task(nothing());
        co_return;
      };
      co_await group.run(body);
    }
  });
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 7}));
}
