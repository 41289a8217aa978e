// State machines: actors whose present state decides what a message does.
#include <troupe/actors/actor_roots.hpp>
#include <troupe/actors/state_machine.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct push {};
struct pull {
  using reply = int;
};
struct knock {
  using reply = std::string;
};
struct wait_and_push {
  using reply = int;
  duration time;
};
struct deliver {
  using reply = void;
};
struct how {
  using reply = std::string;
};
struct whim {  // changes state, and then does something else
  using reply = void;
  explicit whim(std::string given) : what(std::move(given)) {}
  std::string what;
};
struct shut_itself {};
struct end {};
using door_protocol =
    protocol<push, pull, knock, wait_and_push, deliver, how, whim, shut_itself, end>;

class closed;
class opened;
class locked;

class door : public state_machine<door, door_protocol, closed, opened, locked> {
 public:
  explicit door(journal& given, std::string given_whim = "", int& given_alive = nobody)
      : into(given), alive(given_alive), whims(std::move(given_whim)) {}
  ~door() { into.emplace_back("door destroyed"); }
  std::string on(how) { return std::string(state_name()); }
  void on(whim w);
  void on(end) { stop(); }
  std::string on(knock) { return "nobody hears"; }
  void on_stop() { into.emplace_back("on_stop"); }

  journal& into;
  int& alive;
  std::string whims;  ///< what states do when they are entered or left
  int pulled = 0;

 private:
  static inline int nobody = 0;
};

class closed : public door::state {
 public:
  closed() : here_(machine().alive) { machine().into.emplace_back("closed made"); }
  ~closed() { machine().into.emplace_back("closed gone"); }
  void on_enter() { machine().into.emplace_back("enters closed"); }
  void on_exit() { machine().into.emplace_back("exits closed"); }
  void on(push) { become<opened>(1); }
  coro<int> on(wait_and_push w) {
    become<opened>(2);
    machine().into.emplace_back("waits");
    co_await sleep(w.time);
    machine().into.push_back(machine().in_state<closed>() ? "still closed" : "not closed");
    co_return ++machine().pulled;
  }
  void on(deliver d, reply_to<void> reply) { stash(d, std::move(reply)); }

 private:
  counted here_;
};

class opened : public door::state {
 public:
  explicit opened(int by) : here_(machine().alive) {
    if (by == 13) throw std::runtime_error("unlucky");
    machine().into.push_back("opened made by " + std::to_string(by));
  }
  void on_enter() {
    machine().into.emplace_back("enters opened");
    unstash_all();
    if (machine().whims == "shuts itself") start_state_timer(1s, shut_itself{});
    if (machine().whims == "springs back") become<closed>();
    if (machine().whims == "breaks") throw std::runtime_error("no hinge");
    if (machine().whims == "stops") stop();
  }
  void on_exit() {
    machine().into.emplace_back("exits opened");
    if (machine().whims == "locks") become<locked>();
    if (machine().whims == "sticks") throw std::runtime_error("stuck");
  }
  int on(pull) {
    become<closed>();
    return ++machine().pulled;
  }
  std::string on(knock) { return "come in"; }
  void on(deliver) { machine().into.emplace_back("delivered"); }
  void on(shut_itself) { become<closed>(); }

 private:
  counted here_;
};

class locked : public door::state {
 public:
  locked() : here_(machine().alive) {}
  void on_enter() {
    machine().into.emplace_back("enters locked");
    if (machine().whims == "for ever") become<locked>();
  }

 private:
  counted here_;
};

void door::on(whim w) {
  become<locked>();
  become<opened>(3);
  if (w.what == "rejects") throw rejected("not now");
  if (w.what == "crashes") throw std::runtime_error("broken");
  if (w.what == "stops") stop();
  if (w.what == "unlucky") become<opened>(13);
}

using door_ref = actor_ref<door_protocol>;

