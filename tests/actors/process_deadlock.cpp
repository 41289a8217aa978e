// Circles of asks and sends that go through processes: what is certain is told at once, the rest is left to its time limit.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/process.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/timeout.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace circles {

struct question {
  using reply = int;
};
struct go {};
struct fill {};
using talking = protocol<question, go, fill>;
using box = mailbox<question, go, fill>;

struct meet {
  explicit meet(actor_ref<talking> given, int times = 1'000)
      : other(std::move(given)), asks(times) {}
  actor_ref<talking> other;
  int asks;
};

/// Asks somebody else before it answers, so many times; then it answers 3 itself.
class middleman : public actor<protocol<question, go, fill, meet>> {
 public:
  void on(meet m) {
    other_ = std::move(m.other);
    asks_ = m.asks;
  }
  void on(go) {}
  void on(fill) {}
  coro<int> on(question) {
    if (asks_-- == 0) co_return 3;
    const int answer = co_await other_.ask(question{}, infinite);
    co_return answer + 1;
  }

 private:
  actor_ref<talking> other_;
  int asks_ = 0;
};

/// Waits for `go`, asks once, notes how that ended, and answers all questions from then on.
coro<> asks_first(box& inbox, std::string& ended, duration limit, actor_ref<talking>& whom) {
  static_cast<void>(co_await inbox.receive<go>());
  ended = co_await ending(whom.ask(question{}, limit));
  for (;;) {
    auto got = co_await inbox.receive<question>();
    got.reply.answer(7);
  }
}

bool is_deadlock(const std::string& ended) { return starts_with(ended, "deadlock: "); }

}  // namespace circles

using namespace circles;

TEST_CASE("two processes that ask each other are told so at once") {
  std::string first;
  std::string second;
  actor_ref<talking> a;
  actor_ref<talking> b;
  auto body = [&]() -> coro<> {
    a = spawn({.name = "a"}, asks_first, std::ref(first), infinite, std::ref(b));
    b = spawn({.name = "b"}, asks_first, std::ref(second), infinite, std::ref(a));
    a.tell(go{});
    b.tell(go{});
    co_await settle();
  };
  run_quietly(body());
  CHECK(is_deadlock(first) + is_deadlock(second) == 1);
  const std::string& told = is_deadlock(first) ? first : second;
  CAPTURE(told);
  const std::string name = "troupe::process<circles::question, circles::go, circles::fill> ";
  const std::string first_named = is_deadlock(first) ? "'a'" : "'b'";
  const std::string other_named = is_deadlock(first) ? "'b'" : "'a'";
  CHECK(
      starts_with(told, "deadlock: " + name + first_named + " asks " + name + other_named +
                            " (circles::question), which asks " + name + first_named +
                            " (circles::question), which waits for the first process to receive"));
  CHECK((is_deadlock(first) ? second : first) == "7");
}

TEST_CASE("a process that asks itself is told so") {
  std::string ended;
  actor_ref<talking> a;
  auto body = [&]() -> coro<> {
    a = spawn({.name = "a"}, asks_first, std::ref(ended), infinite, std::ref(a));
    a.tell(go{});
    co_await settle();
  };
  run_quietly(body());
  CHECK(is_deadlock(ended));
  CHECK(ended.find("which waits for this process to receive") != std::string::npos);
}

TEST_CASE("a circle through a handler and a process is told of") {
  std::string ended;
  actor_ref<talking> to;
  auto body = [&]() -> coro<> {
    auto between = spawn<middleman>({.name = "m"});
    to = between;
    auto a = spawn({.name = "a"}, asks_first, std::ref(ended), infinite, std::ref(to));
    between.tell(meet(a));
    a.tell(go{});
    co_await settle();
    // The handler's ask was the one that had not been begun with.
    CHECK(is_deadlock(ended));
    CHECK(ended.find("handling circles::question asks troupe::process<") != std::string::npos);
  };
  run_quietly(body());
}

TEST_CASE(
    "a process is in no deadlock while it waits for a message, or for nothing of the circle") {
  std::string ended;
  actor_ref<talking> to;
  auto body = [&]() -> coro<> {
    auto between = spawn<middleman>();
    to = between;
    auto a = spawn(asks_first, std::ref(ended), infinite, std::ref(to));
    between.tell(meet(a));
    auto early = between.ask(question{}, 1s);  // lies in the mailbox of one that waits for `go`
    const std::string early_end = co_await ending(std::move(early));
    CHECK(starts_with(early_end, "timeout"));
    auto sleeper = spawn([](box& inbox) -> coro<> {
      co_await sleep(1s);
      auto got = co_await inbox.receive<question>();
      got.reply.answer(1);
    });
    auto other = spawn<middleman>();
    other.tell(meet(sleeper));
    auto asked = other.ask(question{}, infinite);
    const int answer = co_await asked;
    CHECK(answer == 2);
  };
  run_quietly(body());
  CHECK(ended.empty());
}

