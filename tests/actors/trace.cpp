// What a tracer sees of actors and messages, and who is said to have caused it.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/process.hpp>
#include <troupe/actors/topic.hpp>
#include <troupe/actors/tracer.hpp>
#include <troupe/runtime/task.hpp>

#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct order {
  int cups = 1;
};
struct brew {
  using reply = int;
  int cups = 1;
};
struct water {};
struct spill {
  using reply = int;
};
struct later {};

using kitchen_protocol = protocol<brew, water, spill>;
using waiter_protocol = protocol<order, later, spill>;

class kitchen : public actor<kitchen_protocol> {
 public:
  int on(brew b) {
    self().tell(water{});
    return b.cups;
  }
  void on(water) {}
  int on(spill) { throw std::runtime_error("all over the floor"); }
};

class waiter : public actor<waiter_protocol> {
 public:
  explicit waiter(actor_ref<kitchen_protocol> cook) : cook_(std::move(cook)) {}
  coro<> on(order o) {
    co_await sleep(1s);
    co_await cook_.ask(brew{o.cups});
    task<void> washing = create_task(wash(cook_), {.name = "washing"});
    co_await washing;
  }
  void on(later) { start_timer("order", 1s, order{2}); }
  coro<int> on(spill) { return forward(cook_); }

 private:
  static coro<> wash(actor_ref<kitchen_protocol> cook) {
    co_await sleep(0s);
    cook.tell(water{});
  }
  static coro<int> forward(actor_ref<kitchen_protocol> cook) {
    co_return co_await cook.ask(spill{});
  }
  actor_ref<kitchen_protocol> cook_;
};

/// Writes a line for each event: "3 sent brew m2 to a1 by a2 for m1".
class scribe final : public tracer {
 public:
  void see(const trace_event& seen) noexcept override {
    std::string line(to_string(seen.what));
    const std::string whom = "a" + std::to_string(seen.actor);
    if (seen.message != 0) {
      line += (seen.ask ? " ask " : " ") + std::string(seen.type.substr(seen.type.rfind(':') + 1)) +
              " m" + std::to_string(seen.message) +
              (seen.what == trace_event::kind::sent ? " to " : " at ");
    } else {
      line += " ";
    }
    line += whom;
    if (seen.by != 0) line += " by a" + std::to_string(seen.by);
    if (seen.cause != 0) line += " for m" + std::to_string(seen.cause);
    if (seen.error) line += ": " + describe(seen.error).substr(0, 18);  // the name of its type
    if (const brew* const asked = seen.content<brew>())
      line += " cups=" + std::to_string(asked->cups);
    lines.push_back(line);
    in_order = in_order && seen.number == lines.size();
    if (on_event) on_event(seen);
  }
  std::vector<std::string> lines;
  bool in_order = true;
  std::function<void(const trace_event&)> on_event;
};

}  // namespace

TEST_CASE(
    "a tracer sees spawn, send, delivery, reply and stop, with who did it and for which message") {
  scribe book;
  auto body = [](scribe& seen) -> coro<> {
    co_await trace_actors(seen);
    const auto cook = spawn<kitchen>();
    const auto serving = spawn<waiter>(cook);
    serving.tell(order{3});
    co_await sleep(2s);
    serving.stop();
    co_await serving.stopped();
  };
  testing::run(body(book));
  CHECK(book.in_order);
  CHECK(book.lines == std::vector<std::string>{
                          "spawned a1",
                          "spawned a2",
                          "sent order m1 to a2",
                          "delivered order m1 at a2",
                          "sent ask brew m2 to a1 by a2 for m1 cups=3",
                          "delivered ask brew m2 at a1 by a2 for m1 cups=3",
                          "sent water m3 to a1 by a1 for m2",
                          "replied ask brew m2 at a2 by a1 for m2",
                          "delivered water m3 at a1 by a1 for m2",
                          "sent water m4 to a1 by a2 for m1",
                          "delivered water m4 at a1 by a2 for m1",
                          "stopped a2",
                          "stopped a1",
                      });
}

TROUPE_PROGRAM_TEST_CASE("a tracer sees crashes, what was lost with them, and what asks came to") {
  scribe book;
  auto body = [](scribe& seen) -> coro<> {
    co_await trace_actors(seen);
    const auto cook = spawn<kitchen>();
    auto answer = cook.ask(spill{});
    cook.tell(water{});
    std::string end = co_await ending(std::move(answer));
    CHECK(end == "error: all over the floor");
    end = co_await ending(cook.ask(brew{}));
    CHECK(starts_with(end, "dead: "));
    cook.tell(water{});
  };
  failure_log log;
  testing::run(body(book), &log);
  CHECK(book.lines == std::vector<std::string>{
                          "spawned a1",
                          "sent ask spill m1 to a1",
                          "sent water m2 to a1",
                          "delivered ask spill m1 at a1",
                          "crashed a1 by a1 for m1: std::runtime_error",
                          "failed ask spill m1 at a0 by a1 for m1: std::runtime_error",
                          "lost water m2 at a1",
                          "stopped a1: std::runtime_error",
                          "sent ask brew m3 to a1 cups=1",
                          "failed ask brew m3 at a0: troupe::actor_dead",
                          "sent water m4 to a1",
                          "lost water m4 at a1",
                      });
}