/// What is noted while `scene` is played to a door, from its first message on.
journal play(const std::string& whims, const std::function<coro<>(door_ref, journal&)>& scene,
             failure_log* log = nullptr) {
  journal into;
  int alive = 0;
  auto body = [&]() -> coro<> {
    auto one = spawn<door>(std::ref(into), whims, std::ref(alive));
    co_await settle();
    if (into != journal{"closed made", "enters closed"}) fail("it began otherwise");
    into.clear();
    co_await scene(one, into);
    co_await settle();
    one.kill();
    co_await settle();
    into.erase(std::remove(into.begin(), into.end(), "door destroyed"), into.end());
    while (!into.empty() && into.back() == "closed gone") into.pop_back();
  };
  testing::run(body(), log);
  CHECK(alive == 0);
  return into;
}

/// The name of a state is written by the compiler.
std::string short_name(const std::string& name) { return name.substr(name.rfind(':') + 1); }

coro<std::string> state_of(door_ref of) {
  std::string name = co_await of.ask(how{});
  co_return short_name(name);
}

}  // namespace

TEST_CASE("a message changes the state when its handler has ended: exit, the old one gone, enter") {
  CHECK(play("",
             [](door_ref one, journal& into) -> coro<> {
               one.tell(push{});
               into.push_back(co_await state_of(one));
               const int pulled = co_await one.ask(pull{});
               into.push_back("pulled " + std::to_string(pulled));
               into.push_back(co_await state_of(one));
             }) == journal{"opened made by 1", "exits closed", "closed gone", "enters opened",
                           "opened", "closed made", "exits opened", "enters closed", "pulled 1",
                           "closed"});
}

TEST_CASE("a state's handler goes before the machine's, which is there for all other states") {
  CHECK(play("",
             [](door_ref one, journal& into) -> coro<> {
               into.push_back(co_await one.ask(knock{}));
               one.tell(push{});
               into.push_back(co_await one.ask(knock{}));
             }) == journal{"nobody hears", "opened made by 1", "exits closed", "closed gone",
                           "enters opened", "come in"});
}

TEST_CASE("a message that neither the state nor the machine takes is a dead letter, or rejected") {
  std::uint64_t letters = 0;
  const journal seen = play("", [&](door_ref one, journal& into) -> coro<> {
    const std::uint64_t before = internal::actor_roots::of_current_loop().dead_letters;
    one.tell(pull{});
    one.tell(shut_itself{});
    into.push_back(co_await ending(one.ask(pull{})));
    letters = internal::actor_roots::of_current_loop().dead_letters - before;
  });
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].find("rejected: ") == 0);
  CHECK(seen[0].find("door does not take ") != std::string::npos);
  CHECK(seen[0].find("::pull in its state ") != std::string::npos);
  CHECK(short_name(seen[0]) == "closed");
  CHECK(letters == 2);
}

TEST_CASE("the state of a coroutine handler stays until the coroutine has ended") {
  CHECK(play("",
             [](door_ref one, journal& into) -> coro<> {
               auto waited = one.ask(wait_and_push{1s});
               auto after = one.ask(knock{});
               const int first = co_await waited;
               into.push_back(std::to_string(first));
               into.push_back(co_await after);
             }) == journal{"opened made by 2", "waits", "still closed", "exits closed",
                           "closed gone", "enters opened", "1", "come in"});
}

TEST_CASE("a coroutine handler that is cancelled by the end of its machine changes no state") {
  CHECK(play("", [](door_ref one, journal& into) -> coro<> {
          auto waited = one.ask(wait_and_push{1s});
          co_await settle();
          one.stop();
          into.push_back((co_await ending(std::move(waited))).substr(0, 5));
        }) == journal{"opened made by 2", "waits", "dead:", "on_stop"});
}

TEST_CASE("of several changes in a handler the last one counts") {
  CHECK(play("",
             [](door_ref one, journal& into) -> coro<> {
               into.push_back(co_await ending(one.ask(whim("none"))));
             }) ==
        journal{"opened made by 3", "exits closed", "closed gone", "enters opened", "answered"});
}

