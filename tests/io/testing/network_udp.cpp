// Datagrams over the simulated network.
#include <troupe/actors/testing/probe.hpp>
#include <troupe/io/udp.hpp>
#include <troupe/io/udp_actor.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/event.hpp>
#include <troupe/runtime/timeout.hpp>

#include "io/testing/support.hpp"

#include <map>
#include <optional>
#include <set>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::networks;

namespace {

const io::endpoint there("127.0.0.2", 53);

coro<std::string> received(io::udp_socket& by) {
  const io::datagram next = co_await by.receive();
  co_return std::string(next.content.text());
}

coro<std::optional<std::string>> received_in(duration limit, io::udp_socket& by) {
  try {
    std::string text = co_await timeout(limit, received(by));
    co_return text;
  } catch (const timeout_error&) {
    co_return std::nullopt;
  }
}

}  // namespace

TEST_CASE("datagrams arrive whole, with who has sent them, and in order") {
  naturally([](network&) -> coro<> {
    io::udp_socket server(there);
    io::udp_socket client(io::endpoint::loopback(0));
    for (const std::string_view each : {"one", "", "three"}) co_await client.send_to(each, there);
    io::datagram next = co_await server.receive();
    CHECK(next.content.text() == "one");
    CHECK(next.from == client.local());
    next = co_await server.receive();
    CHECK(next.content.empty());
    co_await server.send_to("answer", next.from);
    next = co_await client.receive();
    CHECK(next.content.text() == "answer");
    CHECK(next.from == there);
  });
}

