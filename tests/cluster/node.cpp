// Nodes that find each other, and actors that are reached from elsewhere.
#include "cluster/nodes.hpp"

#include <troupe/actors/interleave.hpp>
#include <troupe/actors/monitor.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/timeout.hpp>

#include <optional>
#include <stdexcept>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::clusters;

namespace {

struct add {
  using reply = int;
  int much = 0;
};
struct note {
  std::string text;
};
struct notes {
  using reply = std::vector<std::string>;
};
struct refuse {
  using reply = void;
};
struct crash {
  using reply = int;
};
struct never {
  using reply = int;
};
using desk = protocol<add, note, notes, refuse, crash, never>;

class clerk : public actor<desk> {
 public:
  using interleave = all_messages;
  int on(add a) { return sum_ += a.much; }
  void on(note n) { heard_.push_back(std::move(n.text)); }
  std::vector<std::string> on(notes) { return heard_; }
  void on(refuse) { throw rejected("not today"); }
  int on(crash) { throw std::runtime_error("out of paper"); }
  coro<int> on(never) {
    co_await sleep(infinite);
    co_return 0;
  }

 private:
  int sum_ = 0;
  std::vector<std::string> heard_;
};

using office = known_to_second<clerk>;

bool belongs(const failure_report& report) {
  return report.message.find("clerk") != std::string::npos;
}

}  // namespace

TEST_CASE("an actor on another node is asked and told like one here, in order") {
  naturally([](simulation&, network&) -> coro<> {
    office all;
    co_await all.open();
    const int sum = co_await all.far.ask(add{5});
    CHECK(sum == 5);
    for (int each = 0; each < 100; ++each) all.far.tell(note{std::to_string(each)});
    const std::vector<std::string> heard = co_await all.far.ask(notes{});
    CHECK(heard.size() == 100);
    CHECK(heard.back() == "99");
    CHECK(all.second.members().size() == 1);
    CHECK(all.second.members()[0].name == "first");
  });
}

TEST_CASE("what a handler on another node throws comes to its asker") {
  naturally([](simulation& world, network&) -> coro<> {
    world.expect_failures(belongs);
    office all;
    co_await all.open();
    CHECK_THROWS_WITH(co_await all.far.ask(refuse{}), "not today");
    auto ended = all.far.stopped();
    CHECK_THROWS_AS(co_await all.far.ask(crash{}), cluster::remote_error);
    const exit_reason why = co_await ended;
    CHECK(why.what() == exit_reason::kind::crashed);
    CHECK_THAT(why.text(), Catch::Contains("out of paper"));
    CHECK_THROWS_AS(co_await all.far.ask(add{1}), actor_dead);
  });
}

namespace {
/// Has somebody else do it.
class relay : public actor<protocol<never>> {
 public:
  explicit relay(actor_ref<desk> to) : to_(std::move(to)) {}
  coro<int> on(never n) { co_return co_await to_.ask(n, infinite); }

 private:
  actor_ref<desk> to_;
};
}  // namespace

TEST_CASE("what needed a node that is lost fails as that also for who has asked from a third") {
  naturally([](simulation& world, network&) -> coro<> {
    world.expect_failures([](const failure_report& report) {
      return report.message.find("relay") != std::string::npos;
    });
    two_nodes all;
    std::optional<cluster::node> third(at("third", "127.0.0.3", {io::endpoint("127.0.0.2", 7000)}));
    third->publish("clerk", spawn<clerk>());
    const auto there = co_await all.first.lookup<desk>("clerk");
    all.first.publish("relay", spawn<relay>(there));
    const auto far = co_await all.second.lookup<protocol<never>>("relay");
    auto asked = far.ask(never{}, infinite);
    co_await sleep(1s);
    third.reset();
    CHECK_THROWS_AS(co_await asked, cluster::node_lost);
  });
}

