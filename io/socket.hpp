#pragma once

#include <troupe/io/endpoint.hpp>
#include <troupe/io/unix_endpoint.hpp>
#include <troupe/runtime/coro.hpp>

#include <string>
#include <utility>

namespace troupe::io {

/// A descriptor with one owner.
class descriptor {
 public:
  descriptor() noexcept = default;
  explicit descriptor(int owned) noexcept : value_(owned) {}
  descriptor(descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    if (this != &other) {
      close();
      value_ = std::exchange(other.value_, -1);
    }
    return *this;
  }
  ~descriptor() { close(); }

  int get() const noexcept { return value_; }
  int release() noexcept { return std::exchange(value_, -1); }
  explicit operator bool() const noexcept { return value_ >= 0; }
  void close() noexcept;

 private:
  int value_ = -1;
};

/// A connected socket, TCP or Unix, that nobody uses yet: what a listener accepts and `connect` makes. It can be sent to another
/// loop; give it to a `tcp_connection`, or make a stream of it. Dropped, it closes.
class socket {
 public:
  /// Takes over a connected, non-blocking descriptor.
  explicit socket(descriptor connected, const endpoint& peer) noexcept
      : connected_(std::move(connected)), peer_(peer) {}
  /// The same of a Unix socket.
  explicit socket(descriptor connected) noexcept : connected_(std::move(connected)), unix_(true) {}

  bool is_unix() const noexcept { return unix_; }
  /// 0.0.0.0:0 of a Unix socket.
  const endpoint& peer() const noexcept { return peer_; }
  /// For people and logs: "127.0.0.1:8080", or "unix:/path" of a peer that has a name.
  std::string peer_name() const;
  /// Errors: std::system_error; std::invalid_argument for a Unix socket.
  endpoint local() const;
  int native() const noexcept { return connected_.get(); }
  descriptor release() noexcept { return std::move(connected_); }

 private:
  descriptor connected_;
  endpoint peer_;
  bool unix_ = false;
};

/// Connects to `peer`; for options and names see <troupe/io/connect.hpp>.
/// Errors: std::system_error that names the peer: connection_refused, timed_out, network_unreachable...
/// Cancel: closes the socket.
coro<socket> connect(endpoint peer);
/// The same; waits while the backlog of the peer is full.
/// Errors: std::system_error that names the peer: connection_refused, no_such_file_or_directory, permission_denied...
coro<socket> connect(unix_endpoint peer);

}  // namespace troupe::io
