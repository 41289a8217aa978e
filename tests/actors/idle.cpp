// Actors that hear when they have had no message for some time.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/interleave.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>

#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <atomic>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

class guest;

struct say {
  int number;
};
struct dawdle {
  duration time;
};
struct act {
  std::function<void(guest&)> what;
};
using talking = protocol<say, dawdle, act>;

/// Notes when it is idle.
class guest : public actor<talking> {
 public:
  guest(journal& into, duration limit) : into_(into), began_(loop::current()->time()) {
    set_idle_timeout(limit);
  }
  ~guest() { note("destroyed"); }
  void on(say s) { note("hears " + std::to_string(s.number)); }
  coro<> on(dawdle d) {
    note("dawdles");
    co_await sleep(d.time);
    note("goes on");
  }
  void on(const act& a) { a.what(*this); }
  coro<> on_idle() {
    note("idle");
    if (when_idle) when_idle(*this);
    if (pause != duration::zero()) co_await sleep(pause);
  }
  void note(const std::string& what) {
    into_.push_back(what + " at " + std::to_string((loop::current()->time() - began_) / 1ms));
  }
  using actor::cancel_timer;
  using actor::set_idle_timeout;
  using actor::start_periodic_timer;
  using actor::start_timer;
  using actor::stop;
  std::function<void(guest&)> when_idle;
  duration pause{};

 private:
  journal& into_;
  time_point began_;
};

/// What a guest with that limit notes in ten seconds while it is told these.
template <class... Messages>
journal play(duration limit, std::pair<duration, Messages>... told) {
  journal into;
  auto body = [&]() -> coro<> {
    auto one = spawn<guest>(std::ref(into), limit);
    [[maybe_unused]] auto tell_later = [](actor_ref<talking> to, duration when,
                                          auto what) -> coro<> {
      co_await sleep(when);
      to.tell(std::move(what));
    };
    std::vector<task<>> telling;
    (telling.push_back(create_task(tell_later(one, told.first, std::move(told.second)))), ...);
    co_await sleep(10s);
    into.emplace_back("end");
  };
  testing::run(body());
  return into;
}

std::pair<duration, act> doing(duration when, std::function<void(guest&)> what) {
  return {when, act{std::move(what)}};
}
std::pair<duration, say> saying(duration when, int number) { return {when, say{number}}; }

/// Handles several messages side by side.
struct open_house : actor<protocol<dawdle>> {
  using interleave = all_messages;
  explicit open_house(journal& given) : into(given), began(loop::current()->time()) {
    set_idle_timeout(2s);
  }
  coro<> on(dawdle d) {
    co_await sleep(d.time);
    note("goes on");
  }
  void on_idle() { note("idle"); }
  void note(const std::string& what) {
    into.push_back(what + " at " + std::to_string((loop::current()->time() - began) / 1ms));
  }
  journal& into;
  time_point began;
};

}  // namespace

TEST_CASE("an actor without messages is idle after its time, and again after each such time") {
  CHECK(play(4s) == journal{"idle at 4000", "idle at 8000", "end", "destroyed at 10000"});
}

TEST_CASE("each message begins the idle time anew") {
  CHECK(play(4s, saying(3s, 1), saying(4s, 2), saying(5500ms, 3)) ==
        journal{"hears 1 at 3000", "hears 2 at 4000", "hears 3 at 5500", "idle at 9500", "end",
                "destroyed at 10000"});
}

TROUPE_PROGRAM_TEST_CASE("an actor that says nothing else stops when it is idle") {
  struct passer_by : actor<protocol<say>> {
    explicit passer_by(journal& given) : into(given) {}
    void on_start() { set_idle_timeout(3s); }
    void on(say) { into.push_back("hears"); }
    void on_stop() { into.push_back("on_stop"); }
    journal& into;
  };
  journal into;
  auto body = [&]() -> coro<std::string> {
    auto one = spawn<passer_by>(std::ref(into));
    auto end = one.stopped();
    co_await sleep(2s);
    one.tell(say{1});
    const time_point told = loop::current()->time();
    const exit_reason why = co_await end;
    co_return why.text() + " after " + std::to_string((loop::current()->time() - told) / 1ms);
  };
  CHECK(testing::run(body()) == "stopped after 3000");
  CHECK(into == journal{"hears", "on_stop"});
}

TEST_CASE("a coroutine handler has its message in hand until it ends") {
  CHECK(play(1s, std::pair<duration, dawdle>{500ms, dawdle{7s}}) ==
        journal{"dawdles at 500", "goes on at 7500", "idle at 8500", "idle at 9500", "end",
                "destroyed at 10000"});
}

