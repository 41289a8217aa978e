// Senders that wait for room in a mailbox: who gets it, who gives up, who is slowed down.
#include <troupe/actors/actor.hpp>
#include <troupe/runtime/timeout.hpp>

#include "actors/helpers.hpp"
#include "actors/notary.hpp"
#include "support/explored.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::notes;

namespace {

/// Bounded by its class.
class narrow : public notary {
 public:
  using notary::notary;
  static constexpr mailbox_options mailbox{.capacity = 2, .when_full = overflow::suspend};
};

}  // namespace

TROUPE_PROGRAM_TEST_CASE("senders wait for room, and get it in the order in which they came") {
  auto body = []() -> coro<> {
    std::vector<int> noted;
    auto bureau = spawn<narrow>(std::ref(noted));
    bureau.tell(hold{});
    co_await settle();
    std::vector<future<void>> sent;
    for (int number = 0; number < 10; ++number) sent.push_back(bureau.send(note{number}));
    auto asked = bureau.ask(total{});
    co_await settle();
    CHECK(sent[1].done());
    CHECK_FALSE(sent[2].done());
    // A tell cannot wait.
    bureau.tell(note{100});
    CHECK(counts().refused_as_full == 1);
    for (const auto& each : sent) co_await each;
    const int counted = co_await asked;
    CHECK(counted == 10);
    CHECK(noted == numbers(0, 9));
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a sender that is cancelled while it waits takes its message back") {
  auto body = []() -> coro<> {
    std::vector<int> noted;
    auto bureau = busy_with(noted, bounded(2, overflow::suspend), 1);
    std::vector<future<void>> sent;
    for (int number = 1; number < 5; ++number) sent.push_back(bureau.send(note{number}));
    CHECK(sent[1].cancel());
    auto asked = bureau.ask(total{});
    CHECK(asked.cancel());
    CHECK_THROWS_AS(co_await sent[1], cancelled);
    auto waiting = bureau.send(note{5});
    auto limited = timeout(1ms, std::move(waiting));
    CHECK_THROWS_AS(co_await std::move(limited), timeout_error);
    co_await sleep(2s);
    CHECK(noted == std::vector<int>{0, 1, 3, 4});
    CHECK(sent[0].done());
    CHECK_FALSE(sent[0].cancel());
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("who waits for room of an actor that stops hears that it is dead") {
  auto body = []() -> coro<> {
    std::vector<int> noted;
    auto bureau = busy_with(noted, bounded(2, overflow::suspend), 1);
    auto sent = bureau.send(note{1});
    auto asked = bureau.ask(total{});
    // What stops it is no message, and needs no room.
    bureau.stop();
    CHECK_THROWS_AS(co_await sent, actor_dead);
    CHECK_THROWS_AS(co_await asked, actor_dead);
    const exit_reason why = co_await bureau.stopped();
    CHECK(why.what() == exit_reason::kind::stopped);
    auto late = bureau.send(note{2});
    CHECK_THROWS_AS(co_await late, actor_dead);
    CHECK(noted.empty());
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("an ask that waits for room has its time limit") {
  auto body = []() -> coro<> {
    std::vector<int> noted;
    auto bureau = busy_with(noted, bounded(2, overflow::suspend), 1);
    auto asked = bureau.ask(total{}, 10ms);
    CHECK_THROWS_AS(co_await asked, ask_timeout);
    co_await sleep(2s);
    const int after = co_await bureau.ask(total{});
    CHECK(after == 1);
  };
  testing::run(body());
}

TEST_CASE("a sender on another loop is slowed down to what the actor takes") {
  struct parcel {
    int number;
  };
  /// Counts how many of its messages wait: the sender's loop adds, it takes away.
  class slow : public actor<protocol<parcel>> {
   public:
    slow(std::atomic<int>& underway, int& most, int& taken)
        : underway_(underway), most_(most), taken_(taken) {}
    coro<> on(parcel p) {
      co_await sleep(0s);
      if (p.number != taken_++) fail("a message overtook another");
      most_ = std::max(most_, underway_.fetch_sub(1));
    }

   private:
    std::atomic<int>& underway_;
    int& most_;
    int& taken_;
  };
  std::atomic<int> underway{0};
  int most = 0;
  int taken = 0;
  auto body = [](std::atomic<int>& sent, int& high, int& seen) -> coro<> {
    auto to = spawn<slow>({.name = "", .on = place::on(1), .mailbox = {8, overflow::suspend, 0}},
                          std::ref(sent), std::ref(high), std::ref(seen));
    for (int number = 0; number < 2'000; ++number) {
      ++sent;
      co_await to.send(parcel{number});
    }
    while (sent != 0) co_await sleep(1ms);
    to.stop();
    co_await to.stopped();
  };
  testing::run_on(2, body(underway, most, taken));
  CHECK(taken == 2'000);
  // Those that wait, the one in hand, and the one that has just been let in.
  CHECK(most <= 10);
}

TROUPE_PROGRAM_TEST_CASE(
    "an ask that timed out tells what waits in front of the mailbox, in it, and for room") {
  auto body = []() -> coro<> {
    std::vector<int> noted;
    auto bureau = spawn<notary>(bounded(3, overflow::suspend), std::ref(noted));
    bureau.tell(hold{});
    co_await settle();
    bureau.tell(note{1});
    bureau.tell(tick{}, urgent);
    auto asked = bureau.ask(total{}, 10ms);
    std::vector<future<void>> sent;
    for (int number = 2; number < 4; ++number) sent.push_back(bureau.send(note{number}));
    const std::string how = co_await ending(std::move(asked));
    CAPTURE(how);
    CHECK(how.find("(alive, 3 messages queued, 2 waiting for room, handling ") !=
          std::string::npos);
    sent.front().cancel();  // it goes when its turn would have come
    co_await sleep(2s);
    auto after = bureau.ask(total{}, 10ms);
    const int all = co_await after;
    CHECK(all == 3);
  };
  testing::run(body());
}
