// Monitors, links and supervision of actors on other nodes.
#include <troupe/actors/cluster/remote_child.hpp>
#include <troupe/actors/link.hpp>
#include <troupe/actors/monitor.hpp>
#include <troupe/actors/supervise.hpp>
#include <troupe/runtime/timeout.hpp>

#include "cluster/nodes.hpp"

#include <optional>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::clusters;

namespace {

struct add {
  using reply = int;
  int much = 0;
};
struct crash {
  using reply = int;
};
using desk = protocol<add, crash>;

class clerk : public actor<desk> {
 public:
  explicit clerk(int begin = 0) : sum_(begin) {}
  int on(add a) { return sum_ += a.much; }
  int on(crash) { throw std::runtime_error("out of paper"); }

 private:
  int sum_;
};

struct heard {
  using reply = std::vector<std::string>;
};
struct watch_him {
  using reply = void;
  any_actor who;
};
using watcher_protocol = protocol<heard, watch_him, down>;

class watching : public actor<watcher_protocol> {
 public:
  void on(watch_him w) { monitor(w.who); }
  void on(down d) { heard_.push_back(d.reason.text()); }
  std::vector<std::string> on(heard) { return heard_; }

 private:
  std::vector<std::string> heard_;
};

/// Ends with another, and has it end with itself.
class partner : public actor<protocol<crash>> {
 public:
  explicit partner(const any_actor& other) { link(other); }
  int on(crash) { throw std::runtime_error("out of love"); }
};

/// Is told, and lives on.
class widow : public actor<protocol<exited, heard>> {
 public:
  explicit widow(const any_actor& other) { link(other); }
  void on(exited e) { heard_.push_back(e.reason.text()); }
  std::vector<std::string> on(heard) { return heard_; }

 private:
  std::vector<std::string> heard_;
};

using office = known_to_second<clerk>;

bool belongs(const failure_report& report) {
  const std::string all = report.message + describe(report.error);
  return all.find("out of") != std::string::npos || all.find("is lost") != std::string::npos ||
         all.find("linked with") != std::string::npos || all.find("killed") != std::string::npos;
}

/// What who monitors the clerk on the other node hears, when that happens to it.
template <class Happens>
std::vector<std::string> told_of(Happens happens) {
  std::vector<std::string> told;
  naturally([&](simulation& world, network& net) -> coro<> {
    world.expect_failures(belongs);
    office all;
    co_await all.open();
    const actor_ref<watcher_protocol> watcher = spawn<watching>();
    watch_him whom{all.far};
    auto asked = watcher.ask(std::move(whom));
    co_await asked;
    happens(all, net);
    co_await world.advance(10s);
    told = co_await watcher.ask(heard{});
  });
  return told;
}

using lines = std::vector<std::string>;

}  // namespace

TEST_CASE("who monitors an actor on another node is told once of its end, and why") {
  CHECK(told_of([](office& all, network&) { all.there.stop(); }) == lines{"stopped"});
  CHECK(told_of([](office& all, network&) { all.there.kill(); }) == lines{"killed"});
  CHECK(told_of([](office& all, network&) { all.far.stop(); }) == lines{"stopped"});
  const lines crashed = told_of([](office& all, network&) { all.there.tell(crash{}); });
  REQUIRE(crashed.size() == 1);
  CHECK_THAT(crashed[0], Catch::Contains("out of paper"));
  const lines lost = told_of([](office&, network& net) { net.crash("127.0.0.2"); });
  REQUIRE(lost.size() == 1);
  CHECK_THAT(lost[0], Catch::Contains("node 'first' is lost"));
  const lines silent =
      told_of([](office&, network& net) { net.partition("127.0.0.1", "127.0.0.2"); });
  REQUIRE(silent.size() == 1);
  CHECK_THAT(silent[0], Catch::Contains("nothing was heard of it for 5 s"));
  CHECK(told_of([](office&, network&) {}).empty());
}

TEST_CASE("who monitors an actor on another node that has ended is told at once") {
  naturally([](simulation& world, network&) -> coro<> {
    office all;
    co_await all.open();
    all.there.stop();
    co_await world.quiet();
    const actor_ref<watcher_protocol> watcher = spawn<watching>();
    watch_him whom{all.far};
    auto asked = watcher.ask(std::move(whom));
    co_await asked;
    co_await world.quiet();
    const lines told = co_await watcher.ask(heard{});
    CHECK(told == lines{"stopped"});
  });
}

