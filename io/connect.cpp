#include <troupe/io/connect.hpp>
#include <troupe/io/internal/address.hpp>
#include <troupe/io/internal/racing.hpp>
#include <troupe/io/internal/sockets.hpp>
#include <troupe/io/internal/watch.hpp>
#include <troupe/runtime/future.hpp>

#include <netinet/tcp.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace troupe::io {

namespace internal {
namespace {

/// Fulfils a promise when a connecting socket is ready.
class connecting final : public poller::listener {
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
  watch watch_;
};

/// The system may give a socket the very port it connects to; with nobody listening there, it then connects to itself.
bool is_its_own_peer(const descriptor& made, const endpoint& peer) {
  address found;
  return sockets::getsockname(made.get(), found.get(), &found.size) == 0 &&
         found.to_endpoint() == peer;
}

void set_option(const descriptor& socket, int level, int option, int value,
                const std::string& what) {
  if (sockets::setsockopt(socket.get(), level, option, &value, sizeof value) != 0)
    throw_last_error(what);
}

/// Errors: std::invalid_argument when the system has no number for it.
int whole_seconds(duration time, const char* name) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(time).count();
  constexpr long long most = 32767;  // TCP's
  if (seconds < 1 || seconds > most)
    throw std::invalid_argument(std::string("the ") + name +
                                " of keepalive is to be between 1 and " + std::to_string(most) +
                                " seconds");
  return static_cast<int>(seconds);
}

void set_keepalive(const descriptor& socket, const keepalive& wanted, const std::string& what) {
  constexpr int most = 127;  // TCP's
  if (wanted.count < 1 || wanted.count > most)
    throw std::invalid_argument("the count of keepalive is to be between 1 and " +
                                std::to_string(most));
  const int idle = whole_seconds(wanted.idle, "idle time");
  const int interval = whole_seconds(wanted.interval, "interval");
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1, what);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, idle, what);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, interval, what);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, wanted.count, what);
}

void bind_locally(const descriptor& socket, const endpoint& peer, const connect_options& options) {
  const endpoint& local = *options.local;
  if (local.is_ipv6() != peer.is_ipv6())
    throw std::invalid_argument("nobody connects to " + peer.text() + " from " + local.text() +
                                ": they are of different families");
  const std::string what = "connecting to " + peer.text() + " from " + local.text();
  if (options.reuse_port) set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1, what);
  // The port is chosen when the peer is known: one may then serve connections to several peers. A port that is to be shared must
  // not be one that others, who do not share, have connections from already.
  if (local.port() == 0 && !options.reuse_port)
    set_option(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1, what);
  const address wanted(local);
  if (sockets::bind(socket.get(), wanted.get(), wanted.size) != 0) throw_last_error(what);
}

descriptor new_socket(const endpoint& peer, const connect_options& options,
                      const std::string& what) {
  descriptor made(sockets::make(peer.is_ipv6() ? AF_INET6 : AF_INET, SOCK_STREAM));
  if (!made) throw_last_error(what);
  if (options.nodelay) set_option(made, IPPROTO_TCP, TCP_NODELAY, 1, what);
  if (options.keep_alive) set_keepalive(made, *options.keep_alive, what);
  if (options.local) bind_locally(made, peer, options);
  return made;
}

}  // namespace

coro<socket> connect_by_name(std::string host, service port, connect_options options) {
  const std::string what = "connecting to '" + host + "', port " + port.text() + ",";
  auto resolving = resolve(std::move(host), std::move(port), {options.family});
  std::vector<endpoint> candidates = co_await resolving;
  if (options.local && std::any_of(candidates.begin(), candidates.end(), [&](const endpoint& each) {
        return each.is_ipv6() == options.local->is_ipv6();
      }))
    std::erase_if(candidates,
                  [&](const endpoint& each) { return each.is_ipv6() != options.local->is_ipv6(); });
  auto racing =
      first_connected<socket>(what, families_in_turn(candidates),
                              [options](const endpoint& each) { return connect(each, options); },
                              {.delay = options.attempt_delay});
  co_return co_await racing;
}

}  // namespace internal

coro<socket> connect(endpoint peer) { return connect(peer, connect_options{}); }

coro<socket> connect(endpoint peer, connect_options options) {
  const std::string what = "connecting to " + peer.text();
  descriptor made = internal::new_socket(peer, options, what);
  const internal::address target(peer);
  if (internal::sockets::connect(made.get(), target.get(), target.size) == 0)
    co_return socket(std::move(made), peer);
  if (errno != EINPROGRESS) internal::throw_last_error(what);
  internal::connecting waiting(*loop::current(), std::move(made));
  const future<int> ready = waiting.ready();
  co_await ready;
  made = waiting.release();
  int error = 0;
  socklen_t size = sizeof error;
  if (internal::sockets::getsockopt(made.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0)
    error = errno;
  if (error == 0 && internal::is_its_own_peer(made, peer)) error = ECONNREFUSED;
  if (error != 0) throw std::system_error(error, std::generic_category(), what);
  co_return socket(std::move(made), peer);
}

}  // namespace troupe::io
