// Datagrams over real sockets: sent, received, dropped.
#include <troupe/io/udp.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/timeout.hpp>

#include "scenarios/datagrams.hpp"
#include "scenarios/support.hpp"

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("datagrams arrive whole, each by itself, with where they came from") {
  auto body = []() -> coro<> {
    io::udp_socket one(anywhere);
    io::udp_socket other(anywhere);
    for (const char* text : {"first", "", "a third one"}) co_await one.send_to(text, other.local());
    for (const char* text : {"first", "", "a third one"}) {
      const io::datagram got = co_await other.receive();
      CHECK(got.content.text() == text);
      CHECK(got.size == std::string(text).size());
      CHECK_FALSE(got.truncated());
      CHECK(got.from == one.local());
    }
    auto waiting = create_task(text_from(one));
    co_await turns();
    CHECK_FALSE(waiting.done());
    co_await other.send_to("back", one.local());
    const std::string back = co_await waiting;
    CHECK(back == "back");
  };
  run_scenario(body());
}

TEST_CASE("datagrams travel over IPv6") {
  if (!has_ipv6()) {
    WARN("skipped: this machine has no ::1");
    return;
  }
  auto body = []() -> coro<> {
    io::udp_socket one(io::endpoint("::1", 0));
    io::udp_socket other = io::udp_socket::connected(one.local());
    const std::string much = pattern(65527);
    co_await other.send(much);
    const io::datagram got = co_await one.receive();
    CHECK(same(got.content.text(), much));
    CHECK(got.from == other.local());
    const wait_end result = co_await ending_of(send_text(other, pattern(65528)));
    CHECK(result.error == std::errc::message_size);
    one.set_multicast_ttl(2);
    one.set_multicast_loopback(false);
    one.set_ttl(3);
    one.set_multicast_interface("lo");
  };
  run_scenario(body());
}

TEST_CASE("a connected socket has one peer") {
  auto body = []() -> coro<> {
    io::udp_socket server(anywhere);
    io::udp_socket stranger(anywhere);
    io::udp_socket client = io::udp_socket::connected(server.local());
    CHECK(client.peer() == server.local());
    CHECK_FALSE(server.peer());
    co_await client.send("hello");
    const io::datagram got = co_await server.receive();
    co_await stranger.send_to("not for you", client.local());
    co_await server.send_to("welcome", got.from);
    const std::string answer = co_await text_from(client);
    CHECK(answer == "welcome");
  };
  run_scenario(body());
}

