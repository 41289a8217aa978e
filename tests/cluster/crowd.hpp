// Many programs of one cluster, each on a loop and machine of its own, and everything that may happen to them.
#pragma once

#include "cluster/nodes.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace troupe::testing::clusters {

struct crowd_options {
  std::size_t nodes = 20;
  std::size_t events = 40;  ///< that happen to it, one after the other
  std::size_t faults = 20;  ///< of the network, besides
  duration heartbeat = 1s;
  duration silence = 5s;
};

/// What there was in a run: for who wants to know that something happened at all.
struct crowd_report {
  std::uint64_t crashes = 0;
  std::uint64_t partitions = 0;
  std::uint64_t sessions = 0;
  std::uint64_t received = 0;
  std::uint64_t asks = 0;
  std::uint64_t asks_answered = 0;
  std::uint64_t members_lost = 0;  ///< as the watchers have heard
  std::uint64_t keys_begun = 0;    ///< actors of the shard
  std::string text() const;
};

/// Runs a crowd under a seed: nodes crash, fall silent, leave and come back, the network is parted, slow, or resets connections, names are published
/// and are published no more, keys move, and all talk to each other; then it is left in peace. Throws when something does not hold:
///
///   members    None has one that ended longer ago than the silence; each watcher hears of `node_up` and `node_down` of a node in turns. In peace
///              each node has all others.
///   names      A name leads to an actor that was published by it, or to nobody. In peace, to the one that it is to lead to.
///   asks       Each ends.
///   messages   What a sender has for an actor that it has found comes in its order, each once, without holes, up to some end.
///   keys       A key of the shard has one actor among programs whose regions have met. In peace all are sent to the same one.
///
/// What is to hold at any moment is looked at in `crowd::look`, and what in peace in `crowd::look_in_peace`.
crowd_report rage(std::uint64_t seed, const crowd_options& how = {});

}  // namespace troupe::testing::clusters
