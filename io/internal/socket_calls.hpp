#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <span>

namespace troupe::io::internal {

/// Sends what the system takes of several parts, at most `write_queue::most_parts`. Returns as `sendmsg` does.
ssize_t send_parts(int socket, std::span<const std::span<const std::byte>> parts) noexcept;

/// Has the peer see a reset when the socket is closed.
void reset_on_close(int socket) noexcept;

}  // namespace troupe::io::internal
