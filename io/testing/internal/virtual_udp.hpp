#pragma once

#include <troupe/io/testing/internal/simulated_network.hpp>
#include <troupe/io/testing/internal/virtual_socket.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace troupe::testing::internal {

/// A UDP socket.
class virtual_udp final : public virtual_socket {
 public:
  using virtual_socket::virtual_socket;

  int listen(int) override { return refuse(EOPNOTSUPP); }
  virtual_socket* accept() override;
  int connect(const io::endpoint& to) override;
  int shutdown(int) override { return refuse(ENOTCONN); }
  ssize_t receive(void* into, std::size_t size, int flags) override;
  int receive_many(mmsghdr* headers, unsigned count, int flags) override;
  ssize_t send(std::span<const iovec> parts, const io::endpoint* to) override;
  void close() override;
  const io::endpoint* peer() const noexcept override { return peer_ ? &*peer_ : nullptr; }
  bool is_stream() const noexcept override { return false; }
  std::uint64_t dropped() const noexcept override { return dropped_; }

  /// A datagram has come to its machine.
  void comes(const io::endpoint& from, std::string content);
  /// What it has sent found nobody.
  void unreachable();

 private:
  struct datagram {
    io::endpoint from;
    std::string content;
  };

  std::uint32_t ready() const noexcept override;
  bool has_arrivals() const noexcept override { return squeezed_ || !coming_.empty(); }
  void take_in() override;
  bool parted() const noexcept override { return true; }
  int send_to(const io::endpoint& to, std::string content);

  std::optional<io::endpoint> peer_;
  std::deque<datagram> coming_;
  std::deque<datagram> arrived_;
  std::size_t arrived_size_ = 0;
  std::uint64_t dropped_ = 0;
  bool squeezed_ = false;  ///< there was room, and it was not given; until the next turn
};

}  // namespace troupe::testing::internal
