// Mailboxes with bounds: what becomes of a message for which there is no room, senders that wait, limits by type, urgent
// messages, high-water marks.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/actor_roots.hpp>
#include <troupe/actors/bounds.hpp>
#include <troupe/runtime/timeout.hpp>

#include "actors/helpers.hpp"
#include "actors/loops.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct note {
  int number;
};
struct tick {};
struct hold {};  // keeps the actor busy for a second
struct total {
  using reply = int;
};
using noting = protocol<note, tick, hold, total>;

/// Notes what it is sent. Whoever spawns it says how many messages may wait.
class notary : public actor<noting> {
 public:
  explicit notary(std::vector<int>& into) : into_(into) {}
  void on(note n) { into_.push_back(n.number); }
  void on(tick) { into_.push_back(-1); }
  coro<> on(hold) { co_await sleep(1s); }
  int on(total) { return static_cast<int>(into_.size()); }

 private:
  std::vector<int>& into_;
};

/// Only the last tick counts.
class ticker : public notary {
 public:
  using notary::notary;
  static constexpr message_limit limits[] = {limit<tick>(1, overflow::drop_oldest),
                                             limit<total>(2, overflow::suspend)};
};

/// Bounded by its class.
class narrow : public notary {
 public:
  using notary::notary;
  static constexpr mailbox_options mailbox{.capacity = 2, .when_full = overflow::suspend};
};

spawn_options bounded(std::size_t capacity, overflow when_full, std::size_t high_water = 0) {
  return {.name = "", .on = place::here, .mailbox = {capacity, when_full, high_water}};
}

internal::actor_roots& counts() { return internal::actor_roots::of_current_loop(); }

/// A busy notary with so many notes waiting.
actor_ref<noting> busy_with(std::vector<int>& into, const spawn_options& options, int notes) {
  auto made = spawn<notary>(options, std::ref(into));
  made.tell(hold{});
  for (int number = 0; number < notes; ++number) made.tell(note{number});
  return made;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<int> numbers(int first, int last) {
  std::vector<int> all;
  for (int number = first; number <= last; ++number) all.push_back(number);
  return all;
}

}  // namespace

TEST_CASE("a mailbox that rejects keeps what waits, and refuses the rest") {
  auto body = []() -> coro<> {
    std::vector<int> noted;
    // The message in hand waits no more: the capacity is for those behind it.
    auto bureau = spawn<notary>(bounded(10, overflow::reject), std::ref(noted));
    bureau.tell(hold{});
    co_await settle();
    for (int number = 0; number < 100; ++number) bureau.tell(note{number});
    CHECK(counts().refused_as_full == 90);
    CHECK(counts().dead_letters == 90);
    auto asked = bureau.ask(total{});
    const std::string end = co_await ending(std::move(asked));
    CHECK(contains(end, "notary has no room for "));
    CHECK(contains(end, "total: 10 messages wait"));
    auto sent = bureau.send(note{100});
    CHECK_THROWS_AS(co_await sent, mailbox_full);
    co_await sleep(2s);
    CHECK(noted == numbers(0, 9));
    const int after = co_await bureau.ask(total{});
    CHECK(after == 10);
  };
  testing::run(body());
}

TEST_CASE("a mailbox that drops the newest loses them, and a sender is none the wiser") {
  auto body = []() -> coro<> {
    std::vector<int> noted;
    auto bureau = busy_with(noted, bounded(3, overflow::drop_newest), 30);
    CHECK(counts().dropped == 28);  // the hold waited as well
    co_await bureau.send(note{100});
    CHECK(counts().dropped == 29);
    auto asked = bureau.ask(total{});
    CHECK_THROWS_AS(co_await asked, mailbox_full);
    co_await sleep(2s);
    CHECK(noted == numbers(0, 1));
  };
  testing::run(body());
}

TEST_CASE("a mailbox that drops the oldest keeps the newest, and an ask that was dropped fails") {
  auto body = []() -> coro<> {
    std::vector<int> noted;
    auto bureau = spawn<notary>(bounded(3, overflow::drop_oldest), std::ref(noted));
    bureau.tell(hold{});
    co_await settle();
    auto asked = bureau.ask(total{});
    for (int number = 0; number < 30; ++number) bureau.tell(note{number});
    const std::string end = co_await ending(std::move(asked));
    CHECK(contains(end, "total: 2 messages wait, and its place was given away"));
    CHECK(counts().dropped == 27);
    co_await sleep(2s);
    CHECK(noted == numbers(27, 29));
  };
  testing::run(body());
}