TEST_CASE("a handler that rejects, crashes or stops the machine changes no state") {
  CHECK(play("", [](door_ref one, journal& into) -> coro<> {
          auto asked = one.ask(whim("rejects"));
          into.push_back(co_await ending(std::move(asked)));
          into.push_back(co_await state_of(one));
        }) == journal{"opened made by 3", "rejected: not now", "closed"});
  failure_log log;
  CHECK(play(
            "",
            [](door_ref one, journal& into) -> coro<> {
              auto asked = one.ask(whim("crashes"));
              into.push_back(co_await ending(std::move(asked)));
            },
            &log) == journal{"opened made by 3", "on_stop", "closed gone", "error: broken"});
  CHECK(play("", [](door_ref one, journal& into) -> coro<> {
          auto asked = one.ask(whim("stops"));
          into.push_back(co_await ending(std::move(asked)));
        }) == journal{"opened made by 3", "on_stop", "closed gone", "answered"});
}

TEST_CASE("what the constructor of a state throws comes out of become") {
  failure_log log;
  CHECK(play(
            "",
            [](door_ref one, journal& into) -> coro<> {
              auto asked = one.ask(whim("unlucky"));
              into.push_back(co_await ending(std::move(asked)));
            },
            &log) == journal{"opened made by 3", "on_stop", "closed gone", "error: unlucky"});
}

TEST_CASE("on_enter and on_exit may change the state again") {
  CHECK(play("springs back",
             [](door_ref one, journal& into) -> coro<> {
               one.tell(push{});
               into.push_back(co_await state_of(one));
             }) == journal{"opened made by 1", "exits closed", "closed gone", "enters opened",
                           "closed made", "exits opened", "enters closed", "closed"});
  CHECK(play("locks",
             [](door_ref one, journal& into) -> coro<> {
               one.tell(push{});
               static_cast<void>(co_await one.ask(pull{}));
               into.push_back(co_await state_of(one));
             }) == journal{"opened made by 1", "exits closed", "closed gone", "enters opened",
                           "closed made", "exits opened", "closed gone", "enters locked",
                           "locked"});
}

TEST_CASE("an on_enter or on_exit that throws is a crash") {
  for (const std::string whims : {"breaks", "sticks"}) {
    failure_log log;
    const journal seen = play(
        whims,
        [](door_ref one, journal& into) -> coro<> {
          auto end_of_it = one.stopped();
          one.tell(push{});
          one.tell(pull{});
          const exit_reason why = co_await end_of_it;
          into.push_back(why.text());
        },
        &log);
    CHECK(seen.back() == (whims == "breaks" ? "crashed: std::runtime_error: no hinge"
                                            : "crashed: std::runtime_error: stuck"));
    CHECK(log.reports().size() == 1);
  }
}

TEST_CASE("a machine may stop in on_enter") {
  CHECK(
      play("stops", [](door_ref one, journal&) -> coro<> {
        one.tell(push{});
        one.tell(pull{});
        co_await settle();
      }) == journal{"opened made by 1", "exits closed", "closed gone", "enters opened", "on_stop"});
}

TEST_CASE("a state that enters itself anew without end is a crash instead of a hang") {
  struct ever;
  struct around : state_machine<around, protocol<push>, ever> {};
  struct ever : around::state {
    void on_enter() { become<ever>(); }
    void on(push) {}
  };
  failure_log log;
  auto body = []() -> coro<std::string> {
    auto one = spawn<around>();
    auto end_of_it = one.stopped();
    const exit_reason why = co_await end_of_it;
    co_return why.text();
  };
  const std::string why = testing::run(body(), &log);
  INFO(why << log.text());
  CHECK(why.find("change without a message") != std::string::npos);
}

