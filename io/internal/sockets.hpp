#pragma once

#include <troupe/runtime/internal/outside.hpp>

#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstddef>

// The system's socket calls, as all of this layer makes them: to the simulation's network for the numbers of that, which costs a comparison.

namespace troupe::io::internal::sockets {

using troupe::internal::is_simulated;

/// The same of descriptors of a simulation. -1 with EBADF when it is over.
namespace simulation {
int close(int socket) noexcept;
int bind(int socket, const sockaddr* where, socklen_t size) noexcept;
int listen(int socket, int backlog) noexcept;
int accept(int socket, sockaddr* peer, socklen_t* size) noexcept;
int connect(int socket, const sockaddr* where, socklen_t size) noexcept;
int shutdown(int socket, int how) noexcept;
ssize_t recv(int socket, void* into, std::size_t size, int flags) noexcept;
int recvmmsg(int socket, mmsghdr* headers, unsigned count, int flags) noexcept;
ssize_t sendto(int socket, const void* from, std::size_t size, const sockaddr* to,
               socklen_t to_size) noexcept;
ssize_t sendmsg(int socket, const msghdr* message) noexcept;
int getsockopt(int socket, int level, int option, void* value, socklen_t* size) noexcept;
int setsockopt(int socket, int level, int option, const void* value, socklen_t size) noexcept;
int getsockname(int socket, sockaddr* into, socklen_t* size) noexcept;
int getpeername(int socket, sockaddr* into, socklen_t* size) noexcept;
}  // namespace simulation

/// Neither blocking nor inherited. In a simulation with a network it is one of that.
int make(int family, int type) noexcept;

inline int close(int socket) noexcept {
  if (is_simulated(socket)) [[unlikely]]
    return simulation::close(socket);
  return ::close(socket);
}
inline int bind(int socket, const sockaddr* where, socklen_t size) noexcept {
  if (is_simulated(socket)) [[unlikely]]
    return simulation::bind(socket, where, size);
  return ::bind(socket, where, size);
}
inline int listen(int socket, int backlog) noexcept {
  if (is_simulated(socket)) [[unlikely]]
    return simulation::listen(socket, backlog);
  return ::listen(socket, backlog);
}
/// What is accepted neither blocks nor is inherited.
inline int accept(int socket, sockaddr* peer, socklen_t* size) noexcept {
  if (is_simulated(socket)) [[unlikely]]
    return simulation::accept(socket, peer, size);
  return ::accept4(socket, peer, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
inline int connect(int socket, const sockaddr* where, socklen_t size) noexcept {
  if (is_simulated(socket)) [[unlikely]]
    return simulation::connect(socket, where, size);
  return ::connect(socket, where, size);
}
inline int shutdown(int socket, int how) noexcept {
  if (is_simulated(socket)) [[unlikely]]
    return simulation::shutdown(socket, how);
  return ::shutdown(socket, how);
}
inline ssize_t recv(int socket, void* into, std::size_t size, int flags) noexcept {
  if (is_simulated(socket)) [[unlikely]]
    return simulation::recv(socket, into, size, flags);
  return ::recv(socket, into, size, flags);
}
inline int recvmmsg(int socket, mmsghdr* headers, unsigned count, int flags) noexcept {
  if (is_simulated(socket)) [[unlikely]]
    return simulation::recvmmsg(socket, headers, count, flags);
  return ::recvmmsg(socket, headers, count, flags, nullptr);
}
inline ssize_t send(int socket, const void* from, std::size_t size, int flags) noexcept {
  if (is_simulated(socket)) [[unlikely]]
    return simulation::sendto(socket, from, size, nullptr, 0);
  return ::send(socket, from, size, flags);
}
inline ssize_t sendto(int socket, const void* from, std::size_t size, int flags, const sockaddr* to,
                      socklen_t to_size) noexcept {
  if (is_simulated(socket)) [[unlikely]]
    return simulation::sendto(socket, from, size, to, to_size);
  return ::sendto(socket, from, size, flags, to, to_size);
}
inline ssize_t sendmsg(int socket, const msghdr* message, int flags) noexcept {
  if (is_simulated(socket)) [[unlikely]]
    return simulation::sendmsg(socket, message);
  return ::sendmsg(socket, message, flags);
}
inline int getsockopt(int socket, int level, int option, void* value, socklen_t* size) noexcept {
  if (is_simulated(socket)) [[unlikely]]
    return simulation::getsockopt(socket, level, option, value, size);
  return ::getsockopt(socket, level, option, value, size);
}
inline int setsockopt(int socket, int level, int option, const void* value,
                      socklen_t size) noexcept {
  if (is_simulated(socket)) [[unlikely]]
    return simulation::setsockopt(socket, level, option, value, size);
  return ::setsockopt(socket, level, option, value, size);
}
inline int getsockname(int socket, sockaddr* into, socklen_t* size) noexcept {
  if (is_simulated(socket)) [[unlikely]]
    return simulation::getsockname(socket, into, size);
  return ::getsockname(socket, into, size);
}
inline int getpeername(int socket, sockaddr* into, socklen_t* size) noexcept {
  if (is_simulated(socket)) [[unlikely]]
    return simulation::getpeername(socket, into, size);
  return ::getpeername(socket, into, size);
}

}  // namespace troupe::io::internal::sockets
