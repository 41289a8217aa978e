#include <troupe/io/internal/address.hpp>
#include <troupe/io/internal/socket_calls.hpp>
#include <troupe/io/internal/sockets.hpp>
#include <troupe/io/socket.hpp>
#include <troupe/runtime/sleep.hpp>

#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace troupe::io {

using internal::address;
using internal::throw_last_error;

void descriptor::close() noexcept {
  if (value_ >= 0) internal::sockets::close(std::exchange(value_, -1));
}

endpoint socket::local() const {
  if (unix_) throw std::invalid_argument("a Unix socket has no internet address");
  address found;
  if (internal::sockets::getsockname(native(), found.get(), &found.size) != 0)
    throw_last_error("the local address of a socket");
  return found.to_endpoint();
}

std::string socket::peer_name() const {
  if (!unix_) return peer_.text();
  address found;
  return internal::sockets::getpeername(native(), found.get(), &found.size) == 0 ? found.text()
                                                                                 : "unix";
}

coro<socket> connect(unix_endpoint peer) {
  const std::string what = "connecting to " + peer.text();
  descriptor made = internal::new_stream_socket(AF_UNIX, what);
  const address target(peer);
  // Unix sockets connect at once. With the backlog full they cannot, and nothing tells when they can.
  duration pause = std::chrono::milliseconds(1);
  while (internal::sockets::connect(made.get(), target.get(), target.size) != 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) throw_last_error(what);
    co_await sleep(pause);
    pause = std::min(pause * 2, duration(std::chrono::milliseconds(50)));
  }
  co_return socket(std::move(made));
}

}  // namespace troupe::io
