#pragma once

#include <troupe/io/endpoint.hpp>
#include <troupe/io/socket.hpp>
#include <troupe/io/stream.hpp>
#include <troupe/runtime/coro.hpp>

namespace troupe::io {

/// A stream over a connected socket, on the running loop. Errors: as of `stream`.
stream make_stream(socket connected, const stream_options& options = {});

/// Connects to `peer` and gives the stream. Errors, Cancel: as of `connect`.
coro<stream> open_connection(endpoint peer, stream_options options = {});
coro<stream> open_connection(unix_endpoint peer, stream_options options = {});

}  // namespace troupe::io
