#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/io/connection.hpp>
#include <troupe/io/listening.hpp>
#include <troupe/io/socket.hpp>

#include <memory>
#include <utility>

namespace troupe::io {

/// A connected socket as a transport, for a `stream` or a `stream_connection`.
std::unique_ptr<transport> make_transport(socket connected, bool nodelay = true);

/// A connection over a TCP socket: a `stream_connection` and no more.
///
///     connection_ = spawn<io::tcp_connection>(std::move(socket), self());
///     connection_.tell(io::demand{64 << 10});
///
/// Errors: the constructor throws std::system_error when the socket cannot be watched.
class tcp_connection : public stream_connection {
 public:
  tcp_connection(socket connected, actor_ref<connection_events> owner,
                 connection_options options = {});
};

// --- listening --------------------------------------------------------------------------------------------------------

/// A new connection. Whoever handles it spawns a `tcp_connection` with the socket; dropping the message closes it.
struct accepted {
  socket connected;
};

using listener_events = protocol<accepted>;

/// An actor that accepts connections and sends each to its owner.
///
/// When the process or system has no descriptor left it stops accepting, says so once to the failure handler, and tries
/// again after a pause that doubles up to a second; connections wait in the system's backlog meanwhile.
/// Life: until it is stopped, which closes the socket.
/// Errors: the constructor throws std::system_error when the socket cannot be watched.
class tcp_listener : public actor<protocol<>> {
 public:
  tcp_listener(listening_socket listening, actor_ref<listener_events> owner);
  ~tcp_listener();

 private:
  class reception;
  std::unique_ptr<reception> reception_;
};

}  // namespace troupe::io
