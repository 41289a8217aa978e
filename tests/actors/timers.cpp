// The timers that an actor has by key: their messages, once and over and over; what is cancelled or replaced never comes.
#include <troupe/actors/actor.hpp>

#include "actors/helpers.hpp"
#include "actors/timekeeper.hpp"
#include "support/explored.hpp"

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::timekeeping;

TEST_CASE("a timer of an actor tells it a message once, after its time") {
  CHECK(play([](timekeeper& k) {
          k.start_timer("b", 20ms, tick{"b"});
          k.start_timer("a", 10ms, tick{"a"});
          k.start_timer("c", 30ms, once{std::make_unique<int>(7)});
          k.start_timer("at once", 0ms, tick{"now"});
          k.start_timer("late", -5s, tick{"late"});
        }) == journal{"now at 0", "late at 0", "a at 10", "b at 20", "once 7 at 30"});
}

TEST_CASE("a timer that is never due is active until it is cancelled") {
  CHECK(play([](timekeeper& k) {
          k.start_timer("never", infinite, tick{"never"});
          k.note(k.timer_active("never") ? "active" : "not");
          k.note(k.cancel_timer("never") ? "cancelled" : "was none");
          k.note(k.timer_active("never") ? "active" : "not");
          k.note(k.cancel_timer("never") ? "cancelled" : "was none");
        }) == journal{"active at 0", "cancelled at 0", "not at 0", "was none at 0"});
}

TEST_CASE("keys are names with numbers, and are copied") {
  CHECK(play([](timekeeper& k) {
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
  CHECK(play([](timekeeper& k) {
          k.start_timer("t", 10ms, tick{"first"});
          k.start_timer("t", 20ms, once{std::make_unique<int>(2)});
          k.start_periodic_timer("p", 5ms, tick{"period"});
          k.start_timer("p", 30ms, tick{"no period"});
        }) == journal{"once 2 at 20", "no period at 30"});
}

TEST_CASE("a periodic timer keeps to its times and leaves out those that pass meanwhile") {
  CHECK(play([](timekeeper& k) { k.start_periodic_timer("t", 3s, tick{"t"}); }) ==
        journal{"t at 3000", "t at 6000", "t at 9000"});
  // It is due at 1, 2, 3, 4, ... and 3 to 5 pass in the handler of another message.
  CHECK(play([](timekeeper& k) { k.start_periodic_timer("t", 1s, tick{"t"}); },
             {{2500ms,
               [](timekeeper& k) {
                 k.self().tell(dawdle{3s});
                 k.start_timer("end", 5s, act{[](timekeeper& then) { then.cancel_all_timers(); }});
               }}}) == journal{"t at 1000", "t at 2000", "dawdles at 2500", "goes on at 5500",
                               "t at 5500", "t at 6000", "t at 7000"});
}

TROUPE_PROGRAM_TEST_CASE(
    "a periodic timer whose message is handled for longer than its period does not pile up") {
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
  CHECK(play([](timekeeper& k) {
          k.start_timer("t", 10ms, tick{"one"});
          k.then = [](timekeeper& in) {
            in.note(in.timer_active("t") ? "active" : "not");
            in.note(in.cancel_timer("t") ? "cancelled" : "was none");
            in.start_timer("t", 10ms, tick{"two"});
            in.note(in.timer_active("t") ? "active" : "not");
          };
        }) == journal{"one at 10", "not at 10", "was none at 10", "active at 10", "two at 20"});
  CHECK(play([](timekeeper& k) {
          k.start_periodic_timer("t", 10ms, tick{"one"});
          k.then = [](timekeeper& in) { in.note(in.cancel_timer("t") ? "cancelled" : "was none"); };
        }) == journal{"one at 10", "cancelled at 10"});
  CHECK(play([](timekeeper& k) {
          k.start_periodic_timer("t", 3s, tick{"one"});
          k.then = [](timekeeper& in) { in.start_periodic_timer("t", 4s, tick{"two"}); };
        }) == journal{"one at 3000", "two at 7000"});
}

TEST_CASE("a timer may tell a request, whose answer nobody waits for") {
  CHECK(play([](timekeeper& k) { k.start_timer("f", 10ms, fetch{}); }) == journal{"fetch at 10"});
}

TROUPE_PROGRAM_TEST_CASE(
    "a periodic timer has to have a period, and its message to be copied without throwing") {
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
