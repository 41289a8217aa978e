// Actors that drain: they take nothing new, finish what waits, and stop then, in time or not.
#include <troupe/actors/actor.hpp>

#include "actors/helpers.hpp"
#include "actors/notary.hpp"
#include "support/explored.hpp"

#include <functional>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::notes;

namespace {

/// Finishes what waits for it before it stops, for so long.
class thorough : public notary {
 public:
  using notary::notary;
  static constexpr mailbox_options mailbox{
      .capacity = 0, .when_full = overflow::reject, .high_water = 0, .drain_for = 2500ms};
  void on_stop() { CHECK_FALSE(loop::current() == nullptr); }
};

}  // namespace

TROUPE_PROGRAM_TEST_CASE(
    "an actor that drains takes nothing new, finishes what waits, and stops then") {
  auto body = []() -> coro<> {
    std::vector<int> noted;
    auto bureau = spawn<thorough>(std::ref(noted));
    bureau.tell(hold{});
    bureau.tell(hold{});
    for (int number = 0; number < 5; ++number) bureau.tell(note{number});
    auto asked = bureau.ask(total{});
    auto ended = bureau.stopped();
    bureau.stop();
    bureau.stop();
    auto late = bureau.ask(total{});
    CHECK_THROWS_AS(co_await late, actor_dead);
    const int after = co_await asked;
    CHECK(after == 5);
    const exit_reason why = co_await ended;
    CHECK(why.what() == exit_reason::kind::stopped);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE(
    "an actor that does not get its mailbox empty in time stops without the rest") {
  auto body = []() -> coro<> {
    std::vector<int> noted;
    auto bureau = spawn<thorough>(std::ref(noted));
    bureau.tell(note{0});
    for (int times = 0; times < 10; ++times) bureau.tell(hold{});
    auto asked = bureau.ask(total{}, infinite);
    const time_point before = loop::current()->time();
    bureau.stop();
    CHECK_THROWS_AS(co_await asked, actor_dead);
    CHECK(loop::current()->time() - before == 2500ms);
    co_await bureau.stopped();
    CHECK(noted == std::vector<int>{0});
  };
  testing::run(body());
}

TEST_CASE("an actor told to drain does so, whatever its class says; kill and a crash end that") {
  auto body = []() -> coro<> {
    std::vector<int> noted;
    auto idle = spawn<notary>(std::ref(noted));
    idle.stop_when_drained();
    co_await idle.stopped();
    auto bureau = busy_with(noted, bounded(3, overflow::suspend), 2);
    auto sent = bureau.send(note{2});  // what waits for room is let in
    bureau.stop_when_drained();
    co_await sent;
    co_await bureau.stopped();
    CHECK(noted == numbers(0, 2));
    auto killed = busy_with(noted, spawn_options(), 2);
    killed.stop_when_drained();
    co_await settle();
    killed.kill();
    const exit_reason why = co_await killed.stopped();
    CHECK(why.what() == exit_reason::kind::killed);
    CHECK(noted == numbers(0, 2));
    // The runtime's end drains as well, as long as it has patience.
    auto left = spawn<thorough>(std::ref(noted));
    left.tell(hold{});
    left.tell(hold{});
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("of several limits to drain within, the shortest holds") {
  const auto drained_after = [](std::vector<duration> limits) {
    auto body = [&]() -> coro<duration> {
      std::vector<int> noted;
      auto bureau = spawn<notary>(std::ref(noted));
      for (int times = 0; times < 10; ++times) bureau.tell(hold{});
      const time_point before = loop::current()->time();
      for (const duration each : limits) {
        bureau.stop_when_drained(each);
        co_await sleep(500ms);
      }
      const exit_reason why = co_await bureau.stopped();
      CHECK(why.what() == exit_reason::kind::stopped);
      co_return loop::current()->time() - before;
    };
    return testing::run(body());
  };
  CHECK(drained_after({infinite, 2s}) == 2500ms);
  CHECK(drained_after({5s, 2s}) == 2500ms);
  CHECK(drained_after({2s, 5s}) == 2s);
  CHECK(drained_after({2s, infinite}) == 2s);
  CHECK(drained_after({2s, 3s, 0s}) == 1500ms);
  CHECK(drained_after({3s, 2500ms, 2s}) == 3s);
  CHECK(drained_after({infinite, infinite}) == 10s);
}

TEST_CASE("an actor on another loop is told to drain") {
  auto body = []() -> coro<> {
    std::vector<int> noted;
    auto bureau = spawn<notary>(place::on(1), std::ref(noted));
    for (int number = 0; number < 1'000; ++number) bureau.tell(note{number});
    bureau.stop_when_drained(1h);
    bureau.tell(note{1'000});
    co_await bureau.stopped();
    CHECK(noted == numbers(0, 999));
  };
  testing::run_on(2, body());
}