TEST_CASE("an actor on another node can be stopped, and its end is told") {
  naturally([](simulation&, network&) -> coro<> {
    office all;
    co_await all.open();
    auto there = all.there.stopped();
    all.far.stop();
    const exit_reason here = co_await all.far.stopped();
    CHECK(here.what() == exit_reason::kind::stopped);
    CHECK(there.done());
    CHECK_FALSE(all.second.find<desk>("it"));
  });
}

TEST_CASE("an ask that nobody waits for any more is withdrawn there") {
  naturally([](simulation& world, network&) -> coro<> {
    office all;
    co_await all.open();
    CHECK_THROWS_AS(co_await all.far.ask(never{}, 1s), ask_timeout);
    co_await world.advance(5s);
    CHECK_THAT(all.second.describe(), Catch::Contains(" 0 asks"));
    const int sum = co_await all.far.ask(add{1});
    CHECK(sum == 1);
  });
}

TEST_CASE("when a node is gone, asks under way fail, and its actors have ended") {
  naturally([](simulation&, network& net) -> coro<> {
    office all;
    co_await all.open();
    auto waiting = all.far.ask(never{}, infinite);
    auto ended = all.far.stopped();
    co_await sleep(10ms);
    net.crash("127.0.0.2");
    CHECK_THROWS_AS(co_await waiting, cluster::node_lost);
    const exit_reason why = co_await ended;
    CHECK(why.failed());
    CHECK(all.second.members().empty());
    CHECK_THROWS_AS(co_await all.far.ask(add{1}), actor_dead);
    net.restart("127.0.0.2");
    auto again = all.second.lookup<desk>("it");
    all.far = co_await timeout(1min, std::move(again));
    const int sum = co_await all.far.ask(add{1});
    CHECK(sum == 1);
  });
}

TEST_CASE("a node of which nothing is heard is lost, and is found again") {
  naturally([](simulation& world, network& net) -> coro<> {
    office all;
    co_await all.open();
    auto waiting = all.far.ask(never{}, infinite);
    const time_point begin = world.time();
    net.partition("127.0.0.1", "127.0.0.2");
    CHECK_THROWS_AS(co_await waiting, cluster::node_lost);
    CHECK(world.time() - begin <= 7s);
    net.heal();
    auto again = all.second.lookup<desk>("it");
    all.far = co_await timeout(1min, std::move(again));
    const int sum = co_await all.far.ask(add{1});
    CHECK(sum == 1);
  });
}

TEST_CASE("nodes that know one know all") {
  naturally([](simulation& world, network&) -> coro<> {
    const std::vector<io::endpoint> seed{io::endpoint("127.0.0.1", 7000)};
    cluster::node one(at("one", "127.0.0.1"));
    cluster::node two(at("two", "127.0.0.2", seed));
    cluster::node three(at("three", "127.0.0.3", seed));
    cluster::node four(at("four", "127.0.0.4", seed));
    co_await world.advance(10s);
    for (cluster::node* const each : {&one, &two, &three, &four}) {
      INFO(each->describe());
      CHECK(each->members().size() == 3);
    }
  });
}

TEST_CASE(
    "whatever becomes of the network, each ask of an actor elsewhere ends, and nodes find each "
    "other again") {
  explore({.schedules = 200, .most_steps = 1'000'000}, [](simulation& world) -> coro<> {
    network net(world, {.link = {.latency = 1ms, .jitter = 5ms}, .faults = 3});
    office all;
    auto opening = all.open();
    co_await timeout(2min, std::move(opening));
    int answered = 0;
    int failed = 0;
    for (int each = 0; each < 30; ++each) {
      try {
        auto asked = all.far.ask(add{1}, 3s);
        co_await asked;
        ++answered;
      } catch (const ask_error&) {
        ++failed;
      }
      if (each == static_cast<int>(world.choose(60))) net.partition("127.0.0.1", "127.0.0.2");
      if (each % 10 == 9) {
        net.heal();
        auto again = all.second.lookup<desk>("it");
        all.far = co_await timeout(3min, std::move(again));
      }
    }
    expect(answered + failed == 30, "an ask has not ended");
    std::optional<int> sum;
    while (!sum) {
      try {
        auto found = all.second.lookup<desk>("it");
        all.far = co_await timeout(3min, std::move(found));
        auto last = all.far.ask(add{0});
        sum = co_await last;
      } catch (const ask_error&) {
      }
    }
    expect(*sum >= answered, "something was forgotten");
    expect(*sum <= 30, "something was done twice");
  });
}