TROUPE_PROGRAM_TEST_CASE("a withdrawn ask has failed by nothing in a trace, and is not delivered") {
  scribe book;
  auto body = [](scribe& seen) -> coro<> {
    co_await trace_actors(seen);
    const auto cook = spawn<kitchen>();
    auto answer = cook.ask(brew{});
    answer.cancel();
    co_await settle();
  };
  testing::run(body(book));
  CHECK(book.lines == std::vector<std::string>{"spawned a1", "sent ask brew m1 to a1 cups=1",
                                               "failed ask brew m1 at a0", "stopped a1"});
}

TROUPE_PROGRAM_TEST_CASE("the message of an actor's timer is sent by the actor itself in a trace") {
  scribe book;
  auto body = [](scribe& seen) -> coro<> {
    co_await trace_actors(seen);
    const auto cook = spawn<kitchen>();
    const auto serving = spawn<waiter>(cook);
    serving.tell(later{});
    co_await sleep(1500ms);
  };
  testing::run(body(book));
  const auto at = std::find(book.lines.begin(), book.lines.end(), "sent order m2 to a2 by a2");
  REQUIRE(at != book.lines.end());
  CHECK(*std::next(at) == "delivered order m2 at a2 by a2");
}

TROUPE_PROGRAM_TEST_CASE(
    "a process handles a message until it receives the next, as its trace says") {
  scribe book;
  auto body = [](scribe& seen) -> coro<> {
    co_await trace_actors(seen);
    const auto cook = spawn<kitchen>();
    const auto work = spawn(
        [](mailbox<order>& inbox, actor_ref<kitchen_protocol> to) -> coro<> {
          to.tell(water{});
          for (int round = 0; round != 2; ++round) {
            co_await inbox.receive();
            co_await sleep(1s);
            to.tell(water{});
          }
        },
        cook);
    co_await settle();
    work.tell(order{});
    work.tell(order{});
    co_await work.stopped();
  };
  testing::run(body(book));
  std::vector<std::string> waters;
  for (const std::string& line : book.lines)
    if (starts_with(line, "sent water")) waters.push_back(line);
  CHECK(waters == std::vector<std::string>{"sent water m1 to a1 by a2",
                                           "sent water m4 to a1 by a2 for m2",
                                           "sent water m5 to a1 by a2 for m3"});
}

TROUPE_PROGRAM_TEST_CASE("a restart is told to a tracer, with the number the actor had before") {
  scribe book;
  struct keeping : actor<protocol<later>> {
    keeping() { supervise<kitchen>({.name = "cook"}).tell(water{}); }
    void on(later) {}
  };
  auto body = [](scribe& seen) -> coro<> {
    co_await trace_actors(seen);
    actor_ref<kitchen_protocol> cook;
    seen.on_event = [&](const trace_event& event) {
      if (event.what == trace_event::kind::delivered && event.type.ends_with("water"))
        cook = actor_ref<kitchen_protocol>(*any_actor(event.who).cell()),
        event.who.cell()->retain();
    };
    const auto parent = spawn<keeping>();
    co_await settle();
    seen.on_event = {};
    const std::string end = co_await ending(cook.ask(spill{}));
    CHECK(end == "error: all over the floor");
    co_await settle();
    const int cups = co_await cook.ask(brew{5});
    CHECK(cups == 5);
  };
  failure_log log;
  testing::run(body(book), &log);
  CHECK(std::count(book.lines.begin(), book.lines.end(), "restarted a2") == 1);
  CHECK(std::count(book.lines.begin(), book.lines.end(),
                   "crashed a2 by a2 for m2: std::runtime_error") == 1);
  CHECK(std::count(book.lines.begin(), book.lines.end(), "delivered ask brew m3 at a2 cups=5") ==
        1);
}

