#include <troupe/io/internal/address.hpp>
#include <troupe/io/internal/socket_calls.hpp>
#include <troupe/io/internal/socket_transport.hpp>
#include <troupe/io/internal/sockets.hpp>
#include <troupe/io/internal/write_queue.hpp>
#include <troupe/runtime/loop.hpp>

#include <sys/uio.h>

#include <algorithm>

namespace troupe::io::internal {

descriptor new_stream_socket(int family, const std::string& what) {
  descriptor made(sockets::make(family, SOCK_STREAM));
  if (!made) throw_last_error(what);
  return made;
}

void set_option(const descriptor& socket, int level, int option, bool on) noexcept {
  const int value = on ? 1 : 0;
  static_cast<void>(sockets::setsockopt(socket.get(), level, option, &value, sizeof value));
}

ssize_t send_parts(int socket, std::span<const std::span<const std::byte>> parts) noexcept {
  iovec vectors[write_queue::most_parts];
  const std::size_t count = std::min(parts.size(), write_queue::most_parts);
  for (std::size_t index = 0; index < count; ++index)
    vectors[index] = {const_cast<std::byte*>(parts[index].data()), parts[index].size()};
  msghdr message{};
  message.msg_iov = vectors;
  message.msg_iovlen = count;
  return sockets::sendmsg(socket, &message, MSG_NOSIGNAL);
}

void reset_on_close(int socket) noexcept {
  const linger at_once{1, 0};
  static_cast<void>(sockets::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
}

namespace {

/// What a failed call on a non-blocking socket says.
transfer failed() noexcept {
  if (errno == EAGAIN || errno == EWOULDBLOCK) return transfer::none_now();
  return {0, last_error()};
}

/// A socket closed with something unread resets its peer, which then loses what was written and has not arrived.
void discard_unread(int socket) noexcept {
  constexpr std::size_t all = std::size_t{1} << 30;
  for (int turn = 0; turn < 16 && sockets::recv(socket, nullptr, all, MSG_TRUNC | MSG_DONTWAIT) > 0;
       ++turn) {
  }
}

}  // namespace

void socket_transport::attach(transport::listener& told) {
  told_ = &told;
  if (watch_) return;
  watch_.emplace(*loop::current(), static_cast<poller::listener&>(*this), std::move(unwatched_),
                 watched);
}

transfer socket_transport::read(std::span<std::byte> into) noexcept {
  if (!readable_) return transfer::none_now();
  for (;;) {
    const ssize_t got = sockets::recv(native(), into.data(), into.size(), 0);
    if (got >= 0) {
      ended_ = got == 0;
      readable_ = to_the_end_ || static_cast<std::size_t>(got) == into.size();
      return {static_cast<std::size_t>(got), {}};
    }
    if (errno == EINTR) continue;
    const transfer none = failed();
    if (none.blocked()) readable_ = false;
    return none;
  }
}

transfer socket_transport::write(std::span<const std::span<const std::byte>> parts) noexcept {
  for (;;) {
    const ssize_t sent =
        parts.size() == 1 ? sockets::send(native(), parts[0].data(), parts[0].size(), MSG_NOSIGNAL)
                          : send_parts(native(), parts);
    if (sent >= 0) return {static_cast<std::size_t>(sent), {}};
    if (errno == EINTR) continue;
    const transfer none = failed();
    // Why the peer gave up may be there to be read, though no notice of it has come yet.
    if (!none.blocked()) readable_ = to_the_end_ = true;
    return none;
  }
}

std::error_code socket_transport::failure() noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  if (sockets::getsockopt(native(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  return {error != 0 ? error : ECONNRESET, std::generic_category()};
}

std::error_code socket_transport::end_writing() noexcept {
  if (sockets::shutdown(native(), SHUT_WR) == 0) return {};
  const std::error_code error = last_error();
  readable_ = to_the_end_ = true;
  return error;
}

void socket_transport::close(bool reset) noexcept {
  if (reset && native() >= 0) reset_on_close(native());
  if (!reset && native() >= 0 && !ended_) discard_unread(native());
  watch_.reset();
  unwatched_.close();
}

std::string socket_transport::local_name() const {
  address found;
  return sockets::getsockname(native(), found.get(), &found.size) == 0 ? found.text() : "closed";
}

}  // namespace troupe::io::internal
