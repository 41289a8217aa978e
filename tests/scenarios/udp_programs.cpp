// Datagrams to and from other programs, where they are installed, and the example as a program of its own.
#include <troupe/io/udp.hpp>

#include "scenarios/programs.hpp"
#include "scenarios/support.hpp"

#include <signal.h>

#include <string>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Takes a datagram from a program and answers it.
coro<> hold_conversation(io::udp_socket& socket, real_program& other) {
  other.say("hello\n");
  const io::datagram got = co_await socket.receive();
  CHECK(got.content.text() == "hello\n");
  co_await socket.send_to("answer\n", got.from);
  co_await other.until("answer\n");
  CHECK(other.said() == "answer\n");
}

}  // namespace

TEST_CASE("nc talks to a UDP socket") {
  if (lacks("nc")) return;
  auto body = []() -> coro<> {
    io::udp_socket socket(io::endpoint::loopback(0));
    real_program other({"nc", "-u", "127.0.0.1", std::to_string(socket.local().port())});
    co_await hold_conversation(socket, other);
  };
  run_scenario(body());
}

TEST_CASE("socat talks to a UDP socket") {
  if (lacks("socat")) return;
  auto body = []() -> coro<> {
    io::udp_socket socket(io::endpoint::loopback(0));
    real_program other({"socat", "-", "UDP4:127.0.0.1:" + std::to_string(socket.local().port())});
    co_await hold_conversation(socket, other);
  };
  run_scenario(body());
}

TEST_CASE("an echo server in Python's asyncio answers a UDP socket") {
  if (lacks("python3")) return;
  auto body = []() -> coro<> {
    real_program server(
        {"python3", "-c",
         "import asyncio\n"
         "class Echo(asyncio.DatagramProtocol):\n"
         "    def connection_made(self, transport): self.transport = transport\n"
         "    def datagram_received(self, data, addr): self.transport.sendto(data, addr)\n"
         "async def main():\n"
         "    loop = asyncio.get_running_loop()\n"
         "    t, _ = await loop.create_datagram_endpoint(Echo, local_addr=('127.0.0.1', 0))\n"
         "    print(t.get_extra_info('sockname')[1], flush=True)\n"
         "    await asyncio.Event().wait()\n"
         "asyncio.run(main())\n"});
    co_await server.until("\n");
    REQUIRE_FALSE(server.said().empty());
    io::udp_socket client = io::udp_socket::connected(
        io::endpoint::loopback(static_cast<std::uint16_t>(std::stoi(server.said()))));
    for (const std::size_t size : {std::size_t{1}, std::size_t{1400}, std::size_t{65507}}) {
      const std::string sent = pattern(size);
      co_await client.send(sent);
      const io::datagram got = co_await client.receive();
      CHECK(same(got.content.text(), sent));
    }
  };
  run_scenario(body());
}

TEST_CASE("udp_ping as a server answers udp_ping as a client, and ends when it is interrupted") {
  auto body = []() -> coro<> {
    real_program server({TROUPE_EXAMPLES "/udp_ping", "server", "localhost:0"});
    co_await server.until("\n");
    const std::string intro = "answering on ";
    REQUIRE(server.said().find(intro) == 0);
    const std::string where =
        server.said().substr(intro.size(), server.said().size() - intro.size() - 1);
    real_program client({TROUPE_EXAMPLES "/udp_ping", "client", where});
    co_await client.until("us\n");
    CHECK(client.said().find("50 datagrams sent to " + where) == 0);
    CHECK(client.said().find("round trip min/avg/max") != std::string::npos);
    server.send(SIGINT);
    co_await server.until("nothing more");
  };
  run_scenario(body());
}
