// TCP over the simulated network: what programs see of it, in the natural order and in others.
#include <troupe/io/connect.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/event.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/on.hpp>
#include <troupe/runtime/timeout.hpp>

#include "io/stream_contract.hpp"
#include "io/testing/support.hpp"

#include <optional>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::networks;

namespace {

coro<> echo_to(io::endpoint where, int lines) {
  io::stream peer = co_await io::open_connection(where);
  for (int each = 0; each < lines; ++each) {
    const std::string said = "line " + std::to_string(each);
    const std::string heard = co_await ask(peer, said);
    expect(heard == said + "\n", "heard '" + heard + "' and not '" + said + "'");
  }
}

coro<> echoes(int clients, int lines) {
  io::server serving = io::start_server(echo, io::endpoint::loopback(7));
  std::vector<task<>> all;
  for (int each = 0; each < clients; ++each)
    all.push_back(create_task(echo_to(serving.local(), lines)));
  for (const task<>& each : all) co_await each;
  serving.close();
  co_await serving.wait_closed();
}

/// Two streams that lead to each other over the network.
coro<streams::ends> pair(io::stream_options options) {
  io::listening_socket listening(io::endpoint::loopback(0));
  const io::endpoint where = listening.local();
  std::optional<io::stream> accepted;
  event there;
  io::server serving = io::start_server(
      [&](io::stream client) {
        accepted.emplace(std::move(client));
        there.set();
      },
      std::move(listening), {.stream = options});
  io::stream made = co_await io::open_connection(where, options);
  co_await there.wait();
  co_return streams::ends(std::move(made), std::move(*accepted));
}

}  // namespace

TEST_CASE("a server and its clients run over the simulated network unchanged") {
  naturally([](network&) { return echoes(3, 5); });
}

TEST_CASE("an echo server answers each client by itself in each of many orders") {
  const exploration done = explore({.schedules = 200}, [](simulation& world) -> coro<> {
    network net(world);
    co_await echoes(3, 3);
  });
  CHECK(done.schedules == 200);
}

TEST_CASE("the same seed makes the same run of a network, and another seed another") {
  const auto scenario = [](network&) { return echoes(4, 4); };
  const std::uint64_t hash = by_seed(5, scenario);
  CHECK(by_seed(5, scenario) == hash);
  CHECK(by_seed(6, scenario) != hash);
}

TEST_CASE("the contract of streams holds over the simulated network") {
  naturally([](network&) { return streams::contract(pair); });
}
TEST_CASE("the contract of streams holds over links that take time") {
  const network_options how{.link = {.latency = 300us, .jitter = 200us}};
  naturally([](network&) { return streams::contract(pair); }, how);
}
TEST_CASE(
    "the contract of streams holds where reads and writes are short and turns are taken at "
    "random") {
  for (const std::uint64_t seed : {1, 2, 3}) {
    by_seed(seed,
            [](network&) { return streams::contract(pair, {.much = 400'000, .size = 30'000}); });
  }
}

TEST_CASE("a connection is refused where nobody listens, and unreachable where nobody is") {
  naturally([](network&) -> coro<> {
    auto refused = io::connect(io::endpoint::loopback(99));
    std::error_code error = co_await error_of(std::move(refused));
    CHECK(error == std::errc::connection_refused);
    auto unreachable = io::connect(io::endpoint("10.0.0.9", 99));
    error = co_await error_of(std::move(unreachable));
    CHECK(error == std::errc::network_unreachable);
    auto other = io::connect(io::endpoint("::1", 99));
    error = co_await error_of(std::move(other));
    CHECK(error == std::errc::connection_refused);
  });
}

TEST_CASE("ports are given in a fixed order, and none twice") {
  naturally([](network&) -> coro<> {
    const io::listening_socket one(io::endpoint::loopback(0));
    const io::listening_socket two(io::endpoint("0.0.0.0", 0));
    CHECK(one.local().port() == 32768);
    CHECK(two.local().port() == 32769);
    CHECK_THROWS_AS(io::listening_socket(one.local()), std::system_error);
    CHECK_THROWS_AS(io::listening_socket(io::endpoint("0.0.0.0", 32768)), std::system_error);
    CHECK_THROWS_AS(io::listening_socket(io::endpoint("10.1.1.1", 80)), std::system_error);
    CHECK_NOTHROW(io::listening_socket(io::endpoint("127.0.0.2", 32768)));
    CHECK_NOTHROW(io::listening_socket(io::endpoint("::1", 32768)));
    const io::listen_options shared{.reuse_port = true};
    const io::listening_socket three(io::endpoint::loopback(80), shared);
    CHECK_NOTHROW(io::listening_socket(io::endpoint::loopback(80), shared));
    co_return;
  });
}

