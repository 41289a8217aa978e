// What the tests of clusters share: nodes on the loops of a simulation.
#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/cluster/node.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/io/testing/network.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/testing/explore.hpp>

#include "support/catch.hpp"
#include "support/expect.hpp"

#include <string>
#include <utility>
#include <vector>

namespace troupe::testing::clusters {

using namespace std::chrono_literals;

/// Runs a scenario once, in the natural order.
template <class Scenario>
void naturally(Scenario scenario, const network_options& how = {}) {
  first_come natural;
  simulation world(natural, {.most_steps = 10'000'000});
  network net(world, how);
  world.run(scenario(world, net));
}

/// What nodes report of those with whom they come to no connection: expected, and kept as text.
inline void expect_refusals(simulation& world, std::string& told) {
  world.expect_failures([&told](const failure_report& report) {
    if (report.message.find("has no connection with") == std::string::npos) return false;
    told += report.message + ": " + describe(report.error) + "\n";
    return true;
  });
}

inline cluster::node_options at(std::string name, const char* address,
                                std::vector<io::endpoint> seeds = {}) {
  cluster::node_options made;
  made.name = std::move(name);
  made.listen = io::endpoint(address, 7000);
  made.seeds = std::move(seeds);
  return made;
}

/// Two nodes, of which the second looks for the first.
struct two_nodes {
  explicit two_nodes(cluster::node_options of_first = at("first", "127.0.0.2"))
      : first(std::move(of_first)) {}

  cluster::node first;
  cluster::node second{at("second", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)})};
};

/// An actor on the first of them, as it is known on the second.
template <class A>
struct known_to_second : two_nodes {
  actor_ref<typename A::protocol_type> there = spawn<A>();
  actor_ref<typename A::protocol_type> far;

  coro<> open() {
    first.publish("it", there);
    far = co_await second.lookup<typename A::protocol_type>("it");
  }
};

}  // namespace troupe::testing::clusters
