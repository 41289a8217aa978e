#include <troupe/runtime/queue.hpp>

#include "runtime/brute_force.hpp"
#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

template <class Queue>
coro<> get_into(Queue& from, std::vector<int>& log) {
  log.push_back(co_await from.get());
}

coro<int> get_one(queue<int>& from) { co_return co_await from.get(); }

template <class Queue>
coro<> put_one(Queue& into, int item) {
  co_await into.put(item);
}

coro<> put_all(queue<int>& into, int from, int to) {
  for (; from < to; ++from) co_await into.put(from);
}

coro<> join_of(queue<int>& awaited) { co_await awaited.join(); }

template <class Queue>
std::vector<int> drain(Queue& from) {
  std::vector<int> taken;
  while (auto item = from.try_get()) taken.push_back(*item);
  return taken;
}

/// What came out of and is left in a queue, to see that nothing is lost or doubled.
struct traffic {
  queue<int> items{1};
  std::vector<int> taken;
  std::vector<int> put;
};

coro<> put_and_note(traffic& with, int item) {
  co_await with.items.put(item);
  with.put.push_back(item);
}

void expect_conserved(traffic& with) {
  for (const int left : drain(with.items)) with.taken.push_back(left);
  std::sort(with.taken.begin(), with.taken.end());
  std::sort(with.put.begin(), with.put.end());
  CHECK(with.taken == with.put);
}

}  // namespace

TEST_CASE("items come out in the order they went in, and the sizes agree", "[queue-01]") {
  queue<int> unbounded;
  queue<int> one(1);
  CHECK(unbounded.empty());
  CHECK(unbounded.maxsize() == 0);
  CHECK(one.maxsize() == 1);
  for (const int item : {1, 3, 2}) {
    unbounded.put_nowait(item);
    CHECK_FALSE(unbounded.full());
    CHECK_FALSE(one.full());
    one.put_nowait(item);
    CHECK(one.full());
    CHECK(one.size() == 1);
    CHECK(one.get_nowait() == item);
    CHECK(one.empty());
  }
  CHECK(unbounded.size() == 3);
  CHECK(drain(unbounded) == std::vector<int>{1, 3, 2});
  CHECK(unbounded.size() == 0);
}

TEST_CASE("a priority queue gives the smallest first, a lifo queue the youngest", "[queue-01]") {
  priority_queue<int> smallest;
  lifo_queue<int> youngest;
  for (const int item : {1, 3, 2}) {
    smallest.put_nowait(item);
    youngest.put_nowait(item);
  }
  CHECK(drain(smallest) == std::vector<int>{1, 2, 3});
  CHECK(drain(youngest) == std::vector<int>{2, 3, 1});
}

TEST_CASE("what does not wait throws instead, and needs no loop", "[queue-03]") {
  queue<int> one(1);
  CHECK_THROWS_AS(one.get_nowait(), queue_empty);
  CHECK_FALSE(one.try_get());
  one.put_nowait(1);
  CHECK_THROWS_AS(one.put_nowait(2), queue_full);
  CHECK_FALSE(one.try_put(2));
  CHECK(one.get_nowait() == 1);
  CHECK(one.try_put(3));
  CHECK(one.try_get() == 3);
}

TROUPE_PROGRAM_TEST_CASE("a queue of size zero or less takes any number", "[queue-03]") {
  for (const int maxsize : {0, -1}) {
    queue<int> unbounded(maxsize);
    auto body = [&]() -> coro<bool> {
      bool other_ran = false;
      loop::current()->call_soon([&] { other_ran = true; });
      for (int item = 0; item < 1000; ++item) co_await unbounded.put(item);
      const bool suspended = other_ran;
      co_await sleep(1ms);
      co_return suspended;
    };
    CHECK_FALSE(testing::run(body()));
    CHECK(unbounded.size() == 1000);
    CHECK_FALSE(unbounded.full());
  }
}

TROUPE_PROGRAM_TEST_CASE("a getter that waits is given what is put later", "[queue-05]") {
  queue<int> items;
  auto body = [&]() -> coro<int> {
    const auto getter = create_task(get_one(items));
    loop::current()->call_later(10ms, [&] { items.put_nowait(1); });
    co_return co_await getter;
  };
  CHECK(testing::run(body()) == 1);
}

