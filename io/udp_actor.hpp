#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/reply_to.hpp>
#include <troupe/io/bytes.hpp>
#include <troupe/io/endpoint.hpp>
#include <troupe/io/udp.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

namespace troupe::io {

namespace udp {

/// What has become of an actor's datagrams so far.
struct counters {
  std::uint64_t received = 0;  ///< and sent to the owner
  std::uint64_t dropped = 0;   ///< by the system, because there was no credit in time
  std::uint64_t sent = 0;
  std::uint64_t refused = 0;  ///< to be sent, but the window was full, or the system would not
};

// --- what an owner sends to its actor ---------------------------------------------------------------------------------

/// Credit: the owner takes so many more datagrams. Without credit nothing is received, and what the system's buffer does not hold
/// is lost.
struct demand {
  std::size_t datagrams;
};

/// A datagram to `to`, or to where the socket is connected. Asked, it is answered when the system has taken it.
/// Errors, when asked: std::system_error as of `udp_socket::send_to`; no_buffer_space when the window is full. Told, what the system
/// refuses is `trouble`, and what the window has no room for is counted and dropped, as any router would.
struct send {
  using reply = void;
  explicit send(bytes given) noexcept : content(std::move(given)) {}
  send(bytes given, const endpoint& receiver) noexcept : content(std::move(given)), to(receiver) {}
  bytes content;
  std::optional<endpoint> to;
};

/// Asks how it went so far.
struct count {
  using reply = counters;
};

/// The end, once what was to be sent has been.
struct close {};

using commands = protocol<demand, send, count, close>;

// --- what an actor sends to its owner ---------------------------------------------------------------------------------

/// A datagram; it costs one credit.
struct received {
  actor_ref<commands> from;
  datagram message;
};

/// Something went wrong that does not end the socket: nobody listens where it is connected, no way leads there, the system refused what
/// was told to be sent. It costs one credit; without credit such are counted, and told as one, with the last error.
struct trouble {
  actor_ref<commands> from;
  std::error_code error;
  std::size_t times;
};

/// The last word, once, whatever happened, unless it was killed: then only a monitor tells. No error after a `close`.
struct closed {
  actor_ref<commands> from;
  std::error_code reason;
  counters counts;
};

using events = protocol<received, trouble, closed>;

struct actor_options {
  std::size_t window = 256;  ///< datagrams that the system does not take yet
  duration close_timeout =
      std::chrono::seconds(5);  ///< for those at a `close`; then std::errc::timed_out
};

}  // namespace udp

/// An actor that owns one UDP socket and speaks `udp::commands` to its owner.
///
///     port_ = spawn<io::udp_actor>(io::udp_socket(io::endpoint::loopback(0)), self());
///     port_.tell(io::udp::demand{16});
///
/// Life: from `spawn` to exactly one `closed`, which it sends when it was told to `close`, when the socket fails, or when it is stopped
/// (std::errc::operation_canceled).
/// Invariants: `received` and `trouble` together never exceed the credit, so a flood costs what the owner has asked for and no more; what
/// waits to be sent never exceeds the window.
/// Errors: the constructor throws std::system_error when the socket cannot be watched, `invalid_state` when tasks have used it.
class udp_actor : public actor<udp::commands> {
 public:
  udp_actor(udp_socket socket, actor_ref<udp::events> owner, udp::actor_options options = {});
  ~udp_actor();

  void on(udp::demand more);
  void on(udp::send s, reply_to<void> accepted);
  udp::counters on(udp::count);
  void on(udp::close);
  void on_stop();

 private:
  class transport;
  std::unique_ptr<transport> transport_;
};

}  // namespace troupe::io