TEST_CASE("actors on two nodes that are linked end together, whichever crashes") {
  for (const bool here : {true, false}) {
    naturally([here](simulation& world, network&) -> coro<> {
      world.expect_failures(belongs);
      office all;
      co_await all.open();
      auto mine = spawn<partner>(any_actor(all.far));
      auto my_end = mine.stopped();
      auto its_end = all.there.stopped();
      co_await world.quiet();
      CHECK_FALSE(my_end.done());
      if (here)
        mine.tell(crash{});
      else
        all.there.tell(crash{});
      co_await world.quiet();
      REQUIRE(my_end.done());
      REQUIRE(its_end.done());
      const exit_reason why = co_await my_end;
      CHECK(why.what() == exit_reason::kind::crashed);
      const exit_reason its = co_await its_end;
      CHECK(its.failed());
    });
  }
}

TEST_CASE("who is linked with an actor on a node that is lost ends, or is told") {
  naturally([](simulation& world, network& net) -> coro<> {
    world.expect_failures(belongs);
    office all;
    co_await all.open();
    auto mine = spawn<partner>(any_actor(all.far));
    auto told = spawn<widow>(any_actor(all.far));
    auto end = mine.stopped();
    co_await world.quiet();
    net.crash("127.0.0.2");
    const exit_reason why = co_await end;
    CHECK_THAT(why.text(), Catch::Contains("node 'first' is lost"));
    const lines said = co_await told.ask(heard{});
    REQUIRE(said.size() == 1);
    CHECK_THAT(said[0], Catch::Contains("node 'first' is lost"));
  });
}

TEST_CASE("who stops is no reason for a linked actor elsewhere to end") {
  naturally([](simulation& world, network&) -> coro<> {
    office all;
    co_await all.open();
    auto mine = spawn<partner>(any_actor(all.far));
    co_await world.quiet();
    auto end = mine.stopped();
    mine.stop();
    co_await end;
    co_await world.quiet();
    const int sum = co_await all.far.ask(add{2});
    CHECK(sum == 2);
  });
}

// --- supervision ------------------------------------------------------------------------------------------------------

namespace {

struct account {
  using reply = actor_ref<desk>;
};

/// Has an account on the member with the highest name.
class owner : public actor<protocol<account>> {
 public:
  explicit owner(cluster::node* here) {
    supervise_as({.max_restarts = 20, .within = 1min, .delay = {.first = 100ms, .jitter = 0}});
    using child = cluster::remote_child<desk, int>;
    account_ = supervise<child>({.when = restart::transient}, here, &owner::choose,
                                std::string("account"), 100);
  }
  actor_ref<desk> on(account) { return account_; }

 private:
  static cluster::node_id choose(const cluster::node& here) {
    std::optional<cluster::node_info> best;
    for (const cluster::node_info& each : here.members())
      if (!best || best->name < each.name) best = each;
    if (!best) throw std::runtime_error("out of members");
    return best->id;
  }

  actor_ref<desk> account_;
};

}  // namespace

TEST_CASE(
    "a supervised child on another node is started again, there or on the next, under one ref") {
  naturally([](simulation& world, network& net) -> coro<> {
    world.expect_failures([](const failure_report&) { return true; });
    two_nodes both;
    both.first.offer<clerk, int>("account");
    auto third = std::make_optional<cluster::node>(
        at("third", "127.0.0.3", {io::endpoint("127.0.0.2", 7000)}));
    third->offer<clerk, int>("account");
    co_await world.advance(5s);
    const auto boss = spawn<owner>(&both.second);
    const actor_ref<desk> mine = co_await boss.ask(account{});
    int sum = co_await mine.ask(add{1});
    CHECK(sum == 101);
    sum = co_await mine.ask(add{1});
    CHECK(sum == 102);

    CHECK_THROWS_AS(co_await mine.ask(crash{}), cluster::remote_error);
    co_await world.advance(50ms);
    sum = co_await mine.ask(add{5});  // waits for the next one
    CHECK(sum == 105);

    net.crash("127.0.0.3");
    third.reset();
    co_await world.advance(1s);
    sum = co_await mine.ask(add{7});  // on the first node now
    CHECK(sum == 107);
    CHECK_THAT(both.second.describe(), Catch::Contains("node 'first'"));

    auto over = mine.stopped();
    mine.stop();  // transient: for good
    const exit_reason why = co_await over;
    CHECK(why.what() == exit_reason::kind::stopped);
    boss.stop();
    co_await boss.stopped();
  });
}