TROUPE_PROGRAM_TEST_CASE("a putter that waits goes on when there is room", "[queue-05]") {
  queue<int> items(1);
  int taken = 0;
  auto body = [&]() -> coro<> {
    const auto putter = create_task(put_all(items, 1, 3));
    loop::current()->call_later(10ms, [&] { taken = items.get_nowait(); });
    co_await putter;
  };
  testing::run(body());
  CHECK(taken == 1);
  CHECK(drain(items) == std::vector<int>{2});
}

TROUPE_PROGRAM_TEST_CASE("a newcomer may take the item that woke a getter, which waits on",
                         "[queue-07]") {
  queue<int> items;
  auto body = [&]() -> coro<int> {
    const auto getter = create_task(get_one(items));
    co_await sleep(0s);
    items.put_nowait(1);
    const int mine = items.get_nowait();
    co_await rounds(2);
    if (mine != 1 || getter.done()) throw std::logic_error("the item was kept for the getter");
    items.put_nowait(2);
    co_return co_await getter;
  };
  CHECK(testing::run(body()) == 2);
}

TROUPE_PROGRAM_TEST_CASE("an item that woke a getter cancelled meanwhile is not dropped",
                         "[queue-09]") {
  queue<int> items;
  auto body = [&]() -> coro<int> {
    const auto getter = create_task(get_one(items));
    co_await sleep(0s);
    items.put_nowait(1);
    items.put_nowait(2);
    getter.cancel();
    const std::string how = co_await ending(getter);
    if (how == "cancelled") co_return co_await items.get();
    co_return getter.result();
  };
  CHECK(testing::run(body()) == 1);
  CHECK(drain(items) == std::vector<int>{2});
}

TEST_CASE("a getter cancelled after it was woken wakes the next one", "[queue-09]") {
  queue<int> items;
  auto body = [&]() -> coro<int> {
    const auto first = create_task(get_one(items));
    const auto second = create_task(get_one(items));
    co_await sleep(0s);
    items.put_nowait(1);
    first.cancel();
    first.cancel();
    const int taken = co_await second;
    if (!first.cancelled()) throw std::logic_error("the first was not cancelled");
    co_return taken;
  };
  CHECK(testing::run(body()) == 1);
}

TROUPE_PROGRAM_TEST_CASE("a putter cancelled after there was room puts nothing", "[queue-11]") {
  queue<int> items(1);
  items.put_nowait(1);
  auto body = [&]() -> coro<std::string> {
    const auto writer = create_task(put_one(items, 2));
    co_await sleep(0s);
    items.get_nowait();
    writer.cancel();
    std::string how = co_await ending(writer);
    if (!items.empty()) throw std::logic_error("the item of a cancelled put is there");
    co_await items.put(2);
    co_return how;
  };
  CHECK(testing::run(body()) == "cancelled");
  CHECK(drain(items) == std::vector<int>{2});
}

TROUPE_PROGRAM_TEST_CASE("a producer and a consumer of one place take turns", "[queue-13]") {
  queue<int> items(1);
  std::vector<int> taken;
  auto body = [&]() -> coro<> {
    const auto producer = create_task(put_all(items, 0, 5));
    for (int count = 0; count < 5; ++count) taken.push_back(co_await items.get());
    co_await producer;
  };
  testing::run(body());
  CHECK(taken == std::vector<int>{0, 1, 2, 3, 4});
  CHECK(items.empty());
}

TEMPLATE_TEST_CASE("a queue that was never used is done, and task_done too much", "[queue-15]",
                   queue<int>, priority_queue<int>, lifo_queue<int>) {
  TestType items;
  CHECK_THROWS_AS(items.task_done(), std::invalid_argument);
  auto body = [&]() -> coro<bool> {
    bool other_ran = false;
    loop::current()->call_soon([&] { other_ran = true; });
    co_await items.join();
    co_await items.join();
    const bool suspended = other_ran;
    co_await sleep(0s);
    co_return suspended;
  };
  CHECK_FALSE(testing::run(body()));
}

TEST_CASE("a join that was woken ends although an item has come meanwhile", "[queue-17]") {
  queue<int> items;
  items.put_nowait(1);
  auto body = [&]() -> coro<> {
    const auto joined = create_task(join_of(items));
    co_await sleep(0s);
    items.get_nowait();
    items.task_done();
    items.put_nowait(2);
    co_await joined;
    const auto later = create_task(join_of(items));
    co_await rounds(3);
    if (later.done()) throw std::logic_error("a join did not wait for the new item");
    items.task_done();
    co_await later;
  };
  testing::run(body());
}

