#include <troupe/io/internal/address.hpp>
#include <troupe/io/internal/watch.hpp>
#include <troupe/io/socket.hpp>
#include <troupe/runtime/future.hpp>

#include <netinet/tcp.h>
#include <unistd.h>

namespace troupe::io {

using internal::address;
using internal::throw_last_error;

void descriptor::close() noexcept {
  if (value_ >= 0) ::close(std::exchange(value_, -1));
}

endpoint socket::local() const {
  address found;
  if (::getsockname(native(), found.get(), &found.size) != 0)
    throw_last_error("the local address of a socket");
  return found.to_endpoint();
}

namespace {

descriptor new_socket(const endpoint& where, const std::string& what) {
  descriptor made(::socket(where.is_ipv6() ? AF_INET6 : AF_INET,
                           SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!made) throw_last_error(what);
  return made;
}

void set_option(const descriptor& socket, int level, int option, bool on) {
  const int value = on ? 1 : 0;
  // An option that cannot be set is one that this system does without.
  static_cast<void>(::setsockopt(socket.get(), level, option, &value, sizeof value));
}

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

listening_socket::listening_socket(const endpoint& local, listen_options options) {
  const std::string what = "listening on " + local.text();
  listening_ = new_socket(local, what);
  set_option(listening_, SOL_SOCKET, SO_REUSEADDR, options.reuse_address);
  set_option(listening_, SOL_SOCKET, SO_REUSEPORT, options.reuse_port);
  if (local.is_ipv6()) set_option(listening_, IPPROTO_IPV6, IPV6_V6ONLY, true);
  const address wanted(local);
  if (::bind(listening_.get(), wanted.get(), wanted.size) != 0) throw_last_error(what);
  if (::listen(listening_.get(), options.backlog) != 0) throw_last_error(what);
  address bound;
  if (::getsockname(listening_.get(), bound.get(), &bound.size) != 0) throw_last_error(what);
  local_ = bound.to_endpoint();
}

coro<socket> connect(endpoint peer) {
  const std::string what = "connecting to " + peer.text();
  descriptor made = new_socket(peer, what);
  set_option(made, IPPROTO_TCP, TCP_NODELAY, true);
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

}  // namespace troupe::io
