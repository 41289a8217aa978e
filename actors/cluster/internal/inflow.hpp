#pragma once

#include <troupe/actors/cell.hpp>
#include <troupe/runtime/loop.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace troupe::cluster::internal {

class peer;

/// How many bytes have come from a peer that lie in no mailbox yet.
using inflow_total = std::shared_ptr<std::atomic<std::size_t>>;

/// What has come from a peer for an actor whose mailbox may have no room, and lies in no mailbox yet: it waits for room as what is sent here does. When that is
/// much, the peer is told to pause what it has for this actor, and to resume when it has become little; so a slow actor holds up nobody who has
/// something for others.
///
/// Life: shared with its messages. Threads: the node's loop; the actor may be on another.
class inflow : public std::enable_shared_from_this<inflow> {
 public:
  inflow(std::weak_ptr<peer> from, std::uint64_t actor, loop& home, inflow_total all) noexcept;

  /// `item` came in so many bytes. What comes in spite of a pause, when all together are far beyond what can be on its way, is a dead letter.
  void pass_on(troupe::internal::envelope& item, std::size_t bytes, troupe::internal::cell& to);
  /// Tells the peer of a pause once more, that has released the actor, and so forgotten it, and knows it again.
  void say_again();
  /// The peer does not know the actor any more.
  void detach() noexcept { from_.reset(); }

 private:
  class arrival;
  /// One of that weight lies in the mailbox, or nowhere. Threads: any.
  void settled(std::size_t weight) noexcept;
  void look();

  std::weak_ptr<peer> from_;
  const std::uint64_t actor_;
  loop& home_;
  const inflow_total all_;
  std::atomic<std::size_t> waiting_{0};  ///< bytes
  bool paused_ = false;                  ///< the peer has been told
};

}  // namespace troupe::cluster::internal