TEST_CASE("getters are served in the order they came") {
  queue<int> items;
  std::vector<int> order;
  auto getter = [&](int number) -> coro<> {
    co_await items.get();
    order.push_back(number);
  };
  auto body = [&]() -> coro<> {
    const auto all = gather(getter(0), getter(1), getter(2), put_all(items, 0, 3));
    co_await all;
  };
  testing::run(body());
  CHECK(order == std::vector<int>{0, 1, 2});
}

TEST_CASE("a get that is cancelled anywhere loses no item") {
  brute_force_options options;
  options.victim = "getter";
  options.most_rounds = 100;
  for (const bool twice : {false, true}) {
    options.twice = twice;
    const int runs = for_each_cancellation<traffic>(
        [](traffic& with) -> coro<> {
          auto getting = [](traffic& from) -> coro<> {
            for (int count = 0; count < 3; ++count) from.taken.push_back(co_await from.items.get());
          };
          const auto getter = create_task(getting(with), {.name = "getter"});
          co_await rounds(2);
          const auto first = create_task(put_and_note(with, 1));
          const auto second = create_task(put_and_note(with, 2));
          co_await rounds(3);
          const auto last = create_task(put_and_note(with, 3));
          co_await ending(getter);
          while (!first.done() || !second.done() || !last.done()) {
            if (auto item = with.items.try_get()) with.taken.push_back(*item);
            co_await rounds(1);
          }
        },
        expect_conserved, options);
    CHECK(runs > 3);
  }
}

TEST_CASE("a put that is cancelled anywhere neither loses nor doubles its item") {
  for (const bool twice : {false, true}) {
    brute_force_options options;
    options.twice = twice;
    const int runs = for_each_cancellation<traffic>(
        [](traffic& with) -> coro<> {
          auto taker = [](traffic& from) -> coro<> {
            for (int count = 0; count < 2; ++count) {
              co_await rounds(1);
              if (auto item = from.items.try_get()) from.taken.push_back(*item);
            }
          };
          create_task(taker(with));
          for (const int item : {1, 2, 3}) co_await put_and_note(with, item);
        },
        expect_conserved, options);
    CHECK(runs > 3);
  }
}

TEST_CASE("a loop that is abandoned takes the waits of a queue with it") {
  for_each_abandonment<traffic>(
      [](traffic& with) -> coro<> {
        create_task(get_one(with.items));
        create_task(get_one(with.items));
        create_task(join_of(with.items));
        co_await rounds(2);
        co_await put_all(with.items, 0, 3);
      },
      [](traffic& with) { with.items.shutdown(); });
}

TEST_CASE("a loop that is abandoned may destroy a queue before those who wait in it") {
  for_each_abandonment<traffic>(
      [](traffic&) -> coro<> {
        queue<int> mine(1);
        mine.put_nowait(1);
        create_task(join_of(mine));
        create_task(put_one(mine, 2));
        co_await rounds(2);
        mine.get_nowait();
        co_await rounds(1);
        mine.get_nowait();
        create_task(get_one(mine));
        create_task(get_one(mine));
        co_await rounds(2);
        mine.put_nowait(3);
      },
      [](traffic&) {});
}

TEST_CASE("random gets, puts and cancellations leave every item in its place") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    INFO("seed " << seed);
    queue<int> items(2);
    std::vector<int> taken;
    std::vector<int> put;
    auto getter = [&]() -> coro<> { taken.push_back(co_await items.get()); };
    auto putter = [&](int item) -> coro<> {
      co_await items.put(item);
      put.push_back(item);
    };
    auto body = [&]() -> coro<> {
      random_numbers random(seed);
      std::vector<task<>> tasks;
      for (int step = 0; step < 300; ++step) {
        const std::size_t what = random.below(5);
        if (what < 2) tasks.push_back(create_task(getter()));
        if (what == 2 || what == 3) tasks.push_back(create_task(putter(step)));
        if (what == 4 && !tasks.empty()) tasks[random.below(tasks.size())].cancel();
        if (random.below(3) == 0) co_await sleep(0s);
      }
      co_await rounds(10);
      for (const auto& each : tasks) each.cancel();
    };
    testing::run(body());
    while (auto left = items.try_get()) taken.push_back(*left);
    std::sort(put.begin(), put.end());
    std::sort(taken.begin(), taken.end());
    CHECK(taken == put);
  }
}
