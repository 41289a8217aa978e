#include <troupe/io/internal/datagram_socket.hpp>
#include <troupe/io/internal/sockets.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/task.hpp>

#include <linux/sock_diag.h>

#include <algorithm>
#include <memory>
#include <string>

namespace troupe::io::internal {

/// The datagram sockets of one loop: they close with it, and read into one block.
class datagrams_of_loop final : public loop_service {
 public:
  static constexpr std::size_t most = datagram_socket::most_at_once;
  static constexpr std::size_t room = std::size_t{1} << 16;

  ~datagrams_of_loop() override {
    while (datagram_socket* const each = sockets.pop()) each->loop_closed();
  }
  void begin_shutdown() override {}
  bool finished() const override { return true; }
  std::string unfinished() const override { return {}; }

  /// Reads up to `count` datagrams of at most `largest` bytes. Returns as recvmmsg does.
  int read(int socket, std::size_t count, std::size_t largest) noexcept {
    for (std::size_t index = 0; index < count; ++index) {
      parts_[index] = {block_.get() + index * room, std::min(largest, room)};
      headers[index] = {};
      headers[index].msg_hdr.msg_name = from[index].get();
      headers[index].msg_hdr.msg_namelen = sizeof from[index].storage;
      headers[index].msg_hdr.msg_iov = &parts_[index];
      headers[index].msg_hdr.msg_iovlen = 1;
    }
    // With MSG_TRUNC the lengths are those that were sent.
    return sockets::recvmmsg(socket, headers, static_cast<unsigned>(count),
                             MSG_DONTWAIT | MSG_TRUNC);
  }
  const std::byte* content(std::size_t index) const noexcept { return block_.get() + index * room; }

  troupe::internal::chain<datagram_socket> sockets;
  mmsghdr headers[most] = {};
  address from[most];

 private:
  iovec parts_[most] = {};
  // The system gives memory only to what is touched, which is as much as datagrams are long.
  std::unique_ptr<std::byte[]> block_{new std::byte[most * room]};
};

namespace {
constexpr std::uint32_t reading = EPOLLIN | EPOLLET;
}

void datagram_socket::attach() {
  loop& here = troupe::internal::running_loop("a datagram socket");
  if (home_ == &here) return;
  if (home_ != nullptr)
    throw invalid_state("a datagram socket was used on another loop than the one it belongs to");
  datagrams_of_loop& shared = here.service<datagrams_of_loop>();
  watch_.emplace(here, static_cast<poller::listener&>(*this), std::move(unwatched_), reading);
  home_ = &here;
  shared_ = &shared;
  shared.sockets.push(*this);
}

void datagram_socket::watch_writing(bool on) noexcept {
  if (std::exchange(watches_writing_, on) == on) return;
  watch_->pause();
  watch_->resume(on ? reading | EPOLLOUT : reading);
}

void datagram_socket::close() noexcept {
  leave();
  watch_.reset();
  unwatched_.close();
  fetched_.clear();
  next_ = 0;
}

void datagram_socket::loop_closed() noexcept {
  close();
  told_.on_loop_closed();
}

void datagram_socket::on_events(std::uint32_t events) noexcept {
  if ((events & ~std::uint32_t{EPOLLOUT}) != 0) readable_ = true;
  if ((events & EPOLLERR) != 0) unsure_ = true;
  told_.on_ready();  // last: this may be gone then
}

bool datagram_socket::receive(datagram& into, std::size_t at_once, std::error_code& error) {
  if (next_ == fetched_.size()) {
    if (!readable_) return false;
    error = fetch(at_once);
    if (error || fetched_.empty()) return false;
  }
  into = std::move(fetched_[next_]);
  if (++next_ == fetched_.size()) {
    fetched_.clear();
    next_ = 0;
  }
  return true;
}

std::error_code datagram_socket::fetch(std::size_t at_once) {
  fetched_.clear();
  next_ = 0;
  const std::size_t wanted = std::clamp<std::size_t>(at_once, 1, most_at_once);
  fetched_.reserve(wanted);
  int got = -1;
  do {
    got = shared_->read(native(), wanted, largest_);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    if (errno != EAGAIN) return last_error();
    readable_ = unsure_ = false;
    return {};
  }
  const auto count = static_cast<std::size_t>(got);
  for (std::size_t index = 0; index < count; ++index) {
    const std::size_t size = shared_->headers[index].msg_len;
    address& from = shared_->from[index];
    from.size = shared_->headers[index].msg_hdr.msg_namelen;
    bytes content(shared_->content(index), std::min({size, largest_, datagrams_of_loop::room}));
    fetched_.emplace_back(std::move(content), endpoint_of(from), size);
  }
  readable_ = count == wanted || unsure_;
  return {};
}

std::error_code datagram_socket::send(std::span<const std::byte> content,
                                      const address* to) noexcept {
  for (;;) {
    const ssize_t sent =
        sockets::sendto(native(), content.data(), content.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                        to != nullptr ? to->get() : nullptr, to != nullptr ? to->size : 0);
    if (sent >= 0) return {};
    if (errno == EAGAIN) return std::make_error_code(std::errc::operation_would_block);
    if (errno != EINTR) return last_error();
  }
}

std::uint64_t datagram_socket::dropped() const noexcept {
  std::uint32_t memory[SK_MEMINFO_VARS] = {};
  socklen_t size = sizeof memory;
  if (sockets::getsockopt(native(), SOL_SOCKET, SO_MEMINFO, memory, &size) != 0 ||
      size <= SK_MEMINFO_DROPS * sizeof memory[0])
    return 0;
  return memory[SK_MEMINFO_DROPS];
}

}  // namespace troupe::io::internal