TEST_CASE("senders wait for room, and get it in the order in which they came") {
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

TEST_CASE("a sender that is cancelled while it waits takes its message back") {
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

TEST_CASE("who waits for room of an actor that stops hears that it is dead") {
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

TEST_CASE("an ask that waits for room has its time limit") {
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

TEST_CASE("a limit of one type leaves the others alone") {
  auto body = []() -> coro<> {
    std::vector<int> noted;
    auto bureau = spawn<ticker>(std::ref(noted));
    bureau.tell(hold{});
    co_await settle();
    for (int number = 0; number < 3; ++number) {
      bureau.tell(note{number});
      bureau.tell(tick{});
    }
    CHECK(counts().dropped == 2);
    std::vector<future<int>> asked;
    for (int number = 0; number < 4; ++number) asked.push_back(bureau.ask(total{}));
    // Those that wait do not keep others from coming in.
    bureau.tell(note{3});
    int sum = 0;
    for (const auto& each : asked) sum += co_await each;
    CHECK(noted == std::vector<int>{0, 1, 2, -1, 3});
    CHECK(sum == 4 + 4 + 5 + 5);
  };
  testing::run(body());
}

TEST_CASE("urgent messages come before all that waits, in their own order") {
  auto body = []() -> coro<> {
    std::vector<int> noted;
    const bool with_bound = GENERATE(false, true);
    auto bureau = busy_with(noted, with_bound ? bounded(20, overflow::reject) : spawn_options(), 3);
    co_await settle();
    for (int number = 10; number < 13; ++number) bureau.tell(note{number}, urgent);
    co_await sleep(2s);
    CHECK(noted == std::vector<int>{10, 11, 12, 0, 1, 2});
    // To one that rests, and behind one that is told first.
    bureau.tell(note{20}, urgent);
    co_await settle();
    bureau.tell(note{21});
    bureau.tell(note{22}, urgent);
    co_await settle();
    noted.erase(noted.begin(), noted.begin() + 6);
    CHECK(noted == std::vector<int>{20, 22, 21});
  };
  testing::run(body());
}

TEST_CASE("an actor that sends itself urgent messages lets others run, and can be stopped") {
  struct again {};
  class eager : public actor<protocol<again>> {
   public:
    void on(again a) { self().tell(a, urgent); }
  };
  auto body = []() -> coro<> {
    auto made = spawn<eager>();
    made.tell(again{}, urgent);
    for (int round = 0; round < 10; ++round) co_await sleep(0s);
    made.stop();
    co_await made.stopped();
  };
  testing::run(body());
}

TEST_CASE("a high-water mark is reported once, and again when the messages had been half as many") {
  failure_log log;
  auto body = []() -> coro<> {
    std::vector<int> noted;
    auto bureau = spawn<notary>(bounded(0, overflow::reject, 10), std::ref(noted));
    for (int round = 0; round < 2; ++round) {
      bureau.tell(hold{});
      for (int number = 0; number < 100; ++number) bureau.tell(note{number});
      co_await sleep(2s);
    }
    CHECK(noted.size() == 200);
  };
  testing::run(body(), &log);
  CHECK(log.reports().size() == 2);
  CHECK(log.count("notary has 10 messages waiting, which is its high-water mark") == 2);
}

TEST_CASE("a mailbox without bound reports when very many wait, at each doubling") {
  failure_log log;
  auto body = []() -> coro<> {
    std::vector<int> noted;
    auto bureau = spawn<notary>(std::ref(noted));
    bureau.tell(hold{});
    co_await settle();
    for (int number = 0; number < 300'000; ++number) bureau.tell(tick{});
    co_await sleep(2s);
    CHECK(noted.size() == 300'000);
  };
  testing::run(body(), &log);
  CHECK(log.reports().size() == 3);
  CHECK(
      log.count(
          "notary has 65536 messages waiting and no bound: give it a mailbox_options::capacity") ==
      1);
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

TEST_CASE("an actor that drains takes nothing new, finishes what waits, and stops then") {
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

TEST_CASE("an actor that does not get its mailbox empty in time stops without the rest") {
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