TEST_CASE("messages of an actor's own timers leave it idle") {
  CHECK(play(4200ms, doing(1s, [](guest& g) { g.start_periodic_timer("t", 2s, say{0}); })) ==
        journal{"hears 0 at 3000", "hears 0 at 5000", "idle at 5200", "hears 0 at 7000",
                "hears 0 at 9000", "idle at 9400", "end", "destroyed at 10000"});
}

TEST_CASE("the idle time may be set anew, and taken back") {
  CHECK(play(4s, doing(1s, [](guest& g) { g.set_idle_timeout(2s); }), doing(4500ms, [](guest& g) {
               g.set_idle_timeout(infinite);
             })) == journal{"idle at 3000", "end", "destroyed at 10000"});
  CHECK(play(infinite, doing(1s, [](guest& g) {
               g.set_idle_timeout(4s);
               g.when_idle = [](guest& in) { in.set_idle_timeout(infinite); };
             })) == journal{"idle at 5000", "end", "destroyed at 10000"});
  CHECK(play(4s, doing(1s,
                       [](guest& g) {
                         g.when_idle = [](guest& in) {
                           in.set_idle_timeout(1s);
                           in.set_idle_timeout(2s);
                         };
                       })) ==
        journal{"idle at 5000", "idle at 7000", "idle at 9000", "end", "destroyed at 10000"});
}

TROUPE_PROGRAM_TEST_CASE("an idle time that is not longer than nothing is refused") {
  for (const duration limit : {duration(0s), duration(-1s)}) {
    auto body = [limit]() -> coro<std::string> {
      journal into;
      try {
        spawn<guest>(std::ref(into), limit);
      } catch (const std::invalid_argument& error) {
        co_return error.what();
      }
      co_return "taken";
    };
    CHECK(testing::run(body()).find("guest has to be longer than nothing") != std::string::npos);
  }
}

TEST_CASE("a message that comes after the idle time, but before the actor's turn, keeps it busy") {
  for (const bool before_its_turn : {true, false}) {
    journal into;
    auto body = [&]() -> coro<> {
      const time_point begin = loop::current()->time();
      actor_ref<talking> one;
      if (!before_its_turn) one = spawn<guest>(std::ref(into), 4s);
      auto at = loop::current()->call_at(begin + 4s, [&] { one.tell(say{1}); });
      if (before_its_turn) one = spawn<guest>(std::ref(into), 4s);
      co_await sleep(9s);
    };
    testing::run(body());
    journal expected{"hears 1 at 4000", "idle at 8000", "destroyed at 9000"};
    if (!before_its_turn) expected.insert(expected.begin(), "idle at 4000");
    CHECK(into == expected);
  }
}

TROUPE_PROGRAM_TEST_CASE(
    "an urgent message begins the idle time anew, and so does one of a mailbox with a bound") {
  journal into;
  auto body = [&]() -> coro<> {
    const spawn_options narrow{
        .name = "", .on = place::here, .mailbox = {.capacity = 1, .when_full = overflow::reject}};
    auto one = spawn<guest>(narrow, std::ref(into), 4s);
    co_await sleep(3s);
    one.tell(say{1}, urgent);
    co_await sleep(3s);
    one.tell(say{2});
    co_await sleep(9s);
  };
  testing::run(body());
  CHECK(into == journal{"hears 1 at 3000", "hears 2 at 6000", "idle at 10000", "idle at 14000",
                        "destroyed at 15000"});
}

TEST_CASE("the idle time begins when a coroutine handler ends, not at the turn after it") {
  struct patient : actor<protocol<say>> {
    patient(journal& given, future<void> until) : into(given), end(std::move(until)) {
      set_idle_timeout(1s);
    }
    coro<> on(say) {
      co_await end;
      into.push_back("goes on");
    }
    void on_idle() { into.push_back("idle"); }
    journal& into;
    future<void> end;
  };
  journal into;
  manual_loop driven;
  std::optional<promise<void>> let_go;
  actor_ref<protocol<say>> one;
  auto scene = [&]() -> coro<> {
    let_go.emplace();
    one = spawn<patient>(std::ref(into), let_go->get_future());
    one.tell(say{1});
    co_return;
  };
  auto begun = driven.create_task(scene());
  driven.advance(5500ms);
  let_go->set_value();
  while (into.empty()) driven.step();
  // Before the actor's next turn: the timer that looks after it.
  driven->advance(driven.time() + 500ms);
  driven.advance(999ms);
  CHECK(into == journal{"goes on"});
  driven.advance(1s);
  CHECK(into == journal{"goes on", "idle"});
  one.kill();
  driven.run_until_idle();
}

