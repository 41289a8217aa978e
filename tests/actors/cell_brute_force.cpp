// Actors that ask each other, cancelled and stopped after every number of rounds.
#include <troupe/actors/actor.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <functional>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct note {
  std::string text;
};
struct first_step {
  using reply = int;
  std::string text;
};
struct second_step {
  using reply = int;
  std::string text;
};
using steps = protocol<first_step, second_step, note>;

class backend_step : public actor<steps> {
 public:
  explicit backend_step(int& alive) : here_(alive) {}
  coro<> on_start() { co_await sleep(0s); }
  coro<> on_stop() {
    co_await sleep(0s);
    co_await sleep(1ms);
  }
  coro<int> on(first_step s) {
    co_await sleep(0s);
    co_await sleep(1ms);
    co_return static_cast<int>(s.text.size());
  }
  int on(const second_step& s) { return static_cast<int>(s.text.size()); }
  void on(note) {}

 private:
  counted here_;
};

/// Asks its child and a stranger in every way there is.
class frontend_step : public actor<steps> {
 public:
  frontend_step(actor_ref<steps> stranger, int& alive)
      : stranger_(std::move(stranger)), alive_(alive), here_(alive) {}
  coro<> on_start() {
    child_ = spawn<backend_step>(std::ref(alive_));
    create_task(chatters());
    co_await sleep(0s);
  }
  coro<int> on(first_step s) {
    auto first = child_.ask(first_step{s.text});
    auto second = stranger_.ask(first_step{s.text}, 10ms);
    stranger_.tell(note{"by the way"});
    int sum = co_await first;
    try {
      sum += co_await second;
    } catch (const std::exception&) {
      throw rejected("the stranger did not help");
    }
    co_return sum;
  }
  int on(const second_step&) { throw rejected("not my business"); }
  void on(note) {}
  coro<> on_stop() {
    auto answer = stranger_.ask(first_step{"bye"}, 10ms);
    static_cast<void>(co_await ending<int>(std::move(answer)));
  }

 private:
  coro<> chatters() {
    for (int index = 0; index < 3; ++index) {
      second_step question{std::to_string(index)};
      auto answer = child_.ask(std::move(question));
      static_cast<void>(co_await ending<int>(std::move(answer)));
    }
  }
  actor_ref<steps> stranger_;
  actor_ref<steps> child_;
  int& alive_;
  counted here_;
};

struct scene {
  int alive = 0;
  int ended = 0;
  actor_ref<steps> front;
  actor_ref<steps> back;
};

/// The scenario that is interrupted after every number of rounds: a few asks, one after the other and side by side.
coro<> play(scene& on) {
  on.back = spawn<backend_step>(std::ref(on.alive));
  on.front = spawn<frontend_step>(on.back, std::ref(on.alive));
  auto first = on.front.ask(first_step{std::string(40, 'a')}, 100ms);
  auto second = on.front.ask(first_step{std::string(50, 'b')}, 100ms);
  auto third = on.front.ask(second_step{std::string(60, 'c')}, infinite);
  for (future<int>* each : {&first, &second, &third}) {
    const std::string how = co_await ending(std::move(*each));
    if (how == "cancelled") throw cancelled{};
  }
  on.ended = 1;
}

constexpr int enough_rounds = 60;

}  // namespace

TEST_CASE("a scenario that is cancelled after any number of rounds leaves nothing behind") {
  int ended = 0;
  for (int rounds = 0; rounds < enough_rounds; ++rounds) {
    scene on;
    failure_log log;
    auto body = [](scene& into, int limit) -> coro<> {
      auto played = create_task(play(into));
      for (int round = 0; round < limit; ++round)
        co_await sleep(round % 8 == 7 ? duration(1ms) : duration(0));
      played.cancel();
    };
    testing::run(body(on, rounds), &log);
    CHECK(on.alive == 0);
    CHECK(log.text() == "");
    ended += on.ended;
  }
  // Some were interrupted, and some were not.
  CHECK(ended > 5);
  CHECK(ended < enough_rounds - 5);
}

TEST_CASE(
    "a scenario whose actors are stopped after any number of rounds ends, and leaves nothing "
    "behind") {
  for (int who = 0; who < 3; ++who) {
    for (int rounds = 0; rounds < enough_rounds; ++rounds) {
      scene on;
      failure_log log;
      auto body = [](scene& into, int limit, int stopped) -> coro<> {
        auto played = create_task(play(into));
        for (int round = 0; round < limit; ++round)
          co_await sleep(round % 8 == 7 ? duration(1ms) : duration(0));
        if (into.front && stopped != 1) into.front.stop();
        if (into.back && stopped != 0) into.back.stop();
        co_await played;
      };
      testing::run(body(on, rounds, who), &log);
      CHECK(on.alive == 0);
      CHECK(on.ended == 1);
    }
  }
}
