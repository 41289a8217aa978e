#pragma once

#include <troupe/io/connect.hpp>
#include <troupe/io/endpoint.hpp>
#include <troupe/io/socket.hpp>
#include <troupe/io/stream.hpp>
#include <troupe/runtime/coro.hpp>

#include <concepts>
#include <string>
#include <string_view>
#include <utility>

namespace troupe::io {

/// A stream over a connected socket, on the running loop. Errors: as of `stream`.
stream make_stream(socket connected, const stream_options& options = {});

/// Connects to `peer` and gives the stream. Errors, Cancel: as of `connect`.
coro<stream> open_connection(endpoint peer, stream_options options = {});
coro<stream> open_connection(unix_endpoint peer, stream_options options = {});
/// The same with options of the socket.
coro<stream> open_connection(endpoint peer, connect_options how, stream_options options);

namespace internal {
coro<stream> open_by_name(std::string host, service port, connect_options how,
                          stream_options options);
}

/// Connects to a host by its name, as `connect` does, and gives the stream:
///
///     io::stream peer = co_await io::open_connection("localhost", 7);
///
/// Errors, Cancel: as of `connect`.
template <std::convertible_to<std::string_view> Host>
coro<stream> open_connection(const Host& host, service port, connect_options how = {},
                             stream_options options = {}) {
  return internal::open_by_name(std::string(std::string_view(host)), std::move(port), how, options);
}

}  // namespace troupe::io
