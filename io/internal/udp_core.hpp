#pragma once

#include <troupe/io/internal/datagram_socket.hpp>
#include <troupe/io/udp_waits.hpp>

#include <exception>
#include <optional>
#include <span>
#include <string>
#include <system_error>

namespace troupe::io::internal {

/// Bytes of a datagram at most: what is left of 65535 beside the headers.
constexpr std::size_t most_to_send(bool ipv6) noexcept { return ipv6 ? 65527 : 65507; }

/// Why a datagram cannot be sent, in words, and with an error; nothing when it can. `to` is null for where the socket is connected.
std::exception_ptr unsendable(bool ipv6, std::size_t size, const endpoint* to);

/// What is behind a `udp_socket`: who waits for what.
///
/// Invariants: a receiver that waits has been tried, and there is nothing; senders that wait do so in the order they came, and each that
/// comes while others wait stands behind them.
class udp_core final : private datagram_socket::listener {
 public:
  udp_core(descriptor owned, std::size_t largest, bool is_ipv6)
      : wire(std::move(owned), largest, *this), ipv6(is_ipv6) {}
  ~udp_core() { close(true); }

  void close(bool goes) noexcept;

  // --- for the awaiters ---
  void expect_open() const;
  void expect_only_receiver(const receive_wait& receiver) const;
  void begin_receive(receive_wait& receiver) noexcept { receiver_ = &receiver; }
  /// Whether a receiver is to let others run first: one that is flooded would never wait.
  bool turn_is_over() noexcept;
  void end_receive(receive_wait& receiver) noexcept {
    if (receiver_ == &receiver) receiver_ = nullptr;
  }
  /// False when it has to wait; else it is over, with `sending.error_` or without.
  bool try_to_send(send_wait& sending) noexcept;
  bool others_send() const noexcept { return !senders_.empty(); }
  void begin_send(send_wait& sending) {
    wire.attach();
    wire.watch_writing(true);
    senders_.push(sending);
  }
  /// What a failed attempt throws.
  std::exception_ptr failure(std::error_code error, const std::string& doing) const;

  datagram_socket wire;
  const bool ipv6;
  std::optional<endpoint> peer;  ///< where it is connected

 private:
  class line : public troupe::internal::chain<send_wait> {
   public:
    send_wait* front() const noexcept { return static_cast<send_wait*>(first_); }
  };
  void on_ready() noexcept override;
  void on_loop_closed() noexcept override {}

  receive_wait* receiver_ = nullptr;
  int received_ = 0;  ///< in this turn, without waiting
  line senders_;
};

}  // namespace troupe::io::internal
