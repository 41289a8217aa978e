// Actors by their keys, on nodes that come and go.
#include "cluster/shards.hpp"

#include <troupe/runtime/timeout.hpp>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::shards;

TEST_CASE("an actor of a shard starts with its first message, and is the same for all nodes") {
  naturally([](simulation& world, network&) -> coro<> {
    world_of_keys all;
    place_of one(all, 1);
    place_of two(all, 2);
    place_of three(all, 3);
    co_await world.advance(5s);
    INFO(one.keys().describe());
    CHECK(one.keys().hosts().size() == 3);
    CHECK(one.keys().active() + two.keys().active() + three.keys().active() == 16);
    CHECK(all.begun == 0);
    std::set<std::string> places;
    for (int each = 0; each < 30; ++each) {
      int sum = co_await one.keys().ask(key(each), add{1});
      CHECK(sum == 1);
      sum = co_await two.keys().ask(key(each), add{1});
      sum = co_await three.keys().at(key(each)).ask(add{1});
      CHECK(sum == 3);
      const std::string there = co_await one.keys().ask(key(each), where{});
      places.insert(there);
      const cluster::node_id first = two.keys().ranked(key(each)).front();
      CHECK(there == (first == one.id() ? "node 1" : first == two.id() ? "node 2" : "node 3"));
    }
    CHECK(places.size() == 3);
    CHECK(all.begun == 30);
    CHECK(one.keys().keys().size() + two.keys().keys().size() + three.keys().keys().size() == 30);
    one.crash();
    two.crash();
    three.crash();
    co_await world.advance(15s);
  });
}

namespace {

/// So many nodes that have met.
struct several {
  explicit several(int count, cluster::shard_options how = quick()) {
    for (int each = 1; each <= count; ++each)
      nodes.push_back(std::make_unique<place_of>(all, each, how));
  }
  place_of& operator[](std::size_t number) { return *nodes[number - 1]; }
  place_of& add(cluster::shard_options how = quick()) {
    nodes.push_back(std::make_unique<place_of>(all, static_cast<int>(nodes.size()) + 1, how));
    return *nodes.back();
  }
  /// Where the key is to be.
  place_of& of(const std::string& key) {
    const cluster::node_id first = nodes[0]->keys().ranked(key).front();
    for (const auto& each : nodes)
      if (each->is_up() && each->id() == first) return *each;
    throw std::runtime_error("a key is to be on a node that is not there");
  }
  coro<> end(simulation& world) {
    for (const auto& each : nodes) each->crash();
    co_await world.advance(15s);  // their actors look at what is here until they have ended
  }

  world_of_keys all;
  std::vector<std::unique_ptr<place_of>> nodes;
};

/// A key that is to be on that node.
std::string key_on(several& all, place_of& wanted) {
  for (int each = 0; each < 1000; ++each)
    if (&all.of(key(each)) == &wanted) return key(each);
  throw std::runtime_error("no key is to be there");
}

}  // namespace

