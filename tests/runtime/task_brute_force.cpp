#include <troupe/runtime/task.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <exception>
#include <string>

using namespace troupe;
using namespace troupe::testing;

// --- a scenario, cancelled after every number of steps -------------------------------------------------------------------

namespace {

coro<int> scenario_child(int& alive, duration delay) {
  const counted mine(alive);
  co_await sleep(delay);
  co_return 1;
}

coro<> scenario(int& alive, int& progress) {
  const counted mine(alive);
  co_await sleep(1s);
  ++progress;
  promise<std::string> kept;
  auto awaited = kept.get_future();
  auto keep = [&]() -> coro<> {
    const counted its(alive);
    co_await sleep(1s);
    kept.set_value("a value that is longer than a small string");
  };
  const auto keeper = create_task(keep());
  // The keeper refers to this frame, so it ends before the frame does.
  std::exception_ptr stopped;
  try {
    const std::string text = co_await awaited;
    progress += text.empty() ? 0 : 1;
  } catch (const cancelled&) {
    stopped = std::current_exception();
  }
  if (stopped) keeper.cancel();
  co_await ending(keeper);
  if (stopped) std::rethrow_exception(stopped);
  ++progress;
  const int one = co_await create_task(scenario_child(alive, 1s));
  progress += one;
  auto [left, right] = co_await gather(scenario_child(alive, 1s), scenario_child(alive, 2s));
  progress += left + right;
  co_await sleep(0s);
  ++progress;
}

/// Lets the task take `steps` rounds or jumps of time, then cancels it.
coro<> cancel_after(const task_base& target, int steps) {
  for (int step = 0; step < steps && !target.done(); ++step) {
    co_await sleep(step % 3 == 0 ? duration(400ms) : 0s);
  }
}

}  // namespace

TROUPE_PROGRAM_TEST_CASE("a task cancelled after any number of steps ends and leaks nothing") {
  bool completed = false;
  int steps = 0;
  for (; !completed && steps < 1000; ++steps) {
    int alive = 0;
    int progress = 0;
    auto body = [&]() -> coro<bool> {
      const auto made = create_task(scenario(alive, progress));
      co_await cancel_after(made.base(), steps);
      const bool cancelled_it = made.cancel();
      const std::string how = co_await ending(made);
      co_return cancelled_it ? how == "cancelled" : how == "value";
    };
    failure_log log;
    REQUIRE(testing::run(body(), &log));
    REQUIRE(alive == 0);
    REQUIRE(log.reports().empty());
    completed = progress == 7;
  }
  CHECK(completed);
  CHECK(steps > 20);
}

TEST_CASE("a run whose main task is cancelled after any number of steps ends and leaks nothing") {
  for (int steps = 0; steps < 60; ++steps) {
    int alive = 0;
    int progress = 0;
    auto body = [&]() -> coro<> {
      task_base* const self = task_base::current();
      auto canceller = [](task_base& target, int count) -> coro<> {
        co_await cancel_after(target, count);
        target.cancel();
      };
      create_task(canceller(*self, steps));
      co_await scenario(alive, progress);
    };
    failure_log log;
    try {
      testing::run(body(), &log);
    } catch (const cancelled&) {
    }
    REQUIRE(alive == 0);
    REQUIRE(log.reports().empty());
  }
}
