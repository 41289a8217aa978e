#include <troupe/io/internal/socket_transport.hpp>
#include <troupe/io/tcp.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <string>
#include <utility>

namespace troupe::io {

std::unique_ptr<transport> make_transport(socket connected, bool nodelay) {
  const int on = nodelay ? 1 : 0;
  // Failing, it costs delay and nothing else; a Unix socket passed in here has no such option.
  static_cast<void>(::setsockopt(connected.native(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
  std::string peer = connected.peer().text();
  return std::make_unique<internal::socket_transport>(connected.release(), std::move(peer));
}

tcp_connection::tcp_connection(socket connected, actor_ref<connection_events> owner,
                               connection_options options)
    : stream_connection(make_transport(std::move(connected), options.nodelay), std::move(owner),
                        options) {}

}  // namespace troupe::io