TEST_CASE("a node that has no actors of a shard asks those of others") {
  naturally([](simulation& world, network&) -> coro<> {
    several all(2);
    cluster::node asking(at("asking", "127.0.0.9", {io::endpoint("127.0.0.1", 7000)}));
    cluster::shard_client<std::string, protocol<add, note, notes>> keys(asking, "keys", quick());
    for (int each = 0; each < 10; ++each) keys.tell("anna", note{each});  // before it has met any
    const std::vector<int> heard = co_await keys.ask("anna", notes{});
    CHECK(heard == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    co_await world.advance(2s);
    for (int each = 0; each < 20; ++each) {
      const int sum = co_await keys.ask(key(each), add{2});
      CHECK(sum == 2);
    }
    CHECK(keys.keys().empty());
    CHECK(keys.active() == 0);
    CHECK(keys.hosts().size() == 2);
    CHECK_THAT(keys.describe(), Catch::Contains("without this one"));
    co_await all.end(world);
  });
}

TEST_CASE("an actor of a shard that is idle is stopped, and the next message starts another") {
  naturally([](simulation& world, network&) -> coro<> {
    cluster::shard_options how = quick();
    how.idle = 10s;
    several all(1, how);
    int sum = co_await all[1].keys().ask("anna", add{5});
    CHECK(sum == 5);
    co_await world.advance(9s);
    sum = co_await all[1].keys().ask("anna", add{1});
    CHECK(sum == 6);
    co_await world.advance(9s);
    CHECK(all[1].keys().keys() == std::vector<std::string>{"anna"});
    co_await world.advance(3s);
    CHECK(all[1].keys().keys().empty());
    CHECK(all.all.alive("anna") == 0);
    sum = co_await all[1].keys().ask("anna", add{1});
    CHECK(sum == 1);
    co_await all.end(world);
  });
}

TEST_CASE("no message is lost to an actor of a shard that ends just then") {
  explore({.schedules = 300}, [](simulation& world) -> coro<> {
    network net(world);
    cluster::shard_options how = quick();
    how.idle = 10ms;
    several all(1, how);
    co_await world.advance(1s);
    int answered = 0;
    for (int each = 0; each < 40; ++each) {
      co_await sleep(each % 3 == 0 ? 10ms : each % 3 == 1 ? 9999us : 1us);
      if (each % 5 == 0) all[1].keys().tell("anna", end{});
      auto asked = all[1].keys().ask("anna", slow_add{1});
      auto other = all[1].keys().ask("anna", add{1});
      co_await asked;
      co_await other;
      answered += 2;
      expect(all.all.alive("anna") <= 1, "there are two at a time");
    }
    expect(answered == 80, "an ask has no answer");
    expect(all.all.begun > 8, "they have not ended");
    co_await all.end(world);
  });
}

TEST_CASE(
    "an actor of a shard that crashes is followed by another, and so is one that cannot start") {
  naturally([](simulation& world, network&) -> coro<> {
    world.expect_failures([](const failure_report& report) {
      return report.message.find("counter") != std::string::npos;
    });
    several all(2);
    co_await world.advance(5s);
    for (place_of* const each : {&all[1], &all[2]}) {
      const std::string there = key_on(all, *each);
      int sum = co_await all[1].keys().ask(there, add{5});
      CHECK_THROWS_WITH(co_await all[1].keys().ask(there, crash{}),
                        Catch::Contains("the counter falls"));
      sum = co_await all[1].keys().ask(there, add{1});
      CHECK(sum == 1);
    }
    all.all.refuse = "nobody";
    CHECK_THROWS_WITH(
        co_await all[1].keys().ask("nobody", add{1}),
        Catch::Contains("could not be started") && Catch::Contains("an account of nobody"));
    all.all.refuse.clear();
    const int sum = co_await all[1].keys().ask("nobody", add{1});
    CHECK(sum == 1);
    co_await all.end(world);
  });
}

TEST_CASE(
    "keys move to a node that comes, with what their actors hand over, and back when it leaves") {
  naturally([](simulation& world, network&) -> coro<> {
    several all(2);
    co_await world.advance(5s);
    for (int each = 0; each < 30; ++each) {
      const int sum = co_await all[1].keys().ask(key(each), add{each});
      CHECK(sum == each);
    }
    place_of& third = all.add();
    co_await world.advance(10s);
    INFO(third.keys().describe());
    CHECK(third.keys().active() > 0);
    CHECK(third.keys().keys().size() > 0);
    CHECK(all[1].keys().active() + all[2].keys().active() + third.keys().active() == 16);
    for (int each = 0; each < 30; ++each) {
      const int sum = co_await all[2].keys().ask(key(each), add{1});
      CHECK(sum == each + 1);
      CHECK(all.all.alive(key(each)) == 1);
    }
    auto leaving = third.keys().leave();
    co_await std::move(leaving);
    CHECK(third.keys().active() == 0);
    CHECK(third.keys().keys().empty());
    int sum = co_await third.keys().ask(key(7), add{1});  // it goes on to pass them on
    CHECK(sum == 9);
    third.crash();
    co_await world.advance(1s);
    for (int each = 0; each < 30; ++each) {
      sum = co_await all[2].keys().ask(key(each), add{1});
      CHECK(sum == each + (each == 7 ? 3 : 2));
    }
    co_await all.end(world);
  });
}

TEST_CASE("when a node is lost its keys begin anew on others, and asks under way fail") {
  naturally([](simulation& world, network&) -> coro<> {
    several all(3);
    co_await world.advance(5s);
    const std::string there = key_on(all, all[3]);
    int sum = co_await all[1].keys().ask(there, add{5});
    CHECK(sum == 5);
    auto waiting = all[1].keys().ask(there, slow_add{1});
    co_await sleep(10ms);
    all[3].crash();
    CHECK_THROWS_AS(co_await waiting, cluster::node_lost);
    sum = co_await all[1].keys().ask(there, add{1});
    CHECK(sum == 1);
    CHECK(&all.of(there) != &all[3]);
    CHECK(all[1].keys().active() + all[2].keys().active() == 16);
    co_await all.end(world);
  });
}

TEST_CASE("messages that wait for a node of a shard have a bound, and asks of that kind end") {
  naturally([](simulation& world, network&) -> coro<> {
    world.expect_failures([](const failure_report& report) {
      return report.message.find("rejected a message that was told") != std::string::npos;
    });
    cluster::node alone(at("alone", "127.0.0.9"));
    cluster::shard_options how = quick();
    how.waiting = 3;
    cluster::shard_client<std::string, protocol<add, note, notes>> keys(alone, "keys", how);
    for (int each = 0; each < 3; ++each) keys.tell("anna", note{each});
    CHECK_THROWS_WITH(co_await keys.ask("anna", notes{}), Catch::Contains("shard 'keys'") &&
                                                              Catch::Contains("3 messages") &&
                                                              Catch::Contains("no node is known"));
    keys.tell("anna", note{4});  // refused, and reported
    several all(1, how);
    alone.connect(io::endpoint("127.0.0.1", 7000));
    co_await world.advance(5s);
    const std::vector<int> heard = co_await keys.ask("anna", notes{});
    CHECK(heard == std::vector<int>{0, 1, 2});
    co_await all.end(world);
    CHECK_THROWS_AS(co_await keys.ask("anna", notes{}, 1s), ask_timeout);
  });
}

TEST_CASE("nodes of a shard with another number of partitions are left out, and that is said") {
  naturally([](simulation& world, network&) -> coro<> {
    failure_log expected;
    std::vector<std::string> said;
    world.expect_failures([&](const failure_report& report) {
      if (report.message.find("is not the same everywhere") == std::string::npos) return false;
      said.push_back(troupe::describe(report.error));
      return true;
    });
    several all(1);
    cluster::node other(at("other", "127.0.0.9", {io::endpoint("127.0.0.1", 7000)}));
    cluster::shard_options how = quick();
    how.partitions = 17;
    cluster::shard_client<std::string, protocol<add>> keys(other, "keys", how);
    co_await world.advance(5s);
    CHECK(said.size() == 2);
    CHECK_THAT(said.at(0), Catch::Contains("16 partitions") || Catch::Contains("17 partitions"));
    CHECK_THROWS_WITH(co_await keys.ask("anna", add{1}),
                      Catch::Contains("16 partitions, and this one 17"));
    const int sum = co_await all[1].keys().ask("anna", add{1});
    CHECK(sum == 1);
    co_await all.end(world);
  });
}

TEST_CASE("without as many nodes as it needs a shard has no actors") {
  naturally([](simulation& world, network&) -> coro<> {
    cluster::shard_options how = quick();
    how.least = 2;
    several all(1, how);
    co_await world.advance(5s);
    CHECK(all[1].keys().active() == 0);
    CHECK_THROWS_AS(co_await all[1].keys().ask("anna", add{1}, 1s), ask_timeout);
    all.add(how);
    co_await world.advance(5s);
    CHECK(all[1].keys().active() + all[2].keys().active() == 16);
    const int sum = co_await all[1].keys().ask("anna", add{1});
    CHECK(sum == 1);
    all[2].crash();
    co_await world.advance(5s);
    CHECK(all[1].keys().active() == 0);
    CHECK(all[1].keys().keys().empty());
    co_await all.end(world);
  });
}

TEST_CASE("what makes no sense for a shard is refused with what is wrong") {
  naturally([](simulation& world, network&) -> coro<> {
    cluster::node here(at("here", "127.0.0.1"));
    using client = cluster::shard_client<std::string, protocol<add>>;
    const auto with = [&](auto change) {
      cluster::shard_options how;
      change(how);
      client made(here, "keys", how);
    };
    using options = cluster::shard_options&;
    CHECK_THROWS_WITH(with([](options how) { how.partitions = 0; }),
                      Catch::Contains("1 to 16384 partitions, and not 0"));
    CHECK_THROWS_AS(with([](options how) { how.partitions = 20'000; }), std::invalid_argument);
    CHECK_THROWS_AS(with([](options how) { how.least = 0; }), std::invalid_argument);
    CHECK_THROWS_AS(with([](options how) { how.idle = 0s; }), std::invalid_argument);
    CHECK_THROWS_AS(with([](options how) { how.hand_over = infinite; }), std::invalid_argument);
    CHECK_THROWS_AS(with([](options how) { how.settle = -1s; }), std::invalid_argument);
    CHECK_THROWS_AS(with([](options how) { how.waiting = 0; }), std::invalid_argument);
    CHECK_THROWS_AS(client(here, "a\nb"), std::invalid_argument);
    client first(here, "keys");
    CHECK_THROWS_WITH(client(here, "keys"), Catch::Contains("has a shard 'keys' already"));
    client second(here, "others");
    co_await world.quiet();
  });
}

TEST_CASE("what is under way when a key moves has so long to end, and no longer") {
  naturally([](simulation& world, network&) -> coro<> {
    cluster::shard_options how = quick();
    how.hand_over = 1s;
    several all(2, how);
    co_await world.advance(5s);
    const std::string kept = key_on(all, all[1]);
    auto ends = all[2].keys().ask(kept, slow_add{1});
    co_await sleep(10ms);
    auto leaving = create_task(all[1].keys().leave());
    const int one = co_await ends;
    CHECK(one == 1);
    co_await leaving;
    const int two = co_await all[1].keys().ask(kept, add{1});
    CHECK(two == 2);
    auto lasts = all[2].keys().ask(kept, never{}, infinite);
    co_await sleep(10ms);
    place_of& third = all.add(how);
    const time_point begin = world.time();
    auto gone = create_task(all[2].keys().leave());
    co_await gone;
    CHECK(world.time() - begin < 4s);
    CHECK_THROWS_AS(co_await lasts, actor_dead);
    const int again = co_await third.keys().ask(kept, add{1});
    CHECK(again >= 1);
    co_await all.end(world);
  });
}

TEST_CASE("what no region says does a shard no harm") {
  naturally([](simulation& world, network&) -> coro<> {
    several all(1);
    cluster::node stranger(at("stranger", "127.0.0.9", {io::endpoint("127.0.0.1", 7000)}));
    using namespace cluster::internal;
    const auto region =
        co_await stranger.lookup<protocol<region_hello, region_update>>("troupe/shard/keys");
    region_update wrong;
    wrong.from = stranger.info().id;
    wrong.released = wrong.active = wrong.leaving = wrong.left = {0, 15, 16, 65535};
    wrong.claims = wrong.grants = {{0, 1}, {16, 1}, {65535, 7}};
    wrong.seen = std::vector<cluster::node_id>(100);
    region.tell(wrong);  // of one that has not said hello
    region_hello hello;
    hello.from = stranger.info().id;
    hello.partitions = 16;
    hello.held = {{3, 1}, {16, 1}, {60000, 1}};
    hello.taken = hello.active = {2, 17, 60000};
    region.tell(hello);  // and is no shard
    hello.from = {};
    region.tell(hello);  // of nobody
    wrong.from = all[1].id();
    region.tell(wrong);
    co_await world.advance(5s);
    for (int each = 0; each < 20; ++each) {
      const int sum = co_await all[1].keys().ask(key(each), add{1});
      CHECK(sum == 1);
    }
    co_await all.end(world);
  });
}