TEST_CASE("two nodes that look for each other at once have one connection in the end") {
  explore({.schedules = 300}, [](simulation& world) -> coro<> {
    network net(world, {.link = {.latency = 1ms, .jitter = 2ms}});
    cluster::node one(at("one", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)}));
    cluster::node two(at("two", "127.0.0.2", {io::endpoint("127.0.0.1", 7000)}));
    actor_ref<desk> there = spawn<clerk>();
    one.publish("it", there);
    co_await world.advance(30s);
    expect(one.members().size() == 1 && two.members().size() == 1, one.describe() + two.describe());
    const auto accepted = [](const cluster::node& by) {
      return by.describe().find(" 1 connections") != std::string::npos   ? 1
             : by.describe().find(" 0 connections") != std::string::npos ? 0
                                                                         : 2;
    };
    expect(accepted(one) + accepted(two) == 1, one.describe() + two.describe());
    const actor_ref<desk> found = two.find<desk>("it");
    expect(static_cast<bool>(found), "the name is not known");
    auto asked = found.ask(add{3});
    const int sum = co_await asked;
    expect(sum == 3, "another sum");
    there.stop();
    co_await there.stopped();
  });
}

// --- refs in messages -------------------------------------------------------------------------------------------------

namespace {

struct count_up {
  int by = 0;
};
struct total {
  using reply = int;
};
using counter = protocol<count_up, total>;
struct please_count {
  actor_ref<counter> on;
  std::vector<actor_ref<protocol<count_up>>> others;
};
struct your_counter {
  using reply = actor_ref<counter>;
};
using worker = protocol<please_count, your_counter>;

class counting : public actor<counter> {
 public:
  void on(count_up c) { sum_ += c.by; }
  int on(total) { return sum_; }

 private:
  int sum_ = 0;
};

class working : public actor<worker> {
 public:
  void on(please_count p) {
    p.on.tell(count_up{1});
    for (const auto& each : p.others) each.tell(count_up{10});
  }
  actor_ref<counter> on(your_counter) { return mine_; }

 private:
  actor_ref<counter> mine_ = spawn<counting>();
};

}  // namespace

TEST_CASE("refs that are sent lead back to who sent them, and on to actors there") {
  naturally([](simulation& world, network&) -> coro<> {
    two_nodes both;
    actor_ref<worker> there = spawn<working>();
    both.first.publish("worker", there);
    const actor_ref<worker> far = co_await both.second.lookup<worker>("worker");
    const actor_ref<counter> here = spawn<counting>();
    actor_ref<counter> theirs = co_await far.ask(your_counter{});
    please_count all;
    all.on = here;
    all.others = {here, theirs};
    far.tell(std::move(all));
    co_await world.quiet();
    const int own = co_await here.ask(total{});
    CHECK(own == 11);
    const int far_sum = co_await theirs.ask(total{});
    CHECK(far_sum == 10);
    const actor_ref<counter> same = co_await far.ask(your_counter{});
    CHECK(same == theirs);
  });
}

TEST_CASE("a ref of an actor that ended meanwhile is one of a dead actor, and not of nobody") {
  naturally([](simulation& world, network&) -> coro<> {
    two_nodes both;
    actor_ref<worker> there = spawn<working>();
    both.first.publish("worker", there);
    const actor_ref<worker> far = co_await both.second.lookup<worker>("worker");
    actor_ref<counter> theirs = co_await far.ask(your_counter{});
    there.stop();
    co_await there.stopped();
    CHECK_THROWS_AS(co_await theirs.ask(total{}), ask_error);
    co_await world.quiet();
    CHECK_THROWS_AS(co_await theirs.ask(total{}), actor_dead);
  });
}

