// The TCP echo server of the benchmark suite on troupe: `bench-troupe-echo echo --port N` serves until SIGTERM. One actor
// listens, one serves each connection, as in examples/echo_server.cpp.
#include "echo_server.hpp"

#include <troupe/io/tcp.hpp>
#include <troupe/troupe.hpp>

#include <csignal>
#include <cstdio>
#include <cstring>
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

troupe::coro<int> serve(int port) {
  io::listening_socket listening(io::endpoint::loopback(static_cast<std::uint16_t>(port)));
  bench::echo::announce(listening.local().port());
  auto serving = troupe::spawn<server>(std::move(listening));
  co_await troupe::received_signal(SIGTERM);
  co_return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
    bench::echo::list("troupe");
    return 0;
  }
  const int port = bench::echo::wanted_port(argc, argv);
  if (port < 0) {
    std::fprintf(stderr, "usage: bench-troupe-echo echo --port N | --list\n");
    return 2;
  }
  return troupe::run(serve(port));
}