TEST_CASE("a state's timer ends with the state") {
  CHECK(play("shuts itself", [](door_ref one, journal& into) -> coro<> {
          one.tell(push{});
          co_await sleep(2s);
          into.push_back(co_await state_of(one));
          into.clear();
          one.tell(push{});
          co_await sleep(500ms);
          static_cast<void>(co_await one.ask(pull{}));
          one.tell(push{});
          co_await sleep(700ms);  // the first one would have come by now
          into.clear();
          into.push_back(co_await state_of(one));
          co_await sleep(1s);
          into.push_back(co_await state_of(one));
        }) == journal{"opened", "closed made", "exits opened", "enters closed", "closed"});
}

TEST_CASE("requests that one state puts aside are answered by another") {
  CHECK(play("",
             [](door_ref one, journal& into) -> coro<> {
               auto first = one.ask(deliver{});
               auto second = one.ask(deliver{});
               co_await settle();
               one.tell(push{});
               into.push_back(co_await ending(std::move(first)));
               into.push_back(co_await ending(std::move(second)));
             }) == journal{"opened made by 1", "exits closed", "closed gone", "enters opened",
                           "delivered", "delivered", "answered", "answered"});
}

TEST_CASE("when a machine ends its state goes first, without on_exit") {
  journal into;
  auto body = [&]() -> coro<> {
    auto one = spawn<door>(std::ref(into));
    one.tell(end{});
    co_await settle();
  };
  testing::run(body());
  CHECK(into ==
        journal{"closed made", "enters closed", "on_stop", "closed gone", "door destroyed"});
}

namespace {

class asleep;
class awake;
using sleeping = protocol<push, how>;

/// Begins in a state that it chooses.
class sleeper : public state_machine<sleeper, sleeping, asleep, awake> {
 public:
  explicit sleeper(int way, journal& given);
  coro<> on_start();
  std::string on(how) { return short_name(std::string(state_name())); }
  using actor::create_task;
  using state_machine::become;
  journal& into;

 private:
  int way_;
};
class asleep : public sleeper::state {
 public:
  explicit asleep(int) {}
  void on(push) { become<awake>(); }
};
class awake : public sleeper::state {
 public:
  void on_enter() { machine().into.emplace_back("awake"); }
  void on(push) {
    auto later = [](sleeper& in) -> coro<> {
      co_await sleep(1s);
      try {
        in.become<asleep>(1);
      } catch (const invalid_state& error) {
        in.into.emplace_back(error.what());
      }
    };
    create_task(later(machine()));
  }
};
sleeper::sleeper(int way, journal& given) : into(given), way_(way) {
  if (way == 1) become<asleep>(1);
}
coro<> sleeper::on_start() {
  co_await sleep(1s);
  if (way_ == 2) become<awake>();
  if (way_ == 3) throw std::runtime_error("overslept");
}

}  // namespace

TEST_CASE("a machine may choose its first state in its constructor, or in on_start") {
  for (const int way : {1, 2}) {
    journal into;
    auto body = [&]() -> coro<std::string> {
      auto one = spawn<sleeper>(way, std::ref(into));
      std::string name = co_await one.ask(how{});
      co_return name;
    };
    CHECK(testing::run(body()) == (way == 1 ? "asleep" : "awake"));
    CHECK(into == (way == 1 ? journal{} : journal{"awake"}));
  }
}

TEST_CASE("a machine whose first state needs arguments, or whose on_start throws, does not start") {
  for (const int way : {0, 3}) {
    journal into;
    failure_log log;
    auto body = [&]() -> coro<std::string> {
      auto one = spawn<sleeper>(way, std::ref(into));
      std::string ended = co_await ending(one.ask(how{}));
      co_return ended;
    };
    CHECK(starts_with(testing::run(body(), &log), "dead: "));
    CHECK(log.count(way == 0 ? "sleeper has no state to begin with" : "overslept") == 1);
  }
}

