// The echo server of the asyncio documentation as coroutines: a handler per connection, and a client that talks to it.
// echo_server.cpp is the same with actors.
// Run: echo_stream               server and client in one process, one message
//      echo_stream --serve       only the server, on 127.0.0.1:8888, until Ctrl-C
// Try: nc 127.0.0.1 8888
// Prints: what each side received and sent.
#include <troupe/io/open_connection.hpp>
#include <troupe/io/server.hpp>
#include <troupe/troupe.hpp>

#include <cstdio>
#include <cstring>
#include <string>

namespace io = troupe::io;

// [server]
/// Serves one connection: lines come back until the client has said all.
troupe::coro<> echo(io::stream client) {
  while (auto line = co_await client.next_line()) {
    std::printf("server: received \"%s\" from %s\n", line->c_str(), client.peer_name().c_str());
    client.write(*line, "\n");
    co_await client.drain();
  }
}
// [/server]

// [client]
troupe::coro<> talk(io::endpoint where) {
  io::stream server = co_await io::open_connection(where);
  server.write("Hello World!\n");
  const std::string answer = co_await server.read_line();
  std::printf("client: received \"%s\"\n", answer.substr(0, answer.size() - 1).c_str());
}
// [/client]

troupe::coro<int> amain(bool serve) {
  io::server serving = io::start_server(echo, io::endpoint::loopback(serve ? 8888 : 0));
  if (serve) {
    std::printf("serving on %s\n", serving.name().c_str());
    std::fflush(stdout);
    co_await serving.serve_forever();
  }
  co_await talk(serving.local());
  co_await serving.shutdown(std::chrono::seconds(5));
  std::printf("the server is closed\n");
  co_return 0;
}

int main(int argc, char** argv) {
  const bool serve = argc == 2 && std::strcmp(argv[1], "--serve") == 0;
  if (argc > 1 && !serve) {
    std::fprintf(stderr, "usage: echo_stream [--serve]\n");
    return 2;
  }
  return troupe::run_main(amain(serve));
}
