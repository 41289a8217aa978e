// What the tests of clusters share: nodes on the loops of a simulation.
#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/cluster/node.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/io/testing/network.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/testing/explore.hpp>

#include "support/catch.hpp"

#include <stdexcept>
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

/// For scenarios that are explored: a failure is an exception.
inline void expect(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

inline cluster::node_options at(std::string name, const char* address,
                                std::vector<io::endpoint> seeds = {}) {
  cluster::node_options made;
  made.name = std::move(name);
  made.listen = io::endpoint(address, 7000);
  made.seeds = std::move(seeds);
  return made;
}

}  // namespace troupe::testing::clusters
