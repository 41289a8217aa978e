#include <troupe/runtime/condition.hpp>

#include "runtime/brute_force.hpp"
#include "runtime/helpers.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Consumers of items that come one at a time, each with a single notification: one that is lost leaves a consumer behind.
struct shop {
  condition changed;
  int items = 0;
  int sold = 0;
  int alive = 0;
};

coro<> consume(shop& in, counted) {
  const auto held = co_await in.changed.scoped();
  co_await in.changed.wait_for([&] { return in.items > 0; });
  --in.items;
  ++in.sold;
  co_await sleep(0s);
}

coro<> trade(shop& in) {
  // Eagerly, so that they stand in line in this order, and one more than there are items.
  const task_options a{.name = "a", .eager = true};
  const task_options b{.name = "b", .eager = true};
  const auto first = create_task(consume(in, counted(in.alive)), a);
  const auto second = create_task(consume(in, counted(in.alive)), b);
  const auto third = create_task(consume(in, counted(in.alive)));
  co_await sleep(0s);
  for (int item = 0; item < 2; ++item) {
    const auto held = co_await in.changed.scoped();
    ++in.items;
    in.changed.notify();
    co_await sleep(0s);
  }
  co_await sleep(1s);
  const int done = first.done() + second.done() + third.done();
  CHECK(done >= 2);
  CHECK((in.items == 0 || done == 3));  // no item is left while somebody waits for one
  third.cancel();
  second.cancel();
  first.cancel();
}

void check_shop(shop& in) {
  CHECK_FALSE(in.changed.locked());
  CHECK(in.changed.try_acquire());
  CHECK(in.alive == 0);
  CHECK(in.items + in.sold == 2);
}

}  // namespace

TEST_CASE("no notification is lost when a consumer is cancelled at any point, once or twice") {
  for (const char* victim : {"a", "b"}) {
    for (const bool twice : {false, true}) {
      for (const bool for_good : {false, true}) {
        brute_force_options options;
        options.victim = victim;
        options.twice = twice;
        options.for_good = for_good;
        CHECK(for_each_cancellation<shop>(trade, check_shop, options) > 5);
      }
    }
  }
}

TEST_CASE("a condition survives that the frames of those that wait are destroyed, and its own") {
  CHECK(for_each_abandonment<shop>(trade, [](shop& in) {
          CHECK_FALSE(in.changed.locked());
          CHECK(in.alive == 0);
        }) > 5);
  struct nothing {};
  static constexpr auto wait_twice = [](condition& awaited) -> coro<> {
    const auto held = co_await awaited.scoped();
    co_await awaited.wait();
    co_await sleep(0s);
    co_await awaited.wait();
  };
  auto owner = [](nothing&) -> coro<> {
    condition c;
    const auto a = create_task(wait_twice(c));
    const auto b = create_task(wait_twice(c));
    for (int turn = 0; turn < 8; ++turn) {
      co_await sleep(0s);
      const auto held = co_await c.scoped();
      c.notify(turn % 3);
      co_await sleep(0s);
    }
    co_await gather(a, b);
  };
  auto shared_owner = [](nothing&) -> coro<> {
    lock outer;
    const auto b = create_task([](lock& given) -> coro<> {
      condition c(given);
      const auto a = create_task(wait_twice(c));
      for (int turn = 0; turn < 8; ++turn) {
        co_await sleep(0s);
        const auto held = co_await c.scoped();
        c.notify();
        co_await sleep(0s);
      }
      co_await a;
    }(outer));
    co_await b;
  };
  CHECK(for_each_abandonment<nothing>(owner, [](nothing&) {}) > 5);
  CHECK(for_each_abandonment<nothing>(shared_owner, [](nothing&) {}) > 5);
}
