#include <troupe/io/internal/address.hpp>
#include <troupe/io/internal/socket_calls.hpp>
#include <troupe/io/internal/watch.hpp>
#include <troupe/io/socket.hpp>
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/sleep.hpp>

#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace troupe::io {

using internal::address;
using internal::throw_last_error;

void descriptor::close() noexcept {
  if (value_ >= 0) ::close(std::exchange(value_, -1));
}

endpoint socket::local() const {
  if (unix_) throw std::invalid_argument("a Unix socket has no internet address");
  address found;
  if (::getsockname(native(), found.get(), &found.size) != 0)
    throw_last_error("the local address of a socket");
  return found.to_endpoint();
}

std::string socket::peer_name() const {
  if (!unix_) return peer_.text();
  address found;
  return ::getpeername(native(), found.get(), &found.size) == 0 ? found.text() : "unix";
}

namespace {

/// Fulfils a promise when a connecting socket is ready.
class connecting final : public internal::poller::listener {
 public:
  connecting(loop& home, descriptor given)
      : watch_(home, *this, std::move(given), EPOLLOUT | EPOLLET) {}

  future<int> ready() { return ready_.get_future(); }
  descriptor release() noexcept { return watch_.release(); }

  void on_events(std::uint32_t) noexcept override {
    if (!std::exchange(told_, true)) static_cast<void>(ready_.try_set_value(0));
  }

 private:
  promise<int> ready_;
  bool told_ = false;
  internal::watch watch_;
};

/// The system may give a socket the very port it connects to; with nobody listening there, it then connects to itself.
bool is_its_own_peer(const descriptor& made, const endpoint& peer) {
  address found;
  return ::getsockname(made.get(), found.get(), &found.size) == 0 && found.to_endpoint() == peer;
}

}  // namespace

coro<socket> connect(endpoint peer) {
  const std::string what = "connecting to " + peer.text();
  descriptor made = internal::new_stream_socket(peer.is_ipv6() ? AF_INET6 : AF_INET, what);
  internal::set_option(made, IPPROTO_TCP, TCP_NODELAY, true);
  const address target(peer);
  if (::connect(made.get(), target.get(), target.size) == 0)
    co_return socket(std::move(made), peer);
  if (errno != EINPROGRESS) throw_last_error(what);
  connecting waiting(*loop::current(), std::move(made));
  const future<int> ready = waiting.ready();
  co_await ready;
  made = waiting.release();
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(made.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error == 0 && is_its_own_peer(made, peer)) error = ECONNREFUSED;
  if (error != 0) throw std::system_error(error, std::generic_category(), what);
  co_return socket(std::move(made), peer);
}

coro<socket> connect(unix_endpoint peer) {
  const std::string what = "connecting to " + peer.text();
  descriptor made = internal::new_stream_socket(AF_UNIX, what);
  const address target(peer);
  // Unix sockets connect at once. With the backlog full they cannot, and nothing tells when they can.
  duration pause = std::chrono::milliseconds(1);
  while (::connect(made.get(), target.get(), target.size) != 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) throw_last_error(what);
    co_await sleep(pause);
    pause = std::min(pause * 2, duration(std::chrono::milliseconds(50)));
  }
  co_return socket(std::move(made));
}

}  // namespace troupe::io
