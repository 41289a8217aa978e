#pragma once

#include <troupe/io/endpoint.hpp>
#include <troupe/runtime/coro.hpp>

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

/// A connected TCP socket that no actor owns yet: what a listener accepts and `connect` makes. It can be sent to another
/// loop; give it to a `tcp_connection`. Dropped, it closes.
class socket {
 public:
  /// Takes over a connected, non-blocking descriptor.
  explicit socket(descriptor connected, const endpoint& peer) noexcept
      : connected_(std::move(connected)), peer_(peer) {}

  const endpoint& peer() const noexcept { return peer_; }
  /// Errors: std::system_error.
  endpoint local() const;
  int native() const noexcept { return connected_.get(); }
  descriptor release() noexcept { return std::move(connected_); }

 private:
  descriptor connected_;
  endpoint peer_;
};

struct listen_options {
  int backlog = 4096;  ///< connections the system keeps until they are accepted; it may keep fewer
  bool reuse_address = true;  ///< a restarted server gets its port back at once
  bool reuse_port =
      false;  ///< several listeners on one port, which the system spreads connections over
};

/// A bound and listening TCP socket; give it to a `tcp_listener`.
class listening_socket {
 public:
  /// Errors: std::system_error that names the endpoint: address_in_use, permission_denied, address_not_available...
  explicit listening_socket(const endpoint& local, listen_options options = {});

  /// With the port that the system chose, if it was asked for port 0.
  const endpoint& local() const noexcept { return local_; }
  descriptor release() noexcept { return std::move(listening_); }

 private:
  descriptor listening_;
  endpoint local_;
};

/// Connects to `peer`.
/// Errors: std::system_error that names the peer: connection_refused, timed_out, network_unreachable...
/// Cancel: closes the socket.
coro<socket> connect(endpoint peer);

}  // namespace troupe::io
