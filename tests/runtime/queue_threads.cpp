// Queues between threads, and between loops. Nothing here depends on who is quicker.
#include <troupe/runtime/queue.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr int each_puts = 400;

/// What several threads and tasks have taken.
class takings {
 public:
  explicit takings(int expected) : counts_(static_cast<std::size_t>(expected)) {}
  void note(int item) { counts_[static_cast<std::size_t>(item)].fetch_add(1); }
  bool each_once() const {
    return std::all_of(counts_.begin(), counts_.end(), [](auto& count) { return count == 1; });
  }

 private:
  std::vector<std::atomic<int>> counts_;
};

coro<> put_range(queue<int>& into, int from) {
  for (int item = from; item < from + each_puts; ++item) co_await into.put(item);
}

coro<> take_all(queue<int>& from, takings& taken) {
  try {
    for (;;) {
      taken.note(co_await from.get());
      from.task_done();
    }
  } catch (const queue_shutdown&) {
  }
}

void take_all_blocking(queue<int>& from, takings& taken) {
  try {
    for (;;) {
      taken.note(from.get_blocking());
      from.task_done();
    }
  } catch (const queue_shutdown&) {
  }
}

coro<> take_with(queue<int>& from, std::vector<int>& taken) {
  taken.push_back(co_await from.get());
}

/// A loop on a thread of its own.
class loop_thread {
 public:
  explicit loop_thread(coro<> body)
      : thread_([this, given = std::move(body)]() mutable {
          run_options options = real_time(log_);
          troupe::run(std::move(given), options);
        }) {}
  ~loop_thread() { thread_.join(); }

 private:
  failure_log log_;
  std::thread thread_;
};

}  // namespace

TEST_CASE("threads and two loops put and get, and every item arrives once") {
  queue<int> items(8);
  takings taken(4 * each_puts);
  {
    std::vector<std::thread> threads;
    {
      const loop_thread getting(take_all(items, taken));
      const loop_thread other_getting(take_all(items, taken));
      {
        const loop_thread putting(put_range(items, 0));
        const loop_thread other_putting(put_range(items, each_puts));
        for (int number = 2; number < 4; ++number) {
          threads.emplace_back([&items, number] {
            for (int item = 0; item < each_puts; ++item)
              items.put_blocking(number * each_puts + item);
          });
          threads.emplace_back([&] { take_all_blocking(items, taken); });
        }
      }
      threads[0].join();
      threads[2].join();
      auto joined = [&]() -> coro<> { co_await items.join(); };
      failure_log log;
      troupe::run(joined(), real_time(log));
      items.shutdown();
    }
    threads[1].join();
    threads[3].join();
  }
  CHECK(taken.each_once());
  CHECK(items.empty());
}

TEST_CASE("a queue of one place carries items between two loops and back") {
  queue<int> there(1);
  queue<int> back(1);
  auto echo = [&]() -> coro<> {
    for (int count = 0; count < each_puts; ++count) {
      const int item = co_await there.get();
      co_await back.put(item);
    }
  };
  auto ask = [&]() -> coro<int> {
    int right = 0;
    for (int count = 0; count < each_puts; ++count) {
      co_await there.put(count);
      if (co_await back.get() == count) ++right;
    }
    co_return right;
  };
  failure_log log;
  const loop_thread other(echo());
  CHECK(troupe::run(ask(), real_time(log)) == each_puts);
}

TEST_CASE("a shutdown wakes the threads that are blocked") {
  queue<int> empty;
  queue<int> full(1);
  full.put_nowait(1);
  std::atomic<int> ended{0};
  std::vector<std::thread> threads;
  for (int number = 0; number < 3; ++number) {
    threads.emplace_back([&] {
      try {
        empty.get_blocking();
      } catch (const queue_shutdown&) {
        ++ended;
      }
    });
    threads.emplace_back([&] {
      try {
        full.put_blocking(2, 1h);
      } catch (const queue_shutdown&) {
        ++ended;
      }
    });
  }
  empty.shutdown();
  full.shutdown();
  for (auto& each : threads) each.join();
  CHECK(ended == 6);
  CHECK(full.size() == 1);
}

TEST_CASE("a blocking end gives up when its time has passed") {
  queue<int> items(1);
  for (const auto timeout : {-1ms, 0ms, 2ms}) {
    const time_point before = clock::now();
    CHECK_FALSE(items.get_blocking(timeout));
    CHECK(items.put_blocking(1, timeout));
    CHECK_FALSE(items.put_blocking(2, timeout));
    CHECK(items.get_blocking(timeout) == 1);
    CHECK(clock::now() - before >= 2 * timeout);
  }
  items.put_blocking(3);
  CHECK(items.get_blocking(infinite) == 3);
}

