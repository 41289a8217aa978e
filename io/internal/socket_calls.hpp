#pragma once

#include <troupe/io/socket.hpp>

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>

namespace troupe::io::internal {

/// A stream socket of that family, neither blocking nor inherited. Errors: std::system_error with `what` in front.
descriptor new_stream_socket(int family, const std::string& what);

/// Sets an option that the system may not have; then it does without.
void set_option(const descriptor& socket, int level, int option, bool on) noexcept;

/// Sends what the system takes of several parts, at most `write_queue::most_parts`. Returns as `sendmsg` does.
ssize_t send_parts(int socket, std::span<const std::span<const std::byte>> parts) noexcept;

/// Has the peer see a reset when the socket is closed.
void reset_on_close(int socket) noexcept;

}  // namespace troupe::io::internal
