// asyncio's rules for signal handlers, as `conformance/asyncio.md` numbers them.
#include <troupe/runtime/any_task.hpp>
#include <troupe/runtime/signals.hpp>

#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <csignal>
#include <stdexcept>
#include <system_error>
#include <thread>

using namespace troupe;
using namespace troupe::testing;

namespace {

bool is_default(int signal) {
  struct sigaction now{};
  ::sigaction(signal, nullptr, &now);
  return now.sa_handler == SIG_DFL;
}

/// Until the loop has taken in what was raised.
coro<> until(const bool& seen) {
  while (!seen) co_await sleep(0s);
}

}  // namespace

TEST_CASE("a signal handler is an ordinary callback of the loop", "[signal-01]") {
  failure_log log;
  auto body = []() -> coro<> {
    bool later = false;
    bool right = false;
    const auto here = std::this_thread::get_id();
    add_signal_handler(SIGUSR1, [&] {
      right = loop::current() != nullptr && !current_task() && std::this_thread::get_id() == here;
      loop::current()->call_soon([&] { later = true; });
      create_task(sleep_of(0s));
    });
    std::raise(SIGUSR1);
    co_await until(later);
    CHECK(right);
    CHECK(remove_signal_handler(SIGUSR1));
    CHECK_FALSE(remove_signal_handler(SIGUSR1));
    CHECK(is_default(SIGUSR1));
  };
  troupe::run(body(), real_time(log));
  CHECK(log.text() == "");
}

TEST_CASE("a signal goes to the handler that was set last", "[signal-01]") {
  failure_log log;
  auto body = []() -> coro<> {
    int bound = 0;
    bool first = false;
    bool second = false;
    add_signal_handler(SIGUSR1, [&first, &bound, a = 3, b = 4] {
      bound += a * 10 + b;
      first = true;
    });
    std::raise(SIGUSR1);
    co_await until(first);
    add_signal_handler(SIGUSR1, [&] { second = true; });
    std::raise(SIGUSR1);
    co_await until(second);
    CHECK(bound == 34);
    remove_signal_handler(SIGUSR1);
  };
  troupe::run(body(), real_time(log));
}

TEST_CASE("numbers of no signal and signals that cannot be caught are refused", "[signal-03]") {
  failure_log log;
  auto body = []() -> coro<> {
    for (const int number : {0, -1, NSIG, 100'000}) {
      CHECK_THROWS_AS(add_signal_handler(number, [] {}), std::invalid_argument);
      CHECK_THROWS_AS(remove_signal_handler(number), std::invalid_argument);
    }
    for (const int number : {SIGKILL, SIGSTOP}) {
      CHECK_THROWS_AS(add_signal_handler(number, [] {}), std::system_error);
      CHECK_FALSE(remove_signal_handler(number));
    }
    co_return;
  };
  troupe::run(body(), real_time(log));
}

TEST_CASE("a registration that fails leaves those that stand", "[signal-03]") {
  failure_log log;
  auto body = []() -> coro<> {
    bool seen = false;
    add_signal_handler(SIGHUP, [&] { seen = true; });
    CHECK_THROWS_AS(add_signal_handler(SIGKILL, [] {}), std::system_error);
    CHECK_FALSE(remove_signal_handler(SIGKILL));
    std::raise(SIGHUP);
    co_await until(seen);
    remove_signal_handler(SIGHUP);
  };
  troupe::run(body(), real_time(log));
}

TEST_CASE("a loop that closes gives its signals back, and another may take them", "[signal-05]") {
  std::signal(SIGCHLD, SIG_IGN);
  for (int times = 0; times < 2; ++times) {
    const auto home = loop::open();
    home->call_soon([&] {
      add_signal_handler(SIGHUP, [] {});
      add_signal_handler(SIGCHLD, [] {});
      home->stop();
    });
    home->run_forever();
    CHECK_FALSE(is_default(SIGHUP));
    home->close();
    CHECK(is_default(SIGHUP));
    struct sigaction now{};
    ::sigaction(SIGCHLD, nullptr, &now);
    CHECK(now.sa_handler == SIG_IGN);
  }
  std::signal(SIGCHLD, SIG_DFL);
}

TEST_CASE("a burst of signals may arrive as fewer calls, but not as none", "[signal-07]") {
  static constexpr int raised = 10'000;
  failure_log log;
  auto body = []() -> coro<> {
    int calls = 0;
    std::atomic<bool> over{false};
    add_signal_handler(SIGUSR1, [&] { ++calls; });
    std::thread raiser([&] {
      for (int times = 0; times < raised; ++times) std::raise(SIGUSR1);
      over = true;
    });
    while (!over) co_await sleep(0s);
    raiser.join();
    co_await sleep(1ms);
    CHECK(calls >= 1);
    CHECK(calls <= raised);
    const int before = calls;
    std::raise(SIGUSR1);
    while (calls == before) co_await sleep(0s);
    remove_signal_handler(SIGUSR1);
  };
  troupe::run(body(), real_time(log));
  CHECK(log.text() == "");
}
