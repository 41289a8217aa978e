#pragma once

#include <troupe/io/endpoint.hpp>
#include <troupe/io/socket.hpp>
#include <troupe/io/udp_waits.hpp>
#include <troupe/runtime/check.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace troupe::io {

struct udp_options {
  /// Others may bind the same address and port if they say so too; of datagrams to one host one of them gets each, of those to a
  /// group all do.
  bool reuse_address = false;
  bool reuse_port =
      false;  ///< the same among sockets of one user, and the system spreads senders over them
  bool broadcast = false;  ///< may send to broadcast addresses
  /// Bytes of a datagram that are kept; what is longer is told to be truncated.
  std::size_t largest = 65535;
  /// Bytes that the system keeps until they are received, and of those under way; 0: as many as it likes.
  std::size_t receive_buffer = 0;
  std::size_t send_buffer = 0;
};

/// Sends and receives datagrams: messages that arrive whole, or not at all.
///
///     io::udp_socket socket(io::endpoint::loopback(0));
///     co_await socket.send_to("ping", there);
///     const io::datagram answer = co_await socket.receive();
///
/// Connected, it has one peer: only what that sends is received, and that the peer is not there (connection_refused) is told, by the
/// next `receive` or `send`, which does no harm to the socket.
/// Nobody is slowed down: what is not received in time the system drops, and counts (`dropped`).
/// Life: made anywhere; the loop where it is first waited for is its loop, whose end closes it. May be moved, also while tasks use it.
/// Threads: its loop's.
class udp_socket {
 public:
  /// Bound to `local`, where port 0 stands for one that the system chooses. An IPv6 socket takes nothing that comes over IPv4.
  /// Errors: std::system_error that names the endpoint: address_in_use, address_not_available, permission_denied,
  /// too_many_files_open...; std::invalid_argument for options that make no sense.
  explicit udp_socket(const endpoint& local, const udp_options& options = {});
  /// Connected to `peer`, from an address that the system chooses. Errors: likewise.
  static udp_socket connected(const endpoint& peer, const udp_options& options = {});

  /// Over a descriptor that somebody else has made, such as one handed over when the program was started. Of the options `largest` counts.
  /// A Unix socket of datagrams will do as well; its addresses are told as 0.0.0.0:0.
  /// Errors: std::invalid_argument for what is no socket of datagrams.
  static udp_socket adopt(descriptor owned, const udp_options& options = {});

  udp_socket(udp_socket&&) noexcept;
  udp_socket& operator=(udp_socket&&) noexcept;
  ~udp_socket();

  /// Has one peer from now on, or another one. What others have sent already is still received.
  /// Errors: std::system_error.
  void connect(const endpoint& peer);
  /// Errors: std::system_error.
  endpoint local() const;
  std::optional<endpoint> peer() const;

  /// The next datagram. One task at a time receives.
  /// Errors: std::system_error: of a connected socket connection_refused and what else the network told, after which it can be used on;
  /// operation_canceled when the socket was closed, also meanwhile; `invalid_state` when another task receives.
  /// Cancel: takes nothing.
  internal::receive_wait receive() { return internal::receive_wait(core()); }

  /// Sends one datagram, at once when the system takes it; otherwise waits until it does, behind others that wait.
  /// Errors: std::system_error that says to whom: message_size when it is longer than a datagram can be, or the way allows;
  /// address_family_not_supported for an address of the other family; permission_denied for a broadcast that the options do not allow;
  /// network_unreachable...; `send` without a peer: destination_address_required. None says whether it has arrived.
  /// Cancel: sends nothing, unless it has been sent already.
  /// Life: `content` is not copied, and has to last until this ends.
  internal::send_wait send_to(std::span<const std::byte> content, const endpoint& to) {
    return internal::send_wait(core(), content, &to);
  }
  internal::send_wait send_to(std::string_view content, const endpoint& to) {
    return send_to(std::as_bytes(std::span(content)), to);
  }
  internal::send_wait send(std::span<const std::byte> content) {
    return internal::send_wait(core(), content, nullptr);
  }
  internal::send_wait send(std::string_view content) {
    return send(std::as_bytes(std::span(content)));
  }

  // --- groups ---------------------------------------------------------------------------------------------------------
  // `interface` is the name of one, such as "eth0"; empty stands for the system's choice.
  // Errors: `bad_address` for what is no group, or no interface; std::system_error.

  /// Receives what is sent to the group, over that interface, as well. The port of `group` says nothing.
  void join(const endpoint& group, std::string_view interface = {});
  void leave(const endpoint& group, std::string_view interface = {});
  /// By which interface datagrams to groups leave.
  void set_multicast_interface(std::string_view interface);
  /// How many networks datagrams to groups may cross: 1, where it is not set, stays in this one.
  /// Errors: std::invalid_argument outside of 0 to 255.
  void set_multicast_ttl(int hops);
  /// Whether groups of this machine get them too; they do where it is not set.
  void set_multicast_loopback(bool on);
  /// How many networks other datagrams may cross. Errors: std::invalid_argument outside of 1 to 255.
  void set_ttl(int hops);
  void set_broadcast(bool on);

  // --- the end --------------------------------------------------------------------------------------------------------

  /// Ends what waits (operation_canceled), drops what was not received, and frees the port. Does nothing the second time.
  void close() noexcept;
  bool is_closed() const noexcept;
  /// How many datagrams the system has dropped for want of room in its buffer.
  std::uint64_t dropped() const noexcept;
  int native() const noexcept;
  /// Gives up the descriptor, for an actor or another loop. Errors: `invalid_state` once tasks have waited for the socket.
  descriptor release();
  std::size_t largest() const noexcept;

 private:
  udp_socket(descriptor owned, const udp_options& options, bool ipv6);
  internal::udp_core& core() const noexcept {
    troupe::expects(core_ != nullptr, "a UDP socket was used after it had been moved away");
    return *core_;
  }
  std::unique_ptr<internal::udp_core> core_;
};

}  // namespace troupe::io
