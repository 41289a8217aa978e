#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/reply_to.hpp>
#include <troupe/io/bytes.hpp>
#include <troupe/io/stream.hpp>
#include <troupe/io/transport.hpp>

#include <cstddef>
#include <memory>
#include <system_error>
#include <utility>

namespace troupe::io {

// --- what an owner sends to its connection ----------------------------------------------------------------------------

/// Credit: the owner takes up to `bytes` more. A connection reads nothing without credit, so a slow owner slows its peer.
struct demand {
  std::size_t bytes;
};

/// Bytes for the peer. Asked, it is answered when they fit into the write window, which is the way to be slowed down by a
/// slow peer; whose asker gives up before that is not sent. Eight windows more may wait so; a further ask fails with
/// std::errc::no_buffer_space. Told beyond the window, the connection ends with that.
/// Errors, when asked: std::system_error when the connection fails or writing has ended; `actor_dead` after its end.
struct write {
  using reply = void;
  explicit write(bytes given) noexcept : chunk(std::move(given)) {}
  bytes chunk;
};

/// No more is written: the peer sees the end of data once everything written has left. Reading goes on; when the peer has
/// ended too, the connection closes. A write after it fails, or is dropped when it was told.
struct write_eof {};

/// The end: what was written is sent, then the connection closes. What the peer sent and nobody read is dropped; a peer that
/// sends on is reset by the system and may miss the end of what was written: use `write_eof` and read up to `end_of_data`
/// where that matters.
struct close {};

/// The end at once: what was not sent yet is dropped, and the peer sees a reset.
struct abort {};

using connection = protocol<demand, write, write_eof, close, abort>;

// --- what a connection sends to its owner -----------------------------------------------------------------------------

/// Bytes from the peer, at most as many as credit was given for.
struct data {
  actor_ref<connection> from;
  bytes chunk;
};

/// The peer writes no more. Writing to it goes on until `close`. It comes after all data, and needs no credit itself.
struct end_of_data {
  actor_ref<connection> from;
};

/// All that was written has been handed to the operating system: `bytes` since the last time.
struct drained {
  actor_ref<connection> from;
  std::size_t bytes;
};

/// The last word of every connection, once, whatever happened, unless it was killed: then only a monitor tells. No error means that
/// both sides have ended, or that this side's `close` was carried out.
struct closed {
  actor_ref<connection> from;
  std::error_code reason;
};

using connection_events = protocol<data, end_of_data, drained, closed>;

/// What is said of a connection once.
struct connection_options {
  std::size_t write_window = std::size_t{1} << 20;   ///< bytes written and not yet sent, at most
  std::size_t largest_chunk = std::size_t{1} << 16;  ///< bytes of one `data`, at most
  duration close_timeout = std::chrono::seconds(
      30);              ///< for what is still to be sent at a `close`; then std::errc::timed_out
  bool nodelay = true;  ///< of a TCP socket; others have no such thing
};

namespace internal {
class connection_link;
}

/// An actor that owns one transport, whichever it is, and speaks `connection` to its owner.
///
///     auto ends = io::memory_transports();
///     connection_ = spawn<io::stream_connection>(std::move(ends.first), self());
///     connection_.tell(io::demand{64 << 10});
///
/// Made of an `io::stream` it goes on where that was, TLS too: what the stream had read and nobody taken comes first. A server whose
/// stream it was follows the handler only from then on.
/// Life: from `spawn` to exactly one `closed`, which it sends when it was told to `close` and all was sent, when the
/// connection fails, or when it is stopped (std::errc::operation_canceled), which drops what was not sent and resets the peer.
/// As a child it stops with its owner, so an owner that wants its last words sent tells it to `close` and waits for `closed`.
/// A peer that half-closes leaves it open for writing.
/// Invariants: `data` never exceeds the credit; what is accepted and not sent never exceeds the window, but for a
/// single write that is larger; while it has no
/// credit and nothing to send it holds no buffer, but for one byte where only a read can tell whether the end has come.
/// Errors: the constructor throws std::system_error when the transport cannot be watched; std::invalid_argument without a
/// transport or an owner; made of a stream, what `stream::take_apart` throws. Pre: the stream is of the actor's loop.
class stream_connection : public actor<connection> {
 public:
  stream_connection(std::unique_ptr<transport> wire, actor_ref<connection_events> owner,
                    connection_options options = {});
  stream_connection(stream over, actor_ref<connection_events> owner,
                    connection_options options = {});
  ~stream_connection();

  void on(demand more);
  void on(write w, reply_to<void> accepted);
  void on(write_eof);
  void on(close);
  void on(abort);
  void on_stop();

 protected:
  /// For one over a transport that is known when compiling.
  explicit stream_connection(std::unique_ptr<internal::connection_link> link) noexcept;

 private:
  friend class internal::connection_link;
  std::unique_ptr<internal::connection_link> link_;
};

}  // namespace troupe::io
