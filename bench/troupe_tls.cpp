// The TLS echo server of the benchmark suite on troupe: `bench-troupe-tls echo --port N` serves until SIGTERM. A coroutine serves each
// connection.
#include "echo_server.hpp"

#include <troupe/io/open_connection.hpp>
#include <troupe/io/tcp.hpp>
#include <troupe/io/tls/tls.hpp>
#include <troupe/troupe.hpp>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

namespace io = troupe::io;

namespace {

troupe::coro<> echo(io::socket connected, io::tls_context context) {
  try {
    io::stream plain = io::make_stream(std::move(connected));
    auto accepting = io::accept_tls(std::move(plain), std::move(context));
    io::stream peer = co_await std::move(accepting);
    for (;;) {
      io::bytes some = co_await peer.read_some();
      if (some.empty()) break;
      peer.write(std::move(some));
      co_await peer.drain();
    }
  } catch (const std::system_error&) {  // the load ends all its connections at once, without a word
  }
}

class server : public troupe::actor<io::listener_events> {
 public:
  server(io::listening_socket listening, io::tls_context context) : context_(std::move(context)) {
    spawn<io::tcp_listener>(std::move(listening), self());
  }
  void on(io::accepted a) { troupe::create_task(echo(std::move(a.connected), context_)); }

 private:
  io::tls_context context_;
};

troupe::coro<int> serve(int port) {
  io::tls_context context(io::tls_server(io::self_signed_identity("localhost")));
  io::listening_socket listening(io::endpoint::loopback(static_cast<std::uint16_t>(port)));
  bench::echo::announce(listening.local().port());
  auto serving = troupe::spawn<server>(std::move(listening), std::move(context));
  co_await troupe::received_signal(SIGTERM);
  co_return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
    bench::echo::list_tls("troupe");
    return 0;
  }
  const int port = bench::echo::wanted_port(argc, argv);
  if (port < 0) {
    std::fprintf(stderr, "usage: bench-troupe-tls echo --port N | --list\n");
    return 2;
  }
  return troupe::run(serve(port));
}
