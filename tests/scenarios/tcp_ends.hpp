// Two streams that lead to each other over TCP, for the contract of streams and what stands on it.
#pragma once

#include <troupe/io/listening.hpp>
#include <troupe/io/open_connection.hpp>

#include "io/stream_contract.hpp"
#include "scenarios/support.hpp"

#include <sys/socket.h>

#include <stdexcept>
#include <utility>

namespace troupe::testing::streams {

inline coro<ends> over_tcp(io::stream_options options) {
  io::listening_socket listening(io::endpoint::loopback(0));
  const io::endpoint there = listening.local();
  const io::descriptor waiting = listening.release();
  io::stream client = co_await io::open_connection(there, options);
  // It is in the backlog now.
  io::descriptor accepted(::accept4(waiting.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!accepted) throw std::runtime_error("nobody was there to accept");
  // What the system holds on the way is a matter of its settings, tens of megabytes on some machines. Here it is little, so that a writer
  // has to wait.
  for (const int end : {client.native(), accepted.get()})
    for (const int buffer : {SO_SNDBUF, SO_RCVBUF}) set_buffer(end, buffer, 64 << 10);
  co_return ends(std::move(client),
                 io::make_stream(io::socket(std::move(accepted), there), options));
}

}  // namespace troupe::testing::streams
