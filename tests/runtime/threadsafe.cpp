#include <troupe/runtime/threadsafe.hpp>

#include <troupe/runtime/testing/manual_loop.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// A loop that runs on a thread of its own until this goes.
class served_loop {
 public:
  explicit served_loop(failure_log& log) {
    loop_options options;
    options.on_failure = log.handler();
    home_ = loop::open(std::move(options));
    thread_ = std::thread([this] { home_->run_forever(); });
  }
  ~served_loop() { stop(); }
  served_loop(const served_loop&) = delete;
  served_loop& operator=(const served_loop&) = delete;
  void stop() {
    if (!thread_.joinable()) return;
    home_->post_call([this] { home_->stop(); });
    thread_.join();
  }
  loop& operator*() const { return *home_; }
  loop* operator->() const { return home_.get(); }

 private:
  loop::handle home_;
  std::thread thread_;
};

}  // namespace

TEST_CASE("a thread submits a coroutine and waits for its value or error", "[thread-07]") {
  failure_log log;
  served_loop home(log);
  auto value = [&]() -> coro<int> {
    co_await sleep(50us);
    co_return loop::current() == &*home ? 3 : 0;
  };
  CHECK(run_coroutine_threadsafe(value(), *home).get() == 3);
  CHECK_THROWS_WITH(run_coroutine_threadsafe(testing::fail_after(1us, "E"), *home).get(), "E");
  auto nothing = []() -> coro<> { co_return; };
  CHECK_NOTHROW(run_coroutine_threadsafe(nothing(), *home).get());
  auto only_moves = []() -> coro<std::unique_ptr<int>> { co_return std::make_unique<int>(4); };
  CHECK(*run_coroutine_threadsafe(only_moves(), *home).get() == 4);
  home.stop();
  CHECK(log.text() == "");
}

TEST_CASE("a thread that has waited long enough may wait again, or cancel", "[thread-07]") {
  failure_log log;
  served_loop home(log);
  auto waiting = run_coroutine_threadsafe(sleep_of(infinite), *home);
  CHECK_THROWS_AS(waiting.get(1us), timeout_error);
  CHECK_FALSE(waiting.done());
  CHECK(waiting.cancel());
  CHECK_THROWS_AS(waiting.get(), cancelled);
  CHECK(waiting.done());
  CHECK_FALSE(waiting.cancel());
}

TEST_CASE("a cancelled submission may still end by its value", "[thread-07]") {
  failure_log log;
  served_loop home(log);
  auto refuses = []() -> coro<int> {
    try {
      co_await sleep(infinite);
    } catch (const cancelled&) {
    }
    co_return 8;
  };
  auto waiting = run_coroutine_threadsafe(refuses(), *home);
  std::atomic<bool> passed{false};
  home->call_soon_threadsafe([&] { home->call_soon([&] { passed = true; }); });
  while (!passed) std::this_thread::yield();
  CHECK(waiting.cancel());
  CHECK(waiting.get() == 8);
}

TEST_CASE("a submission that nobody waits for goes on, and its failure is not lost",
          "[thread-07]") {
  failure_log log;
  std::atomic<bool> ran{false};
  {
    served_loop home(log);
    auto body = [&]() -> coro<> {
      ran = true;
      co_return;
    };
    static_cast<void>(run_coroutine_threadsafe(body(), *home));
    while (!ran) std::this_thread::yield();
  }
  CHECK(ran);
}

TROUPE_PROGRAM_TEST_CASE("a blocking wait on a thread that runs a loop is refused", "[thread-07]") {
  failure_log log;
  served_loop other(log);
  auto body = [&]() -> coro<bool> {
    auto waiting = run_coroutine_threadsafe(sleep_of(infinite), *other);
    bool refused = false;
    try {
      waiting.get();
    } catch (const invalid_state&) {
      refused = true;
    }
    waiting.cancel();
    co_return refused;
  };
  CHECK(testing::run(body()));
}

TEST_CASE("the name of a submitted task is copied", "[thread-07]") {
  failure_log log;
  served_loop home(log);
  auto body = []() -> coro<std::string> { co_return task_base::current()->name(); };
  auto given = std::make_optional<std::string>("a name that is longer than a small string");
  task_options options;
  options.name = *given;
  std::atomic<bool> go{false};
  home->call_soon_threadsafe([&] {
    while (!go) std::this_thread::yield();
  });
  auto waiting = run_coroutine_threadsafe(body(), *home, options);
  given.reset();
  go = true;
  CHECK(waiting.get() == "a name that is longer than a small string");
}

