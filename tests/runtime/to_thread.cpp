// asyncio's rules for to_thread and its pool, as `conformance/asyncio.md` numbers them; thread-07 is in threadsafe.cpp.
#include <troupe/runtime/to_thread.hpp>

#include <troupe/runtime/context.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>
#include <troupe/runtime/thread_pool.hpp>

#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include <string>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// What a job of a thread waits at until the test opens it.
class gate {
 public:
  void open() {
    const std::scoped_lock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    ++reached_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
  }
  void wait_reached(int times = 1) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return reached_ >= times; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int reached_ = 0;
};

}  // namespace

TEST_CASE("a call on a thread gets its arguments and gives its result while the loop goes on",
          "[thread-01]") {
  failure_log log;
  auto body = []() -> coro<> {
    std::atomic<int> calls{0};
    std::thread::id there;
    gate held;
    auto sum = [&](int a, int b, std::unique_ptr<int> c) {
      held.pass();
      ++calls;
      there = std::this_thread::get_id();
      CHECK(loop::current() == nullptr);
      return a + b + *c;
    };
    const auto answer = to_thread(sum, 1, 2, std::make_unique<int>(4));
    co_await rounds(3);  // not blocked
    held.open();
    const int value = co_await answer;
    CHECK(value == 7);
    CHECK(calls == 1);
    CHECK(there != std::this_thread::get_id());
  };
  troupe::run(body(), real_time(log));
}

TEST_CASE("an error crosses over from a thread", "[thread-01]") {
  failure_log log;
  auto body = []() -> coro<std::string> {
    auto call = []() -> int { throw std::runtime_error("E"); };
    const auto answer = to_thread(call);
    try {
      co_await answer;
    } catch (const std::runtime_error& error) {
      co_return loop::current() != nullptr ? error.what() : "elsewhere";
    }
    co_return "none";
  };
  CHECK(troupe::run(body(), real_time(log)) == "E");
  CHECK(log.text() == "");
}

TEST_CASE("an error of a thread that nobody looks at is reported", "[thread-01]") {
  failure_log log;
  auto body = []() -> coro<> {
    auto call = [] { throw std::runtime_error("unseen"); };
    static_cast<void>(to_thread(call));
    co_return;
  };
  troupe::run(body(), real_time(log));
  CHECK(log.count("unseen") == 1);
}

TEST_CASE("a thread works on a copy of its caller's context", "[thread-03]") {
  failure_log log;
  context_var<std::string> animal("none");
  auto body = [&]() -> coro<> {
    animal.set("parrot");
    auto call = [&] {
      const std::string seen = animal.get();
      animal.set("other");
      return seen + "," + animal.get();
    };
    const std::string seen = co_await to_thread(call);
    CHECK(seen == "parrot,other");
    CHECK(animal.get() == "parrot");
    auto look = [&] { return animal.get(); };
    const std::string next = co_await to_thread(look);
    CHECK(next == "parrot");
  };
  SECTION("in real time") { troupe::run(body(), real_time(log)); }
  SECTION("on virtual time") { testing::run(body()); }
}

TEST_CASE("a call cancelled before it has begun is never made", "[thread-05]") {
  failure_log log;
  gate held;
  std::atomic<bool> second_ran{false};
  int alive = 0;
  auto first = [&]() -> coro<int> {
    auto call = [&] {
      held.pass();
      return 1;
    };
    co_return co_await to_thread(call);
  };
  auto second = [&]() -> coro<> {
    auto call = [&, mine = counted(alive)] {
      static_cast<void>(mine);
      second_ran = true;
    };
    co_await to_thread(std::move(call));
  };
  auto body = [&]() -> coro<std::string> {
    const auto busy = create_task(first());
    const auto queued = create_task(second());
    co_await sleep(0s);
    held.wait_reached();
    queued.cancel();
    std::string how = co_await ending(queued);
    held.open();
    const int value = co_await busy;
    co_return how + std::to_string(value);
  };
  run_options options = real_time(log);
  options.pool_threads = 1;
  CHECK(troupe::run(body(), options) == "cancelled1");
  CHECK_FALSE(second_ran);
  CHECK(alive == 0);
}

TEST_CASE("a call that is cancelled while it runs goes on, and its result is dropped",
          "[thread-05]") {
  failure_log log;
  gate held;
  std::atomic<bool> ended{false};
  auto call = [&] {
    held.pass();
    ended = true;
    return std::string("a result that is longer than a small string");
  };
  auto body = [&]() -> coro<bool> {
    const auto answer = to_thread(call);
    held.wait_reached();
    answer.cancel("enough");
    const bool done = answer.done();
    held.open();
    co_return done;
  };
  CHECK(troupe::run(body(), real_time(log)));
  CHECK(ended);
  CHECK(log.text() == "");
}

TEST_CASE("a pool that has been shut down takes no call", "[thread-09]") {
  failure_log log;
  auto body = []() -> coro<std::string> {
    const bool ended = co_await shutdown_default_executor();
    std::string seen = ended ? "ended, " : "goes on, ";
    try {
      static_cast<void>(to_thread([] {}));
    } catch (const invalid_state&) {
      seen += "refused";
    }
    co_return seen;
  };
  SECTION("in real time") { CHECK(troupe::run(body(), real_time(log)) == "ended, refused"); }
  SECTION("on virtual time") { CHECK(testing::run(body()) == "ended, refused"); }
  SECTION("on a loop of its own") {
    const auto home = loop::open();
    CHECK(home->run_until_complete(body()) == "ended, refused");
  }
}

