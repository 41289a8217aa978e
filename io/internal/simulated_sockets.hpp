#pragma once

#include <troupe/io/internal/resolver.hpp>
#include <troupe/runtime/internal/outside.hpp>
#include <troupe/runtime/time.hpp>

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <span>

namespace troupe::io::internal {

/// The socket calls of a simulation: each does what the system's call of that name does, in so far as this layer can tell, and says
/// -1 with errno as that does. The test kit has the one that there is (testing::network); it is the outside of its simulation.
/// Threads: that of the simulation.
class simulated_sockets : public troupe::internal::outside {
 public:
  virtual int make(int family, int type) = 0;
  virtual int close(int socket) = 0;
  virtual int bind(int socket, const sockaddr* where, socklen_t size) = 0;
  virtual int listen(int socket, int backlog) = 0;
  virtual int accept(int socket, sockaddr* peer, socklen_t* size) = 0;
  virtual int connect(int socket, const sockaddr* where, socklen_t size) = 0;
  virtual int shutdown(int socket, int how) = 0;
  virtual ssize_t receive(int socket, void* into, std::size_t size, int flags) = 0;
  virtual int receive_many(int socket, mmsghdr* headers, unsigned count, int flags) = 0;
  virtual ssize_t send(int socket, std::span<const iovec> parts, const sockaddr* to,
                       socklen_t size) = 0;
  virtual int get_option(int socket, int level, int option, void* value, socklen_t* size) = 0;
  virtual int set_option(int socket, int level, int option, const void* value, socklen_t size) = 0;
  virtual int local_name(int socket, sockaddr* into, socklen_t* size) = 0;
  virtual int peer_name(int socket, sockaddr* into, socklen_t* size) = 0;

  /// What `look_up` would give, after `delay`.
  virtual name_answer look_up(const name_query& query, duration& delay) = 0;
};

/// Those of the simulation that this thread is in; null where there is none, or it has no network.
simulated_sockets* simulated() noexcept;

}  // namespace troupe::io::internal
