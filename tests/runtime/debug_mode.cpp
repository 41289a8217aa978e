#include <troupe/runtime/loop.hpp>

#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <cstdlib>
#include <thread>

using namespace troupe;
using namespace troupe::testing;

namespace {

coro<> nothing_much() { co_return; }

/// Runs `body` with debug mode on or off, and returns what was reported.
std::string reports_of(coro<> body, bool debug) {
  failure_log log;
  run_options options = real_time(log);
  options.debug = debug;
  troupe::run(std::move(body), options);
  return log.text();
}

}  // namespace

TEST_CASE("debug mode reports a coroutine that was never awaited, by its name", "[report]") {
  auto body = []() -> coro<> {
    {
      [[maybe_unused]] auto dropped = nothing_much();
    }
    co_return;
  };
  const std::string text = reports_of(body(), true);
  CHECK(text.find("never awaited") != std::string::npos);
  CHECK(text.find("nothing_much()") != std::string::npos);
  CHECK(reports_of(body(), false).empty());
}

TEST_CASE("debug mode says nothing of coroutines that were awaited or made into tasks",
          "[report]") {
  auto body = []() -> coro<> {
    co_await nothing_much();
    co_await create_task(nothing_much());
    const auto cancelled_early = create_task(nothing_much());
    cancelled_early.cancel();
    co_await rounds(2);
  };
  CHECK(reports_of(body(), true).empty());
}

TEST_CASE("debug mode names the task that keeps its loop busy for long", "[report]") {
  auto hogs = []() -> coro<> {
    loop::current()->set_slow_callback_duration(1us);
    auto spins = []() -> coro<> {
      const time_point begin = clock::now();
      while (clock::now() - begin < 10us) {
      }
      co_return;
    };
    co_await create_task(spins(), {.name = "hog"});
  };
  const std::string text = reports_of(hogs(), true);
  CHECK(text.find("task 'hog' ran for") != std::string::npos);
  CHECK(reports_of(hogs(), false).empty());
}

TEST_CASE("debug mode refuses calls of a running loop from other threads", "[report-07]") {
  for (const bool debug : {true, false}) {
    int refused = 0;
    auto body = [&]() -> coro<> {
      loop& home = *loop::current();
      std::thread other([&] {
        const auto attempt = [&](auto call) {
          try {
            call();
          } catch (const invalid_state&) {
            ++refused;
          }
        };
        if (debug) {
          attempt([&] { home.call_soon([] {}); });
          attempt([&] { home.call_later(1s, [] {}); });
          attempt([&] { home.call_at(time_point{}, [] {}); });
        }
        attempt([&] { home.call_soon_threadsafe([] {}); });
      });
      other.join();
      co_return;
    };
    failure_log log;
    run_options options = real_time(log);
    options.debug = debug;
    troupe::run(body(), options);
    CHECK(refused == (debug ? 3 : 0));
  }
}

TEST_CASE("TROUPE_DEBUG=1 turns debug mode on") {
  auto body = []() -> coro<bool> { co_return loop::current()->debug(); };
  CHECK_FALSE(testing::run(body()));
  ::setenv("TROUPE_DEBUG", "1", 1);
  const bool on = testing::run(body());
  ::setenv("TROUPE_DEBUG", "0", 1);
  const bool off = testing::run(body());
  ::unsetenv("TROUPE_DEBUG");
  CHECK(on);
  CHECK_FALSE(off);
}
