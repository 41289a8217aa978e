// Servers over TLS: their clients are theirs before, during and after the handshake.
#include <troupe/io/file.hpp>
#include <troupe/io/file_system.hpp>
#include <troupe/io/open_connection.hpp>
#include <troupe/io/send_file.hpp>
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

/// Connects as the only one, and has been answered.
coro<io::stream> first_client(const io::server& to) {
  auto connecting = io::connect_tls(to.local(), "localhost", tls::client_context());
  io::stream client = co_await std::move(connecting);
  client.write("hello\n");
  const std::string line = co_await client.read_line();
  CHECK(line == "hello\n");
  CHECK(to.connections() == 1);
  co_return client;
}

}  // namespace

TEST_CASE("a server over TLS closes its clients, and waits for the last") {
  auto body = []() -> coro<> {
    io::server serving = start_secure_server();
    auto connecting = first_client(serving);
    io::stream client = co_await std::move(connecting);
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

TEST_CASE("a shutdown drops whoever has not shaken hands, and waits for the others only") {
  auto body = []() -> coro<> {
    io::server serving = start_secure_server();
    auto connecting = first_client(serving);
    io::stream client = co_await std::move(connecting);
    peer silent = connect_peer(serving.local().port());
    peer slow = connect_peer(serving.local().port());
    slow.send_now(std::string("\x16\x03\x01\x02", 4));  // the beginning of a record
    co_await poll_until([&] { return serving.connections() == 3; });
    auto ending = create_task(serving.shutdown(1h));
    static_cast<void>(co_await silent.receive_all());
    static_cast<void>(co_await slow.receive_all());
    co_await poll_until([&] { return serving.connections() == 1; });
    client.write("still here\n");
    const std::string line = co_await client.read_line();
    CHECK(line == "still here\n");
    client.close();
    const bool by_itself = co_await ending;
    CHECK(by_itself);
  };
  run_scenario(body());
}

TEST_CASE("a shutdown drops whoever was accepted and has not begun to shake hands") {
  auto body = []() -> coro<> {
    io::server serving = start_secure_server();
    peer silent = connect_peer(serving.local().port());
    while (serving.connections() == 0) co_await sleep(0s);  // its handler may not have begun
    const bool by_itself = co_await serving.shutdown(1h);
    CHECK(by_itself);
    static_cast<void>(co_await silent.receive_all());
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
    auto connecting = first_client(serving);
    io::stream client = co_await std::move(connecting);
    serving.close();
    client.close();
    co_await serving.wait_closed();
  };
  run_scenario(body());
}

TEST_CASE("a client who resets in the midst of its handshake is not reported either") {
  auto body = []() -> coro<> {
    io::server serving = start_secure_server();
    peer leaving = connect_peer(serving.local().port());
    leaving.send_now(std::string("\x16\x03\x01\x02", 4));  // a record of which the rest never comes
    co_await poll_until([&] { return serving.connections() == 1; });
    leaving.reset();
    co_await poll_until([&] { return serving.connections() == 0; });
  };
  run_scenario(body());
}

TEST_CASE("a handler that begins TLS itself learns of the handshakes that fail") {
  auto body = []() -> coro<> {
    std::vector<std::string> failed;
    auto handler = [&failed](io::stream client) -> coro<> {
      const std::string who = client.peer_name();
      try {
        auto accepting = io::accept_tls(std::move(client), tls::server_context());
        co_await echo_lines(co_await std::move(accepting));
      } catch (const io::tls_failure& error) {
        failed.push_back(who + ": " + error.what());
      }
    };
    io::server serving = io::start_server(handler, io::endpoint::loopback(0));
    peer rude = connect_peer(serving.local().port());
    rude.send_now("GET / HTTP/1.1\r\n\r\n");
    static_cast<void>(co_await rude.receive_all());
    co_await poll_until([&] { return failed.size() == 1; });
    CHECK(failed[0].find("127.0.0.1:") == 0);
    CHECK(failed[0].find("plain") != std::string::npos);
    co_await poll_until([&] { return serving.connections() == 0; });
    auto connecting = first_client(serving);
    io::stream client = co_await std::move(connecting);
    CHECK(failed.size() == 1);
  };
  run_scenario(body());
}

TEST_CASE("a file is sent into TLS in its place, and whole") {
  auto body = []() -> coro<> {
    const std::string content = pattern(3'000'000);
    io::temporary name = co_await io::temporary_file();
    co_await io::write_file(name.path(), content);
    auto handler = [&name](io::stream client) -> coro<> {
      io::file opened = co_await io::open_file(name.path());
      client.write("here it comes\n");
      const std::uint64_t sent = co_await io::send_file(client, opened);
      CHECK(sent == 3'000'000);
      client.write("that was it\n");
      client.close();
      co_await client.wait_closed();
    };
    io::server serving =
        io::start_server(io::over_tls(tls::server_context(), handler), io::endpoint::loopback(0));
    auto connecting = io::connect_tls(serving.local(), "localhost", tls::client_context());
    io::stream client = co_await std::move(connecting);
    const io::bytes got = co_await client.read_all();
    CHECK((got.text() == "here it comes\n" + content + "that was it\n"));
  };
  run_scenario(body());
}
