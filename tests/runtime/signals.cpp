#include <troupe/runtime/signals.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <csignal>
#include <optional>
#include <string>
#include <system_error>
#include <thread>

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("an interrupt cancels the main task and is thrown by run") {
  failure_log log;
  journal seen;
  auto body = [&]() -> coro<> {
    loop::current()->call_soon([] { std::raise(SIGINT); });
    try {
      co_await sleep(infinite);
    } catch (const cancelled&) {
      seen.push_back("cancelled");
      throw;
    }
  };
  CHECK_THROWS_AS(troupe::run(body(), interruptible(log)), interrupted);
  CHECK(seen == journal{"cancelled"});
  CHECK(log.reports().empty());
}

TEST_CASE("a main task that swallows the interrupt returns its value") {
  failure_log log;
  auto body = []() -> coro<int> {
    loop::current()->call_soon([] { std::raise(SIGINT); });
    try {
      co_await sleep(infinite);
    } catch (const cancelled&) {
    }
    co_return 3;
  };
  CHECK(troupe::run(body(), interruptible(log)) == 3);
}

TEST_CASE("an interrupt cancels the main task on several loops too") {
  failure_log log;
  auto body = []() -> coro<> {
    loop::current()->call_soon([] { std::raise(SIGINT); });
    co_await sleep(infinite);
  };
  run_options options = interruptible(log);
  options.threads = 3;
  CHECK_THROWS_AS(troupe::run(body(), std::move(options)), interrupted);
}

TEST_CASE("an interrupt gets to a busy loop") {
  failure_log log;
  auto body = []() -> coro<> {
    loop::current()->call_soon([] { std::raise(SIGINT); });
    for (;;) co_await sleep(0s);
  };
  CHECK_THROWS_AS(troupe::run(body(), interruptible(log)), interrupted);
}

TEST_CASE("received_signal gives the number of the signal that came") {
  failure_log log;
  auto body = []() -> coro<int> {
    loop::current()->call_soon([] { std::raise(SIGUSR2); });
    const int number = co_await received_signal(SIGUSR1, SIGUSR2);
    co_return number;
  };
  CHECK(troupe::run(body(), real_time(log)) == SIGUSR2);
}

TEST_CASE("received_signal works on virtual time") {
  auto body = []() -> coro<int> {
    auto raise_later = []() -> coro<> {
      co_await sleep(1h);
      std::raise(SIGUSR1);
      co_await sleep(1h);
    };
    const auto raising = create_task(raise_later());
    const int number = co_await received_signal(SIGUSR1);
    co_return number;
  };
  CHECK(testing::run(body()) == SIGUSR1);
}

TEST_CASE("received_signal can be awaited again and again") {
  failure_log log;
  auto body = []() -> coro<int> {
    int sum = 0;
    for (int turn = 0; turn < 5; ++turn) {
      loop::current()->call_soon([] { std::raise(SIGUSR1); });
      const int number = co_await received_signal(SIGUSR1);
      sum += number;
    }
    co_return sum;
  };
  CHECK(troupe::run(body(), real_time(log)) == 5 * SIGUSR1);
}

TEST_CASE("a cancelled received_signal gives the signal back") {
  auto wait = []() -> coro<> { co_await received_signal(SIGUSR1); };
  auto body = [&]() -> coro<std::string> {
    const auto waiting = create_task(wait());
    co_await rounds(2);
    waiting.cancel();
    std::string how = co_await ending(waiting);
    struct sigaction now{};
    ::sigaction(SIGUSR1, nullptr, &now);
    co_return how + (now.sa_handler == SIG_DFL ? ", default" : ", kept");
  };
  CHECK(testing::run(body()) == "cancelled, default");
}

TEST_CASE("a signal handler is called on the loop for each signal that comes") {
  failure_log log;
  auto body = []() -> coro<int> {
    int calls = 0;
    std::optional<promise<void>> called;
    add_signal_handler(SIGUSR1, [&] {
      if (loop::current() == nullptr) throw std::logic_error("not on the loop");
      ++calls;
      called->set_value();
    });
    for (int turn = 0; turn < 3; ++turn) {
      called.emplace();
      const auto awaited = called->get_future();
      std::raise(SIGUSR1);
      co_await awaited;
    }
    remove_signal_handler(SIGUSR1);
    co_return calls;
  };
  CHECK(troupe::run(body(), real_time(log)) == 3);
  CHECK(log.reports().empty());
}

TEST_CASE("a second handler of a signal takes the place of the first") {
  failure_log log;
  auto body = []() -> coro<std::string> {
    std::string seen;
    promise<void> called;
    const auto awaited = called.get_future();
    add_signal_handler(SIGUSR1, [&] { seen += "first"; });
    add_signal_handler(SIGUSR1, [&] {
      seen += "second";
      called.set_value();
    });
    std::raise(SIGUSR1);
    co_await awaited;
    remove_signal_handler(SIGUSR1);
    co_return seen;
  };
  CHECK(troupe::run(body(), real_time(log)) == "second");
}

TEST_CASE("a signal handler may remove itself and set another") {
  failure_log log;
  auto body = []() -> coro<std::string> {
    std::string seen;
    promise<void> called;
    const auto awaited = called.get_future();
    add_signal_handler(
        SIGUSR1, [&seen, &called, text = std::string("a text that is longer than a small string")] {
          remove_signal_handler(SIGUSR1);
          add_signal_handler(SIGUSR1, [&seen, &called] {
            seen += "second";
            remove_signal_handler(SIGUSR1);
            called.set_value();
          });
          seen += text.substr(0, 2);
          std::raise(SIGUSR1);
        });
    std::raise(SIGUSR1);
    co_await awaited;
    co_return seen;
  };
  CHECK(troupe::run(body(), real_time(log)) == "a second");
}

