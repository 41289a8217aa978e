#pragma once

#include <troupe/io/endpoint.hpp>
#include <troupe/runtime/internal/poller.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/work.hpp>

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>

namespace troupe::testing::internal {

class simulated_network;

/// As the system's calls do.
inline int refuse(int error) noexcept {
  errno = error;
  return -1;
}

/// A socket of the simulated network. As a work it is a turn in which one thing arrives at it, and who watches it is told.
///
/// Life: made and destroyed by the network; closed, it stays until nothing of it is under way any more and its turn is over.
class virtual_socket : public work {
 public:
  virtual_socket(simulated_network& in, int number, std::size_t machine, bool ipv6) noexcept;
  virtual ~virtual_socket() = default;

  int number() const noexcept { return number_; }
  std::size_t machine() const noexcept { return machine_; }
  bool ipv6() const noexcept { return local_.is_ipv6(); }
  const io::endpoint& local() const noexcept { return local_; }

  // The system's calls.
  virtual int listen(int backlog) = 0;
  virtual virtual_socket* accept() = 0;
  virtual int connect(const io::endpoint& to) = 0;
  virtual int shutdown(int how) = 0;
  virtual ssize_t receive(void* into, std::size_t size, int flags) = 0;
  virtual int receive_many(mmsghdr* headers, unsigned count, int flags) = 0;
  virtual ssize_t send(std::span<const iovec> parts, const io::endpoint* to) = 0;
  virtual void close() = 0;
  virtual const io::endpoint* peer() const noexcept = 0;
  virtual bool is_stream() const noexcept = 0;
  virtual bool listening() const noexcept { return false; }
  virtual std::uint64_t dropped() const noexcept { return 0; }
  int bind(const io::endpoint& to);
  int take_error() noexcept { return std::exchange(error_, 0); }

  // The poller's.
  void watch(loop& home, troupe::internal::poller::listener& told, std::uint32_t events);
  void forget() noexcept { told_ = nullptr; }
  bool watched() const noexcept { return told_ != nullptr; }

  /// Something is to arrive, or to be told: in a turn of its own where somebody watches, else at once, at the end of this step.
  void stir();
  /// The same, and there is something to be told in any case.
  void notify() {
    to_be_told_ = true;
    stir();
  }
  /// At the end of a step.
  void settle();
  /// Nobody has it any more, and nothing of it is under way.
  bool over() const noexcept { return closed_ && !bound_ && !queued_ && !running_ && parted(); }

  bool reuses_address = false;
  bool reuses_port = false;
  bool resets_on_close = false;

 protected:
  /// What epoll would say.
  virtual std::uint32_t ready() const noexcept = 0;
  /// Whether something has arrived that was not taken in.
  virtual bool has_arrivals() const noexcept = 0;
  virtual void take_in() = 0;
  virtual bool parted() const noexcept = 0;

  /// Gives it a port, unless it has one.
  int bind_somewhere(const io::endpoint& to);
  void set_local(const io::endpoint& local) noexcept { local_ = local; }
  void release_port();
  bool bound() const noexcept { return bound_; }
  bool closed() const noexcept { return closed_; }
  void set_closed() noexcept { closed_ = true; }

  simulated_network& net_;
  int error_ = 0;  ///< SO_ERROR

 private:
  static void run_turn(work& item) noexcept;
  void take_turn() noexcept;

  const int number_;
  const std::size_t machine_;
  io::endpoint local_;
  loop* home_ = nullptr;
  troupe::internal::poller::listener* told_ = nullptr;
  std::uint32_t events_ = 0;
  bool bound_ = false;
  bool closed_ = false;
  bool stirred_ = false;  ///< in the network's list
  bool queued_ = false;   ///< in the chain of its loop
  bool running_ = false;
  bool to_be_told_ = false;
};

}  // namespace troupe::testing::internal
