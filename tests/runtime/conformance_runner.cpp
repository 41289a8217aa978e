// asyncio's rules for run and runner, as `conformance/asyncio.md` numbers them.
#include <troupe/runtime/runtime.hpp>

#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>

using namespace troupe;
using namespace troupe::testing;

namespace {

coro<int> value(int given) { co_return given; }

}  // namespace

TEST_CASE("run gives the result or the error, and its loop is closed afterwards", "[runner-01]") {
  loop* used = nullptr;
  auto body = [&](bool fails) -> coro<int> {
    used = loop::current();
    co_await sleep(0s);
    if (fails) throw std::runtime_error("E");
    co_return 42;
  };
  CHECK(troupe::run(body(false)) == 42);
  CHECK(used->closed());
  CHECK_THROWS_WITH(troupe::run(body(true)), "E");
  CHECK(used->closed());
}

TEST_CASE("a left-over that fails when it is cancelled is reported, not thrown", "[runner-03]") {
  failure_log log;
  auto left_over = []() -> coro<> {
    try {
      co_await sleep(infinite);
    } catch (const cancelled&) {
    }
    throw std::runtime_error("E");
  };
  auto body = [&]() -> coro<int> {
    create_task(left_over(), {.name = "left over"});
    co_await sleep(0s);
    co_return 123;
  };
  CHECK(troupe::run(body(), real_time(log)) == 123);
  CHECK(log.reports().size() == 1);
  CHECK(log.count("left over") == 1);
  CHECK(log.count("E") == 1);
}

TEST_CASE("the failure of a left-over is reported though a handle of it is kept", "[runner-03]") {
  failure_log log;
  std::optional<task<>> kept;
  auto left_over = []() -> coro<> {
    try {
      co_await sleep(infinite);
    } catch (const cancelled&) {
    }
    throw std::runtime_error("E");
  };
  auto body = [&]() -> coro<> {
    kept = create_task(left_over());
    co_await sleep(0s);
  };
  troupe::run(body(), real_time(log));
  CHECK(log.count("E") == 1);
  CHECK(log.count("failed during the shutdown") == 1);
}

TEST_CASE("a left-over that makes tasks while it is cancelled does not hold up the end",
          "[runner-05]") {
  failure_log log;
  int alive = 0;
  auto late = [](counted) -> coro<> { co_await sleep(100s); };
  auto left_over = [&]() -> coro<> {
    try {
      co_await sleep(infinite);
    } catch (const cancelled&) {
      create_task(late(counted(alive)));
    }
  };
  auto body = [&]() -> coro<> {
    create_task(left_over());
    co_await sleep(0s);
  };
  run_options options = real_time(log);
  options.shutdown_timeout = infinite;  // what is waited for is waited for to the end
  troupe::run(body(), options);
  CHECK(alive == 0);
}

TEST_CASE("a runner runs twice on one loop, and closes once", "[runner-07]") {
  failure_log log;
  runner made(real_time(log));
  auto where = []() -> coro<loop*> { co_return loop::current(); };
  loop* const first = made.run(where());
  loop* const second = made.run(where());
  CHECK(first == second);
  CHECK(first == &made.get_loop());
  made.close();
  made.close();
  CHECK_THROWS_AS(made.get_loop(), invalid_state);
  int started = 0;
  int alive = 0;
  auto body = [&](counted) -> coro<> {
    ++started;
    co_return;
  };
  CHECK_THROWS_AS(made.run(body(counted(alive))), invalid_state);
  CHECK(started == 0);
  CHECK(alive == 0);
}

TEST_CASE("tasks stand still between two runs of a runner and end with its close", "[runner-07]") {
  failure_log log;
  journal seen;
  runner made(real_time(log));
  auto left_over = [&]() -> coro<> {
    try {
      for (;;) {
        seen.push_back("turn");
        co_await sleep(0s);
      }
    } catch (const cancelled&) {
      seen.push_back("cancelled");
      throw;
    }
  };
  auto body = [&]() -> coro<> {
    create_task(left_over());
    co_await sleep(0s);
  };
  made.run(body());
  CHECK(seen.back() == "turn");
  CHECK(made.run(value(3)) == 3);
  CHECK(seen.back() == "turn");
  made.close();
  CHECK(seen.back() == "cancelled");
}

TEST_CASE("run and runner are refused inside a running loop", "[runner-07]") {
  failure_log log;
  runner outer(real_time(log));
  auto body = [&]() -> coro<int> {
    int refused = 0;
    bool started = false;
    auto never = [&]() -> coro<> {
      started = true;
      co_return;
    };
    try {
      troupe::run(never());
    } catch (const invalid_state&) {
      ++refused;
    }
    try {
      outer.run(never());
    } catch (const invalid_state&) {
      ++refused;
    }
    try {
      outer.close();
    } catch (const invalid_state&) {
      ++refused;
    }
    co_return started ? -1 : refused;
  };
  CHECK(outer.run(body()) == 3);
}

TEST_CASE("an interrupt cancels the main task, and the signal has its former action afterwards",
          "[runner-09]") {
  const bool blocked = GENERATE(false, true);
  failure_log log;
  std::signal(SIGINT, SIG_IGN);
  bool future_cancelled = false;
  bool saw = false;
  auto body = [&]() -> coro<> {
    loop::current()->call_later(100us, [] { std::raise(SIGINT); });
    promise<void> never;
    const auto f = never.get_future();
    try {
      if (blocked) co_await f;
      for (;;) co_await sleep(0s);
    } catch (const cancelled&) {
      saw = true;
      future_cancelled = f.cancelled();
      throw;
    }
  };
  CHECK_THROWS_AS(troupe::run(body(), interruptible(log)), interrupted);
  CHECK(saw);
  CHECK(future_cancelled == blocked);
  struct sigaction now{};
  ::sigaction(SIGINT, nullptr, &now);
  CHECK(now.sa_handler == SIG_IGN);
  std::signal(SIGINT, SIG_DFL);
}

TEST_CASE("a main task that cleans up after an interrupt returns its value", "[runner-11]") {
  failure_log log;
  auto body = []() -> coro<int> {
    loop::current()->call_soon([] { std::raise(SIGINT); });
    try {
      co_await sleep(infinite);
    } catch (const cancelled&) {
    }
    co_await sleep(100us);
    co_return 5;
  };
  CHECK(troupe::run(body(), interruptible(log)) == 5);
}

TEST_CASE("a second interrupt ends the process", "[runner-11]") {
  // Differs from asyncio, where it is thrown out of run.
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(10);
    failure_log log;
    auto body = []() -> coro<> {
      loop::current()->call_soon([] { std::raise(SIGINT); });
      try {
        co_await sleep(infinite);
      } catch (const cancelled&) {
      }
      loop::current()->call_soon([] { std::raise(SIGINT); });
      co_await sleep(infinite);
    };
    troupe::run(body(), interruptible(log));
    ::_exit(3);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGINT);
}
