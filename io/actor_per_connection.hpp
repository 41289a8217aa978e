#pragma once

#include <troupe/actors/spawn.hpp>
#include <troupe/io/socket.hpp>
#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/errors.hpp>

#include <exception>
#include <tuple>
#include <utility>

namespace troupe::io {

/// A handler for `start_server` that gives each connection to an actor of its own, made of the socket and copies of `args`.
///
///     io::server serving = io::start_server(io::actor_per_connection<session>(room), where);
///
/// The connection counts as open until the actor has ended; when the server ends it, the actor is stopped.
template <class A, class... Args>
auto actor_per_connection(Args... args) {
  return [all = std::tuple<Args...>(std::move(args)...)](io::socket connected) -> coro<> {
    auto serving = std::apply(
        [&](const Args&... each) { return spawn<A>(std::move(connected), each...); }, all);
    const future<exit_reason> end = serving.stopped();
    std::exception_ptr stopped;
    try {
      static_cast<void>(co_await end);
    } catch (const cancelled&) {
      stopped = std::current_exception();
    }
    if (stopped == nullptr) co_return;
    serving.stop();
    static_cast<void>(co_await serving.stopped());
    std::rethrow_exception(stopped);
  };
}

}  // namespace troupe::io
