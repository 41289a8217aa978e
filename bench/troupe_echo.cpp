// The TCP echo servers of the benchmark suite on troupe: `bench-troupe-echo echo --port N --impl NAME` serves until SIGTERM.
//
// troupe: one actor listens, one serves each connection, as in examples/echo_server.cpp.
// troupe-stream: a coroutine per connection over an io::stream, which passes on the bytes that a read gives it.
// troupe-buffer: the same with a buffer of its own.
#include "echo_server.hpp"

#include <troupe/io/server.hpp>
#include <troupe/io/tcp.hpp>
#include <troupe/troupe.hpp>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace io = troupe::io;

namespace {

class session : public troupe::actor<io::connection_events> {
 public:
  explicit session(io::socket connected)
      : connection_(spawn<io::tcp_connection>(std::move(connected), self())) {}

  void on_start() { connection_.tell(io::demand{64 << 10}); }
  void on(io::data d) { connection_.tell(io::write(std::move(d.chunk))); }
  void on(io::drained d) { connection_.tell(io::demand{d.bytes}); }
  void on(io::end_of_data) { connection_.tell(io::close{}); }
  void on(io::closed) { stop(); }

 private:
  troupe::actor_ref<io::connection> connection_;
};

class server : public troupe::actor<io::listener_events> {
 public:
  explicit server(io::listening_socket listening) {
    spawn<io::tcp_listener>(std::move(listening), self());
  }
  void on(io::accepted a) { spawn<session>(std::move(a.connected)); }
};

// What went away is no failure of the server; its stream is closed when it goes.
troupe::coro<> echo(io::stream peer) {
  try {
    for (;;) {
      io::bytes got = co_await peer.read_some();
      if (got.empty()) co_return;
      peer.write(std::move(got));
      co_await peer.drain();
    }
  } catch (const std::system_error&) {
  }
}

troupe::coro<> echo_from_a_buffer(io::stream peer) {
  // A read that fills its buffer is followed by another look, so there is more room than a request takes.
  std::array<std::byte, 2 * bench::echo::buffer_size> buffer;
  try {
    while (const std::size_t got = co_await peer.read_some(std::span(buffer))) {
      peer.write(std::span<const std::byte>(buffer.data(), got));
      co_await peer.drain();
    }
  } catch (const std::system_error&) {
  }
}

template <class Handler>
troupe::coro<int> serve_streams(int port, Handler handler) {
  io::listening_socket listening(io::endpoint::loopback(static_cast<std::uint16_t>(port)));
  bench::echo::announce(listening.local().port());
  const io::server serving = io::start_server(handler, std::move(listening));
  co_await troupe::received_signal(SIGTERM);
  co_return 0;
}

template <class Server>
troupe::coro<int> serve(int port) {
  io::listening_socket listening(io::endpoint::loopback(static_cast<std::uint16_t>(port)));
  bench::echo::announce(listening.local().port());
  auto serving = troupe::spawn<Server>(std::move(listening));
  co_await troupe::received_signal(SIGTERM);
  co_return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
    bench::echo::list("troupe");
    bench::echo::list("troupe-stream");
    bench::echo::list("troupe-buffer");
    return 0;
  }
  const bool named = argc == 6 && std::strcmp(argv[4], "--impl") == 0;
  const int port = bench::echo::wanted_port(named ? 4 : argc, argv);
  if (port < 0) {
    std::fprintf(stderr, "usage: bench-troupe-echo echo --port N [--impl NAME] | --list\n");
    return 2;
  }
  const std::string_view impl = named ? argv[5] : "troupe";
  if (impl == "troupe-stream") return troupe::run(serve_streams(port, echo));
  if (impl == "troupe-buffer") return troupe::run(serve_streams(port, echo_from_a_buffer));
  return troupe::run(serve<server>(port));
}
