// Signals as messages.
#include <troupe/actors/actor.hpp>
#include <troupe/io/signal_actor.hpp>
#include <troupe/runtime/event.hpp>
#include <troupe/runtime/signals.hpp>

#include "scenarios/support.hpp"

#include <csignal>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct heard {
  std::vector<int> numbers;
  event may_go_on;
  int throws = 0;
};

/// Writes down what it hears, and takes its time when it is told to.
class listener : public actor<io::signal_events> {
 public:
  listener(std::vector<int> signals, heard& into, bool slow = false) : into_(into), slow_(slow) {
    spawn<io::signal_actor>(std::move(signals), self());
  }
  coro<> on(io::signal_received s) {
    into_.numbers.push_back(s.number);
    if (slow_) co_await into_.may_go_on.wait();
    if (into_.throws-- > 0) throw rejected("not now");
  }

 private:
  heard& into_;
  bool slow_;
};

/// Without it a signal would end the process.
void (*disposition(int signal))(int) {
  struct sigaction now{};
  REQUIRE(::sigaction(signal, nullptr, &now) == 0);
  return now.sa_handler;
}

/// All signals that were raised before have been told to those who wait: the loop tells of them together.
coro<> signals_told() {
  auto last = create_task(received_signal(SIGHUP));
  co_await sleep(0s);
  std::raise(SIGHUP);
  co_await last;
}

/// The descriptor by which signals are told is kept for good once there is one.
void run_signals(coro<> body) {
  static const bool once = [] {
    run_options options;
    options.handle_interrupt = false;
    troupe::run(signals_told(), options);
    return true;
  }();
  CHECK(once);
  run_scenario(std::move(body));
}

}  // namespace

TEST_CASE("signals are messages to the owner of a signal_actor, and nothing else while it lives") {
  heard all;
  auto body = [&]() -> coro<> {
    auto owner = spawn<listener>(std::vector<int>{SIGUSR1, SIGHUP}, all);
    co_await turns();
    std::raise(SIGHUP);
    co_await poll_until([&] { return all.numbers.size() == 1; });
    std::raise(SIGUSR1);
    co_await poll_until([&] { return all.numbers.size() == 2; });
    std::raise(SIGHUP);
    co_await poll_until([&] { return all.numbers.size() == 3; });
    owner.stop();
    co_await owner.stopped();
    CHECK(disposition(SIGHUP) == SIG_DFL);
    CHECK(disposition(SIGUSR1) == SIG_DFL);
  };
  run_signals(body());
  CHECK(all.numbers == std::vector<int>{SIGHUP, SIGUSR1, SIGHUP});
}

TEST_CASE(
    "signals that come while the owner handles one are one more, and those of other numbers their "
    "own") {
  heard all;
  auto body = [&]() -> coro<> {
    auto owner = spawn<listener>(std::vector<int>{SIGUSR1, SIGUSR2}, all, true);
    co_await turns();
    std::raise(SIGUSR1);
    co_await poll_until([&] { return all.numbers.size() == 1; });
    for (int turn = 0; turn < 100; ++turn) {
      std::raise(SIGUSR1);
      if (turn == 50) std::raise(SIGUSR2);
      co_await sleep(0s);
    }
    co_await signals_told();
    CHECK(all.numbers.size() == 1);
    all.may_go_on.set();
    co_await poll_until([&] { return all.numbers.size() >= 3; });
    co_await turns();
  };
  run_signals(body());
  CHECK(all.numbers.size() == 3);
  CHECK(std::count(all.numbers.begin(), all.numbers.end(), SIGUSR1) == 2);
}

TEST_CASE("a signal reaches each signal_actor and each task that waits for it, again and again") {
  heard one;
  heard other;
  auto body = [&]() -> coro<> {
    spawn<listener>(std::vector<int>{SIGUSR1}, one);
    spawn<listener>(std::vector<int>{SIGUSR1}, other);
    co_await turns();
    for (std::size_t turn = 1; turn <= 50; ++turn) {
      auto waiting = create_task(received_signal(SIGUSR1));
      co_await sleep(0s);
      std::raise(SIGUSR1);
      const int number = co_await waiting;
      CHECK(number == SIGUSR1);
      co_await poll_until(
          [&] { return one.numbers.size() == turn && other.numbers.size() == turn; });
    }
  };
  run_signals(body());
}

TEST_CASE("an owner that refuses a signal hears of the next one") {
  heard all;
  all.throws = 1;
  auto body = [&]() -> coro<> {
    spawn<listener>(std::vector<int>{SIGUSR1}, all);
    co_await turns();
    std::raise(SIGUSR1);
    co_await poll_until([&] { return all.numbers.size() == 1; });
    co_await turns();
    std::raise(SIGUSR1);
    co_await poll_until([&] { return all.numbers.size() == 2; });
  };
  run_signals(body());
}

TEST_CASE("a signal_actor of what is no signal, or cannot be caught, is refused") {
  auto body = []() -> coro<> {
    heard all;
    auto owner = spawn<listener>(std::vector<int>{SIGUSR1}, all);
    const auto made = [&](std::vector<int> signals) {
      spawn<io::signal_actor>(std::move(signals), owner);
    };
    CHECK_THROWS_AS(made({}), std::invalid_argument);
    CHECK_THROWS_AS(made({0}), std::invalid_argument);
    CHECK_THROWS_AS(made({SIGUSR2, 1000}), std::invalid_argument);
    CHECK_THROWS_AS(made({SIGKILL}), std::system_error);
    CHECK_THROWS_AS(
        spawn<io::signal_actor>(std::vector<int>{SIGUSR1}, actor_ref<io::signal_events>()),
        std::invalid_argument);
    CHECK(disposition(SIGUSR2) == SIG_DFL);
    co_return;
  };
  run_signals(body());
}

TEST_CASE("a signal_actor ends with its owner, also one that is not its parent") {
  heard all;
  auto body = [&]() -> coro<> {
    auto owner = spawn<listener>(std::vector<int>{SIGUSR2}, all);
    auto extra = spawn<io::signal_actor>(std::vector<int>{SIGUSR1}, owner);
    owner.stop();
    co_await owner.stopped();
    std::raise(SIGUSR1);
    co_await extra.stopped();
    CHECK(disposition(SIGUSR1) == SIG_DFL);
  };
  run_signals(body());
}
