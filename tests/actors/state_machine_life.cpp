// How a state machine begins, with the state that it chooses, and how it ends: with its states, on another loop, left behind.
#include <troupe/actors/state_machine.hpp>

#include "actors/door.hpp"
#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::doors;

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

TROUPE_PROGRAM_TEST_CASE(
    "a machine may choose its first state in its constructor, or in on_start") {
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

TROUPE_PROGRAM_TEST_CASE(
    "a machine whose first state needs arguments, or whose on_start throws, does not start") {
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

TROUPE_PROGRAM_TEST_CASE("become in a task is refused, for no handler's end would follow") {
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

TROUPE_PROGRAM_TEST_CASE("when a machine ends its state goes first, without on_exit") {
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
