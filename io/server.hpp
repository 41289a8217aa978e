#pragma once

#include <troupe/io/listening.hpp>
#include <troupe/io/stream.hpp>
#include <troupe/runtime/coro.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace troupe::io {

/// What becomes of who connects while a server has as many connections as it may.
enum class when_full {
  wait,    ///< he waits in the system's backlog until another leaves
  refuse,  ///< he gets `refusal`, as far as it fits, and the end
};

struct server_options {
  stream_options stream = {};  ///< of each connection
  listen_options listen = {};  ///< where the server makes the socket
  /// Each from its acceptance to its end, handshakes of TLS included, which may take `tls_options::handshake_timeout`.
  std::size_t most_connections = 10'000;
  when_full full = when_full::wait;
  /// Sent plainly into the socket, before any handler: leave it empty behind `over_tls`, whose clients expect a handshake.
  std::string refusal = {};
  bool start_serving =
      true;  ///< or only at `server::start_serving`; who connects before waits in the backlog
};

/// A handler of connections: a coroutine, or a plain function, of a stream or of a socket.
template <class H>
concept client_handler = std::invocable<H&, stream> || std::invocable<H&, socket>;

class server;

namespace internal {

class server_core;

/// What serves a connection, whatever its type.
class client_server {
 public:
  virtual ~client_server() = default;
  virtual bool takes_sockets() const noexcept = 0;
  /// What serves one. Called in the task that is to serve it.
  virtual coro<> serve(stream client) = 0;
  virtual coro<> serve(socket client) = 0;
};

template <class H>
class client_server_of final : public client_server {
 public:
  explicit client_server_of(H handler) : handler_(std::move(handler)) {}
  bool takes_sockets() const noexcept override { return !std::invocable<H&, stream>; }
  coro<> serve(stream client) override { return call(std::move(client)); }
  coro<> serve(socket client) override { return call(std::move(client)); }

 private:
  template <class Client>
  coro<> call(Client client) {
    if constexpr (!std::invocable<H&, Client>) {
      return nothing();
    } else if constexpr (std::same_as<std::invoke_result_t<H&, Client>, coro<>>) {
      return handler_(std::move(client));
    } else {
      static_assert(std::is_void_v<std::invoke_result_t<H&, Client>>,
                    "a handler of connections is a coro<> or returns nothing");
      handler_(std::move(client));
      return nothing();
    }
  }
  static coro<> nothing() { co_return; }
  H handler_;
};

server make_server(std::unique_ptr<client_server> handler, std::vector<listening_socket> sockets,
                   server_options options);

}  // namespace internal

/// Who accepts connections and has each served by a task of its own; asyncio's Server.
///
///     troupe::coro<> echo(io::stream client) {
///       while (auto line = co_await client.next_line()) client.write(*line, "\n");
///     }
///     io::server serving = io::start_server(echo, io::endpoint::loopback(8888));
///     co_await serving.serve_forever();
///
/// A handler is a coroutine, or a plain function, of an `io::stream`, or of an `io::socket`. It may be a closure with captures: it is kept
/// until the last connection that it serves has ended. When it ends its stream goes, and so is closed. When it throws, the connection is
/// closed and that is reported, unless it is the very error by which its stream was lost, in a read or in `drain`: that a peer resets is
/// everyday. When it is cancelled, the connection is closed and nothing reported.
/// `actor_per_connection` gives each to an actor. For several loops, start one on each, with `listen_options::reuse_port`.
/// Life: a server that goes closes; connections live on until they end. It may be moved.
/// Threads: its loop's.
class server {
 public:
  server() noexcept = default;
  server(server&&) noexcept = default;
  server& operator=(server&& other) noexcept;
  ~server();

  /// Does nothing when it serves already. Errors: `invalid_state` after `close`; std::system_error when a socket cannot be watched.
  void start_serving();
  bool is_serving() const noexcept;
  /// Serves until it is closed, which ends this as `cancelled`.
  /// Errors: as `start_serving`; `invalid_state` when another task serves it forever. Cancel: closes it.
  coro<> serve_forever();
  /// Accepts no more: its sockets are closed, and who waits in the backlog is reset. Connections go on. Does nothing the second time.
  void close() noexcept;
  /// Ends all connections: those of streams as `stream::close` and `stream::abort` do, their handlers see the end of data or the loss; of
  /// others the handler is cancelled. Accepting goes on.
  void close_clients() noexcept;
  void abort_clients() noexcept;
  /// Waits until it is closed and its last connection has ended: the stream has closed and the handler is done.
  /// Cancel: leaves it as it is.
  coro<> wait_closed();
  /// Closes, lets the connections end by themselves within `grace`, and then ends them: streams are aborted and handlers cancelled. Those
  /// in the midst of a TLS handshake are dropped at once, and not counted. Returns whether that was not necessary. Handlers are not told,
  /// so a client that waits for nothing but its own next request is waited for too; docs/io.md shows how to let them know.
  /// Cancel: ends them at once.
  coro<bool> shutdown(duration grace);

  std::size_t connections() const noexcept;
  /// Of its first socket: where it listens, 0.0.0.0:0 for a Unix socket; and that for people, "127.0.0.1:8080" or "unix:/run/chat".
  const endpoint& local() const noexcept;
  const std::string& name() const noexcept;

 private:
  friend server internal::make_server(std::unique_ptr<internal::client_server>,
                                      std::vector<listening_socket>, server_options);
  explicit server(std::shared_ptr<internal::server_core> core) noexcept : core_(std::move(core)) {}
  internal::server_core& core() const noexcept;
  std::shared_ptr<internal::server_core> core_;
};

/// Serves who connects to these sockets, on the running loop. See `server`.
/// Errors: std::system_error that names the socket; std::invalid_argument for no socket or options that contradict each other;
/// `invalid_state` when no loop runs on this thread.
template <client_handler H>
server start_server(H handler, std::vector<listening_socket> sockets, server_options options = {}) {
  return internal::make_server(std::make_unique<internal::client_server_of<H>>(std::move(handler)),
                               std::move(sockets), std::move(options));
}
template <client_handler H>
server start_server(H handler, listening_socket listening, server_options options = {}) {
  std::vector<listening_socket> sockets;
  sockets.push_back(std::move(listening));
  return start_server(std::move(handler), std::move(sockets), std::move(options));
}
/// The same at a place where it begins to listen now.
template <client_handler H>
server start_server(H handler, const endpoint& where, server_options options = {}) {
  listening_socket made(where, options.listen);
  return start_server(std::move(handler), std::move(made), std::move(options));
}
template <client_handler H>
server start_server(H handler, const unix_endpoint& where, server_options options = {}) {
  listening_socket made(where, options.listen);
  return start_server(std::move(handler), std::move(made), std::move(options));
}

}  // namespace troupe::io