TEST_CASE("a coroutine that was used before is an error for who submits it", "[thread-07]") {
  failure_log log;
  served_loop home(log);
  auto used = sleep_of(0s);
  const auto elsewhere = std::move(used);
  CHECK_THROWS_AS(run_coroutine_threadsafe(std::move(used), *home).get(), invalid_state);
}

TEST_CASE("a handle that was moved from says so", "[thread-07]") {
  failure_log log;
  served_loop home(log);
  auto first = run_coroutine_threadsafe(sleep_of(0s), *home);
  auto second = std::move(first);
  CHECK_THROWS_AS(first.get(), invalid_state);
  CHECK_THROWS_AS(first.cancel(), invalid_state);
  second.get();
}

TEST_CASE("a loop that closes ends the waits of threads", "[thread-07]") {
  failure_log log;
  loop_options options;
  options.on_failure = log.handler();
  auto home = loop::open(std::move(options));
  int alive = 0;
  auto body = [](counted) -> coro<> { co_await sleep(infinite); };
  auto begun = run_coroutine_threadsafe(body(counted(alive)), *home);
  home->call_soon([&] { home->stop(); });
  home->run_forever();
  auto posted = run_coroutine_threadsafe(body(counted(alive)), *home);
  home->close();
  CHECK_THROWS_AS(begun.get(), cancelled);
  CHECK_THROWS_AS(posted.get(), cancelled);
  CHECK_THROWS_AS(run_coroutine_threadsafe(body(counted(alive)), *home), invalid_state);
  CHECK_FALSE(begun.cancel());
  CHECK(alive == 0);
}

TEST_CASE("a loop abandoned by its owner ends the waits of threads", "[thread-07]") {
  failure_log log;
  auto stubborn = []() -> coro<> {
    for (;;) {
      try {
        co_await sleep(0s);
      } catch (const cancelled&) {
      }
    }
  };
  std::optional<thread_future<void>> begun;
  {
    manual_loop home(&log);
    begun = run_coroutine_threadsafe(stubborn(), *home);
    home.step();
    home.step();
  }
  CHECK_THROWS_AS(begun->get(), cancelled);
}

TEST_CASE("threads submit, wait and cancel while their loop closes", "[thread-07]") {
  for (unsigned seed = 1; seed <= 10; ++seed) {
    failure_log log;
    std::atomic<int> ended{0};
    std::atomic<int> made{0};
    std::vector<std::thread> threads;
    {
      loop_options options;
      options.on_failure = log.handler();
      auto home = loop::open(std::move(options));
      loop* const target = home.get();
      std::thread runs([&] {
        target->run_forever();
        target->close();
      });
      for (unsigned index = 0; index < 3; ++index) {
        threads.emplace_back([&, target, index] {
          random_numbers random(seed * 10 + index);
          auto body = [](bool waits) -> coro<int> {
            if (waits) co_await sleep(infinite);
            co_await sleep(0s);
            co_return 1;
          };
          for (;;) {
            try {
              const bool waits = random.below(2) == 0;
              auto submitted = run_coroutine_threadsafe(body(waits), *target);
              ++made;
              if (waits || random.below(2) == 0) submitted.cancel();
              try {
                submitted.get();
              } catch (const cancelled&) {
              }
              ++ended;
            } catch (const invalid_state&) {
              return;
            }
          }
        });
      }
      while (made < 30) std::this_thread::yield();
      target->post_call([target] { target->stop(); });
      for (std::thread& each : threads) each.join();
      runs.join();
    }
    CHECK(ended == made);
    CHECK(log.text() == "");
  }
}

TEST_CASE("threads that post while a loop closes lose nothing that was accepted", "[loop-15]") {
  for (int repeat = 0; repeat < 20; ++repeat) {
    std::atomic<int> accepted{0};
    std::atomic<int> ran{0};
    auto home = loop::open();
    loop* const target = home.get();
    std::vector<std::thread> posters;
    for (int index = 0; index < 3; ++index) {
      posters.emplace_back([&] {
        for (int post = 0; post < 2000 && target->post_call([&] { ++ran; }); ++post) ++accepted;
      });
    }
    target->call_later(20us, [&] { target->stop(); });
    target->run_forever();
    target->close();
    for (std::thread& each : posters) each.join();
    home = {};
    CHECK(ran == accepted);
  }
}
