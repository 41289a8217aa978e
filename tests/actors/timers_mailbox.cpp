// Messages of timers in the mailbox: their place there, what becomes of them when the timer is cancelled or the mailbox full.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/actor_roots.hpp>

#include "actors/helpers.hpp"
#include "actors/timekeeper.hpp"
#include "support/explored.hpp"

#include <cstdint>
#include <functional>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::timekeeping;

TEST_CASE("a timer's message that lies in the mailbox does not come once it is cancelled") {
  // Each is in the mailbox before the actor's turn: the handler before it has waited until then.
  for (const bool replaced : {false, true}) {
    journal expected{"dawdles at 0", "goes on at 50", "cancelled at 50"};
    if (replaced) {
      expected.back() = "replaced at 50";
      expected.insert(expected.end(), {"kept at 50", "new at 60"});
    } else {
      expected.emplace_back("kept at 50");
    }
    CHECK(play([replaced](timekeeper& k) {
            k.self().tell(dawdle{50ms});
            k.self().tell(act{[replaced](timekeeper& in) {
              if (replaced) {
                in.start_timer("t", 10ms, tick{"new"});
                in.start_timer("p", infinite, tick{"new"});
                in.note("replaced");
              } else {
                in.note(in.cancel_timer("t") && in.cancel_timer("p") ? "cancelled" : "was none");
              }
            }});
            k.start_timer("t", 10ms, tick{"old"});
            k.start_periodic_timer("p", 10ms, tick{"old"});
            k.start_timer("kept", 10ms, tick{"kept"});
          }) == expected);
  }
}

TEST_CASE("a task that cancels a timer when it is due either comes too late or nothing comes") {
  // It looks at every moment there is: before the turn that reaches the message, and between that and the turn that handles it.
  int too_late = 0;
  for (const bool periodic : {false, true}) {
    for (const bool task_first : {false, true}) {
      for (int rounds = 0; rounds < 6; ++rounds) {
        const journal seen = play([=](timekeeper& k) {
          auto cancel_after = [](timekeeper& in, int wait) -> coro<> {
            co_await sleep(10ms);
            for (int round = 0; round < wait; ++round) co_await sleep(0s);
            in.note(in.timer_active("t") ? "was active" : "was not");
            in.cancel_timer("t");
          };
          if (task_first) k.create_task(cancel_after(k, rounds), {.eager = true});
          if (periodic) {
            k.start_periodic_timer("t", 10ms, tick{"t"});
          } else {
            k.start_timer("t", 10ms, tick{"t"});
          }
          if (!task_first) k.create_task(cancel_after(k, rounds));
        });
        if (seen.size() == 2) {
          ++too_late;
          CHECK(seen == journal{"t at 10", periodic ? "was active at 10" : "was not at 10"});
        } else {
          CHECK(seen == journal{"was active at 10"});
        }
      }
    }
  }
  CHECK(too_late > 12);
  CHECK(too_late < 21);
}

TEST_CASE("a timer's message keeps its place among others") {
  CHECK(play([](timekeeper& k) {
          k.self().tell(dawdle{30ms});
          k.start_timer("a", 10ms, tick{"a"});
          k.start_timer("b", 20ms, tick{"b"});
          auto tell_between = [](timekeeper& in) -> coro<> {
            co_await sleep(15ms);
            in.self().tell(tick{"told"});
            co_await sleep(10ms);
            in.self().tell(tick{"told last"});
          };
          k.create_task(tell_between(k));
        }) == journal{"dawdles at 0", "goes on at 30", "a at 30", "told at 30", "b at 30",
                      "told last at 30"});
}

namespace {

/// Notes its ticks. Starts its timers when it begins to dawdle, and may look at them when it has ended.
struct dawdler : actor<protocol<tick, dawdle>> {
  using deed = void (*)(dawdler&);
  dawdler(journal& given, deed when_begun, deed when_ended)
      : into(given), begins(when_begun), ends(when_ended) {}
  void on(const tick& t) { into.push_back(t.name); }
  coro<> on(dawdle d) {
    begins(*this);
    co_await sleep(d.time);
    ends(*this);
  }

