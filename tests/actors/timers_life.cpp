// Timers end with their actor, however it ends; it may have many.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/actor_roots.hpp>

#include "actors/helpers.hpp"
#include "actors/timekeeper.hpp"
#include "support/explored.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::timekeeping;

TROUPE_PROGRAM_TEST_CASE(
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
    co_return troupe::internal::actor_roots::of_current_loop().dead_letters;
  };
  CHECK(testing::run(body()) == 1);  // the message in hand
  CHECK(into == journal{"soon"});
}

TEST_CASE(
    "an actor that is killed, crashes or is left to the end of the run takes its timers along") {
  for (const int how : {0, 1, 2}) {
    failure_log log;
    CHECK(play(
              [how](timekeeper& k) {
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

TEST_CASE("an actor may have many timers, and cancel them all") {
  constexpr int many = 5000;
  CHECK(play([](timekeeper& k) {
          for (unsigned index = 0; index < many; ++index) {
            k.start_timer({"t", index}, 1ms * (index % 100), tick{"t"});
            k.start_timer({"u", index}, 1ms * (index % 100), tick{"u"});
          }
          for (unsigned index = 0; index < many; ++index) k.cancel_timer({"u", index});
        }).size() == many);
  CHECK(play([](timekeeper& k) {
          for (unsigned index = 0; index < many; ++index)
            k.start_periodic_timer({"t", index}, 50ms + 1ms * (index % 100), tick{"t"});
          k.start_timer("end", 55ms, act{[](timekeeper& in) { in.cancel_all_timers(); }});
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
