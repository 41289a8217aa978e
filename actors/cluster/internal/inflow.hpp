#pragma once

#include <troupe/actors/cell.hpp>
#include <troupe/runtime/loop.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace troupe::cluster::internal {

class peer;

/// How much has come from a peer that lies in no mailbox yet.
using inflow_total = std::shared_ptr<std::atomic<std::size_t>>;

/// What has come from a peer for an actor whose mailbox may have no room, and lies in no mailbox yet: it waits for room as what is sent here does. When that is much,
/// the peer is told to hold back what it has for this actor, and to go on when it has become little; so a slow actor holds up nobody who has something
/// for others.
///
/// Life: shared with its messages. Threads: the node's loop; the actor may be on another.
class inflow : public std::enable_shared_from_this<inflow> {
 public:
  inflow(std::weak_ptr<peer> from, std::uint64_t actor, loop& home, inflow_total all) noexcept;

  /// What is beyond the limit of all that waits, which a peer that holds back does not reach, is a dead letter.
  void pass_on(troupe::internal::envelope& item, troupe::internal::cell& to);

 private:
  class arrival;
  /// One lies in the mailbox, or nowhere. Threads: any.
  void settled() noexcept;
  void look();

  const std::weak_ptr<peer> from_;
  const std::uint64_t actor_;
  loop& home_;
  const inflow_total all_;
  std::atomic<std::size_t> waiting_{0};
  bool held_ = false;  ///< the peer has been told
};

}  // namespace troupe::cluster::internal