TEST_CASE("a request in the hands of a process may be answered by others, so it closes no circle") {
  // The process gives its right to answer away, and asks who waits for that answer.
  std::string ended;
  auto body = [&]() -> coro<> {
    auto between = spawn<middleman>();
    auto a = spawn(
        [&ended](box& inbox, actor_ref<talking> whom) -> coro<> {
          auto got = co_await inbox.receive<question>();
          auto answers = [](reply_to<int> reply) -> coro<> {
            co_await sleep(1s);
            reply.answer(1);
          };
          auto answering = inbox.create_task(answers(std::move(got.reply)));
          ended = co_await ending(whom.ask(question{}, 10s));
          static_cast<void>(co_await inbox.receive<go>());
        },
        actor_ref<talking>(between));
    between.tell(meet(a, 1));
    auto first = between.ask(question{}, infinite);
    const int answer = co_await first;
    CHECK(answer == 2);
    co_await sleep(1min);
  };
  run_quietly(body());
  CHECK(ended == "3");
}

TEST_CASE("processes that send to each other with full mailboxes are told so") {
  std::vector<std::string> ended(2);
  std::vector<actor_ref<talking>> both(2);
  auto body = [&]() -> coro<> {
    const auto sends = [](box& inbox, std::string& how, actor_ref<talking>& to) -> coro<> {
      static_cast<void>(co_await inbox.receive<go>());
      for (int left = 4; left != 0; --left) {
        how = co_await ending(to.send(fill{}));
        if (is_deadlock(how)) break;
      }
      for (;;) static_cast<void>(co_await inbox.receive<fill>());
    };
    const mailbox_options narrow{.capacity = 2, .when_full = overflow::suspend};
    for (std::size_t index = 0; index < 2; ++index)
      both[index] =
          spawn({.mailbox = narrow}, sends, std::ref(ended[index]), std::ref(both[1 - index]));
    for (const auto& each : both) each.tell(go{});
    co_await settle();
  };
  run_quietly(body());
  CHECK(is_deadlock(ended[0]) + is_deadlock(ended[1]) == 1);
}

TEST_CASE("a process whose ask ends by a stop, or is given up, closes no circle any more") {
  std::string ended;
  actor_ref<talking> to;
  auto body = [&]() -> coro<> {
    auto between = spawn<middleman>();
    to = between;
    auto a = spawn(asks_first, std::ref(ended), duration(1s), std::ref(to));
    auto sleeper = spawn([](box& inbox) -> coro<> {
      co_await sleep(2s);
      for (;;) {
        auto got = co_await inbox.receive<question>();
        got.reply.answer(1);
      }
    });
    between.tell(meet(sleeper));
    a.tell(go{});
    co_await sleep(1500ms);
    CHECK(starts_with(ended, "timeout"));
    between.tell(meet(a));
    auto asked = between.ask(question{}, infinite);
    const int answer = co_await asked;
    CHECK(answer == 8);
    a.stop();
    co_await settle();
    auto late = between.ask(question{}, infinite);
    const std::string late_end = co_await ending(std::move(late));
    CHECK(starts_with(late_end, "dead"));
  };
  run_quietly(body());
}

TEST_CASE("processes on two loops that ask each other at the same time: one at most is failed") {
  auto body = []() -> coro<int> {
    int found = 0;
    for (int round = 0; round < 100; ++round) {
      std::atomic<int> deadlocks{0};
      std::atomic<int> answered{0};
      const auto calls = [](box& inbox, std::atomic<int>& failed, std::atomic<int>& well,
                            std::optional<actor_ref<talking>>& to) -> coro<> {
        static_cast<void>(co_await inbox.receive<go>());
        const std::string how = co_await ending(to->ask(question{}, infinite));
        failed += is_deadlock(how);
        well += how == "7";
        for (;;) {
          auto got = co_await inbox.receive<question>();
          got.reply.answer(7);
        }
      };
      std::optional<actor_ref<talking>> a;
      std::optional<actor_ref<talking>> b;
      a = spawn({.on = place::on(0)}, calls, std::ref(deadlocks), std::ref(answered), std::ref(b));
      b = spawn({.on = place::on(1)}, calls, std::ref(deadlocks), std::ref(answered), std::ref(a));
      a->tell(go{});
      b->tell(go{});
      while (deadlocks + answered != 2) co_await sleep(0s);
      if (deadlocks == 2) fail("both were failed");
      found += deadlocks;
      a->stop();
      b->stop();
      co_await a->stopped();
      co_await b->stopped();
    }
    co_return found;
  };
  CHECK(run_on(2, body()) <= 100);
}