  using actor::cancel_timer;
  using actor::start_periodic_timer;
  using actor::start_timer;
  using actor::timer_active;
  journal& into;
  deed begins;
  deed ends;
};

}  // namespace

TROUPE_PROGRAM_TEST_CASE(
    "a full mailbox takes the message of a timer all the same, and counts it once") {
  const auto starts_timers = [](dawdler& in) {
    in.start_timer("t", 1s, tick{"timer"});
    in.start_timer("u", 1s, tick{"unwanted"});
    in.start_periodic_timer("p", 2s, tick{"period"});
  };
  const auto cancels_one = [](dawdler& in) { in.cancel_timer("u"); };
  journal into;
  auto body = [&]() -> coro<std::uint64_t> {
    auto one =
        spawn<dawdler>(spawn_options{.name = "",
                                     .on = place::here,
                                     .mailbox = {.capacity = 2, .when_full = overflow::reject}},
                       std::ref(into), starts_timers, cancels_one);
    one.tell(dawdle{2500ms});
    co_await settle();
    one.tell(tick{"a"});
    one.tell(tick{"b"});
    one.tell(tick{"refused"});
    co_await sleep(3s);
    // All have gone, so there is room for two, and no more.
    one.tell(tick{"c"});
    one.tell(tick{"d"});
    one.tell(tick{"refused"});
    co_await sleep(1500ms);
    one.tell(tick{"e"});
    one.tell(tick{"f"});
    one.tell(tick{"refused"});
    co_await settle();
    co_return troupe::internal::actor_roots::of_current_loop().refused_as_full;
  };
  CHECK(testing::run(body()) == 3);
  CHECK(into == journal{"a", "b", "timer", "period", "c", "d", "period", "e", "f"});
}

TROUPE_PROGRAM_TEST_CASE(
    "a mailbox that gives room to the newest may throw out a timer's message, not the timer") {
  const auto starts_timers = [](dawdler& in) {
    in.start_periodic_timer("p", 2s, tick{"period"});
    in.start_timer("t", 1s, tick{"once"});
  };
  const auto looks_at_them = [](dawdler& in) {
    in.into.push_back(in.timer_active("t") ? "active" : "gone");
  };
  journal into;
  auto body = [&]() -> coro<> {
    auto one = spawn<dawdler>(
        spawn_options{.name = "",
                      .on = place::here,
                      .mailbox = {.capacity = 2, .when_full = overflow::drop_oldest}},
        std::ref(into), starts_timers, looks_at_them);
    one.tell(dawdle{3s});
    co_await sleep(2500ms);
    one.tell(tick{"a"});
    one.tell(tick{"b"});
    one.tell(tick{"c"});
    co_await sleep(2s);
  };
  testing::run(body());
  CHECK(into == journal{"gone", "b", "c", "period"});
}

TROUPE_PROGRAM_TEST_CASE("timers of an actor that drains its mailbox are no reason to go on") {
  const auto starts_timers = [](dawdler& in) {
    in.start_periodic_timer("p", 1s, tick{"period"});
    in.start_timer("t", 1s, tick{"once"});
    in.start_timer("late", 2500ms, tick{"late"});
  };
  const auto does_nothing = [](dawdler&) {};
  journal into;
  auto body = [&]() -> coro<> {
    auto one = spawn<dawdler>(
        spawn_options{.name = "", .on = place::here, .mailbox = {.drain_for = infinite}},
        std::ref(into), starts_timers, does_nothing);
    one.tell(dawdle{3s});
    co_await settle();
    one.tell(tick{"a"});
    co_await sleep(2s);
    one.stop();
    auto end = one.stopped();
    static_cast<void>(co_await end);
  };
  testing::run(body());
  CHECK(into == journal{"a", "period", "once"});
}
