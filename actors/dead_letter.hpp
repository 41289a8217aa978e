#pragma once

#include <troupe/actors/any_actor.hpp>
#include <troupe/runtime/callable.hpp>

#include <string_view>

namespace troupe {

/// A message that was told and that nobody will handle. An ask that comes to nothing is none: its asker hears of it.
struct dead_letter {
  enum class reason : unsigned char {
    dead,  ///< the actor was dead, or ended before it handled it
    full,  ///< its mailbox had no room
    dropped,  ///< it was to give way to others (`overflow::drop_oldest`, `drop_newest`, a topic's bound)
    nobody,  ///< a router had nobody to give it to
  };
  reason why;
  any_actor to;              ///< nobody, for a router
  std::string_view message;  ///< the name of its type
};

using dead_letter_handler = callable<void(const dead_letter&)>;

/// Has `handler` called for each dead letter on the loops of this runtime, on the loop where it came to nothing; an empty one ends
/// that. Other loops than this one take it over soon. In debug mode each is reported besides. They are counted in any case: see
/// counts.hpp. The handler must not throw.
/// Errors: `invalid_state` off a loop.
void on_dead_letter(const dead_letter_handler& handler);

namespace internal {
struct message_info;
/// On the loop where it came to nothing; does nothing off a loop.
void count_dead_letter(dead_letter::reason why, cell* to, const message_info& message) noexcept;
}  // namespace internal

}  // namespace troupe
