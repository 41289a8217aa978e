// Monitors, ends that are awaited, and kill, between loops.
#include <troupe/actors/actor.hpp>
#include <troupe/runtime/timeout.hpp>

#include "actors/helpers.hpp"
#include "actors/loops.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::loops;

namespace {

struct observe {
  any_actor who;
  bool and_forget = false;
};
struct told {
  using reply = int;
};
using observing = protocol<observe, down, told>;

/// Counts the ends it is told of.
class counting_observer : public actor<observing> {
 public:
  explicit counting_observer(std::atomic<int>& total) : total_(total) {}
  void on(observe o) {
    const monitor_handle set = monitor(o.who);
    if (o.and_forget) set.cancel();
  }
  void on(down d) {
    if (!d.who) fail("nobody is down");
    ++told_;
    ++total_;
  }
  int on(told) { return told_; }

 private:
  std::atomic<int>& total_;
  int told_ = 0;
};

}  // namespace

TEST_CASE("an actor on another loop is monitored like one on this") {
  std::atomic<int> total{0};
  auto body = [](std::atomic<int>& count) -> coro<> {
    auto by = spawn<counting_observer>(std::ref(count));
    std::vector<actor_ref<remote_protocol>> watched;
    for (std::size_t index = 0; index < 20; ++index) {
      watched.push_back(spawn<collector>(place::on(index % 2)));
      by.tell(observe{watched.back()});
      by.tell(observe{watched.back(), true});
    }
    for (const auto& each : watched) each.stop();
    while (count != 20) co_await sleep(0s);
    for (const auto& each : watched) by.tell(observe{each});  // dead by now
    while (count != 40) co_await sleep(0s);
  };
  run_on(2, body(total));
  CHECK(total == 40);
}

TEST_CASE("the end of an actor on another loop can be awaited, and the wait given up") {
  auto body = []() -> coro<int> {
    int ends = 0;
    for (int times = 0; times < 50; ++times) {
      auto one = spawn<collector>(place::on(1));
      auto impatient = one.stopped();
      impatient.cancel();
      auto end = one.stopped();
      if (times % 2 == 0) {
        one.stop();
      } else {
        one.kill();
      }
      const exit_reason why = co_await end;
      ends +=
          why.what() == (times % 2 == 0 ? exit_reason::kind::stopped : exit_reason::kind::killed);
    }
    co_return ends;
  };
  CHECK(run_on(2, body()) == 50);
}

TEST_CASE("trees over two loops may be killed while they grow and stop") {
  std::atomic<int> alive{0};
  auto body = [](std::atomic<int>& count) -> coro<int> {
    int killed = 0;
    for (int times = 0; times < 30; ++times) {
      auto root = spawn<branch>(3, std::ref(count));
      if (times % 3 == 1) root.stop();
      if (times % 3 == 2) co_await sleep(0s);
      root.kill();
      auto end = root.stopped();
      const exit_reason why = co_await end;
      killed += why.what() == exit_reason::kind::killed;
    }
    co_return killed;
  };
  CHECK(run_on(2, body(alive)) == 30);
  CHECK(alive == 0);
}

TEST_CASE(
    "a storm of monitors, ends and changes of mind over two loops tells each that still wants to "
    "know") {
  std::atomic<int> total{0};
  auto body = [](std::atomic<int>& count) -> coro<> {
    std::vector<actor_ref<observing>> observers;
    for (std::size_t index = 0; index < 6; ++index)
      observers.push_back(spawn<counting_observer>(place::on(index % 2), std::ref(count)));
    int wanted = 0;
    for (int round = 0; round < 100; ++round) {
      auto one = spawn<collector>(place::on(static_cast<std::size_t>(round) % 2));
      for (std::size_t index = 0; index < observers.size(); ++index) {
        const bool forget = (static_cast<std::size_t>(round) + index) % 3 == 0;
        observers[index].tell(observe{one, forget});
        wanted += !forget;
      }
      if (round % 2 == 0) co_await sleep(0s);
      if (round % 3 == 0) {
        one.kill();
      } else {
        one.stop();
      }
    }
    while (count < wanted) co_await sleep(0s);
    int heard = 0;
    for (const auto& each : observers) heard += co_await each.ask(told{});
    if (heard != wanted) fail("another number of ends was told of");
    // These end while their monitors are set.
    auto last = spawn<collector>(place::on(1));
    for (const auto& each : observers) {
      each.tell(observe{last});
      each.kill();
    }
    last.kill();
    auto end = last.stopped();
    static_cast<void>(co_await end);
  };
  run_on(2, body(total));
  SUCCEED("all were told");
}