TEST_CASE("the shutdown of a pool waits for its calls without blocking the loop", "[thread-09]") {
  failure_log log;
  auto body = []() -> coro<> {
    gate held;
    auto call = [&] { held.pass(); };
    const auto busy = to_thread(call);
    held.wait_reached();
    const auto late = shutdown_default_executor(1us);
    const bool in_time = co_await late;
    CHECK_FALSE(in_time);
    const auto ending = shutdown_default_executor();
    co_await rounds(3);
    CHECK_FALSE(ending.done());
    held.open();
    const bool ended = co_await ending;
    CHECK(ended);
    co_await busy;
  };
  troupe::run(body(), real_time(log));
  CHECK(log.text() == "");
}

TEST_CASE("a call belongs to a loop", "[thread-09]") {
  CHECK_THROWS_AS(to_thread([] {}), invalid_state);
}

TEST_CASE("a loop that closes while threads still work for it is not told", "[thread-05]") {
  for (int repeat = 0; repeat < 20; ++repeat) {
    failure_log log;
    thread_pool pool(2);
    gate held;
    int alive = 0;
    {
      loop_options options;
      options.on_failure = log.handler();
      const auto home = loop::open(std::move(options));
      auto caller = [&](counted) -> coro<> {
        auto call = [&] {
          held.pass();
          return std::string("a result that is longer than a small string");
        };
        co_await to_thread(pool, call);
      };
      for (int index = 0; index < 4; ++index) create_task(*home, caller(counted(alive)));
      home->call_soon([&] {
        held.wait_reached(0);
        home->stop();
      });
      home->run_forever();
      home->close();
    }
    CHECK(alive == 0);
    held.open();
    pool.shut_down();
    CHECK(log.text() == "");
  }
}

TEST_CASE("the callback of a call whose loop has closed is never called, and destroyed",
          "[thread-05]") {
  int alive = 0;
  bool called = false;
  thread_pool pool(1);
  gate held;
  {
    const auto home = loop::open();
    home->call_soon([&] {
      auto call = [&] { held.pass(); };
      to_thread(pool, call).add_done_callback([&, mine = counted(alive)](const future<void>&) {
        called = true;
      });
      home->stop();
    });
    home->run_forever();
  }
  held.open();
  pool.shut_down();
  CHECK(alive == 0);
  CHECK_FALSE(called);
}

TEST_CASE("calls under a storm of cancellations are made at most once, and all end",
          "[thread-05]") {
  random_numbers random(GENERATE(1U, 2U, 3U));
  failure_log log;
  std::atomic<int> calls{0};
  std::atomic<int> alive{0};
  struct guard {
    explicit guard(std::atomic<int>& given) : count(&given) { ++*count; }
    guard(const guard& other) : count(other.count) { ++*count; }
    ~guard() { --*count; }
    std::atomic<int>* count;
  };
  auto caller = [&](std::size_t work) -> coro<int> {
    auto call = [&calls, work, mine = guard(alive)] {
      for (std::size_t turn = 0; turn < work; ++turn) std::this_thread::yield();
      ++calls;
      return std::make_unique<int>(1);
    };
    int done = 0;
    for (int turn = 0; turn < 4; ++turn) {
      try {
        auto made = call;
        const auto value = co_await to_thread(std::move(made));
        done += *value;
      } catch (const cancelled&) {
      }
    }
    co_return done;
  };
  auto body = [&]() -> coro<int> {
    std::vector<task<int>> all;
    for (int index = 0; index < 40; ++index) all.push_back(create_task(caller(random.below(20))));
    for (int shot = 0; shot < 150; ++shot) {
      all[random.below(all.size())].cancel();
      if (random.below(4) == 0) co_await sleep(0s);
    }
    int sum = 0;
    for (const auto& each : all) {
      co_await ending(each);
      if (!each.cancelled()) sum += each.result();  // one that had not begun has no value
    }
    co_return sum;
  };
  run_options options = real_time(log);
  options.pool_threads = 3;
  const int sum = troupe::run(body(), options);
  CHECK(sum <= calls);
  CHECK(calls <= 160);
  CHECK(alive == 0);
  CHECK(log.text() == "");
}

TEST_CASE("a call of a pool that has gone can still be cancelled") {
  failure_log log;
  auto body = []() -> coro<std::string> {
    std::optional<thread_pool> pool(std::in_place, 1);
    const auto called = to_thread(*pool, [] { return 1; });
    pool.reset();  // waits for the call, whose result has not come home yet
    called.cancel();
    co_return called.cancelled() ? "cancelled" : "done";
  };
  CHECK(troupe::run(body(), real_time(log)) == "cancelled");
  CHECK(log.text() == "");
}

TEST_CASE("a callback of a call whose handle has gone goes with the loop") {
  int alive = 0;
  {
    const auto home = loop::open();
    home->call_soon([&] {
      to_thread([] {}).add_done_callback([held = counted(alive)](const future<void>&) {});
      loop::current()->stop();
    });
    home->run_forever();
  }
  CHECK(alive == 0);
}