TEST_CASE("who connects while the backlog is full tries again until there is room") {
  naturally([](network&) -> coro<> {
    const io::listen_options narrow{.backlog = 1};
    io::server_options idle;
    idle.start_serving = false;
    io::server serving =
        io::start_server(echo, io::listening_socket(io::endpoint::loopback(7), narrow), idle);
    std::vector<task<io::socket>> all;
    for (int each = 0; each < 4; ++each)
      all.push_back(create_task(io::connect(io::endpoint::loopback(7))));
    co_await sleep(10s);
    std::size_t connected = 0;
    for (const task<io::socket>& each : all) connected += each.done() ? 1U : 0U;
    CHECK(connected == 2);
    serving.start_serving();
    for (const task<io::socket>& each : all) co_await each;
  });
}

TEST_CASE("a server that closes resets who waits to be accepted") {
  naturally([](network&) -> coro<> {
    io::server_options idle;
    idle.start_serving = false;
    io::server serving = io::start_server(echo, io::endpoint::loopback(7), idle);
    io::stream client = co_await io::open_connection(serving.local());
    serving.close();
    auto reading = ask(client, "is anybody there?");
    const std::error_code error = co_await error_of(std::move(reading));
    CHECK(error == std::errc::connection_reset);
  });
}

TEST_CASE("each loop can be a machine with an address of its own") {
  const auto scenario = [](network& net) -> coro<> {
    net.place(0, "10.0.0.1");
    net.place(1, "10.0.0.2");
    net.place(1, "fd00::2");
    io::server serving = io::start_server(
        [](io::stream client) -> coro<> {
          const std::string seen = client.peer_name();
          client.write(seen.substr(0, seen.rfind(':')), "\n");
          co_return;
        },
        io::endpoint("0.0.0.0", 80));
    auto asking = []() -> coro<std::string> {
      io::stream one = co_await io::open_connection(io::endpoint("10.0.0.1", 80));
      const std::string said = co_await one.read_line();
      co_return said;
    };
    std::string seen = co_await on(runtime::current()->loop_at(1), asking());
    CHECK(seen == "10.0.0.2\n");
    seen = co_await asking();
    CHECK(seen == "10.0.0.1\n");
    // What listens on one's own loopback nobody else can reach.
    auto elsewhere = io::connect(io::endpoint::loopback(80));
    auto from_there = error_of(std::move(elsewhere));
    const std::error_code error =
        co_await on(runtime::current()->loop_at(1), std::move(from_there));
    CHECK(error == std::errc::connection_refused);
  };
  naturally(scenario, {}, 2);
  naturally(scenario, {.link = {.latency = 1ms}}, 2);
}

TEST_CASE("a round trip takes twice the latency, and connecting as long") {
  naturally(
      [](network& net) -> coro<> {
        io::server serving = io::start_server(echo, io::endpoint("127.0.0.2", 7));
        const time_point before = loop::current()->time();
        io::stream client = co_await io::open_connection(serving.local());
        CHECK(loop::current()->time() - before == 20ms);
        const std::string heard = co_await ask(client, "hello");
        CHECK(heard == "hello\n");
        CHECK(loop::current()->time() - before == 40ms);
        net.set_link("127.0.0.1", "127.0.0.2", {.latency = 1s});
        co_await ask(client, "hello");
        CHECK(loop::current()->time() - before == 2s + 40ms);
      },
      {.link = {.latency = 10ms}});
}

TEST_CASE("a thousand clients at once are served") {
  naturally([](network& net) -> coro<> {
    co_await echoes(1'000, 2);
    CHECK(net.traffic().connections == 1'000);
  });
  by_seed(3, [](network&) { return echoes(1'000, 2); });
}

TEST_CASE("a simulation has one network, and there is none without a simulation") {
  CHECK_THROWS_AS(network(), invalid_state);
  naturally([](network&) -> coro<> {
    CHECK_THROWS_AS(network(), invalid_state);
    co_return;
  });
}

TEST_CASE("options of a network that make no sense are refused") {
  naturally([](network& net) -> coro<> {
    CHECK_THROWS_AS(net.set_links({.latency = -1s}), std::invalid_argument);
    CHECK_THROWS_AS(net.set_link("127.0.0.1", "127.0.0.2", {.loss = 2}), std::invalid_argument);
    CHECK_THROWS_AS(net.partition("nowhere", "127.0.0.2"), io::bad_address);
    co_return;
  });
}

TEST_CASE("a program that makes its runtime itself, and its sockets before, has the network too") {
  const exploration done = explore({.schedules = 20}, [] {
    const network net;
    io::listening_socket listening(io::endpoint::loopback(7));
    const auto program = [](io::listening_socket given) -> coro<> {
      io::server serving = io::start_server(echo, std::move(given));
      co_await echo_to(serving.local(), 3);
    };
    troupe::run(program(std::move(listening)));
    expect(net.traffic().connections == 1, "nobody has connected");
  });
  CHECK(done.schedules == 20);
}

TEST_CASE("without a network, a socket in a simulation is refused with an explanation") {
  first_come natural;
  simulation world(natural);
  std::string said;
  try {
    world.run([]() -> coro<> {
      const io::server serving = io::start_server(echo, io::endpoint::loopback(0));
      co_return;
    }());
  } catch (const invalid_state& error) {
    said = error.what();
  }
  CHECK(said.find("network") != std::string::npos);
}
