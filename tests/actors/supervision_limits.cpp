// How often a child is restarted: falls that are counted, delays that grow, supervisors that give up.
#include <troupe/actors/actor.hpp>

#include "actors/helpers.hpp"
#include "actors/leader.hpp"
#include "support/explored.hpp"

#include <algorithm>
#include <exception>
#include <functional>
#include <stdexcept>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::teams;

TROUPE_PROGRAM_TEST_CASE(
    "too many falls are a crash of the supervisor, and its own supervisor decides") {
  class chief : public actor<protocol<>> {
   public:
    chief(journal& into, actor_ref<leading>& out) {
      supervise_as({.max_restarts = 1});
      out = supervise<leader>({.name = "shift"}, std::ref(into),
                              supervision{.max_restarts = 2, .within = 10s},
                              std::vector<child_options>(2));
    }
  };
  failure_log log;
  journal notes;
  auto body = [&notes]() -> coro<> {
    actor_ref<leading> boss;
    auto top = spawn<chief>(std::ref(notes), std::ref(boss));
    auto top_ended = top.stopped();
    team workers = co_await boss.ask(refs_of{});
    // Two in the ten seconds are allowed; falls that lie further back do not count.
    for (int times = 0; times < 6; ++times) {
      workers[0].tell(fall{});
      co_await sleep(6s);
    }
    notes.clear();
    for (int times = 0; times < 3; ++times) {
      workers[1].tell(fall{});
      co_await settle();
    }
    CHECK(notes == journal{"-b", "+b", "-b", "-a", "+a", "+b"});
    // The workers are new ones, children of a new leader at the old ref.
    auto gone = workers[1].stopped();
    const exit_reason why = co_await gone;
    CHECK(why.what() == exit_reason::kind::crashed);
    workers = co_await boss.ask(refs_of{});
    const int first = co_await workers[1].ask(count_up{});
    CHECK(first == 1);
    CHECK_FALSE(top_ended.done());
    for (int times = 0; times < 3; ++times) {
      workers[1].tell(fall{});
      co_await settle();
    }
    const exit_reason end_of_top = co_await top_ended;
    CHECK(end_of_top.what() == exit_reason::kind::crashed);
    CHECK_THROWS_AS(std::rethrow_exception(end_of_top.error()), restarts_exhausted);
  };
  testing::run(body(), &log);
  CHECK(log.count("leader 'shift' gives up: the last of 3 falls within 10 s, where 2 are allowed, "
                  "is that of ") == 2);
  CHECK(log.count("leader 'shift' crashed and is restarted") == 1);
  CHECK(log.count("chief crashed and is stopped") == 1);
}

TROUPE_PROGRAM_TEST_CASE(
    "delays grow with each fall, up to a limit, and begin anew after a quiet time") {
  journal notes;
  failure_log log;
  auto body = [&]() -> coro<> {
    const supervision rules{.max_restarts = 100,
                            .within = 1s,
                            .delay = {.first = 1s, .most = 5s, .factor = 2, .jitter = 0}};
    auto boss = spawn<leader>(std::ref(notes), rules, std::vector<child_options>(2));
    const team workers = co_await boss.ask(refs_of{});
    const auto downtime = [&]() -> coro<duration> {
      workers[0].tell(fall{});
      const time_point before = loop::current()->time();
      co_await workers[0].ask(count_up{}, infinite);
      co_return loop::current()->time() - before;
    };
    for (const duration each : {1s, 2s, 4s, 5s, 5s}) {
      const duration took = co_await downtime();
      CHECK(took == each);
      // The others go on meanwhile.
      co_await workers[1].ask(count_up{});
    }
    co_await sleep(6s);
    const duration took = co_await downtime();
    CHECK(took == 1s);
    // Stopped while it waits for its restart.
    workers[0].tell(fall{});
    co_await settle();
    auto asked = workers[0].ask(count_up{});
    boss.tell(give{workers[0], {}});
    CHECK_THROWS_AS(co_await asked, actor_dead);
    const exit_reason why = co_await workers[0].stopped();
    CHECK(why.what() == exit_reason::kind::crashed);
  };
  testing::run(body(), &log);
  CHECK(log.count("is restarted in 4 s") == 1);
}

TROUPE_PROGRAM_TEST_CASE("jitter spreads the delays") {
  failure_log log;
  journal notes;
  auto body = [&notes]() -> coro<> {
    const supervision rules{.max_restarts = 100,
                            .within = 1s,
                            .delay = {.first = 1s, .most = 1s, .factor = 1, .jitter = 0.5}};
    auto boss = spawn<leader>(std::ref(notes), rules, std::vector<child_options>(1));
    const team workers = co_await boss.ask(refs_of{});
    duration least = 1h;
    duration most{};
    for (int times = 0; times < 20; ++times) {
      const time_point before = loop::current()->time();
      workers[0].tell(fall{});
      co_await workers[0].ask(count_up{});
      const duration took = loop::current()->time() - before;
      least = std::min(least, took);
      most = std::max(most, took);
    }
    CHECK(least >= 500ms);
    CHECK(least < 800ms);
    CHECK(most > 1200ms);
    CHECK(most <= 1500ms);
  };
  testing::run(body(), &log);
}

TROUPE_PROGRAM_TEST_CASE(
    "a child that cannot be constructed again falls again, until its supervisor gives up") {
  struct fuse {
    int starts = 0;
    int good = 1;
  };
  class fragile : public actor<protocol<fall>> {
   public:
    explicit fragile(fuse& of) {
      if (++of.starts > of.good) throw std::runtime_error("blown");
    }
    void on(fall) { throw std::runtime_error("no rope"); }
  };
  class boss : public actor<protocol<fall>> {
   public:
    explicit boss(fuse& of) : child_(supervise<fragile>({}, std::ref(of))) {}
    void on(fall) { child_.tell(fall{}); }

   private:
    actor_ref<protocol<fall>> child_;
  };
  failure_log log;
  fuse wire;
  auto body = [&]() -> coro<> {
    auto made = spawn<boss>(std::ref(wire));
    made.tell(fall{});
    const exit_reason why = co_await made.stopped();
    CHECK(why.what() == exit_reason::kind::crashed);
    CHECK(wire.starts == 4);  // and three attempts to start it again
    // At the very first start it is the spawner's error, as ever.
    CHECK_THROWS_AS(spawn<boss>(std::ref(wire)), std::runtime_error);
  };
  testing::run(body(), &log);
  CHECK(log.count("blown") == 3);
}
