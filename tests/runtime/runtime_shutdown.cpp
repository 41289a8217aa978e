// What a run does with the tasks that are left over at its end.
#include <troupe/runtime/runtime.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <optional>
#include <stdexcept>

using namespace troupe;
using namespace troupe::testing;

namespace {

coro<> swallow_once(journal& log) {
  try {
    co_await sleep(infinite);
  } catch (const cancelled&) {
    log.push_back("first notice");
  }
  try {
    co_await sleep(infinite);
  } catch (const cancelled&) {
    log.push_back("second notice");
    throw;
  }
}

run_options on_virtual_time(failure_log& log, duration shutdown_timeout) {
  run_options options;
  options.virtual_time = true;
  options.handle_interrupt = false;
  options.shutdown_timeout = shutdown_timeout;
  options.on_failure = log.handler();
  return options;
}

/// Makes a task of another loop of the runtime. `make` outlives the task.
template <class Make>
void start_on(loop& other, const Make& make) {
  other.call_soon_threadsafe([&make] { create_task(make()); });
}

}  // namespace

// --- the shutdown ------------------------------------------------------------------------------------------------------------

TROUPE_PROGRAM_TEST_CASE("tasks left over are cancelled at the end, and may clean up") {
  journal log;
  auto body = [&]() -> coro<> {
    create_task(wait_and_clean_up(log));
    co_await sleep(1s);
  };
  testing::run(body());
  CHECK(log == journal{"cleaned up"});
}

TROUPE_PROGRAM_TEST_CASE("a task left over before its first step never runs") {
  journal log;
  int alive = 0;
  auto left_over = [&](counted) -> coro<> {
    log.push_back("ran");
    co_return;
  };
  auto body = [&]() -> coro<> {
    loop::current()->call_soon([&] { create_task(left_over(counted(alive))); });
    co_return;
  };
  testing::run(body());
  CHECK(alive == 0);
}

TROUPE_PROGRAM_TEST_CASE("a failure in the cleanup of a task left over is reported") {
  failure_log log;
  auto left_over = []() -> coro<> {
    try {
      co_await sleep(infinite);
    } catch (const cancelled&) {
    }
    throw std::runtime_error("while cleaning up");
  };
  auto body = [&]() -> coro<> {
    create_task(left_over());
    co_await sleep(1s);
  };
  testing::run(body(), &log);
  CHECK(log.count("while cleaning up") == 1);
}

TEST_CASE("a task that swallows its cancellation gets a second notice") {
  journal log;
  failure_log failures;
  auto body = [&]() -> coro<> {
    create_task(swallow_once(log));
    co_await sleep(0s);
  };
  troupe::run(body(), on_virtual_time(failures, 5s));
  CHECK(log == journal{"first notice", "second notice"});
  CHECK(failures.reports().empty());
}

TROUPE_PROGRAM_TEST_CASE("a busy task is cancelled at the end") {
  failure_log log;
  auto busy = []() -> coro<> {
    for (;;) co_await sleep(0s);
  };
  auto body = [&]() -> coro<> {
    create_task(busy());
    co_await rounds(3);
  };
  testing::run(body(), &log);
  CHECK(log.reports().empty());
}

TEST_CASE("a task that refuses to end is named and destroyed") {
  failure_log log;
  int alive = 0;
  auto refuse = []([[maybe_unused]] counted argument) -> coro<> {
    struct forever : suspension {
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> handle) { park(handle); }
      void await_resume() {}
      bool cancel() noexcept override { return false; }
    } wait;
    co_await wait;
  };
  auto body = [&]() -> coro<> {
    create_task(refuse(counted(alive)), {.name = "stubborn"});
    co_await sleep(1s);
  };
  troupe::run(body(), on_virtual_time(log, 5s));
  CHECK(log.reports().size() == 1);
  CHECK(log.count("task 'stubborn'") == 1);
  CHECK(alive == 0);
}