TEST_CASE("a signal handler that throws is reported, and called again") {
  failure_log log;
  auto body = []() -> coro<int> {
    int calls = 0;
    promise<void> called;
    const auto awaited = called.get_future();
    add_signal_handler(SIGUSR1, [&] {
      if (++calls == 2) called.set_value();
      if (calls == 1) {
        loop::current()->call_soon([] { std::raise(SIGUSR1); });
        throw std::runtime_error("of the handler");
      }
    });
    std::raise(SIGUSR1);
    co_await awaited;
    remove_signal_handler(SIGUSR1);
    co_return calls;
  };
  CHECK(troupe::run(body(), real_time(log)) == 2);
  CHECK(log.count("of the handler") == 1);
}

TEST_CASE("a removed signal handler gives the signal its former action") {
  failure_log log;
  auto body = []() -> coro<int> {
    std::signal(SIGUSR1, SIG_IGN);
    add_signal_handler(SIGUSR1, [] {});
    const int removed = remove_signal_handler(SIGUSR1) ? 1 : 0;
    const int again = remove_signal_handler(SIGUSR1) ? 10 : 0;
    std::raise(SIGUSR1);  // would end the process by default
    std::signal(SIGUSR1, SIG_DFL);
    co_return removed + again;
  };
  CHECK(troupe::run(body(), real_time(log)) == 1);
}

TEST_CASE("a signal that cannot be caught is refused") {
  failure_log log;
  auto body = []() -> coro<> {
    add_signal_handler(SIGKILL, [] {});
    co_return;
  };
  CHECK_THROWS_AS(troupe::run(body(), real_time(log)), std::system_error);
}

TROUPE_PROGRAM_TEST_CASE("a number that is no signal is refused") {
  failure_log log;
  for (const int number : {0, -1, 100'000}) {
    auto body = [&]() -> coro<> {
      add_signal_handler(number, [] {});
      co_return;
    };
    CHECK_THROWS_AS(troupe::run(body(), real_time(log)), std::invalid_argument);
  }
}

TEST_CASE("signal handlers belong to a loop") {
  CHECK_THROWS_AS(add_signal_handler(SIGUSR1, [] {}), invalid_state);
  CHECK_THROWS_AS(remove_signal_handler(SIGUSR1), invalid_state);
}

TEST_CASE("a handler left at the end of a run is taken away") {
  failure_log log;
  auto body = []() -> coro<> {
    add_signal_handler(SIGUSR1, [] {});
    co_return;
  };
  troupe::run(body(), real_time(log));
  struct sigaction now{};
  ::sigaction(SIGUSR1, nullptr, &now);
  CHECK(now.sa_handler == SIG_DFL);
}

TEST_CASE(
    "a task that waits for a signal, cancelled after any number of rounds, leaves the signal as it "
    "was") {
  for (int steps = 0; steps < 8; ++steps) {
    auto wait = []() -> coro<> {
      co_await received_signal(SIGUSR1, SIGUSR2);
      co_await received_signal(SIGUSR1);
    };
    auto body = [&]() -> coro<> {
      const auto waiting = create_task(wait());
      co_await rounds(steps);
      if (steps == 4) std::raise(SIGUSR2);
      co_await rounds(steps / 2);
      waiting.cancel();
      co_await ending(waiting);
    };
    testing::run(body());
    for (const int number : {SIGUSR1, SIGUSR2}) {
      struct sigaction now{};
      ::sigaction(number, nullptr, &now);
      REQUIRE(now.sa_handler == SIG_DFL);
    }
  }
}

TEST_CASE("a signal goes to all that wait for it") {
  auto wait = []() -> coro<int> { co_return co_await received_signal(SIGUSR1); };
  auto body = [&]() -> coro<int> {
    auto first = create_task(wait());
    auto second = create_task(wait());
    co_await sleep(0s);
    std::raise(SIGUSR1);
    const int a = co_await first;
    const int b = co_await second;
    co_return a == SIGUSR1&& b == SIGUSR1 ? 0 : 1;
  };
  CHECK(troupe::run(body()) == 0);
}

TEST_CASE("a wait for signals of which one cannot be caught leaves none of them handled") {
  auto wait = []() -> coro<int> { co_return co_await received_signal(SIGUSR1, SIGKILL); };
  auto body = [&]() -> coro<> { co_await wait(); };
  CHECK_THROWS_AS(troupe::run(body()), std::system_error);
  struct sigaction now{};
  ::sigaction(SIGUSR1, nullptr, &now);
  CHECK(now.sa_handler == SIG_DFL);
}

TEST_CASE("SIGINT is run's again after a received_signal for it has ended") {
  auto wait = []() -> coro<int> { co_return co_await received_signal(SIGINT); };
  auto body = [&]() -> coro<> {
    auto waiting = create_task(wait());
    co_await sleep(0s);
    std::raise(SIGINT);
    co_await waiting;
    std::raise(SIGINT);
    co_await sleep(infinite);
  };
  CHECK_THROWS_AS(troupe::run(body()), interrupted);
}
