#pragma once

#include <troupe/runtime/future.hpp>

#include <cstdint>

namespace troupe {

/// What has become of messages that nobody received, since the loops began.
struct actor_counts {
  std::uint64_t dead_letters =
      0;  ///< told, and handled by nobody, for whatever reason: see dead_letter.hpp
  std::uint64_t refused_as_full = 0;  ///< of these, those for which a mailbox had no room
  std::uint64_t dropped = 0;          ///< and those that gave way to others
  std::uint64_t late_replies =
      0;  ///< answers to asks that had ended: by time-out, cancellation or as a deadlock

  actor_counts& operator+=(const actor_counts& other) noexcept {
    dead_letters += other.dead_letters;
    refused_as_full += other.refused_as_full;
    dropped += other.dropped;
    late_replies += other.late_replies;
    return *this;
  }
};

/// Those of the running loop. Errors: `invalid_state` off a loop.
actor_counts counts_of_loop();

/// Those of all loops of the runtime together, each as it was when it was asked.
/// Errors: `invalid_state` off a loop. Cancel: leaves nothing behind.
future<actor_counts> counts_of_runtime();

}  // namespace troupe
