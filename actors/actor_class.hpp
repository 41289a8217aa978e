#pragma once

#include <troupe/actors/exit_reason.hpp>
#include <troupe/actors/mailbox_options.hpp>

#include <cstddef>
#include <string_view>

namespace troupe::internal {

class cell;
struct message_info;

/// What a class of actors can do besides handling messages.
struct actor_class {
  std::string_view name;
  std::size_t size;                 ///< of its cells, for giving the memory back
  void (*destroy)(cell&) noexcept;  ///< the user's object
  void (*start)(cell&);             ///< on_start; null when there is none. May leave the cell busy
  void (*stop)(cell&);              ///< on_stop, likewise
  const mailbox_options* bound;     ///< null: none
  const message_limit* limits;
  std::size_t limit_count;
  /// Tells it of the end of one that it is linked with; null when its protocol has no such message.
  void (*send_exited)(cell& to, cell& ended, const exit_reason& why);
  void (*idle)(cell&);  ///< on_idle, likewise; null for the default, which stops it
  /// Which messages are handled while a coroutine handler waits; null for none.
  bool (*interleaves)(const message_info&) noexcept = nullptr;
};

}  // namespace troupe::internal
