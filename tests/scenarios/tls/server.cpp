// Servers over TLS: their clients are theirs before, during and after the handshake.
#include <troupe/io/open_connection.hpp>
#include <troupe/io/server.hpp>

#include "io/tls/support.hpp"
#include "scenarios/support.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

coro<> echo_lines(io::stream client) {
  while (auto line = co_await client.next_line()) {
    client.write(*line, "\n");
    co_await client.drain();
  }
}

io::server start_secure_server() {
  return io::start_server(io::over_tls(tls::server_context(), echo_lines),
                          io::endpoint::loopback(0));
}

coro<io::stream> secure_client(const io::server& to) {
  auto connecting = io::connect_tls(to.local(), "localhost", tls::client_context());
  co_return co_await std::move(connecting);
}

}  // namespace

TEST_CASE("a server over TLS closes its clients, and waits for the last") {
  auto body = []() -> coro<> {
    io::server serving = start_secure_server();
    auto connecting = secure_client(serving);
    io::stream client = co_await std::move(connecting);
    client.write("hello\n");
    const std::string line = co_await client.read_line();
    CHECK(line == "hello\n");
    CHECK(serving.connections() == 1);
    serving.close();
    auto waiting = create_task(serving.wait_closed());
    co_await turns();
    CHECK_FALSE(waiting.done());
    serving.close_clients();
    const io::bytes rest = co_await client.read_all();  // the end was told, so it is no truncation
    CHECK(rest.empty());
    client.close();
    co_await waiting;
    CHECK(serving.connections() == 0);
  };
  run_scenario(body());
}

TEST_CASE("clients who never shake hands are cut off with the rest, and garbage is not reported") {
  auto body = []() -> coro<> {
    io::server serving = start_secure_server();
    peer silent = connect_peer(serving.local().port());
    peer rude = connect_peer(serving.local().port());
    rude.send_now("GET / HTTP/1.1\r\n\r\n");
    static_cast<void>(co_await rude.receive_all());
    co_await poll_until([&] { return serving.connections() == 1; });
    serving.close_clients();
    static_cast<void>(co_await silent.receive_all());
    co_await poll_until([&] { return serving.connections() == 0; });
  };
  run_scenario(body());
}

TEST_CASE("a stream that was handed on may begin TLS after its handler has ended") {
  auto body = []() -> coro<> {
    auto handler = [](io::stream client) {
      create_task([](io::stream handed) -> coro<> {
        auto accepting = io::accept_tls(std::move(handed), tls::server_context());
        io::stream secure = co_await std::move(accepting);
        co_await echo_lines(std::move(secure));
      }(std::move(client)));
    };
    io::server serving = io::start_server(handler, io::endpoint::loopback(0));
    auto connecting = secure_client(serving);
    io::stream client = co_await std::move(connecting);
    client.write("hello\n");
    const std::string line = co_await client.read_line();
    CHECK(line == "hello\n");
    CHECK(serving.connections() == 1);
    serving.close();
    client.close();
    co_await serving.wait_closed();
  };
  run_scenario(body());
}
