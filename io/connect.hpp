#pragma once

#include <troupe/io/endpoint.hpp>
#include <troupe/io/resolve.hpp>
#include <troupe/io/socket.hpp>
#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/time.hpp>

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace troupe::io {

/// How the system finds out that a silent peer has gone: after `idle` without a byte it asks every `interval`, and gives the connection up
/// (timed_out) after `count` questions without an answer. Whole seconds; a part of one counts as one.
struct keepalive {
  duration idle = std::chrono::seconds(60);
  duration interval = std::chrono::seconds(10);
  int count = 6;
};

struct connect_options {
  bool nodelay = true;  ///< small writes leave at once
  std::optional<keepalive> keep_alive = std::nullopt;
  /// The address, and port unless it is 0, to connect from. Peers of the other family cannot be reached then.
  std::optional<endpoint> local = std::nullopt;
  bool reuse_port = false;  ///< others may have the local port too, if they say the same
  /// Which addresses of a name are tried...
  address_family family = address_family::any;
  /// ...and how long each has before the next is tried beside it. A tenth of a second is the least that networks should be given.
  duration attempt_delay = std::chrono::milliseconds(250);
};

/// Connects to `peer`, in the way that the options say. A time limit is set from outside: `co_await timeout(5s, connect(peer, {}))`.
/// Errors: std::system_error that names the peer: connection_refused, timed_out, network_unreachable, too_many_files_open, and of the local
/// address address_in_use, address_not_available...; std::invalid_argument for a `keepalive` that the system has no numbers for, and a
/// local address of the other family.
/// Cancel: closes the socket.
coro<socket> connect(endpoint peer, connect_options options);

namespace internal {
coro<socket> connect_by_name(std::string host, service port, connect_options options);
}

/// Connects to a host by its name: its addresses are tried one after the other, families in turn, each as soon as one has failed or has
/// had `attempt_delay`; the first that is connected wins and the others are closed (RFC 8305).
/// Errors: as of `resolve`; when no address could be connected to, std::system_error with the error of the first, and a text that names
/// each and what it failed with.
/// Cancel: closes all sockets.
template <std::convertible_to<std::string_view> Host>
coro<socket> connect(const Host& host, service port, connect_options options = {}) {
  return internal::connect_by_name(std::string(std::string_view(host)), std::move(port), options);
}

}  // namespace troupe::io