// --- starting actors elsewhere ----------------------------------------------------------------------------------------

namespace {

class account : public actor<protocol<add>> {
 public:
  account(int begin, std::string owner) : sum_(begin) {
    if (owner.empty()) throw std::invalid_argument("an account of nobody");
  }
  int on(add a) { return sum_ += a.much; }

 private:
  int sum_;
};

}  // namespace

TEST_CASE("an actor is started on another node, from what that offers") {
  naturally([](simulation& world, network&) -> coro<> {
    two_nodes both;
    co_await world.advance(1s);
    const cluster::node_id there = both.second.members().at(0).id;
    auto early =
        create_task(both.second.spawn_on<protocol<add>>(there, "account", 5, std::string("me")));
    co_await world.advance(1s);
    CHECK_FALSE(early.done());
    both.first.offer<account, int, std::string>("account");
    const actor_ref<protocol<add>> mine = co_await early;
    const int sum = co_await mine.ask(add{2});
    CHECK(sum == 7);
    auto nobodys = both.second.spawn_on<protocol<add>>(there, "account", 5, std::string());
    CHECK_THROWS_WITH(co_await std::move(nobodys), Catch::Contains("an account of nobody"));
    auto nowhere =
        both.second.spawn_on<protocol<add>>(cluster::node_id{}, "account", 5, std::string());
    CHECK_THROWS_AS(co_await std::move(nowhere), cluster::node_lost);
    mine.stop();
    co_await mine.stopped();
  });
}

// --- limits and ends --------------------------------------------------------------------------------------------------

TEST_CASE(
    "a message that is too long for the other node is reported, and an ask whose answer is fails") {
  naturally([](simulation& world, network&) -> coro<> {
    world.expect_failures([](const failure_report& report) {
      return report.message.find("could not be sent") != std::string::npos;
    });
    cluster::node_options small = at("first", "127.0.0.2");
    small.longest_message = 1 << 16;
    two_nodes both(small);
    actor_ref<desk> there = spawn<clerk>();
    both.first.publish("it", there);
    const actor_ref<desk> far = co_await both.second.lookup<desk>("it");
    note much{std::string(1 << 17, 'x')};
    auto sent = far.send(std::move(much));
    co_await sent;  // it lies with the stand-in, which reports that it cannot go on
    actor_ref<desk> here = spawn<clerk>();
    for (int each = 0; each < 3; ++each) here.tell(note{std::string(30'000, 'x')});
    both.second.publish("other", here);
    const actor_ref<desk> back = co_await both.first.lookup<desk>("other");
    auto asked = back.ask(notes{});
    CHECK_THROWS_AS(co_await asked, cluster::message_too_large);
    const int sum = co_await far.ask(add{1});
    CHECK(sum == 1);
  });
}

TEST_CASE("who looks a name up is told when the node goes") {
  naturally([](simulation& world, network&) -> coro<> {
    std::optional<cluster::node> alone(at("alone", "127.0.0.2"));
    auto looked_up = create_task(alone->lookup<desk>("nobody"));
    co_await world.quiet();
    alone.reset();
    CHECK_THROWS_AS(co_await looked_up, invalid_state);
  });
}

TEST_CASE("an actor on another node can be killed") {
  naturally([](simulation& world, network&) -> coro<> {
    office all;
    co_await all.open();
    auto there = all.there.stopped();
    all.far.kill();
    const exit_reason why = co_await there;
    CHECK(why.what() == exit_reason::kind::killed);
    co_await world.quiet();
    CHECK_FALSE(all.second.find<desk>("it"));
  });
}
