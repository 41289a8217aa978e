// Charts of what actors did, and exploration of actors.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/ask.hpp>
#include <troupe/actors/place.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/actors/supervise.hpp>
#include <troupe/actors/testing/sequence_chart.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/testing/explore.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <filesystem>
#include <string>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace chart_test {

struct deposit {
  int cents;
};
struct balance {
  using reply = int;
};
struct audit {};
using account_protocol = protocol<deposit, balance, audit>;

const bool shown = shown_as<deposit>([](const deposit& of) { return std::to_string(of.cents); });

/// Believes that the audit comes last.
class account : public actor<account_protocol> {
 public:
  void on(deposit what) {
    if (audited_) throw std::runtime_error("a deposit after the audit");
    cents_ += what.cents;
  }
  int on(balance) { return cents_; }
  void on(audit) { audited_ = true; }

 private:
  int cents_ = 0;
  bool audited_ = false;
};

struct go {};
class clerk : public actor<protocol<go>> {
 public:
  explicit clerk(actor_ref<account_protocol> of) : account_(std::move(of)) {}
  void on(go) { account_.tell(deposit{100}); }

 private:
  actor_ref<account_protocol> account_;
};

coro<> bank() {
  auto of = spawn<account>();
  auto one = spawn<clerk>(of);
  auto other = spawn<clerk>(of);
  one.tell(go{});
  other.tell(go{});
  co_await sleep(1s);
  const int cents = co_await of.ask(balance{});
  if (cents != 200) throw std::runtime_error("lost");
}

coro<> hasty_bank() {
  auto of = spawn<account>();
  auto one = spawn<clerk>(of);
  one.tell(go{});
  for (int turn = 0; turn < 5; ++turn) co_await sleep(0s);
  of.tell(audit{});
  co_await sleep(1s);
}

/// Crashes at its first message, and is started again.
class fragile : public actor<protocol<go>> {
 public:
  explicit fragile(int& crashes) : crashes_(crashes) {}
  void on(go) {
    if (crashes_++ == 0) throw std::runtime_error("boom");
  }

 private:
  int& crashes_;
};
class parent : public actor<protocol<go>> {
 public:
  explicit parent(int& crashes) : child_(supervise<fragile>({}, std::ref(crashes))) {}
  void on(go) { child_.tell(go{}); }

 private:
  actor_ref<protocol<go>> child_;
};

coro<> restarting() {
  int crashes = 0;
  auto of = spawn<parent>(std::ref(crashes));
  of.tell(go{});
  of.tell(go{});
  co_await sleep(10s);
  if (crashes != 2) throw std::runtime_error("a message was not handled after the restart");
  of.stop();
  co_await sleep(1s);
}

}  // namespace chart_test

TEST_CASE("a bank that is right is explored on one loop and on three") {
  CHECK(explore({.schedules = 300}, chart_test::bank).schedules == 300);
  CHECK(explore({.schedules = 300, .threads = 3}, chart_test::bank).schedules == 300);
}

TEST_CASE("a failed schedule of actors is shown as a chart of what led to it") {
  try {
    explore({}, chart_test::hasty_bank);
    FAIL("nothing was found");
  } catch (const schedule_failed& error) {
    std::filesystem::remove(error.about().file);
    const std::string& story = error.about().story;
    INFO(error.what());
    CHECK_THAT(story, Catch::Contains("scenario"));
    CHECK_THAT(story, Catch::Contains("account"));
    CHECK_THAT(story, Catch::Contains("clerk"));
    CHECK_THAT(story, Catch::Contains("deposit 100"));
    CHECK_THAT(story, Catch::Contains("X crashed: std::runtime_error: a deposit after the audit"));
    CHECK_THAT(story, Catch::Contains("*0.000000s"));
  }
}

TEST_CASE("a crash that belongs to the scenario can be said to, and is no failure then") {
  CHECK_THROWS_AS(explore({.schedules = 3, .shrink_runs = 0}, chart_test::restarting),
                  schedule_failed);
  explore_options options;
  options.schedules = 300;
  options.expects = [](const failure_report& report) {
    return report.message.find("fragile crashed and is restarted") != std::string::npos;
  };
  CHECK(explore(options, chart_test::restarting).schedules == 300);
}
