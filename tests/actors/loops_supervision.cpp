// Supervision between loops: the supervisor on one, its children on both.
#include <troupe/actors/actor.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct trip {
  using reply = int;
};
struct work_on {
  using reply = int;
};
using climbing = protocol<trip, work_on>;

class climber : public actor<climbing> {
 public:
  explicit climber(std::atomic<int>& alive) : alive_(alive) { ++alive_; }
  ~climber() { --alive_; }
  coro<> on_start() { co_await sleep(0s); }
  int on(trip) { throw std::runtime_error("no rope"); }
  coro<int> on(work_on) {
    co_await sleep(0s);
    co_return 1;
  }

 private:
  std::atomic<int>& alive_;
};

struct team_of {
  using reply = std::vector<actor_ref<climbing>>;
};

class guide : public actor<protocol<team_of>> {
 public:
  guide(std::atomic<int>& alive, strategy how, std::size_t limit) {
    supervise_as({.how = how, .max_restarts = limit, .within = 1h});
    for (std::size_t index = 0; index < 6; ++index)
      team_.push_back(supervise<climber>({.on = place::on(index % 2)}, std::ref(alive)));
  }
  std::vector<actor_ref<climbing>> on(team_of) { return team_; }

 private:
  std::vector<actor_ref<climbing>> team_;
};

/// Asks all of them at once, some for a fall; counts the outcomes.
coro<int> storm(std::vector<actor_ref<climbing>> team, int rounds) {
  int outcomes = 0;
  for (int round = 0; round < rounds; ++round) {
    std::vector<future<int>> asked;
    for (std::size_t index = 0; index < team.size(); ++index) {
      asked.push_back(team[index].ask(work_on{}, infinite));
      if ((round + static_cast<int>(index)) % 5 == 0)
        asked.push_back(team[index].ask(trip{}, infinite));
    }
    for (const auto& each : asked) {
      try {
        co_await each;
        ++outcomes;
      } catch (const std::exception&) {
        ++outcomes;
      }
    }
  }
  co_return outcomes;
}

}  // namespace

TEST_CASE("children on several loops are restarted, and each ask of them ends once") {
  const strategy how =
      GENERATE(strategy::one_for_one, strategy::one_for_all, strategy::rest_for_one);
  std::atomic<int> alive{0};
  std::atomic<int> restarts{0};
  auto body = [&]() -> coro<> {
    auto boss = spawn<guide>(std::ref(alive), how, std::size_t{100'000});
    const auto team = co_await boss.ask(team_of{});
    const int outcomes = co_await storm(team, 60);
    CHECK(outcomes == 60 * 6 + 72);
    // All are back.
    for (const auto& each : team) {
      const int answer = co_await each.ask(work_on{}, infinite);
      CHECK(answer == 1);
    }
    boss.stop();
    co_await boss.stopped();
    CHECK(alive == 0);
  };
  testing::run_on(2, body(), [&](const failure_report&) { ++restarts; });
  CHECK(restarts > 20);
}

TEST_CASE("a supervisor that gives up, or stops, in the midst of restarts ends all its children") {
  std::atomic<int> alive{0};
  auto body = [&]() -> coro<> {
    for (int round = 0; round < 20; ++round) {
      auto boss = spawn<guide>(place::on(static_cast<std::size_t>(round % 2)), std::ref(alive),
                               round % 3 == 0 ? strategy::one_for_all : strategy::one_for_one,
                               std::size_t{5});
      const auto team = co_await boss.ask(team_of{});
      auto storming = create_task(storm(team, 5));
      if (round % 2 == 0) {
        for (int step = 0; step < round; ++step) co_await sleep(0s);
        boss.stop();
      }
      co_await storming;
      boss.stop();
      co_await boss.stopped();
      CHECK(alive == 0);
    }
  };
  testing::run_on(2, body(), [](const failure_report&) {});
}
