#include <troupe/runtime/queue.hpp>

#include "runtime/brute_force.hpp"
#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

template <class Queue>
coro<> put_one(Queue& into, typename Queue::value_type item) {
  co_await into.put(std::move(item));
}
template <class Queue>
coro<> get_and_drop(Queue& from) {
  co_await from.get();
}
template <class Queue>
coro<> join_of(Queue& awaited) {
  co_await awaited.join();
}

/// How a task ended: "shutdown", or as `ending` says.
coro<std::string> end_of(task<> awaited) {
  try {
    co_await awaited;
  } catch (const queue_shutdown&) {
    co_return "shutdown";
  } catch (const cancelled&) {
    co_return "cancelled";
  }
  co_return "value";
}

/// An item that throws when it is moved for the last time that is `left`.
struct brittle {
  explicit brittle(int& moves_left) : left(&moves_left) {}
  brittle(brittle&& other) : left(other.left) {
    if (--*left == 0) throw std::runtime_error("broken in transit");
  }
  brittle& operator=(brittle&&) = default;
  int* left;
};

struct text_item {
  std::string text;
  int number = 0;
};

}  // namespace

TROUPE_PROGRAM_TEST_CASE("a graceful shutdown ends puts and leaves what is there", "[queue-19]") {
  queue<std::string> items(1);
  items.put_nowait("data");
  auto body = [&]() -> coro<> {
    const auto putter = create_task(put_one(items, "data2"));
    const auto joined = create_task(join_of(items));
    co_await sleep(0s);
    items.shutdown();
    const std::string taken = co_await items.get();
    CHECK(taken == "data");
    const std::string how = co_await end_of(putter);
    CHECK(how == "shutdown");
    const std::string late = co_await end_of(create_task(get_and_drop(items)));
    CHECK(late == "shutdown");
    CHECK_THROWS_AS(items.get_nowait(), queue_shutdown);
    CHECK_THROWS_AS(items.put_nowait("more"), queue_shutdown);
    CHECK_FALSE(items.try_get());
    CHECK_FALSE(items.try_put("more"));
    co_await rounds(3);
    CHECK_FALSE(joined.done());
    items.task_done();
    co_await joined;
    CHECK_THROWS_AS(items.task_done(), std::invalid_argument);
  };
  testing::run(body());
  CHECK(items.is_shutdown());
}

