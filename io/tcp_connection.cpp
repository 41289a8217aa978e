#include <troupe/io/internal/connection_link.hpp>
#include <troupe/io/internal/socket_transport.hpp>
#include <troupe/io/internal/sockets.hpp>
#include <troupe/io/tcp.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <string>
#include <utility>

namespace troupe::io {

namespace {

void set_nodelay(const socket& of, bool nodelay) noexcept {
  if (of.is_unix()) return;
  const int on = nodelay ? 1 : 0;
  // Failing, it costs delay and nothing else.
  static_cast<void>(
      internal::sockets::setsockopt(of.native(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
}

/// A socket's transport, in the connection itself.
class socket_wire {
 public:
  socket_wire(socket connected, bool nodelay)
      : held_((set_nodelay(connected, nodelay), connected.release()), std::string()) {}
  internal::socket_transport* operator->() noexcept { return &held_; }

 private:
  internal::socket_transport held_;
};

}  // namespace

std::unique_ptr<transport> make_transport(socket connected, bool nodelay) {
  set_nodelay(connected, nodelay);
  std::string peer = connected.peer_name();
  return std::make_unique<internal::socket_transport>(connected.release(), std::move(peer));
}

tcp_connection::tcp_connection(socket connected, actor_ref<connection_events> owner,
                               connection_options options)
    : stream_connection(std::unique_ptr<internal::connection_link>()) {
  internal::connection_link::give(
      *this, std::make_unique<internal::connection_over<socket_wire>>(
                 *this, std::move(owner), options, std::move(connected), options.nodelay));
}

}  // namespace troupe::io
