// A proxy: what comes from a client goes to a server and back, both ways at once, each half ended by itself. A slow side slows the other:
// nothing piles up in between.
// Run: tcp_proxy                          a server, the proxy and a client in one process
//      tcp_proxy LISTEN TARGET            such as 127.0.0.1:8000 127.0.0.1:8888, until Ctrl-C
// Prints: bytes each way of each connection.
#include <troupe/io/open_connection.hpp>
#include <troupe/io/server.hpp>
#include <troupe/troupe.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string>
#include <system_error>

namespace io = troupe::io;

// [pump]
/// One direction: passes on what comes until the end, and then the end. Returns how many bytes it was.
troupe::coro<std::size_t> pump(io::stream& from, io::stream& to) {
  std::size_t passed = 0;
  std::array<std::byte, 16384> room;
  while (const std::size_t got = co_await from.read_some(std::span(room))) {
    to.write(std::span<const std::byte>(room).first(got));
    co_await to.drain();
    passed += got;
  }
  to.write_eof();
  co_return passed;
}

/// One connection. When one direction fails the other is cancelled, and both streams go.
troupe::coro<> relay(io::stream client, io::endpoint target) {
  const std::string who = client.peer_name();
  io::stream server = co_await io::open_connection(target);
  auto both = co_await troupe::gather(pump(client, server), pump(server, client));
  std::printf("%s: %zu bytes there, %zu back\n", who.c_str(), std::get<0>(both), std::get<1>(both));
}
// [/pump]

io::server start_proxy(io::endpoint listen, io::endpoint target) {
  auto handler = [target](io::stream client) -> troupe::coro<> {
    try {
      co_await relay(std::move(client), target);
    } catch (const std::system_error& error) {
      std::printf("a connection failed: %s\n", error.what());
    }
  };
  return io::start_server(handler, listen);
}

/// Answers a request of any length, once it has come whole, with its letters in capitals.
troupe::coro<> shout(io::stream client) {
  const io::bytes request = co_await client.read_all();
  std::string answer(request.text());
  for (char& letter : answer)
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  client.write(answer);
}

troupe::coro<int> demonstrate() {
  io::server target = io::start_server(shout, io::endpoint::loopback(0));
  io::server proxy = start_proxy(io::endpoint::loopback(0), target.local());
  io::stream client = co_await io::open_connection(proxy.local());
  std::string request;
  while (request.size() < 1'000'000) request += "through the proxy ";
  client.write(request);
  client.write_eof();  // the proxy passes on the end as well, so the answer comes
  const io::bytes answer = co_await client.read_all();
  const bool whole = answer.size() == request.size() && answer.text().starts_with("THROUGH THE");
  client.close();
  co_await proxy.shutdown(std::chrono::seconds(30));
  co_await target.shutdown(std::chrono::seconds(30));
  std::printf("%zu bytes came back %s\n", answer.size(), whole ? "in capitals" : "WRONG");
  co_return whole ? 0 : 1;
}

troupe::coro<int> serve(std::string listen, std::string target) {
  io::server proxy = start_proxy(io::endpoint::parse(listen), io::endpoint::parse(target));
  std::printf("from %s to %s\n", proxy.name().c_str(), target.c_str());
  std::fflush(stdout);
  co_await proxy.serve_forever();
  co_return 0;
}

int main(int argc, char** argv) {
  if (argc != 1 && argc != 3) {
    std::fprintf(stderr, "usage: tcp_proxy [LISTEN TARGET]\n");
    return 2;
  }
  return troupe::run_main(argc == 1 ? demonstrate() : serve(argv[1], argv[2]));
}