TEST_CASE("a datagram longer than a socket takes is cut off, and says how long it was") {
  auto body = []() -> coro<> {
    io::udp_socket small(anywhere, {.largest = 10});
    io::udp_socket other(anywhere);
    co_await other.send_to("0123456789", small.local());
    co_await other.send_to("0123456789+", small.local());
    co_await other.send_to(pattern(60'000), small.local());
    const io::datagram whole = co_await small.receive();
    CHECK_FALSE(whole.truncated());
    const io::datagram cut = co_await small.receive();
    CHECK(cut.truncated());
    CHECK(cut.content.text() == "0123456789");
    CHECK(cut.size == 11);
    const io::datagram much = co_await small.receive();
    CHECK(much.size == 60'000);
    CHECK(much.content.size() == 10);
  };
  run_scenario(body());
}

TEST_CASE("the longest datagram arrives, and a longer one is refused in words") {
  auto body = []() -> coro<> {
    io::udp_socket one(anywhere);
    io::udp_socket other(anywhere);
    const std::string much = pattern(65507);
    co_await one.send_to(much, other.local());
    const std::string got = co_await text_from(other);
    CHECK(same(got, much));
    const wait_end result = co_await ending_of(send_text(one, pattern(65508), other.local()));
    CHECK(result.error == std::errc::message_size);
    CHECK(result.text == "sending 65508 bytes to " + other.local().text() +
                             ": a datagram holds 65507 at most: Message too long");
  };
  run_scenario(body());
}

TEST_CASE("sending where a socket cannot send says why") {
  auto body = []() -> coro<> {
    io::udp_socket one(anywhere);
    wait_end result = co_await ending_of(send_text(one, "x", io::endpoint("::1", 9)));
    CHECK(result.error == std::errc::address_family_not_supported);
    CHECK(result.text.find("sending 1 bytes to [::1]:9 over a socket for IPv4") == 0);
    result = co_await ending_of(send_text(one, "x"));
    CHECK(result.error == std::errc::destination_address_required);
    result = co_await ending_of(send_text(one, "x", io::endpoint("127.255.255.255", 9)));
    CHECK(result.error == std::errc::permission_denied);
    CHECK(error_of([&] { one.connect(io::endpoint("::1", 9)); }).code() ==
          std::errc::address_family_not_supported);
  };
  run_scenario(body());
}

TEST_CASE("a broadcast reaches those who listen for it") {
  auto body = []() -> coro<> {
    io::udp_socket everywhere(io::endpoint("0.0.0.0", 0));
    io::udp_socket sender(anywhere);
    sender.set_broadcast(true);
    co_await sender.send_to("to all", io::endpoint("127.255.255.255", everywhere.local().port()));
    const std::string got = co_await text_from(everywhere);
    CHECK(got == "to all");
  };
  run_scenario(body());
}

TEST_CASE("that nobody listens is told by a receive, and the socket goes on") {
  auto body = []() -> coro<> {
    const io::endpoint there = deaf_udp_port();
    io::udp_socket client = io::udp_socket::connected(there);
    auto waiting = create_task(ending_of(text_from(client)));
    co_await turns();
    co_await client.send("anybody?");
    const wait_end result = co_await waiting;
    CHECK(result.error == std::errc::connection_refused);
    CHECK(result.text == "receiving: nobody listens on " + there.text() + ": Connection refused");
    io::udp_socket server(there);
    co_await client.send("now?");
    const io::datagram got = co_await server.receive();
    co_await server.send_to("yes", got.from);
    const std::string answer = co_await text_from(client);
    CHECK(answer == "yes");
  };
  run_scenario(body());
}

TEST_CASE("that nobody listens is told by a send when nobody receives") {
  auto body = []() -> coro<> {
    io::udp_socket client = io::udp_socket::connected(deaf_udp_port());
    co_await client.send("anybody?");
    co_await turns();
    const wait_end result = co_await ending_of(send_text(client, "hello?"));
    CHECK(result.error == std::errc::connection_refused);
  };
  run_scenario(body());
}

TEST_CASE("a receive that is cancelled, or out of time, takes nothing") {
  auto body = []() -> coro<> {
    io::udp_socket one(anywhere);
    io::udp_socket other(anywhere);
    for (int turn = 0; turn < 1000; ++turn) {
      auto waiting = create_task(text_from(one));
      for (int round = 0; round < turn % 3 + 1; ++round) co_await sleep(0s);
      waiting.cancel();
      co_await other.send_to(std::to_string(turn), one.local());
      CHECK_THROWS_AS(co_await waiting, cancelled);
      CHECK_THROWS_AS(co_await timeout(0s,
                                       [](io::udp_socket& of) -> coro<> {
                                         co_await sleep(0s);
                                         co_await of.receive();
                                       }(one)),
                      timeout_error);
      const std::string got = co_await text_from(one);
      CHECK(got == std::to_string(turn));
    }
  };
  run_scenario(body());
}

TEST_CASE("no datagram is lost or doubled when its receiver is cancelled at any moment") {
  auto body = []() -> coro<> {
    io::udp_socket one(anywhere);
    io::udp_socket other(anywhere);
    struct receiver {
      static coro<> run(io::udp_socket& from, std::vector<int>& got) {
        for (;;) {
          const std::string text = co_await text_from(from);
          got.push_back(std::atoi(text.c_str()));
          if (got.back() % 3 == 0) co_await sleep(0s);
        }
      }
    };
    std::vector<int> got;
    constexpr int count = 3000;
    unsigned random = 1;
    int sent = 0;
    while (sent != count) {
      auto receiving = create_task(receiver::run(one, got));
      random = random * 1103515245 + 12345;
      const int more = static_cast<int>(random >> 16) % 40;
      for (int index = 0; index < more && sent != count; ++index) {
        co_await other.send_to(std::to_string(sent++), one.local());
        if (index % 7 == 0) co_await sleep(0s);
      }
      // The system keeps some two hundred; it is not to drop any here.
      while (static_cast<std::size_t>(sent) - got.size() > 100) co_await sleep(0s);
      receiving.cancel();
      CHECK_THROWS_AS(co_await receiving, cancelled);
    }
    auto last = create_task(receiver::run(one, got));
    co_await poll_until([&got] { return got.size() >= count; });
    last.cancel();
    REQUIRE(got.size() == count);
    for (int index = 0; index < count; ++index)
      CHECK(got[static_cast<std::size_t>(index)] == index);
  };
  run_scenario(body());
}

TEST_CASE(
    "what a socket's buffer does not hold is dropped and counted, and the rest comes in order") {
  auto body = []() -> coro<> {
    io::udp_socket one(anywhere, {.receive_buffer = 16'384});
    io::udp_socket other(anywhere);
    constexpr std::uint64_t count = 1000;
    for (std::uint64_t index = 0; index < count; ++index) {
      const std::string text = std::to_string(index) + std::string(200, ' ');
      co_await other.send_to(text, one.local());
    }
    const std::uint64_t dropped = one.dropped();
    CHECK(dropped > 0);
    CHECK(dropped < count);
    for (std::uint64_t index = 0; index < count - dropped; ++index) {
      const std::string got = co_await text_from(one);
      CHECK(std::strtoull(got.c_str(), nullptr, 10) == index);
    }
    auto waiting = create_task(text_from(one));
    co_await turns();
    CHECK_FALSE(waiting.done());
    waiting.cancel();
    CHECK_THROWS_AS(co_await waiting, cancelled);
  };
  run_scenario(body());
}

TEST_CASE("a receiver that is flooded lets others run") {
  auto body = []() -> coro<> {
    io::udp_socket one(anywhere);
    io::udp_socket other(anywhere);
    constexpr int count = 150;
    for (int index = 0; index < count; ++index) co_await other.send_to("x", one.local());
    bool others_ran = false;
    loop::current()->call_soon([&others_ran] { others_ran = true; });
    int before_others = 0;
    for (int index = 0; index < count; ++index) {
      const std::string got = co_await text_from(one);
      if (!others_ran) ++before_others;
    }
    CHECK(others_ran);
    CHECK(before_others < count);
    CHECK(before_others > 10);  // but it does not wait for each
  };
  run_scenario(body());
}
