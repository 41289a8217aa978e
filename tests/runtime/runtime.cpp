// Runs: their main task, their options, their loops, and those that can never end.
#include <troupe/runtime/runtime.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

// --- the main task -----------------------------------------------------------------------------------------------------------

TROUPE_PROGRAM_TEST_CASE("run returns what the main task returns") {
  CHECK(testing::run(value_after(1s, std::string("end"))) == "end");
}

TROUPE_PROGRAM_TEST_CASE("run returns a value that only moves") {
  auto body = []() -> coro<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
  CHECK(*testing::run(body()) == 7);
}

TROUPE_PROGRAM_TEST_CASE("run throws what the main task throws") {
  CHECK_THROWS_WITH(testing::run(fail_after(1s, "at last")), "at last");
}

TROUPE_PROGRAM_TEST_CASE("the failure of the main task is thrown and not reported too") {
  failure_log log;
  CHECK_THROWS(testing::run(fail_after(1s, "at last"), &log));
  CHECK(log.reports().empty());
}

TROUPE_PROGRAM_TEST_CASE("run throws cancelled when the main task was cancelled") {
  auto body = []() -> coro<> {
    task_base::current()->cancel();
    co_await sleep(1s);
  };
  CHECK_THROWS_AS(testing::run(body()), cancelled);
}

TROUPE_PROGRAM_TEST_CASE("run inside a run is refused") {
  auto body = []() -> coro<> {
    testing::run(value_after(0s, 1));
    co_return;
  };
  CHECK_THROWS_AS(testing::run(body()), invalid_state);
}

TEST_CASE("one run after another starts afresh") {
  for (int turn = 0; turn < 3; ++turn) {
    auto body = []() -> coro<duration> {
      co_await sleep(1s);
      co_return loop::current()->time() - time_point{};
    };
    CHECK(testing::run(body()) == 1s);
  }
}

TEST_CASE("runs on several threads at once do not disturb each other") {
  std::atomic<int> sum{0};
  std::vector<std::thread> threads;
  for (int index = 0; index < 4; ++index) {
    threads.emplace_back([&sum, index] { sum += testing::run(value_after(1s, index)); });
  }
  for (std::thread& each : threads) each.join();
  CHECK(sum == 6);
}

TROUPE_PROGRAM_TEST_CASE("a coroutine that was used before cannot be run") {
  auto used = value_after(0s, 1);
  auto moved = std::move(used);
  CHECK_THROWS_AS(testing::run(std::move(used)), invalid_state);
  CHECK(testing::run(std::move(moved)) == 1);
}

TROUPE_PROGRAM_TEST_CASE("the loop's stop does not pass for the end of the main task") {
  auto body = []() -> coro<> {
    loop::current()->stop();
    co_await sleep(1s);
  };
  CHECK_THROWS_AS(testing::run(body()), invalid_state);
}

// --- options -----------------------------------------------------------------------------------------------------------------

TEST_CASE("a runtime has at least one thread") {
  run_options options;
  options.threads = 0;
  CHECK_THROWS_AS(troupe::run(value_after(0s, 1), std::move(options)), std::invalid_argument);
}

TEST_CASE("virtual time is for one thread") {
  run_options options;
  options.threads = 2;
  options.virtual_time = true;
  CHECK_THROWS_AS(troupe::run(value_after(0s, 1), std::move(options)), std::invalid_argument);
}

#if !defined(__SANITIZE_ADDRESS__)  // the sanitizers need descriptors themselves
TEST_CASE("a runtime that gets no descriptor says so and leaves nothing") {
  const auto highest_descriptor = [] {
    const int descriptor = ::dup(0);
    ::close(descriptor);
    return descriptor;
  };
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  bool succeeded = false;
  // One descriptor more each time, so that every place that needs one is reached.
  for (rlim_t allowed = 0; allowed < 20 && !succeeded; ++allowed) {
    int alive = 0;
    auto body = [](counted) -> coro<int> { co_return 1; };
    rlimit low = before;
    low.rlim_cur = static_cast<rlim_t>(highest_descriptor()) + allowed;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
    try {
      failure_log log;
      run_options options = real_time(log, 2);
      options.handle_interrupt = true;
      succeeded = troupe::run(body(counted(alive)), std::move(options)) == 1;
    } catch (const std::system_error&) {
    }
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    REQUIRE(alive == 0);
  }
  CHECK(succeeded);
}
#endif

