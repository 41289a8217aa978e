#pragma once

#include <troupe/io/testing/internal/simulated_network.hpp>
#include <troupe/io/testing/internal/virtual_socket.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace troupe::testing::internal {

/// A TCP socket: one that listens, or one end of a connection.
///
/// Of what is written, `send_buffer` bytes are kept until they have arrived; as much goes out as the peer has room for in its
/// `receive_buffer`. Packets lie with who is to get them, in the order of sending, until their time has come and his turn takes one in.
/// Acknowledgements are no packets: a moment later the sender knows how it stands over there.
class virtual_tcp final : public virtual_socket {
 public:
  using virtual_socket::virtual_socket;

  int listen(int backlog) override;
  virtual_socket* accept() override;
  int connect(const io::endpoint& to) override;
  int shutdown(int how) override;
  ssize_t receive(void* into, std::size_t size, int flags) override;
  int receive_many(mmsghdr*, unsigned, int) override { return refuse(EOPNOTSUPP); }
  ssize_t send(std::span<const iovec> parts, const io::endpoint* to) override;
  void close() override;
  const io::endpoint* peer() const noexcept override {
    return state_ == state::open ? &remote_ : nullptr;
  }
  bool is_stream() const noexcept override { return true; }
  bool listening() const noexcept override { return state_ == state::listening; }

  // What happens to it later.
  void asks();
  void connect_timed_out();
  void given_up();
  void acknowledged();

  // Commands.
  /// Something on the way resets the connection; both ends are told.
  void cut();
  /// The link it goes over is severed, or whole again.
  void link_severed() { look_whether_unheard(); }
  void link_healed();
  bool connected() const noexcept { return state_ == state::open && peer_ != nullptr; }
  bool goes_over(const network_link& link) const noexcept { return link_ == &link; }
  const io::endpoint& remote() const noexcept { return remote_; }
  const network_link* link() const noexcept { return link_; }

 private:
  enum class state : std::uint8_t { fresh, listening, connecting, open, dead };
  enum class kind : std::uint8_t { opened, data, end, reset };
  struct packet {
    kind what;
    time_point due;
    std::string content;
  };
  struct piece {
    std::string content;
    std::size_t at = 0;
  };

  std::uint32_t ready() const noexcept override;
  bool has_arrivals() const noexcept override;
  void take_in() override;
  bool parted() const noexcept override { return peer_ == nullptr; }

  std::size_t room() const noexcept;
  bool writable() const noexcept { return !squeezed_ && room() * 3 >= net_.options().send_buffer; }
  void keep(std::span<const iovec> parts, std::size_t size);
  bool severed() const noexcept { return link_ != nullptr && link_->severed; }

  void comes(kind what, std::string content = {});
  void take_in_data(std::string content);
  void opened();
  void transmit();
  void acknowledge();
  void nobody_answers();
  void die(int error);
  void part();
  void close_listening();
  void forget_half_open();
  void look_whether_unheard();
  bool unheard() const noexcept;

  state state_ = state::fresh;
  io::endpoint remote_;
  network_link* link_ = nullptr;
  virtual_tcp* peer_ = nullptr;  ///< until one of the two has nothing more to say

  std::deque<std::string> unsent_;
  std::size_t unsent_size_ = 0;
  std::size_t under_way_ = 0;    ///< as far as it knows
  std::size_t window_used_ = 0;  ///< by what is under way or not read there, as far as it knows
  bool end_wanted_ = false;
  bool end_sent_ = false;
  bool full_ = false;      ///< it was said that there is no room
  bool squeezed_ = false;  ///< there was room, and it was not given; until the next turn
  bool acknowledgement_comes_ = false;
  std::optional<time_point> unheard_since_;  ///< what it sends does not get through

  std::deque<packet> coming_;
  std::size_t coming_size_ = 0;
  time_point last_due_{};
  std::deque<piece> arrived_;
  std::size_t arrived_size_ = 0;
  bool ended_ = false;  ///< the peer writes no more
  bool reset_comes_ = false;

  std::size_t backlog_ = 0;
  std::deque<virtual_tcp*> waiting_;  ///< to be accepted
  std::deque<virtual_tcp*> asked_;    ///< who will be, when their handshake ends
  virtual_tcp* listener_ = nullptr;   ///< of one who waits, or will
  duration retry_ = std::chrono::seconds(1);
};

}  // namespace troupe::testing::internal