TROUPE_PROGRAM_TEST_CASE("a blocking call on a loop's thread is an error that says what to do") {
  queue<int> items;
  auto body = [&]() -> coro<> {
    CHECK_THROWS_AS(items.get_blocking(), invalid_state);
    CHECK_THROWS_AS(items.get_blocking(1s), invalid_state);
    CHECK_THROWS_AS(items.put_blocking(1), invalid_state);
    CHECK_THROWS_WITH(items.get_blocking(), Catch::Contains("co_await get() instead"));
    co_return;
  };
  testing::run(body());
}

TEST_CASE("timeouts of blocking ends that race with puts lose no item") {
  queue<int> items(1);
  takings taken(each_puts);
  std::atomic<int> got{0};
  std::vector<std::thread> threads;
  for (int number = 0; number < 2; ++number) {
    threads.emplace_back([&] {
      while (got < each_puts) {
        if (auto item = items.get_blocking(20us)) {
          taken.note(*item);
          ++got;
        }
      }
    });
  }
  for (int item = 0; item < each_puts; ++item) {
    while (!items.put_blocking(item, 20us)) {
    }
  }
  for (auto& each : threads) each.join();
  CHECK(taken.each_once());
}

TEST_CASE("getters cancelled while another thread wakes them lose no item") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    INFO("seed " << seed);
    queue<int> items(2);
    std::vector<int> taken;
    std::thread putter([&] {
      for (int item = 0; item < each_puts; ++item) items.put_blocking(item);
    });
    auto body = [&]() -> coro<> {
      random_numbers random(seed);
      while (taken.size() < each_puts) {
        std::vector<task<>> getters;
        for (std::size_t left = 1 + random.below(4); left != 0; --left)
          getters.push_back(create_task(take_with(items, taken)));
        co_await rounds(static_cast<int>(random.below(4)));
        for (const auto& each : getters) each.cancel();
        for (const auto& each : getters) co_await ending(each);
      }
    };
    failure_log log;
    troupe::run(body(), real_time(log));
    putter.join();
    std::vector<int> expected(each_puts);
    std::iota(expected.begin(), expected.end(), 0);
    std::sort(taken.begin(), taken.end());
    CHECK(taken == expected);
    CHECK(items.empty());
  }
}

TEST_CASE("putters cancelled while another thread makes room double no item") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    INFO("seed " << seed);
    queue<int> items(1);
    std::vector<int> put;
    std::vector<int> taken;
    std::thread getter([&] {
      try {
        for (;;) taken.push_back(items.get_blocking());
      } catch (const queue_shutdown&) {
      }
    });
    auto put_one = [&](int item) -> coro<> {
      co_await items.put(item);
      put.push_back(item);
    };
    auto body = [&]() -> coro<> {
      random_numbers random(seed);
      for (int item = 0; item < each_puts;) {
        std::vector<task<>> putters;
        for (std::size_t left = 1 + random.below(4); left != 0; --left)
          putters.push_back(create_task(put_one(item++)));
        co_await rounds(static_cast<int>(random.below(4)));
        for (const auto& each : putters) each.cancel();
        for (const auto& each : putters) co_await ending(each);
      }
    };
    failure_log log;
    troupe::run(body(), real_time(log));
    items.shutdown();
    getter.join();
    std::sort(put.begin(), put.end());
    std::sort(taken.begin(), taken.end());
    CHECK(taken == put);
  }
}

TEST_CASE("a loop that ends while others put into its queue leaves the items there") {
  for (int round = 0; round < 10; ++round) {
    queue<int> items;
    std::vector<int> taken;
    auto leave_waiting = [&]() -> coro<> {
      for (int count = 0; count < 3; ++count) create_task(take_with(items, taken));
      co_await sleep(0s);
    };
    {
      const loop_thread ending_soon(leave_waiting());
      for (int item = 0; item < 20; ++item) items.put_blocking(item);
    }
    while (auto left = items.get_blocking(0s)) taken.push_back(*left);
    std::sort(taken.begin(), taken.end());
    std::vector<int> expected(20);
    std::iota(expected.begin(), expected.end(), 0);
    CHECK(taken == expected);
  }
}

TEST_CASE("a queue that is destroyed on one thread ends the waits on another") {
  for (int round = 0; round < 20; ++round) {
    std::atomic<bool> waits{false};
    auto items = std::make_unique<queue<int>>();
    std::atomic<int> ended{0};
    auto wait = [&, from = items.get()]() -> coro<> {
      auto one = [&, from]() -> coro<> {
        try {
          co_await from->get();
        } catch (const queue_shutdown&) {
          ++ended;
        }
      };
      const auto first = create_task(one());
      const auto second = create_task(one());
      co_await sleep(0s);
      waits = true;
      co_await first;
      co_await second;
    };
    {
      const loop_thread waiting(wait());
      while (!waits) std::this_thread::yield();
      items->put_nowait(1);
      items.reset();
    }
    CHECK(ended >= 1);
  }
}
