#include <troupe/io/internal/files.hpp>
#include <troupe/io/internal/simulated_files.hpp>
#include <troupe/io/internal/simulated_sockets.hpp>
#include <troupe/io/internal/sockets.hpp>
#include <troupe/runtime/internal/simulator.hpp>

#include <cerrno>
#include <utility>

namespace troupe::io::internal {

simulated_sockets* simulated() noexcept {
  const troupe::internal::simulator* const here = troupe::internal::current_simulator();
  return here != nullptr ? static_cast<simulated_sockets*>(here->outside()) : nullptr;
}

namespace sockets {

int make(int family, int type) noexcept {
  if (simulated_sockets* const there = simulated()) return there->make(family, type);
  return ::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

namespace simulation {

namespace {

/// Makes the call, unless there is nobody to make it to.
template <class Call>
auto with(Call call) noexcept -> decltype(call(std::declval<simulated_sockets&>())) {
  if (simulated_sockets* const there = simulated()) return call(*there);
  errno = EBADF;
  return -1;
}

}  // namespace

int close(int socket) noexcept {
  if (socket >= simulated_files::first_number) return files::close(socket);
  return with([&](simulated_sockets& all) { return all.close(socket); });
}
int bind(int socket, const sockaddr* where, socklen_t size) noexcept {
  return with([&](simulated_sockets& all) { return all.bind(socket, where, size); });
}
int listen(int socket, int backlog) noexcept {
  return with([&](simulated_sockets& all) { return all.listen(socket, backlog); });
}
int accept(int socket, sockaddr* peer, socklen_t* size) noexcept {
  return with([&](simulated_sockets& all) { return all.accept(socket, peer, size); });
}
int connect(int socket, const sockaddr* where, socklen_t size) noexcept {
  return with([&](simulated_sockets& all) { return all.connect(socket, where, size); });
}
int shutdown(int socket, int how) noexcept {
  return with([&](simulated_sockets& all) { return all.shutdown(socket, how); });
}
ssize_t recv(int socket, void* into, std::size_t size, int flags) noexcept {
  return with([&](simulated_sockets& all) { return all.receive(socket, into, size, flags); });
}
int recvmmsg(int socket, mmsghdr* headers, unsigned count, int flags) noexcept {
  return with(
      [&](simulated_sockets& all) { return all.receive_many(socket, headers, count, flags); });
}
ssize_t sendto(int socket, const void* from, std::size_t size, const sockaddr* to,
               socklen_t to_size) noexcept {
  const iovec part{const_cast<void*>(from), size};
  return with([&](simulated_sockets& all) { return all.send(socket, {&part, 1}, to, to_size); });
}
ssize_t sendmsg(int socket, const msghdr* message) noexcept {
  return with([&](simulated_sockets& all) {
    return all.send(socket, {message->msg_iov, message->msg_iovlen},
                    static_cast<const sockaddr*>(message->msg_name), message->msg_namelen);
  });
}
int getsockopt(int socket, int level, int option, void* value, socklen_t* size) noexcept {
  return with(
      [&](simulated_sockets& all) { return all.get_option(socket, level, option, value, size); });
}
int setsockopt(int socket, int level, int option, const void* value, socklen_t size) noexcept {
  return with(
      [&](simulated_sockets& all) { return all.set_option(socket, level, option, value, size); });
}
int getsockname(int socket, sockaddr* into, socklen_t* size) noexcept {
  return with([&](simulated_sockets& all) { return all.local_name(socket, into, size); });
}
int getpeername(int socket, sockaddr* into, socklen_t* size) noexcept {
  return with([&](simulated_sockets& all) { return all.peer_name(socket, into, size); });
}

}  // namespace simulation
}  // namespace sockets
}  // namespace troupe::io::internal
