// The timers that an actor has by key: their messages, once and over and over; what is cancelled or replaced never comes.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/actor_roots.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

class keeper;

struct tick {
  std::string name;
};
struct once {  // cannot be copied
  std::unique_ptr<int> value;
};
struct act {  // does something inside the actor
  std::function<void(keeper&)> what;
};
struct dawdle {  // a handler that takes a while, waiting
  duration time;
};
struct fetch {
  using reply = int;
};
using keeping = protocol<tick, once, act, dawdle, fetch>;

/// Notes what comes, and when.
class keeper : public actor<keeping> {
 public:
  explicit keeper(journal& into) : into_(into), began_(loop::current()->time()) {}
  void on(tick t) {
    note(t.name);
    if (then) std::exchange(then, {})(*this);
  }
  void on(once o) { note("once " + std::to_string(*o.value)); }
  void on(const act& a) { a.what(*this); }
  coro<> on(dawdle d) {
    note("dawdles");
    co_await sleep(d.time);
    note("goes on");
  }
  void on(fetch, reply_to<int> reply) {
    note("fetch");
    reply.answer(1);
  }
  void note(const std::string& what) {
    const auto passed = loop::current()->time() - began_;
    into_.push_back(what + " at " + std::to_string(passed / 1ms));
  }

  using actor::cancel_all_timers;
  using actor::cancel_timer;
  using actor::create_task;
  using actor::self;
  using actor::start_periodic_timer;
  using actor::start_timer;
  using actor::stop;
  using actor::timer_active;
  std::function<void(keeper&)> then;  ///< after the next tick

 private:
  journal& into_;
  time_point began_;
};

using scene = std::function<void(keeper&)>;

/// What an actor notes that does `first` at 0 ms, for ten seconds.
journal play(scene first, std::vector<std::pair<duration, scene>> later = {},
             failure_log* log = nullptr) {
  journal into;
  auto body = [&]() -> coro<> {
    auto one = spawn<keeper>(std::ref(into));
    one.tell(act{std::move(first)});
    duration passed{};
    for (auto& [when, what] : later) {
      co_await sleep(when - passed);
      passed = when;
      one.tell(act{std::move(what)});
    }
    co_await sleep(10s - passed);
  };
  testing::run(body(), log);
  return into;
}

}  // namespace

TEST_CASE("a timer of an actor tells it a message once, after its time") {
  CHECK(play([](keeper& k) {
          k.start_timer("b", 20ms, tick{"b"});
          k.start_timer("a", 10ms, tick{"a"});
          k.start_timer("c", 30ms, once{std::make_unique<int>(7)});
          k.start_timer("at once", 0ms, tick{"now"});
          k.start_timer("late", -5s, tick{"late"});
        }) == journal{"now at 0", "late at 0", "a at 10", "b at 20", "once 7 at 30"});
}

TEST_CASE("a timer that is never due is active until it is cancelled") {
  CHECK(play([](keeper& k) {
          k.start_timer("never", infinite, tick{"never"});
          k.note(k.timer_active("never") ? "active" : "not");
          k.note(k.cancel_timer("never") ? "cancelled" : "was none");
          k.note(k.timer_active("never") ? "active" : "not");
          k.note(k.cancel_timer("never") ? "cancelled" : "was none");
        }) == journal{"active at 0", "cancelled at 0", "not at 0", "was none at 0"});
}

TEST_CASE("keys are names with numbers, and are copied") {
  CHECK(play([](keeper& k) {
          std::string name = "a key that is longer than small strings are";
          k.start_timer(name, 10ms, tick{"name"});
          k.start_timer({name, 1}, 20ms, tick{"one"});
          k.start_timer({"order", 1}, 30ms, tick{"order 1"});
          k.start_timer({"order", 2}, 40ms, tick{"order 2"});
          k.start_timer("order", 50ms, tick{"order"});
          k.start_timer("", 60ms, tick{"empty"});
          name.assign(name.size(), 'x');
          k.cancel_timer({"order", 1});
        }) == journal{"name at 10", "one at 20", "order 2 at 40", "order at 50", "empty at 60"});
}

