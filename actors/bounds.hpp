#pragma once

#include <troupe/actors/envelope.hpp>
#include <troupe/actors/mailbox_options.hpp>
#include <troupe/actors/message_queue.hpp>

#include <cstddef>
#include <vector>

namespace troupe::internal {

/// The limits of one mailbox, and those who wait for room in it. Only actors with limits have one.
/// Threads: its actor's loop.
class bounds : public pooled {
 public:
  bounds(const mailbox_options& whole, const message_limit* first, std::size_t count);

  /// Adds a limit of one type, or changes it.
  void set_limit(const message_limit& given);
  bool has_room() const noexcept { return whole_.capacity == 0 || queued_ < whole_.capacity; }
  /// Whether one more message of that type has room.
  bool room_for(const message_info& type) const noexcept { return has_room() && !is_full_of(type); }
  /// Whether it is messages of its own type that leave it no room, so that one of those would have to give way.
  bool is_full_of(const message_info& type) const noexcept;
  /// What to do when it has none. Pre: it has none.
  overflow policy_for(const message_info& type) const noexcept;

  void came(const message_info& type) noexcept;
  void went(const message_info& type) noexcept;
  /// Whether the high-water mark has just been reached; once until they are half as many.
  bool reached_high_water() noexcept;
  std::size_t queued() const noexcept { return queued_; }

  message_queue parked;  ///< asks and sends that wait for room

 private:
  struct limited {
    message_limit limit;
    std::size_t queued;
  };
  const limited* find(const message_info& type) const noexcept;
  limited* find(const message_info& type) noexcept {
    return const_cast<limited*>(static_cast<const bounds*>(this)->find(type));
  }

  mailbox_options whole_;
  std::size_t queued_ = 0;
  bool warned_ = false;
  std::vector<limited, pool_allocator<limited>> limited_;
};

}  // namespace troupe::internal
