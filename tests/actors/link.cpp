// Actors that are linked end together, or hear of each other's end.
#include <troupe/actors/actor.hpp>

#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <atomic>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct tie {
  any_actor to;
  bool loose = false;
};
struct slip {};
struct alive {
  using reply = bool;
};
using roped = protocol<tie, slip, alive>;

class climber : public actor<roped> {
 public:
  void on(tie t) {
    if (t.loose) {
      unlink(t.to);
    } else {
      link(t.to);
    }
  }
  void on(slip) { throw std::runtime_error("slipped"); }
  bool on(alive) { return true; }
};

using anchored = protocol<tie, slip, alive, exited>;

/// Is told of ends.
class anchor : public actor<anchored> {
 public:
  explicit anchor(journal& into) : into_(into) {}
  void on(tie t) { link(t.to); }
  void on(slip) { throw std::runtime_error("slipped"); }
  bool on(alive) { return true; }
  void on(exited e) { into_.push_back(e.reason.text()); }

 private:
  journal& into_;
};

}  // namespace

TEST_CASE("linked actors end together when one crashes or is killed, whoever has linked them") {
  const bool first_falls = GENERATE(false, true);
  const bool by_kill = GENERATE(false, true);
  failure_log log;
  auto body = [&]() -> coro<> {
    auto one = spawn<climber>();
    auto other = spawn<climber>();
    auto third = spawn<climber>();
    one.tell(tie{other});
    one.tell(tie{other});
    other.tell(tie{third});
    co_await settle();
    const auto& falling = first_falls ? one : third;
    if (by_kill) {
      falling.kill();
    } else {
      falling.tell(slip{});
    }
    // Along the chain.
    const exit_reason why = co_await (first_falls ? third : one).stopped();
    CHECK(why.what() == exit_reason::kind::crashed);
    CHECK_THROWS_AS(std::rethrow_exception(why.error()), link_broken);
    co_await other.stopped();
  };
  testing::run(body(), &log);
}

TROUPE_PROGRAM_TEST_CASE(
    "a linked actor that stops leaves the others alone, and so does one that is unlinked") {
  failure_log log;
  auto body = []() -> coro<> {
    auto one = spawn<climber>();
    auto other = spawn<climber>();
    auto third = spawn<climber>();
    one.tell(tie{other});
    one.tell(tie{third});
    co_await settle();
    one.tell(tie{third, true});
    third.tell(tie{one, true});  // not linked any more
    co_await settle();
    third.tell(slip{});
    other.stop();
    co_await other.stopped();
    co_await third.stopped();
    const bool lives = co_await one.ask(alive{});
    CHECK(lives);
  };
  testing::run(body(), &log);
  CHECK(log.reports().size() == 1);
}

TEST_CASE("an actor that understands `exited` is told of each end, and lives on") {
  failure_log log;
  journal notes;
  auto body = [&]() -> coro<> {
    auto holding = spawn<anchor>(std::ref(notes));
    std::vector<actor_ref<roped>> team;
    for (int index = 0; index < 3; ++index) {
      team.push_back(spawn<climber>());
      holding.tell(tie{team.back()});
    }
    co_await settle();
    team[0].tell(slip{});
    co_await settle();
    team[1].stop();
    co_await settle();
    team[2].kill();
    co_await settle();
    holding.tell(tie{team[1]});
    holding.tell(tie{holding});
    co_await settle();
    CHECK(notes == journal{"crashed: std::runtime_error: slipped", "stopped", "killed", "stopped"});
    const bool lives = co_await holding.ask(alive{});
    CHECK(lives);
  };
  testing::run(body(), &log);
}

TROUPE_PROGRAM_TEST_CASE("to be linked with an actor that crashed long ago is a crash") {
  failure_log log;
  auto body = []() -> coro<> {
    auto one = spawn<climber>();
    auto other = spawn<climber>();
    other.tell(slip{});
    co_await other.stopped();
    one.tell(tie{other});
    const exit_reason why = co_await one.stopped();
    CHECK(why.what() == exit_reason::kind::crashed);
  };
  testing::run(body(), &log);
}

TROUPE_PROGRAM_TEST_CASE("a fall breaks links as well") {
  class boss : public actor<protocol<alive>> {
   public:
    explicit boss(actor_ref<roped>& out) { out = supervise<climber>({}); }
    bool on(alive) { return true; }
  };
  failure_log log;
  journal notes;
  auto body = [&]() -> coro<> {
    actor_ref<roped> child;
    auto top = spawn<boss>(std::ref(child));
    auto holding = spawn<anchor>(std::ref(notes));
    holding.tell(tie{child});
    co_await settle();
    child.tell(slip{});
    co_await settle();
    child.tell(slip{});
    co_await settle();
    CHECK(notes == journal{"crashed: std::runtime_error: slipped"});
    const bool back = co_await child.ask(alive{});
    CHECK(back);
  };
  testing::run(body(), &log);
}

TEST_CASE("links between loops hold, and none is left when all has ended") {
  std::atomic<int> ends{0};
  auto body = [&]() -> coro<> {
    for (int round = 0; round < 30; ++round) {
      std::vector<actor_ref<roped>> team;
      for (std::size_t index = 0; index < 6; ++index)
        team.push_back(spawn<climber>(place::on(index % 2)));
      for (std::size_t index = 0; index < 6; ++index) team[index].tell(tie{team[(index + 1) % 6]});
      for (const auto& each : team) co_await each.ask(alive{});
      team[static_cast<std::size_t>(round) % 6].tell(slip{});
      for (const auto& each : team) {
        co_await each.stopped();
        ++ends;
      }
    }
  };
  testing::run_on(2, body(), [](const failure_report&) {});
  CHECK(ends == 180);
}