TEST_CASE("an urgent message that comes before the idle actor's turn keeps it busy") {
  for (const duration time : {duration(0s), duration(7s)}) {
    journal into;
    auto body = [&]() -> coro<> {
      const time_point begin = loop::current()->time();
      actor_ref<talking> one;
      auto at = loop::current()->call_at(begin + 4s, [&] { one.tell(dawdle{time}, urgent); });
      one = spawn<guest>(std::ref(into), 4s);
      co_await sleep(11500ms);
    };
    testing::run(body());
    journal expected{"dawdles at 4000", "goes on at 4000", "idle at 8000", "destroyed at 11500"};
    if (time != 0s) expected = {"dawdles at 4000", "goes on at 11000", "destroyed at 11500"};
    CHECK(into == expected);
  }
}

TEST_CASE("an actor is not idle while handlers go on that others run beside") {
  journal into;
  auto body = [&]() -> coro<> {
    auto one = spawn<open_house>(std::ref(into));
    one.tell(dawdle{4500ms});
    one.tell(dawdle{3s});
    co_await sleep(8s);
    one.kill();
  };
  testing::run(body());
  CHECK(into == journal{"goes on at 3000", "goes on at 4500", "idle at 6500"});
}

TEST_CASE("while a coroutine on_idle goes on, messages wait") {
  CHECK(play(2s, doing(500ms, [](guest& g) { g.pause = 3s; }), saying(3s, 1)) ==
        journal{"idle at 2500", "hears 1 at 5500", "idle at 7500", "end", "destroyed at 10000"});
}

TROUPE_PROGRAM_TEST_CASE("an on_idle that throws is a crash, and one may stop its actor") {
  failure_log log;
  struct breaks : actor<protocol<say>> {
    void on(say) {}
    void on_start() { set_idle_timeout(1s); }
    void on_idle() { throw std::runtime_error("bored"); }
  };
  auto body = []() -> coro<std::string> {
    auto one = spawn<breaks>();
    auto end = one.stopped();
    const exit_reason why = co_await end;
    co_return why.text();
  };
  CHECK(testing::run(body(), &log) == "crashed: std::runtime_error: bored");
  CHECK(log.count("bored") == 1);
  CHECK(play(4s, doing(0s, [](guest& g) { g.when_idle = [](guest& in) { in.stop(); }; })) ==
        journal{"idle at 4000", "destroyed at 4000", "end"});
}

TEST_CASE("an actor ends while it waits to be idle, and sets no idle time when it has ended") {
  struct ends : actor<protocol<dawdle>> {
    explicit ends(bool slow) : slow_(slow) { set_idle_timeout(1s); }
    coro<> on_start() {
      if (slow_) co_await sleep(5s);
    }
    coro<> on(dawdle d) { co_await sleep(d.time); }
    coro<> on_stop() {
      set_idle_timeout(1s);
      co_await sleep(3s);
    }
    void on_idle() { fail("it was told that it is idle"); }
    ~ends() { set_idle_timeout(1ms); }
    bool slow_;
  };
  auto body = []() -> coro<> {
    for (const bool slow : {false, true}) {
      for (const bool kill : {false, true}) {
        auto one = spawn<ends>(slow);
        one.tell(dawdle{5s});
        co_await sleep(1500ms);
        if (kill) {
          one.kill();
        } else {
          one.stop();
        }
        co_await sleep(5s);
      }
    }
    spawn<ends>(true);
  };
  testing::run(body());
  SUCCEED("nobody was idle");
}

TEST_CASE("actors on two loops are idle in real time, and end in the midst of it") {
  struct restless : actor<protocol<say>> {
    restless(std::atomic<int>& count, int most) : idle(count), left(most) { set_idle_timeout(1us); }
    void on(say) {}
    void on_idle() {
      ++idle;
      if (--left == 0) stop();
    }
    std::atomic<int>& idle;
    int left;
  };
  std::atomic<int> idle{0};
  auto body = [&]() -> coro<> {
    for (int times = 0; times < 30; ++times) {
      auto here = spawn<restless>(std::ref(idle), times % 5);
      auto there = spawn<restless>(place::on(1), std::ref(idle), 3);
      for (int round = 0; round < 20; ++round) {
        here.tell(say{round});
        there.tell(say{round});
        co_await sleep(0s);
      }
      here.kill();
      auto end = there.stopped();
      static_cast<void>(co_await end);
    }
  };
  run_on(2, body());
  CHECK(idle >= 90);
}
