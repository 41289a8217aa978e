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