TEST_CASE("a task that was left behind never runs again") {
  static int awoken = 0;
  static bool after_the_end = false;
  static bool ran_after_the_end = false;
  failure_log log;
  auto refuse = []() -> coro<> {
    for (;;) {
      try {
        // Cleanup that outlasts both notices: each sleep is thrown out of, and begun again.
        ++awoken;
        ran_after_the_end |= after_the_end;
        struct deaf : suspension, timer {
          deaf() : timer([](timer& self) noexcept { static_cast<deaf&>(self).wake(); }) {}
          ~deaf() { loop::current()->timers().cancel(*this); }
          bool await_ready() const noexcept { return false; }
          void await_suspend(std::coroutine_handle<> handle) {
            loop::current()->timers().arm(*this, loop::current()->time() + 1h);
            park(handle);
          }
          void await_resume() {}
          bool cancel() noexcept override { return false; }
        } wait;
        co_await wait;
      } catch (...) {
      }
    }
  };
  auto body = [&]() -> coro<> {
    create_task(refuse(), {.name = "stubborn"});
    co_await sleep(1s);
  };
  troupe::run(body(), on_virtual_time(log, 5s));
  CHECK(log.count("task 'stubborn'") == 1);
  after_the_end = true;
  // The next run uses the memory of the closed loop.
  testing::run(value_after(10h, 1));
  CHECK(awoken == 1);
  CHECK_FALSE(ran_after_the_end);
}

TEST_CASE("a task that was left behind is not woken by a promise that is kept later") {
  static bool ran = false;
  static std::optional<promise<int>> kept;
  failure_log log;
  auto refuse = []() -> coro<> {
    kept.emplace();
    const auto awaited = kept->get_future();
    struct deaf : suspension, troupe::internal::observer {
      explicit deaf(future_base& given)
          : observer([](observer& self) noexcept { static_cast<deaf&>(self).wake(); }),
            target(given) {}
      ~deaf() {
        if (waiting()) target.remove_observer(*this);
      }
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> handle) {
        target.add_observer(*this);
        park(handle);
      }
      void await_resume() {}
      bool cancel() noexcept override { return false; }
      future_base& target;
    } wait(awaited.base());
    co_await wait;
    ran = true;
  };
  auto body = [&]() -> coro<> {
    create_task(refuse(), {.name = "stubborn"});
    co_await sleep(1s);
  };
  troupe::run(body(), on_virtual_time(log, 5s));
  auto next = [&]() -> coro<> {
    kept->set_value(1);
    co_await sleep(1s);
  };
  testing::run(next());
  CHECK_FALSE(ran);
}

// --- several loops -----------------------------------------------------------------------------------------------------------

TROUPE_PROGRAM_TEST_CASE("tasks left over on other loops are cancelled at the end") {
  failure_log log;
  std::atomic<int> started{0};
  std::atomic<int> ended{0};
  auto left_over = [&]() -> coro<> {
    ++started;
    try {
      co_await sleep(infinite);
    } catch (const cancelled&) {
      ++ended;
      throw;
    }
  };
  auto body = [&]() -> coro<> {
    runtime& whole = *runtime::current();
    for (std::size_t index = 0; index < whole.size(); ++index)
      start_on(whole.loop_at(index), left_over);
    while (started < 3) co_await sleep(0s);
  };
  troupe::run(body(), real_time(log, 3));
  CHECK(ended == 3);
  CHECK(log.reports().empty());
}

TROUPE_PROGRAM_TEST_CASE("a task made on a loop that has wound up is cancelled with it") {
  failure_log log;
  std::atomic<int> started{0};
  std::atomic<int> ended{0};
  auto sleeper = [&]() -> coro<> {
    ++started;
    try {
      co_await sleep(1h);
    } catch (const cancelled&) {
    }
    ++ended;
  };
  auto restless = [&](loop& other) -> coro<> {
    try {
      co_await sleep(infinite);
    } catch (const cancelled&) {
    }
    co_await sleep(500us);  // the other loop has nothing left by now, unless the machine is slow
    start_on(other, sleeper);
  };
  auto body = [&]() -> coro<> {
    loop& other = runtime::current()->loop_at(1);
    promise<void> answered;
    const auto up = answered.get_future();
    other.call_soon_threadsafe([&answered] { answered.set_value(); });
    co_await up;
    create_task(restless(other));
    co_await sleep(0s);
  };
  run_options options = real_time(log, 2);
  options.shutdown_timeout = 2s;  // waited for only when the other loop was slower than that
  troupe::run(body(), options);
  CHECK(started == ended);  // none at all when it was cancelled before its first step
  CHECK(log.reports().empty());
}
