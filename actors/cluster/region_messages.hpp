#pragma once

#include <troupe/actors/cluster/node.hpp>
#include <troupe/actors/protocol.hpp>

#include <cstdint>
#include <optional>
#include <vector>

// What the regions of a shard say to each other: who has which partitions, and messages for actors by their keys.

namespace troupe::cluster::internal {

/// A message on its way to the actor of a key.
template <class Key, message M>
struct keyed {
  Key key{};
  M message{};
  std::uint8_t hops = 0;  ///< from node to node so far
};
template <class Key, request M>
struct keyed<Key, M> {
  using reply = reply_of<M>;
  Key key{};
  M message{};
  std::uint8_t hops = 0;
};

/// What an actor has handed over, which the actor of the same key begins with elsewhere. Answered when a node has it that is to have the key.
template <class Key, class State>
struct handed {
  using reply = void;
  std::uint8_t hops = 0;
  Key key{};
  State state{};
};

/// A partition for which somebody asks, for the `round`th time: an answer to an earlier time is none to this one.
struct claimed {
  std::uint16_t number = 0;
  std::uint32_t round = 0;
};

/// Two regions meet: one says this, and the other answers with the same of its own. Who has said it grants nothing until he has the answer, so
/// what is in it holds until then.
struct region_hello {
  node_id from;
  std::uint64_t life = 0;  ///< tells a region from an earlier one of the node
  bool answer = false;
  bool hosts = false;  ///< whether it has actors
  std::uint32_t partitions = 0;
  std::vector<claimed> held;          ///< of which it has actors, or may have
  std::vector<std::uint16_t> taken;   ///< that it does not grant to whom this is said
  std::vector<std::uint16_t> active;  ///< messages for which go to it
  std::vector<node_id> seen;          ///< hosts that it has met, and itself
};

/// What has changed.
struct region_update {
  node_id from;
  std::uint64_t life = 0;
  std::vector<std::uint16_t> released;  ///< it has nothing of these any more, and wants none
  std::vector<claimed> claims;          ///< it asks for these
  std::vector<claimed> grants;          ///< and these are granted
  std::vector<std::uint16_t> active;    ///< messages for these go to it from now on
  std::vector<std::uint16_t> leaving;   ///< and for these no more
  std::vector<std::uint16_t> left;      ///< what I had for these was sent before this
  std::optional<std::vector<node_id>> seen;
};

}  // namespace troupe::cluster::internal
