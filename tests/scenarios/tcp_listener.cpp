// Listening: accepted sockets, many of them, and ports in use.
#include <troupe/io/tcp.hpp>

#include "scenarios/echo.hpp"
#include "scenarios/listening.hpp"
#include "scenarios/support.hpp"

#include <cstdint>

using namespace troupe;
using namespace troupe::testing;

namespace {

class echo_host : public actor<io::listener_events> {
 public:
  explicit echo_host(io::listening_socket listening) {
    spawn<io::tcp_listener>(std::move(listening), self());
  }
  void on(io::accepted a) { spawn<echo>(std::move(a.connected)); }
};

}  // namespace

// --- listening sockets ---------------------------------------------------------------------------------------------------

TEST_CASE("a listening socket asked for port 0 says which port it got") {
  const io::listening_socket listening(io::endpoint::loopback(0));
  CHECK(listening.local().port() != 0);
  CHECK(listening.local().address() == "127.0.0.1");
}

TEST_CASE("a port in use is an error that names the endpoint") {
  const io::listening_socket first(io::endpoint::loopback(0));
  const std::system_error error = failure_of_listening(first.local());
  CHECK(error.code() == std::errc::address_in_use);
  CHECK(std::string(error.what()) ==
        "listening on " + first.local().text() + ": Address already in use");
}

TEST_CASE("an address of another machine is an error that names the endpoint") {
  const std::system_error error =
      failure_of_listening(io::endpoint("192.0.2.1", 0));  // nobody's, by RFC 5737
  CHECK(error.code() == std::errc::address_not_available);
  CHECK(std::string(error.what()).find("listening on 192.0.2.1:0: ") == 0);
}

TEST_CASE("a listening socket that failed leaves no descriptor behind") {
  const io::listening_socket first(io::endpoint::loopback(0));
  const std::size_t before = open_descriptors();
  for (int turn = 0; turn < 10; ++turn) failure_of_listening(first.local());
  CHECK(descriptors_come_to(before));
}

TEST_CASE("two listening sockets share a port when both ask for it") {
  const io::listening_socket first(io::endpoint::loopback(0), {.reuse_port = true});
  const io::listening_socket second(first.local(), {.reuse_port = true});
  CHECK(second.local() == first.local());
}

TEST_CASE("an IPv6 socket leaves the IPv4 port of the same number alone") {
  if (!has_ipv6()) {
    WARN("skipped: this machine has no ::1");
    return;
  }
  const io::listening_socket six(io::endpoint("::", 0));
  const std::system_error error = failure_of_listening(io::endpoint("0.0.0.0", six.local().port()));
  // Somebody else may have the port by chance; this socket of ours does not.
  if (error.code() == std::errc::address_in_use) {
    const io::listening_socket again(io::endpoint("::", 0));
    CHECK_FALSE(failure_of_listening(io::endpoint("0.0.0.0", again.local().port())).code());
  } else {
    CHECK_FALSE(error.code());
  }
}

TEST_CASE("the port of a server that closed connections itself can be listened on at once") {
  auto body = []() -> coro<> {
    io::endpoint where;
    {
      reception at;
      where = at.where;
      auto listener = spawn<io::tcp_listener>(std::move(at.listening), at.owner);
      peer guest = connect_peer(where.port());
      co_await poll_until([&] { return at.all.count == 1; });
      at.all.sockets.clear();  // this side closes first and keeps the address waiting
      co_await guest.receive_all();
      guest.close();
      listener.stop();
      co_await turns();
      at.owner.stop();
      co_await turns();
    }
    const std::system_error error = failure_of_listening(where);
    CHECK_FALSE(error.code());
  };
  run_scenario(body());
}

// --- accepting -------------------------------------------------------------------------------------------------------------