TEST_CASE("a datagram longer than wanted is truncated, and one longer than can be is refused") {
  naturally([](network&) -> coro<> {
    const io::udp_options few{.largest = 4};
    io::udp_socket server(there, few);
    io::udp_socket client = io::udp_socket::connected(there);
    co_await client.send("much more");
    const io::datagram next = co_await server.receive();
    CHECK(next.content.text() == "much");
    CHECK(next.truncated());
    const std::string long_one(65'508, 'x');
    std::error_code error;
    try {
      co_await client.send(long_one);
    } catch (const std::system_error& refused) {
      error = refused.code();
    }
    CHECK(error == std::errc::message_size);
  });
}

TEST_CASE("who is connected hears that nobody is there, and nobody else does") {
  naturally([](network&) -> coro<> {
    io::udp_socket client = io::udp_socket::connected(there);
    co_await client.send("anybody?");
    auto waiting = received(client);
    const std::error_code error = co_await error_of(std::move(waiting));
    CHECK(error == std::errc::connection_refused);
    io::udp_socket server(there);
    co_await client.send("now?");
    const std::string heard = co_await received(server);
    CHECK(heard == "now?");
    io::udp_socket other(io::endpoint::loopback(0));
    co_await other.send_to("anybody?", io::endpoint("127.0.0.3", 1));
    const auto nothing = co_await received_in(10s, other);
    CHECK_FALSE(nothing);
  });
}

TEST_CASE("what is not received in time is dropped, and counted") {
  naturally(
      [](network& net) -> coro<> {
        io::udp_socket server(there);
        io::udp_socket client(io::endpoint::loopback(0));
        auto first = create_task(received(server));
        for (int each = 0; each < 100; ++each) {
          co_await client.send_to("0123456789012345678901234567890123456789", there);
          co_await sleep(1ms);
        }
        CHECK(server.dropped() > 50);
        CHECK(server.dropped() == net.traffic().lost);
        co_await first;
      },
      {.receive_buffer = 2'000});
}

TEST_CASE("a connected socket hears its peer alone") {
  naturally([](network&) -> coro<> {
    io::udp_socket server(there);
    io::udp_socket client = io::udp_socket::connected(there);
    const io::endpoint mine = client.local();
    CHECK(mine.address() == "127.0.0.1");
    io::udp_socket stranger(io::endpoint::loopback(0));
    co_await stranger.send_to("from a stranger", mine);
    co_await server.send_to("from the peer", mine);
    const std::string heard = co_await received(client);
    CHECK(heard == "from the peer");
  });
}

TEST_CASE("over a partition datagrams are lost, and not kept") {
  naturally([](network& net) -> coro<> {
    io::udp_socket server(there);
    io::udp_socket client(io::endpoint::loopback(0));
    net.partition("127.0.0.1", "127.0.0.2");
    co_await client.send_to("lost", there);
    auto heard = co_await received_in(5s, server);
    CHECK_FALSE(heard);
    net.heal();
    co_await client.send_to("found", there);
    heard = co_await received_in(5s, server);
    CHECK(heard == "found");
    CHECK(net.traffic().lost == 1);
  });
}

TEST_CASE("a link loses, doubles and delays the shares of datagrams that it is told to") {
  const network_options how{.link = {.loss = 0.2, .duplication = 0.1, .reordering = 0.1},
                            .short_transfers = false};
  by_seed(
      7,
      [](network& net) -> coro<> {
        io::udp_socket server(there);
        io::udp_socket client(io::endpoint::loopback(0));
        std::map<std::string, int> times;
        std::vector<int> order;
        for (int each = 0; each < 1'000; ++each) {
          co_await client.send_to(std::to_string(each), there);
          while (const auto heard = co_await received_in(1ms, server)) {
            ++times[*heard];
            order.push_back(std::stoi(*heard));
          }
        }
        CHECK(net.traffic().lost > 150);
        CHECK(net.traffic().lost < 250);
        CHECK(net.traffic().duplicated > 50);
        CHECK(net.traffic().duplicated < 130);
        CHECK(times.size() > 750);
        CHECK(times.size() + net.traffic().lost >= 990);
        CHECK_FALSE(std::is_sorted(order.begin(), order.end()));
      },
      how);
}

TEST_CASE("an actor of datagrams works over the simulated network") {
  naturally([](network&) -> coro<> {
    probe<io::udp::events> owner;
    auto port = spawn<io::udp_actor>(io::udp_socket(there), owner.ref());
    port.tell(io::udp::demand{1});
    io::udp_socket client = io::udp_socket::connected(there);
    co_await client.send("hello");
    const auto got = co_await owner.expect<io::udp::received>();
    CHECK(got.message.content.text() == "hello");
    co_await port.ask(io::udp::send(io::bytes("hello yourself"), got.message.from));
    const std::string heard = co_await received(client);
    CHECK(heard == "hello yourself");
    port.tell(io::udp::close{});
    co_await owner.expect<io::udp::closed>();
  });
}

// --- bugs -------------------------------------------------------------------------------------------------------------

namespace {

/// Adds what it is told and answers with the sum. The planted bug adds again what comes again.
coro<> adds(io::udp_socket server, bool mended, int& sum) {
  std::set<std::string> known;
  for (;;) {
    const io::datagram next = co_await server.receive();
    const std::string what(next.content.text());
    const bool is_new = known.insert(what).second;
    if (is_new || !mended) sum += std::stoi(what.substr(what.find(' ')));
    co_await server.send_to(what, next.from);
  }
}

/// Says it until it is answered.
coro<> tell(io::udp_socket& over, std::string what) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    co_await over.send(what);
    for (;;) {
      const auto heard = co_await received_in(1s, over);
      if (!heard) break;
      if (*heard == what) co_return;  // and not what was answered before
    }
  }
  throw std::runtime_error("no answer");
}

}  // namespace

TEST_CASE(
    "a protocol of datagrams that is not idempotent is found out by their loss and doubling") {
  const auto scenario = [](bool mended, std::size_t faults) {
    return [=](simulation& world) -> coro<> {
      network net(world, {.faults = faults});
      int sum = 0;
      auto server = create_task(adds(io::udp_socket(there), mended, sum));
      io::udp_socket client = io::udp_socket::connected(there);
      for (const char* const each : {"1: 10", "2: 20", "3: 30"}) co_await tell(client, each);
      co_await sleep(1s);
      server.cancel();
      expect(sum == 60, "the sum is " + std::to_string(sum));
    };
  };
  CHECK(finds({.schedules = 1'000}, "the sum is", scenario(false, 1), "is lost"));
  explore({.schedules = 200}, scenario(false, 0));
  explore({.schedules = 400}, scenario(true, 4));
}