TROUPE_PROGRAM_TEST_CASE("an immediate shutdown writes off what was not taken only", "[queue-21]") {
  queue<int> items;
  items.put_nowait(1);
  items.put_nowait(2);
  items.get_nowait();
  auto body = [&]() -> coro<> {
    const auto joined = create_task(join_of(items));
    co_await sleep(0s);
    items.shutdown(true);
    CHECK(items.empty());
    co_await rounds(3);
    CHECK_FALSE(joined.done());
    items.task_done();
    co_await joined;
    CHECK_THROWS_AS(items.task_done(), std::invalid_argument);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("an immediate shutdown of what nobody took ends a join") {
  queue<int> items;
  items.put_nowait(1);
  auto body = [&]() -> coro<> {
    const auto joined = create_task(join_of(items));
    co_await sleep(0s);
    items.shutdown(true);
    co_await joined;
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a getter cancelled in the step of the shutdown ends cancelled",
                         "[queue-23]") {
  queue<int> items;
  auto body = [&]() -> coro<> {
    const auto getter = create_task(get_and_drop(items));
    const auto other = create_task(get_and_drop(items));
    co_await sleep(0s);
    items.shutdown();
    getter.cancel();
    std::string how = co_await end_of(getter);
    CHECK(how == "cancelled");
    how = co_await end_of(other);
    CHECK(how == "shutdown");
    items.shutdown();
    items.shutdown(true);
    how = co_await end_of(create_task(get_and_drop(items)));
    CHECK(how == "shutdown");
  };
  testing::run(body());
}

TEST_CASE("a shutdown drops items that may use the queue when they go") {
  struct asks {
    explicit asks(queue<std::unique_ptr<asks>>& given) : from(&given) {}
    ~asks() { static_cast<void>(from->size()); }
    queue<std::unique_ptr<asks>>* from;
  };
  queue<std::unique_ptr<asks>> items;
  items.put_nowait(std::make_unique<asks>(items));
  items.shutdown(true);
  CHECK(items.empty());
}

TEST_CASE("a queue that is destroyed ends the waits of tasks") {
  auto body = []() -> coro<> {
    auto items = std::make_unique<queue<int>>(1);
    auto full = std::make_unique<queue<int>>(1);
    full->put_nowait(1);
    const auto getter = create_task(get_and_drop(*items));
    const auto woken = create_task(get_and_drop(*items));
    const auto gone = create_task(get_and_drop(*items));
    const auto putter = create_task(put_one(*full, 2));
    const auto joined = create_task(join_of(*full));
    co_await sleep(0s);
    items->put_nowait(1);
    items.reset();
    full.reset();
    gone.cancel();
    for (const auto& each : {getter, woken, putter, joined}) {
      const std::string how = co_await end_of(each);
      CHECK(how == "shutdown");
    }
    const std::string how = co_await end_of(gone);
    CHECK(how == "cancelled");
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("items that cannot be copied, and aggregates, go through") {
  auto body = []() -> coro<> {
    queue<std::unique_ptr<int>> pointers(1);
    co_await pointers.put(std::make_unique<int>(7));
    auto refused = std::make_unique<int>(8);
    CHECK_FALSE(pointers.try_put(std::move(refused)));
    CHECK(refused != nullptr);
    const auto taken = co_await pointers.get();
    CHECK(*taken == 7);
    queue<text_item> texts;
    text_item named{"a text that is too long to be kept in place", 1};
    co_await texts.put(std::move(named));
    const text_item item = co_await texts.get();
    CHECK(item.number == 1);
    priority_queue<std::unique_ptr<int>> ordered;
    for (const int number : {5, 2, 4}) co_await ordered.put(std::make_unique<int>(number));
    CHECK(ordered.size() == 3);
  };
  testing::run(body());
}

TEST_CASE("an item that cannot be moved stays, and the error reaches who wanted it") {
  int left = -1;
  queue<brittle> items(1);
  auto body = [&]() -> coro<> {
    items.put_nowait(brittle(left));
    left = 1;
    std::string how = co_await ending(create_task(get_and_drop(items)));
    CHECK(how == "error: broken in transit");
    CHECK(items.size() == 1);
    left = 1;
    CHECK_THROWS_AS(items.try_get(), std::runtime_error);
    left = -1;
    static_cast<void>(items.get_nowait());
    // A getter that fails hands the item on to the next one.
    const auto first = create_task(get_and_drop(items));
    const auto second = create_task(get_and_drop(items));
    co_await sleep(0s);
    items.put_nowait(brittle(left));
    left = 1;
    how = co_await ending(first);
    CHECK(how == "error: broken in transit");
    co_await second;
    CHECK(items.empty());
  };
  testing::run(body());
}

TEST_CASE("every item is destroyed once, wherever it ends") {
  int alive = 0;
  {
    queue<counted> items;
    lifo_queue<counted> youngest;
    for (int count = 0; count < 100; ++count) {
      items.put_nowait(counted(alive));
      youngest.put_nowait(counted(alive));
      if (count % 3 == 0) static_cast<void>(items.get_nowait());
    }
    static_cast<void>(youngest.get_nowait());
    CHECK(alive == 66 + 99);
    youngest.shutdown(true);
    CHECK(alive == 66);
  }
  CHECK(alive == 0);
}

TEST_CASE("a priority queue keeps the order of equal items, by any comparison") {
  struct first_larger {
    bool operator()(const std::pair<int, int>& a, const std::pair<int, int>& b) const {
      return a.first > b.first;
    }
  };
  random_numbers random(7);
  priority_queue<std::pair<int, int>, first_larger> items;
  std::vector<std::pair<int, int>> expected;
  for (int number = 0; number < 500; ++number) {
    expected.emplace_back(static_cast<int>(random.below(10)), number);
    items.put_nowait(expected.back());
  }
  std::stable_sort(expected.begin(), expected.end(), first_larger());
  std::vector<std::pair<int, int>> taken;
  while (auto item = items.try_get()) taken.push_back(*item);
  CHECK(taken == expected);
}

TEST_CASE("a comparison that throws leaves a priority queue as it was") {
  struct may_throw {
    bool* throws;
    bool operator()(int a, int b) const {
      if (*throws) throw std::runtime_error("not comparable");
      return a < b;
    }
  };
  bool throws = false;
  priority_queue<int, may_throw> items(0, may_throw{&throws});
  for (const int item : {4, 2, 5, 1, 3}) items.put_nowait(item);
  throws = true;
  CHECK_THROWS_AS(items.put_nowait(0), std::runtime_error);
  CHECK_THROWS_AS(items.get_nowait(), std::runtime_error);
  CHECK(items.size() == 5);
  throws = false;
  for (const int expected : {1, 2, 3, 4, 5}) CHECK(items.get_nowait() == expected);
}
