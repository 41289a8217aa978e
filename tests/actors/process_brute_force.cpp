// Processes, stopped at every place: by cancelling who asks them, by stop and kill, and by abandoning the loop.
#include <troupe/actors/process.hpp>
#include <troupe/runtime/timeout.hpp>

#include "actors/helpers.hpp"
#include "actors/stopped_at_end.hpp"
#include "runtime/brute_force.hpp"
#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <functional>
#include <memory>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct job {
  using reply = int;
  int value;
};
struct tool {
  std::shared_ptr<int> grip;
};
struct idle {};
using working = protocol<job, tool, idle>;
using workshop_box = mailbox<job, tool, idle>;

struct stage {
  int alive = 0;  ///< frames of processes that live
  int tools_sent = 0;
  int tools_received = 0;
  bool wrong = false;
};

/// Answers a job once it has got a tool for it; looks for what else there is in between.
coro<> worker(workshop_box& inbox, stage& with) {
  const counted frame(with.alive);
  for (;;) {
    asked<job> wanted = co_await inbox.receive<job>();
    const tool got = co_await inbox.receive<tool>();
    ++with.tools_received;
    with.wrong |= *got.grip != 7;
    const auto nothing = co_await inbox.receive<idle>(after(1ms));
    with.wrong |= nothing.has_value();
    try {
      const idle more = co_await timeout(1ms, inbox.receive<idle>());
      static_cast<void>(more);
      with.wrong = true;
    } catch (const timeout_error&) {
    }
    wanted.reply.answer(wanted.message.value + 1);
  }
}

/// Has two workers of its own, asks them, and cleans up when it is stopped.
coro<> master(mailbox<job, down>& inbox, stage& with) {
  const counted frame(with.alive);
  auto first = inbox.spawn(worker, std::ref(with));
  auto second = inbox.spawn(worker, std::ref(with));
  static_cast<void>(inbox.monitor(second));
  bool cancelled_once = false;
  try {
    asked<job> wanted = co_await inbox.receive<job>();
    auto half = first.ask(job{wanted.message.value});
    auto other = second.ask(job{wanted.message.value});
    for (const auto& each : {first, second}) {
      each.tell(tool{std::make_shared<int>(7)});
      ++with.tools_sent;
    }
    const int sum = co_await half + co_await other;
    wanted.reply.answer(sum);
    second.stop();
    const down news = co_await inbox.receive<down>();
    with.wrong |= !(news.who == any_actor(second));
  } catch (const cancelled&) {
    cancelled_once = true;
  }
  co_await sleep(1ms);
  if (cancelled_once) throw cancelled{};
}

coro<> asks_a_master(stage& with) {
  const stopped_at_end<protocol<job, down>> to(spawn(master, std::ref(with)));
  const int sum = co_await (*to).ask(job{1});
  with.wrong |= sum != 4;
  co_await rounds(3);
}

void verify(stage& with) {
  CHECK(with.alive == 0);
  CHECK_FALSE(with.wrong);
  CHECK(with.tools_received <= with.tools_sent);
}

}  // namespace

TEST_CASE("who asks processes may be cancelled everywhere") {
  CHECK(for_each_cancellation<stage>(asks_a_master, verify) > 5);
  for_each_cancellation<stage>(asks_a_master, verify, {.for_good = true});
  for_each_cancellation<stage>(asks_a_master, verify, {.twice = true});
}

TEST_CASE("a loop that is abandoned while processes wait leaves nothing of them") {
  CHECK(for_each_abandonment<stage>(asks_a_master, verify) > 5);
}

TEST_CASE("a process may be stopped or killed in every round, or stopped and then killed") {
  for (const bool killed_first : {false, true}) {
    for (int first = 0; first < 14; ++first) {
      for (int second = 0; second < 6; ++second) {
        stage with;
        failure_log log;
        std::string how;
        std::string why;
        auto body = [&]() -> coro<> {
          auto one = spawn(master, std::ref(with));
          auto end = one.stopped();
          auto answer = one.ask(job{1});
          // The time limits in it take time, the other rounds none.
          for (int count = 0; count < first; ++count) co_await sleep(count % 4 == 3 ? 1ms : 0s);
          if (killed_first) {
            one.kill();
          } else {
            one.stop();
          }
          co_await rounds(second);
          one.kill();
          how = co_await ending(std::move(answer));
          const exit_reason reason = co_await end;
          why = reason.text();
          co_await settle();
          CHECK(with.alive == 0);  // children have ended before
        };
        testing::run(body(), &log);
        INFO("after " << first << " rounds and " << second << ", killed: " << killed_first);
        CHECK((how == "4" || starts_with(how, "dead: ")));
        CHECK((why == "killed" || why == "stopped"));
        CHECK(log.text() == "");
        verify(with);
      }
    }
  }
}

namespace {

/// Receives with a time-out again and again, and counts.
coro<> patient(mailbox<tool>& inbox, stage& with) {
  const counted frame(with.alive);
  for (;;) {
    const auto got = co_await inbox.receive(after(1ms));
    if (got) ++with.tools_received;
  }
}

}  // namespace

TROUPE_PROGRAM_TEST_CASE(
    "a message that meets a time-out or a cancelled time limit is received once") {
  // All orders in which sleeps of the sender and time-outs of the receiver can meet.
  random_numbers random(1);
  for (int run = 0; run < 50; ++run) {
    stage with;
    auto body = [&]() -> coro<> {
      auto one = spawn(patient, std::ref(with));
      for (int count = 0; count < 30; ++count) {
        one.tell(tool{nullptr});
        ++with.tools_sent;
        co_await sleep(random.below(3) * 500us);
      }
      co_await settle();
      one.stop();
      static_cast<void>(co_await one.stopped());
    };
    testing::run(body());
    CHECK(with.alive == 0);
    CHECK(with.tools_received == with.tools_sent);
  }
}
