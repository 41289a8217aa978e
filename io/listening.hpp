#pragma once

#include <troupe/io/socket.hpp>

#include <string>
#include <utility>
#include <vector>

namespace troupe::io {

namespace internal {
class acceptor;
}

struct listen_options {
  int backlog = 4096;  ///< connections the system keeps until they are accepted; it may keep fewer
  bool reuse_address = true;  ///< a restarted server gets its port back at once
  bool reuse_port =
      false;  ///< several listeners on one port, which the system spreads connections over
};

/// The file that a listening Unix socket has made; removed when this goes, unless another has taken its place.
class socket_file {
 public:
  socket_file() noexcept = default;
  /// Takes over the file that is there.
  explicit socket_file(std::string path) noexcept;
  socket_file(socket_file&& other) noexcept
      : path_(std::exchange(other.path_, {})), device_(other.device_), number_(other.number_) {}
  socket_file& operator=(socket_file&& other) noexcept {
    path_.swap(other.path_);
    std::swap(device_, other.device_);
    std::swap(number_, other.number_);
    return *this;
  }
  ~socket_file();

 private:
  std::string path_;
  unsigned long long device_ = 0;
  unsigned long long number_ = 0;
};

/// A bound and listening socket, TCP or Unix; give it to `start_server`, or to a `tcp_listener`.
class listening_socket {
 public:
  /// Errors: std::system_error that names the endpoint: address_in_use, permission_denied, address_not_available...
  explicit listening_socket(const endpoint& local, listen_options options = {});
  /// A file of a socket that nobody listens on any more is replaced; any other is left alone, and is address_in_use. The file goes with
  /// the socket.
  explicit listening_socket(const unix_endpoint& local, listen_options options = {});
  /// Takes over a socket that listens already, from whoever had it. A Unix socket's file is left to its maker.
  /// Errors: std::invalid_argument when it is not a stream socket, TCP or Unix, that listens; it is closed then.
  explicit listening_socket(descriptor listening);

  /// With the port that the system chose, if it was asked for port 0. 0.0.0.0:0 of a Unix socket.
  const endpoint& local() const noexcept { return local_; }
  /// For people and logs: "127.0.0.1:8080", "unix:/run/chat".
  const std::string& name() const noexcept { return name_; }
  bool is_unix() const noexcept { return unix_; }
  int native() const noexcept { return listening_.get(); }
  descriptor release() noexcept { return std::move(listening_); }

 private:
  friend class internal::acceptor;
  descriptor listening_;
  socket_file file_;
  endpoint local_;
  std::string name_;
  bool unix_ = false;
};

/// A listening socket that the process was started with.
struct inherited_socket {
  std::string name;  ///< that its unit gives it; "" where it gives none
  listening_socket listening;
};

/// The listening sockets that a service manager has opened for this process, by the protocol of systemd (`LISTEN_FDS`, `LISTEN_PID`,
/// `LISTEN_FDNAMES`; sd_listen_fds(3)): none when it has opened none. The second call gives none: the variables are taken out of the
/// environment, so that children do not believe that they are meant.
/// Errors: std::invalid_argument when a variable makes no sense, or one of them is not a listening stream socket; in the second case they are all closed.
/// Threads: none else may use the environment meanwhile: call it first.
std::vector<inherited_socket> inherited_sockets();

}  // namespace troupe::io
