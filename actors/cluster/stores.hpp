#pragma once

#include <troupe/runtime/coro.hpp>

#include <cstdint>
#include <string>
#include <vector>

// What reliable delivery writes down, for those who want it to outlive their programs.

namespace troupe::cluster {

/// A message that was not acknowledged yet.
struct stored_message {
  std::uint64_t number = 0;
  std::string type;     ///< its name
  std::string layout;   ///< how it lies in `content`: see `layout`
  std::string content;  ///< bytes
};

/// Where a sender keeps its outbox: see `reliable_options::store`. To be overridden by what writes to a disk, or a database.
///
/// Life: as long as the sender. Threads: the loop of the sender's node; one call at a time.
class outbox_store {
 public:
  struct contents {
    std::uint64_t last = 0;                ///< the highest number that was ever kept
    std::vector<stored_message> messages;  ///< by their numbers
  };

  virtual ~outbox_store() = default;
  /// What there is, when the sender begins. What it throws, all sends throw.
  virtual coro<contents> load() = 0;
  /// Returns when the message will be there after a crash; the sender is told then that it was accepted. One of the same number is replaced. What it
  /// throws, that send throws.
  virtual coro<> keep(stored_message message) = 0;
  /// Those up to that number are done with. What it throws is reported.
  virtual coro<> forget(std::uint64_t up_to) = 0;
};

/// Where a receiver keeps what it has handled: see `receiver_options::store`.
///
/// Life: as long as the receiver. Threads: the loop of the receiver's node; several calls may be under way, one of each sender.
class receiver_store {
 public:
  virtual ~receiver_store() = default;
  /// The number of the last message of that sender that was handled; 0 for none. What it throws is reported, and the sender tries again.
  virtual coro<std::uint64_t> last(std::string sender) = 0;
  /// That one, and all before it, were handled. What it throws is reported.
  virtual coro<> handled(std::string sender, std::uint64_t number) = 0;
};

}  // namespace troupe::cluster