TEST_CASE("a timer that is started again replaces the one of its key, whatever kind it was") {
  CHECK(play([](keeper& k) {
          k.start_timer("t", 10ms, tick{"first"});
          k.start_timer("t", 20ms, once{std::make_unique<int>(2)});
          k.start_periodic_timer("p", 5ms, tick{"period"});
          k.start_timer("p", 30ms, tick{"no period"});
        }) == journal{"once 2 at 20", "no period at 30"});
}

TEST_CASE("a periodic timer keeps to its times and leaves out those that pass meanwhile") {
  CHECK(play([](keeper& k) { k.start_periodic_timer("t", 3s, tick{"t"}); }) ==
        journal{"t at 3000", "t at 6000", "t at 9000"});
  // It is due at 1, 2, 3, 4, ... and 3 to 5 pass in the handler of another message.
  CHECK(play([](keeper& k) { k.start_periodic_timer("t", 1s, tick{"t"}); },
             {{2500ms,
               [](keeper& k) {
                 k.self().tell(dawdle{3s});
                 k.start_timer("end", 5s, act{[](keeper& then) { then.cancel_all_timers(); }});
               }}}) == journal{"t at 1000", "t at 2000", "dawdles at 2500", "goes on at 5500",
                               "t at 5500", "t at 6000", "t at 7000"});
}

TEST_CASE("a periodic timer whose message is handled for longer than its period does not pile up") {
  struct sleeper : actor<protocol<tick>> {
    explicit sleeper(journal& given) : into(given) { start_periodic_timer("t", 1s, tick{"t"}); }
    coro<> on(tick) {
      into.push_back("begins");
      co_await sleep(3500ms);
      into.push_back("ends");
    }
    journal& into;
  };
  journal into;
  auto body = [&]() -> coro<> {
    spawn<sleeper>(std::ref(into));
    co_await sleep(8900ms);  // from 1 to 4.5, from 5 to 8.5
  };
  testing::run(body());
  CHECK(into == journal{"begins", "ends", "begins", "ends"});
}

