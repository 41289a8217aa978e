#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/io/bytes.hpp>
#include <troupe/runtime/time.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <system_error>

namespace troupe::io {

/// What an owner sends to its tail. Credit: it takes so many more lines, or bytes where it follows bytes. Nothing is read without.
struct tail_demand {
  std::size_t count;
};

using tail = protocol<tail_demand>;

// --- what a tail sends to its owner -----------------------------------------------------------------------------------

/// A line, without "\n" or "\r\n"; or bytes as they are, at most as many as there is credit for.
struct tail_data {
  actor_ref<tail> from;
  bytes chunk;
  bool cut =
      false;  ///< the line was longer than the limit: this is its beginning, the rest is left out
};

/// What follows is from another file of that name, or from the beginning of the same one, which was cut off. What is left of a line
/// that never ended came before as a line.
struct tail_restarted {
  actor_ref<tail> from;
  bool truncated;  ///< else another file has taken the name
};

/// The last word of every tail, once, whatever happened, unless it was killed: then only a monitor tells.
struct tail_ended {
  actor_ref<tail> from;
  std::error_code reason;  ///< operation_canceled when it was stopped
};

using tail_events = protocol<tail_data, tail_restarted, tail_ended>;

struct tail_options {
  bool lines = true;
  bool from_start =
      false;  ///< of the file that is there at the beginning; every later one is read from its start
  std::size_t longest_line = std::size_t{1} << 16;
  std::size_t largest_chunk = std::size_t{1}
                              << 16;  ///< bytes read at once, and of one event that is no line
  /// How long a change may go unnoticed that the system does not tell of: on network file systems, where its inotify instances are
  /// used up, in directories that were moved.
  duration check_interval = std::chrono::seconds(1);
};

/// An actor that follows a growing file and sends what is added to it, as `tail -F` does: over its replacement by another file of the
/// same name, its truncation, its removal. A file that does not exist is waited for.
///
///     tail_ = spawn<io::file_tail>("app.log", self());
///     tail_.tell(io::tail_demand{100});
///
/// A file that was replaced is read to its end before the next one; what is written to it after that is missed. So is what a file held
/// that was cut off and has grown beyond the old place before anybody looked.
/// Life: from `spawn` to exactly one `tail_ended`: when it is stopped, or when the file cannot be read (is_a_directory,
/// permission_denied, invalid_seek for a pipe, io_error).
/// Invariants: what was sent never exceeds the credit; what was read and not sent never exceeds a chunk and a line.
/// Cost: an inotify instance, of which a user has 128 or so; further tails look every `check_interval`.
class file_tail : public actor<tail> {
 public:
  /// Errors: std::invalid_argument for a limit of nothing, and without an owner.
  file_tail(std::string path, actor_ref<tail_events> owner, tail_options options = {});
  ~file_tail();

  void on_start();
  void on(tail_demand more);
  void on_stop();

 private:
  class follower;
  std::unique_ptr<follower> follower_;
};

}  // namespace troupe::io