TROUPE_PROGRAM_TEST_CASE(
    "actors that were there before the tracer are told of as spawned, with their children") {
  scribe book;
  struct family : actor<protocol<later>> {
    family() { spawn<kitchen>(); }
    void on(later) {}
  };
  auto body = [](scribe& seen) -> coro<> {
    const auto parent = spawn<family>();
    const auto cook = spawn<kitchen>();
    co_await settle();
    co_await trace_actors(seen);
    CHECK(seen.lines == std::vector<std::string>{"spawned a1", "spawned a2 by a1", "spawned a3"});
    cook.tell(water{});
    co_await settle();
    CHECK(seen.lines.back() == "delivered water m1 at a3");
    co_await stop_tracing();
    const std::size_t before = seen.lines.size();
    cook.tell(water{});
    co_await settle();
    const int cups = co_await cook.ask(brew{});
    CHECK(cups == 1);
    CHECK(seen.lines.size() == before);
  };
  testing::run(body(book));
}

TROUPE_PROGRAM_TEST_CASE("what a tracer does itself is not traced") {
  scribe book;
  auto body = [](scribe& seen) -> coro<> {
    co_await trace_actors(seen);
    const auto cook = spawn<kitchen>();
    const auto other = spawn<kitchen>();
    seen.on_event = [other](const trace_event& event) {
      if (event.what == trace_event::kind::sent) other.tell(water{});
    };
    cook.tell(water{});
    co_await settle();
    seen.on_event = {};
  };
  testing::run(body(book));
  CHECK(std::count(book.lines.begin(), book.lines.end(), "sent water m1 to a1") == 1);
  CHECK(std::count_if(book.lines.begin(), book.lines.end(),
                      [](const std::string& line) { return starts_with(line, "sent"); }) == 1);
}

TEST_CASE(
    "a traced mailbox with limits counts as before, and what finds no room is lost in the trace") {
  scribe book;
  auto body = [](scribe& seen) -> coro<> {
    co_await trace_actors(seen);
    const auto cook = spawn<kitchen>(
        {.name = "small", .mailbox = {.capacity = 1, .when_full = overflow::drop_newest}});
    cook.tell(water{});
    cook.tell(water{});
    co_await settle();
    cook.tell(water{}, urgent);
    co_await settle();
    co_await cook.send(water{});
  };
  testing::run(body(book));
  CHECK(book.lines == std::vector<std::string>{"spawned a1", "sent water m1 to a1",
                                               "sent water m2 to a1", "lost water m2 at a1",
                                               "delivered water m1 at a1", "sent water m3 to a1",
                                               "delivered water m3 at a1", "sent water m4 to a1",
                                               "delivered water m4 at a1", "stopped a1"});
}

TROUPE_PROGRAM_TEST_CASE(
    "a tracer that has been replaced sees no more, and asks under way end in silence") {
  scribe one, other;
  auto body = [](scribe& first, scribe& second) -> coro<> {
    co_await trace_actors(first);
    const auto cook = spawn<kitchen>();
    auto answer = cook.ask(brew{});
    co_await trace_actors(second);
    const int cups = co_await answer;
    CHECK(cups == 1);
  };
  testing::run(body(one, other));
  CHECK(one.lines == std::vector<std::string>{"spawned a1", "sent ask brew m1 to a1 cups=1"});
  CHECK(other.lines.front() == "spawned a1");
  CHECK(other.lines.back() == "stopped a1");
}

TROUPE_PROGRAM_TEST_CASE(
    "what an actor's timer, or a topic's bound, takes out of a mailbox is lost in a trace") {
  scribe book;
  struct scene {
    static coro<> run(scribe& seen) {
      co_await trace_actors(seen);
      const topic<water> flood;
      const auto cook = spawn<kitchen>();
      flood.subscribe(cook, {.capacity = 1, .when_full = lag::drop_oldest});
      flood.publish(water{});
      flood.publish(water{});
      co_await settle();
    }
  };
  testing::run(scene::run(book));
  CHECK(book.lines == std::vector<std::string>{"spawned a1", "sent water m1 to a1",
                                               "lost water m1 at a1", "sent water m2 to a1",
                                               "delivered water m2 at a1", "stopped a1"});
}

TROUPE_PROGRAM_TEST_CASE(
    "a send that comes to nothing is lost in a trace, and the next one has a number of its own") {
  scribe book;
  failure_log log;
  struct scene {
    static coro<> run(scribe& seen) {
      co_await trace_actors(seen);
      const auto cook = spawn<kitchen>(
          {.name = "small", .mailbox = {.capacity = 1, .when_full = overflow::reject}});
      cook.tell(water{});
      for (int round = 0; round < 2; ++round) {
        auto sent = cook.send(water{});
        const std::string end = co_await ending(std::move(sent));
        CHECK(end.starts_with("error: "));
      }
    }
  };
  testing::run(scene::run(book), &log);
  const std::vector<std::string> all(book.lines.begin(), book.lines.begin() + 6);
  CHECK(all == std::vector<std::string>{"spawned a1", "sent water m1 to a1", "sent water m2 to a1",
                                        "lost water m2 at a1", "sent water m3 to a1",
                                        "lost water m3 at a1"});
}