TEST_CASE("become in a task is refused, for no handler's end would follow") {
  journal into;
  auto body = [&]() -> coro<> {
    auto one = spawn<sleeper>(2, std::ref(into));
    one.tell(push{});
    co_await sleep(5s);
  };
  testing::run(body());
  REQUIRE(into.size() == 2);
  CHECK(into[1].find("become was called outside of the handlers of ") == 0);
}

TEST_CASE("machines on two loops change their states and end in the midst of it") {
  auto body = []() -> coro<int> {
    int done = 0;
    for (int times = 0; times < 50; ++times) {
      journal there_into;
      auto there = spawn<door>(place::on(1), std::ref(there_into));
      std::vector<future<int>> asked;
      for (int round = 0; round < 20; ++round) {
        there.tell(push{});
        asked.push_back(round % 3 == 0 ? there.ask(wait_and_push{0s}) : there.ask(pull{}));
      }
      if (times % 2 == 0) co_await sleep(0s);
      if (times % 3 == 0) there.kill();
      if (times % 3 == 1) there.stop();
      for (auto& each : asked) done += !(co_await ending(std::move(each))).empty();
      there.kill();
      auto end_of_it = there.stopped();
      static_cast<void>(co_await end_of_it);
    }
    co_return done;
  };
  CHECK(run_on(2, body()) == 1000);
}

namespace {

class stuck;
struct hang {};
struct tick {};
using hanging = protocol<hang, tick, pull>;

/// Cannot be ended: it is left behind, with all that it keeps.
class hanger : public state_machine<hanger, hanging, stuck> {
 public:
  hanger(int& given, std::string& told) : alive(given), ended(told) {}
  void on_idle() {}
  using actor::set_idle_timeout;
  int& alive;
  std::string& ended;
};
class stuck : public hanger::state {
 public:
  stuck() : here_(machine().alive) {}
  coro<> on(hang) {
    machine().set_idle_timeout(1ms);
    start_timer("t", 1ms, tick{});
    start_timer("far", 1h, tick{});
    start_periodic_timer("p", 1ms, tick{});
    start_state_timer(1ms, tick{});
    become<stuck>();
    for (;;) {
      try {
        co_await sleep(infinite);
      } catch (const cancelled&) {
      }
    }
  }
  void on(tick) {}
  void on(pull p, reply_to<int> reply) { stash(p, std::move(reply)); }

 private:
  counted here_;
};

}  // namespace

TEST_CASE("a machine that a shutdown leaves behind gives up its states, timers and messages") {
  int alive = 0;
  std::string ended;
  failure_log log;
  auto body = [&]() -> coro<> {
    auto one = spawn<hanger>(std::ref(alive), std::ref(ended));
    auto waits = [](actor_ref<hanging> asked, std::string& how) -> coro<> {
      how = co_await ending(asked.ask(pull{}, infinite));
    };
    create_task(waits(one, ended));
    co_await settle();
    one.tell(hang{});
    co_await sleep(10ms);
    CHECK(alive == 2);
  };
  run_options options;
  options.handle_interrupt = false;
  options.virtual_time = true;
  options.shutdown_timeout = 1ms;
  options.on_failure = log.handler();
  troupe::run(body(), options);
  CHECK(log.count("hanger") > 0);
  CHECK(alive == 0);
}

TEST_CASE("an on_enter that throws when a coroutine handler has ended is a crash") {
  failure_log log;
  const journal seen = play(
      "breaks",
      [](door_ref one, journal& into) -> coro<> {
        auto end_of_it = one.stopped();
        auto waited = one.ask(wait_and_push{1s});
        auto after = one.ask(how{});
        into.push_back(co_await ending(std::move(waited)));
        into.push_back((co_await ending(std::move(after))).substr(0, 5));
        const exit_reason why = co_await end_of_it;
        into.push_back(why.text());
      },
      &log);
  CHECK(seen == journal{"opened made by 2", "waits", "still closed", "exits closed", "closed gone",
                        "enters opened", "1", "on_stop",
                        "dead:", "crashed: std::runtime_error: no hinge"});
}