// --- several loops -----------------------------------------------------------------------------------------------------------

TROUPE_PROGRAM_TEST_CASE("a task belongs to the loop it was made on") {
  failure_log log;
  auto body = []() -> coro<bool> {
    runtime& whole = *runtime::current();
    std::vector<promise<std::size_t>> promises;
    std::vector<future<std::size_t>> futures;
    for (std::size_t index = 0; index < whole.size(); ++index) {
      promises.emplace_back();
      futures.push_back(promises.back().get_future());
    }
    auto tell = [](promise<std::size_t>& told) -> coro<> {
      for (int turn = 0; turn < 10; ++turn) co_await sleep(0s);
      told.set_value(loop::current()->index());
    };
    for (std::size_t index = 0; index < whole.size(); ++index) {
      whole.loop_at(index).call_soon_threadsafe(
          [&tell, &told = promises[index]] { create_task(tell(told)); });
    }
    bool right = true;
    for (std::size_t index = 0; index < futures.size(); ++index) {
      const std::size_t seen = co_await futures[index];
      right &= seen == index;
    }
    co_return right;
  };
  CHECK(troupe::run(body(), real_time(log, 4)));
  CHECK(log.reports().empty());
}

TROUPE_PROGRAM_TEST_CASE("next_spread gives the loops in turn") {
  failure_log log;
  auto body = []() -> coro<std::string> {
    std::string order;
    for (int turn = 0; turn < 5; ++turn)
      order += std::to_string(runtime::current()->next_spread().index());
    co_return order;
  };
  CHECK(troupe::run(body(), real_time(log, 2)) == "01010");
}

TEST_CASE("a runtime of several loops that has nothing to do ends") {
  failure_log log;
  for (int turn = 0; turn < 20; ++turn) {
    auto body = []() -> coro<> { co_return; };
    troupe::run(body(), real_time(log, 4));
  }
  CHECK(log.reports().empty());
}

// --- deadlock ----------------------------------------------------------------------------------------------------------------

TROUPE_PROGRAM_TEST_CASE(
    "a run on virtual time in which nothing can run again is a deadlock that names who waits") {
  auto wait_for_ever = []() -> coro<> {
    promise<int> never;
    const auto awaited = never.get_future();
    co_await awaited;
  };
  auto body = [&]() -> coro<> {
    const auto other = create_task(wait_for_ever(), {.name = "waiter"});
    co_await other;
  };
  CHECK_THROWS_AS(testing::run(body()), deadlock_error);
  CHECK_THROWS_WITH(testing::run(body()), Catch::Contains("main") && Catch::Contains("waiter"));
}

TROUPE_PROGRAM_TEST_CASE("tasks that await each other are a deadlock") {
  auto body = []() -> coro<> {
    std::optional<task<>> first;
    std::optional<task<>> second;
    auto await_it = [](std::optional<task<>>& awaited) -> coro<> { co_await *awaited; };
    first = create_task(await_it(second), {.name = "first"});
    second = create_task(await_it(first), {.name = "second"});
    // Not by await of one of them: their optionals live here, and a cancelled main task would take them along.
    promise<int> never;
    const auto awaited = never.get_future();
    std::exception_ptr stopped;
    try {
      co_await awaited;
    } catch (const cancelled&) {
      stopped = std::current_exception();
    }
    co_await ending(*first);
    co_await ending(*second);
    std::rethrow_exception(stopped);
  };
  CHECK_THROWS_AS(testing::run(body()), deadlock_error);
}

TROUPE_PROGRAM_TEST_CASE("a failure that nobody receives fails a test run") {
  auto body = []() -> coro<> {
    create_task(fail_after(1s, "unseen"));
    co_await sleep(2s);
  };
  CHECK_THROWS_AS(testing::run(body()), unexpected_failure);
}
