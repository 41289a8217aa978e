#pragma once

#include <troupe/actors/cluster/node.hpp>
#include <troupe/actors/cluster/region_messages.hpp>
#include <troupe/runtime/time.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace troupe::cluster::internal {

/// What a `placement` has others do. Nothing of it may call the placement.
class placement_user {
 public:
  virtual void send(const node_id& to, region_hello&& said) = 0;
  virtual void send(const node_id& to, region_update&& said) = 0;
  /// The partition is this node's: actors may be started, and begin with what others have handed over.
  virtual void begin(std::uint16_t partition) = 0;
  /// Has its actors stop, and hands over what they leave, and what was left to them. `placement::drained` is to be called when that is done. Gives
  /// whether there is nothing.
  virtual bool drain(std::uint16_t partition) = 0;
  virtual void kill(std::uint16_t partition) = 0;
  /// It is this node's no more.
  virtual void forget(std::uint16_t partition) = 0;
  /// Messages that wait may have somewhere to go now.
  virtual void routes_changed() = 0;
  virtual void disagrees(const std::string& what) = 0;
  virtual time_point now() const = 0;

 protected:
  ~placement_user() = default;
};

struct placement_options {
  std::uint32_t partitions = 256;
  std::size_t least = 1;
  duration hand_over = std::chrono::seconds(5);
  duration patience = std::chrono::seconds(10);
};

/// Who has which partitions of a shard, as one of its nodes sees it and takes part in it. There is no coordinator.
///
/// A partition is to be of the host that comes first in the order that its number and the ids of the hosts give: each node reckons that by itself, of the
/// hosts that it has met. That is not enough, for two may have met others. So who begins with a partition needs the grant of each host that
/// it has met, its own too, and of those that they have met; and a host grants a partition to one at a time, to whom it comes first there, when the one before has
/// released it, or is lost. Who is not the first any more has all send nothing further, lets what is under way end, stops the actors, hands over what
/// they leave, and then releases.
///
/// Invariant: of two nodes that have a partition active neither has met the other, and no host has met both, but for the time that two sides need which went on by
/// themselves and meet again. Then the one that stays pauses until the other has released.
/// Threads: the loop of the region.
class placement {
 public:
  enum class phase : std::uint8_t {
    none,
    claiming,
    active,
    paused,    ///< somebody new has not granted it
    leaving,   ///< until all have said that they send nothing more
    draining,  ///< until its actors have stopped, and others have what they left
  };

  placement(placement_user& user, const node_id& self, std::uint64_t life,
            placement_options options);

  /// It has actors from now on, or no more.
  void set_hosting(bool hosting);
  bool hosting() const noexcept { return hosting_; }
  /// Somebody has not answered yet what it was told of this node.
  bool greeting() const noexcept { return asked_.has_value() || !to_ask_.empty(); }
  /// There is a region on that node.
  void found(const node_id& other);
  void receive(const region_hello& said);
  void receive(const region_update& said);
  void lost(const node_id& other);
  void drained(std::uint16_t partition);
  /// For what takes too long; now and then.
  void look_at_time();

  struct route {
    bool here = false;
    const node_id* there = nullptr;  ///< neither: it has to wait
  };
  route find(std::uint16_t partition, bool from_elsewhere) const noexcept;
  /// Hosts, as they come for the partition: the first has it, the second is the first when that is lost.
  std::vector<node_id> ranked(std::uint16_t partition) const;
  const std::vector<node_id>& hosts() const noexcept { return hosts_; }
  bool has_met(const node_id& other) const noexcept;
  bool knows(const node_id& other, std::uint64_t life) const noexcept;
  phase state(std::uint16_t partition) const noexcept { return parts_[partition].state; }
  /// Who is to have it; null for nobody, or this one.
  const node_id* heir(std::uint16_t partition) const noexcept;
  std::size_t count(phase what) const noexcept;
  /// Whether this node has, or may have, actors.
  bool holds_any() const noexcept;
  /// Why a partition has no node yet.
  std::string obstacle(std::uint16_t partition) const;
  /// What is wrong with those that have another number of partitions; empty when none has, or there are others.
  std::string disagreement() const;
  std::uint32_t partitions() const noexcept { return options_.partitions; }

 private:
  struct claimant {
    node_id who;
    std::uint32_t round;
  };
  struct part_state {
    phase state = phase::none;
    std::uint32_t round = 0;
    std::optional<node_id> first;   ///< who is to have it
    std::optional<node_id> holder;  ///< to whom this node has granted it
    std::vector<claimant> claims;   ///< of others, not granted
    std::vector<node_id> sending;   ///< who may still send something for it
    std::optional<node_id> goes_to;
    time_point since{};  ///< when this phase began
  };
  struct per_part {
    bool granted = false;  ///< to this node, in this round
    bool asked = false;
    bool active = false;        ///< there
    std::uint32_t offered = 0;  ///< the round in which this node held it when it said hello
  };
  struct member {
    std::uint64_t life = 0;
    bool met = false;
    bool knows_this = false;  ///< it has been told hello
    bool host = false;
    std::optional<std::uint32_t> other_partitions;  ///< it has to be left out
    std::vector<per_part> parts;
    std::vector<node_id> seen;
    region_update out;
  };

  bool wanted(const part_state& part) const noexcept;
  static bool held(const part_state& part) noexcept { return part.state >= phase::active; }
  bool all_granted(std::uint16_t number) const noexcept;
  bool all_seen();
  void ask_next();
  region_hello hello_for(const node_id& to, member& other, bool answer);
  void apply(const node_id& from, member& other, const region_hello& said);
  void remove(const node_id& other);
  void forget_claim(part_state& part, const node_id& who);

  void evaluate();
  void look_at_hosts();
  void move_on(std::uint16_t number, part_state& part);
  void leave(std::uint16_t number, part_state& part);
  void give_up(std::uint16_t number, part_state& part);
  void grant(std::uint16_t number, part_state& part);
  void claim(std::uint16_t number, part_state& part);
  void activate(std::uint16_t number, part_state& part, bool may_begin);
  bool find_routes();
  void send_all();

  placement_user& user_;
  const node_id self_;
  const std::uint64_t life_;
  const placement_options options_;
  bool hosting_ = false;
  std::vector<part_state> parts_;
  std::map<node_id, member> members_;
  std::vector<node_id> hosts_;
  std::deque<node_id> to_ask_;
  std::optional<node_id> asked_;
  std::map<node_id, time_point> unseen_;  ///< hosts that others have met, and this one has not
};

}  // namespace troupe::cluster::internal