TEST_CASE("a timer may be started, replaced and cancelled in the handler of its own message") {
  CHECK(play([](keeper& k) {
          k.start_timer("t", 10ms, tick{"one"});
          k.then = [](keeper& in) {
            in.note(in.timer_active("t") ? "active" : "not");
            in.note(in.cancel_timer("t") ? "cancelled" : "was none");
            in.start_timer("t", 10ms, tick{"two"});
            in.note(in.timer_active("t") ? "active" : "not");
          };
        }) == journal{"one at 10", "not at 10", "was none at 10", "active at 10", "two at 20"});
  CHECK(play([](keeper& k) {
          k.start_periodic_timer("t", 10ms, tick{"one"});
          k.then = [](keeper& in) { in.note(in.cancel_timer("t") ? "cancelled" : "was none"); };
        }) == journal{"one at 10", "cancelled at 10"});
  CHECK(play([](keeper& k) {
          k.start_periodic_timer("t", 3s, tick{"one"});
          k.then = [](keeper& in) { in.start_periodic_timer("t", 4s, tick{"two"}); };
        }) == journal{"one at 3000", "two at 7000"});
}

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
    CHECK(play([replaced](keeper& k) {
            k.self().tell(dawdle{50ms});
            k.self().tell(act{[replaced](keeper& in) {
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
        const journal seen = play([=](keeper& k) {
          auto cancel_after = [](keeper& in, int wait) -> coro<> {
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
  CHECK(play([](keeper& k) {
          k.self().tell(dawdle{30ms});
          k.start_timer("a", 10ms, tick{"a"});
          k.start_timer("b", 20ms, tick{"b"});
          auto tell_between = [](keeper& in) -> coro<> {
            co_await sleep(15ms);
            in.self().tell(tick{"told"});
            co_await sleep(10ms);
            in.self().tell(tick{"told last"});
          };
          k.create_task(tell_between(k));
        }) == journal{"dawdles at 0", "goes on at 30", "a at 30", "told at 30", "b at 30",
                      "told last at 30"});
}

TEST_CASE("a timer may tell a request, whose answer nobody waits for") {
  CHECK(play([](keeper& k) { k.start_timer("f", 10ms, fetch{}); }) == journal{"fetch at 10"});
}

TEST_CASE(
    "timers end with their actor, and what they have put into the mailbox is no dead letter") {
  struct ends : actor<protocol<tick>> {
    explicit ends(journal& given) : into(given) {
      start_timer("soon", 0ms, tick{"soon"});
      start_timer("t", 1s, tick{"t"});
      start_periodic_timer("p", 1s, tick{"p"});
    }
    coro<> on(tick t) {
      into.push_back(t.name);
      co_await sleep(2s);
    }
    void on_stop() { start_timer("late", 0s, tick{"late"}); }
    ~ends() { start_periodic_timer("later", 1s, tick{"later"}); }
    journal& into;
  };
  journal into;
  auto body = [&]() -> coro<std::uint64_t> {
    auto one = spawn<ends>(std::ref(into));
    co_await sleep(1500ms);  // both lie in the mailbox
    one.stop();
    co_await sleep(5s);
    co_return internal::actor_roots::of_current_loop().dead_letters;
  };
  CHECK(testing::run(body()) == 1);  // the message in hand
  CHECK(into == journal{"soon"});
}

TEST_CASE(
    "an actor that is killed, crashes or is left to the end of the run takes its timers along") {
  for (const int how : {0, 1, 2}) {
    failure_log log;
    CHECK(play(
              [how](keeper& k) {
                k.start_timer("t", 11s, once{std::make_unique<int>(1)});
                k.start_periodic_timer("p", 9s, tick{"p"});
                k.start_timer("never", infinite, once{std::make_unique<int>(1)});
                if (how == 1) throw std::runtime_error("boom");
                if (how == 2) k.self().kill();
              },
              {}, &log) == (how == 0 ? journal{"p at 9000"} : journal{}));
    CHECK(log.reports().size() == (how == 1 ? 1 : 0));
  }
}

TEST_CASE("a periodic timer has to have a period, and its message to be copied without throwing") {
  struct fragile {
    fragile() = default;
    fragile(const fragile&) { throw std::runtime_error("no copy"); }
    fragile(fragile&&) = default;
  };
  struct copies : actor<protocol<fragile, tick>> {
    void on_start() {
      CHECK_THROWS_AS(start_periodic_timer("t", 0s, tick{"t"}), std::invalid_argument);
      CHECK_THROWS_AS(start_periodic_timer("t", -1s, tick{"t"}), std::invalid_argument);
      CHECK_FALSE(timer_active("t"));
      start_periodic_timer("f", 1s, fragile());
    }
    void on(const fragile&) {}
    void on(const tick&) {}
  };
  failure_log log;
  auto body = []() -> coro<std::string> {
    auto one = spawn<copies>();
    auto end = one.stopped();
    const exit_reason why = co_await end;
    co_return why.text();
  };
  CHECK(testing::run(body(), &log) == "crashed: std::runtime_error: no copy");
}

TEST_CASE("an actor may have many timers, and cancel them all") {
  constexpr int many = 5000;
  CHECK(play([](keeper& k) {
          for (unsigned index = 0; index < many; ++index) {
            k.start_timer({"t", index}, 1ms * (index % 100), tick{"t"});
            k.start_timer({"u", index}, 1ms * (index % 100), tick{"u"});
          }
          for (unsigned index = 0; index < many; ++index) k.cancel_timer({"u", index});
        }).size() == many);
  CHECK(play([](keeper& k) {
          for (unsigned index = 0; index < many; ++index)
            k.start_periodic_timer({"t", index}, 50ms + 1ms * (index % 100), tick{"t"});
          k.start_timer("end", 55ms, act{[](keeper& in) { in.cancel_all_timers(); }});
        }).size() == 6 * many / 100);
}

TEST_CASE("an actor whose timers go off in real time while it ends leaves nothing") {
  struct busy : actor<protocol<tick>> {
    busy() {
      for (unsigned index = 0; index < 20; ++index)
        start_periodic_timer({"t", index}, 1us, tick{"t"});
    }
    void on(const tick& t) {
      if (++seen % 7 == 0) cancel_timer({"t", static_cast<unsigned>(seen) % 20});
      start_timer(t.name, 1us, tick{t.name});
    }
    int seen = 0;
  };
  auto body = []() -> coro<> {
    for (int times = 0; times < 50; ++times) {
      auto here = spawn<busy>();
      auto there = spawn<busy>(place::on(1));
      for (int round = 0; round < 5; ++round) co_await sleep(0s);
      here.stop();
      there.kill();
      auto end = there.stopped();
      static_cast<void>(co_await end);
    }
    spawn<busy>(place::on(1));  // the end of the run finds these
    spawn<busy>();
  };
  run_on(2, body());
  SUCCEED("nothing was left");
}

TEST_CASE("a full mailbox takes the message of a timer all the same, and counts it once") {
  struct counting : actor<protocol<tick, dawdle>> {
    explicit counting(journal& given) : into(given) {}
    void on(const tick& t) { into.push_back(t.name); }
    coro<> on(dawdle d) {
      start_timer("t", 1s, tick{"timer"});
      start_timer("u", 1s, tick{"unwanted"});
      start_periodic_timer("p", 2s, tick{"period"});
      co_await sleep(d.time);
      cancel_timer("u");
    }
    journal& into;
  };
  journal into;
  auto body = [&]() -> coro<std::uint64_t> {
    auto one =
        spawn<counting>(spawn_options{.name = "",
                                      .on = place::here,
                                      .mailbox = {.capacity = 2, .when_full = overflow::reject}},
                        std::ref(into));
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
    co_return internal::actor_roots::of_current_loop().refused_as_full;
  };
  CHECK(testing::run(body()) == 3);
  CHECK(into == journal{"a", "b", "timer", "period", "c", "d", "period", "e", "f"});
}

TEST_CASE(
    "a mailbox that gives room to the newest may throw out a timer's message, not the timer") {
  struct forgetful : actor<protocol<tick, dawdle>> {
    explicit forgetful(journal& given) : into(given) {}
    void on(const tick& t) { into.push_back(t.name); }
    coro<> on(dawdle d) {
      start_periodic_timer("p", 2s, tick{"period"});
      start_timer("t", 1s, tick{"once"});
      co_await sleep(d.time);
      into.push_back(timer_active("t") ? "active" : "gone");
    }
    journal& into;
  };
  journal into;
  auto body = [&]() -> coro<> {
    auto one = spawn<forgetful>(
        spawn_options{.name = "",
                      .on = place::here,
                      .mailbox = {.capacity = 2, .when_full = overflow::drop_oldest}},
        std::ref(into));
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

TEST_CASE("timers of an actor that drains its mailbox are no reason to go on") {
  struct draining : actor<protocol<tick, dawdle>> {
    explicit draining(journal& given) : into(given) {}
    void on(const tick& t) { into.push_back(t.name); }
    coro<> on(dawdle d) {
      start_periodic_timer("p", 1s, tick{"period"});
      start_timer("t", 1s, tick{"once"});
      start_timer("late", 2500ms, tick{"late"});
      co_await sleep(d.time);
    }
    journal& into;
  };
  journal into;
  auto body = [&]() -> coro<> {
    auto one = spawn<draining>(
        spawn_options{.name = "", .on = place::here, .mailbox = {.drain_for = infinite}},
        std::ref(into));
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