TEST_CASE("a listener hands over each connection with the peer's address") {
  auto body = []() -> coro<> {
    reception at;
    spawn<io::tcp_listener>(std::move(at.listening), at.owner);
    peer first = connect_peer(at.where.port());
    peer second = connect_peer(at.where.port());
    co_await poll_until([&] { return at.all.count == 2; });
    CHECK(at.all.sockets[0].local() == at.where);
    sockaddr_in address{};
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(first.native(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    CHECK(at.all.sockets[0].peer() == io::endpoint::loopback(ntohs(address.sin_port)));
    CHECK_FALSE(at.all.sockets[0].peer() == at.all.sockets[1].peer());
    at.all.sockets.clear();
  };
  run_scenario(body());
}

TEST_CASE("dropping an accepted message closes its connection") {
  auto body = []() -> coro<> {
    reception at;
    at.all.keep = false;
    peer guest = connect_peer(at.where.port());
    spawn<io::tcp_listener>(std::move(at.listening), at.owner);
    co_await guest.receive_all();
    CHECK(guest.at_end());
    CHECK(at.all.count == 1);
  };
  run_scenario(body());
}

TEST_CASE("connections accepted for an owner that is dead are closed") {
  auto body = []() -> coro<> {
    reception at;
    spawn<io::tcp_listener>(std::move(at.listening), at.owner);
    at.owner.stop();
    co_await turns();
    peer guest = connect_peer(at.where.port());
    co_await guest.receive_all();
    CHECK(guest.at_end());
    CHECK(at.all.count == 0);
  };
  run_scenario(body());
}

TEST_CASE("stopping a listener frees its port") {
  auto body = []() -> coro<> {
    reception at;
    auto listener = spawn<io::tcp_listener>(std::move(at.listening), at.owner);
    co_await turns();
    listener.stop();
    co_await poll_until([&] { return listener.cell()->state() == internal::cell::life::dead; });
    const std::system_error error = failure_of_listening(at.where);
    CHECK_FALSE(error.code());
  };
  run_scenario(body());
}

TEST_CASE("a listener on another loop hands over connections that work here") {
  auto body = []() -> coro<> {
    reception at;
    auto listener = spawn<io::tcp_listener>(place::on(1), std::move(at.listening), at.owner);
    peer guest = connect_peer(at.where.port());
    co_await poll_until([&] { return at.all.count == 1; });
    spawn<echo>(std::move(at.all.sockets.front()));
    co_await guest.send("hello");
    const std::string got = co_await guest.receive(5);
    CHECK(got == "hello");
  };
  run_scenario(body(), 2);
}

TEST_CASE("a listener on IPv6 accepts") {
  if (!has_ipv6()) {
    WARN("skipped: this machine has no ::1");
    return;
  }
  auto body = []() -> coro<> {
    reception at(io::endpoint("::1", 0));
    spawn<io::tcp_listener>(std::move(at.listening), at.owner);
    const io::socket guest = co_await io::connect(at.where);
    co_await poll_until([&] { return at.all.count == 1; });
    CHECK(at.all.sockets[0].peer() == guest.local());
    CHECK(at.all.sockets[0].peer().is_ipv6());
    at.all.sockets.clear();
  };
  run_scenario(body());
}

TEST_CASE("peers that reset before they are accepted disturb nobody") {
  auto body = []() -> coro<> {
    io::listening_socket listening(io::endpoint::loopback(0));
    const std::uint16_t port = listening.local().port();
    for (int turn = 0; turn < 20; ++turn) connect_peer(port).reset();
    spawn<echo_host>(std::move(listening));
    peer guest = connect_peer(port);
    co_await guest.send("hello");
    const std::string got = co_await guest.receive(5);
    CHECK(got == "hello");
  };
  run_scenario(body());
}

TEST_CASE("a thousand connections at once are all served") {
  auto body = []() -> coro<> {
    io::listening_socket listening(io::endpoint::loopback(0));
    const std::uint16_t port = listening.local().port();
    spawn<echo_host>(std::move(listening));
    std::vector<peer> guests_in;
    for (int index = 0; index < 1000; ++index) {
      guests_in.push_back(connect_peer(port));
      if (index % 100 == 0) co_await turns(3);
    }
    for (std::size_t index = 0; index < guests_in.size(); ++index) {
      co_await guests_in[index].send("hello from " + std::to_string(index));
    }
    std::size_t served = 0;
    for (std::size_t index = 0; index < guests_in.size(); ++index) {
      const std::string wanted = "hello from " + std::to_string(index);
      const std::string got = co_await guests_in[index].receive(wanted.size());
      if (got == wanted) ++served;
      guests_in[index].end_sending();
    }
    CHECK(served == 1000);
    std::size_t ended = 0;
    for (peer& each : guests_in) {
      const std::string rest = co_await each.receive_all();
      if (rest.empty() && each.error() == 0) ++ended;
    }
    CHECK(ended == 1000);
  };
  run_scenario(body());
}
