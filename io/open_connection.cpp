#include <troupe/io/internal/socket_transport.hpp>
#include <troupe/io/open_connection.hpp>

#include <memory>
#include <string>
#include <utility>

namespace troupe::io {

stream make_stream(socket connected, const stream_options& options) {
  // The name of a Unix socket's peer cannot be asked for later; the text of an endpoint can, and is seldom wanted.
  std::unique_ptr<transport> wire;
  if (connected.is_unix()) {
    std::string peer = connected.peer_name();
    wire = std::make_unique<internal::socket_transport>(connected.release(), std::move(peer));
  } else {
    const endpoint peer = connected.peer();
    wire = std::make_unique<internal::socket_transport>(connected.release(), peer);
  }
  return stream(std::move(wire), options);
}

coro<stream> open_connection(endpoint peer, stream_options options) {
  socket connected = co_await connect(peer);
  co_return make_stream(std::move(connected), options);
}

coro<stream> open_connection(unix_endpoint peer, stream_options options) {
  socket connected = co_await connect(std::move(peer));
  co_return make_stream(std::move(connected), options);
}

coro<stream> open_connection(endpoint peer, connect_options how, stream_options options) {
  socket connected = co_await connect(peer, how);
  co_return make_stream(std::move(connected), options);
}

coro<stream> internal::open_by_name(std::string host, service port, connect_options how,
                                    stream_options options) {
  auto connecting = connect_by_name(std::move(host), std::move(port), how);
  socket connected = co_await connecting;
  co_return make_stream(std::move(connected), options);
}

}  // namespace troupe::io
