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
    co_await world.quiet();
  });
}
