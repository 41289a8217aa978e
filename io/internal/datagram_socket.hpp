#pragma once

#include <troupe/io/internal/address.hpp>
#include <troupe/io/internal/watch.hpp>
#include <troupe/io/socket.hpp>
#include <troupe/io/udp_waits.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/waiters.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <system_error>
#include <vector>

namespace troupe::io::internal {

class datagrams_of_loop;

/// The endpoint that an address is; 0.0.0.0:0 for one of another kind of socket, or of none.
inline endpoint endpoint_of(const address& found) noexcept {
  return found.is_ip() && found.size != 0 ? found.to_endpoint() : endpoint();
}

/// A descriptor that moves datagrams: attempts that never wait, and notices when one may succeed. Both the socket that tasks use and the
/// one that an actor owns stand on it.
///
/// It reads several datagrams at a time, into memory that the sockets of a loop share, and keeps them as copies of their size: one system call
/// for many when they come in crowds, and none to learn that there are no more when fewer came than there was room for.
/// Life: made anywhere; `attach` brings it to the loop where it stays until `close`, or that loop's end, which closes it.
/// Threads: from `attach` on, its loop's.
class datagram_socket final : private poller::listener, public troupe::internal::chain_link {
 public:
  class listener {
   public:
    /// Outside of any task. The socket may be destroyed inside, which ends the notice.
    virtual void on_ready() noexcept = 0;
    /// The loop has closed, and the socket with it.
    virtual void on_loop_closed() noexcept = 0;

   protected:
    ~listener() = default;
  };

  datagram_socket(descriptor owned, std::size_t largest, listener& told) noexcept
      : unwatched_(std::move(owned)), largest_(largest), told_(told) {}
  ~datagram_socket() { close(); }

  int native() const noexcept { return watch_ ? watch_->native() : unwatched_.get(); }
  bool closed() const noexcept { return native() < 0; }
  std::size_t largest() const noexcept { return largest_; }

  /// To the running loop; does nothing when it is there.
  /// Errors: std::system_error when it cannot be watched; `invalid_state` off a loop, and on another one.
  void attach();
  /// Gives the descriptor back. Pre: not attached.
  descriptor release() noexcept { return std::move(unwatched_); }
  void close() noexcept;
  void loop_closed() noexcept;

  /// Takes the next datagram, having read at most `at_once`. False when there is none now, or with `error`. Pre: attached.
  /// Errors: std::bad_alloc.
  bool receive(datagram& into, std::size_t at_once, std::error_code& error);
  /// Whether `receive` may have some, as far as is known.
  bool may_receive() const noexcept { return next_ != fetched_.size() || readable_; }
  /// Sends, to where the socket is connected when `to` is null.
  /// Returns operation_would_block when the system takes none now; a notice follows while `watch_writing` is on.
  std::error_code send(std::span<const std::byte> content, const address* to) noexcept;
  /// Whether to tell when the system may take more. Only while somebody waits for that: it would be told after each datagram that has left.
  /// Pre: attached.
  void watch_writing(bool on) noexcept;
  /// How many datagrams the system has dropped because nobody took them in time; 0 where it does not say.
  std::uint64_t dropped() const noexcept;

  static constexpr std::size_t most_at_once = 16;

 private:
  friend class datagrams_of_loop;
  void on_events(std::uint32_t events) noexcept override;
  std::error_code fetch(std::size_t at_once);

  descriptor unwatched_;  ///< before `attach`
  std::optional<watch> watch_;
  loop* home_ = nullptr;
  datagrams_of_loop* shared_ = nullptr;
  std::size_t largest_;
  listener& told_;
  std::vector<datagram> fetched_;
  std::size_t next_ = 0;  ///< of those fetched
  bool readable_ =
      true;  ///< there may be some to read; a new notice comes only after all were read
  bool watches_writing_ = false;
  bool unsure_ =
      false;  ///< an error was announced: fewer than there was room for does not mean that there are no more
};

}  // namespace troupe::io::internal
