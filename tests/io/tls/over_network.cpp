// TLS over the simulated network.
#include <troupe/io/tls/tls.hpp>

#include "io/testing/support.hpp"
#include "io/tls/support.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::networks;

namespace {

coro<> greets() {
  const io::endpoint there("127.0.0.2", 443);
  io::server serving = io::start_server(io::over_tls(tls::server_context(), echo), there);
  auto connecting = io::connect_tls(there, "localhost", tls::client_context());
  io::stream client = co_await std::move(connecting);
  for (const std::string_view each : {"hello", "again"}) {
    const std::string heard = co_await ask(client, std::string(each));
    CHECK(heard == std::string(each) + "\n");
  }
  client.close();
  co_await client.wait_closed();
  serving.close();
  co_await serving.wait_closed();
}

}  // namespace

TEST_CASE("a handshake of TLS and an echo go over the simulated network") {
  naturally([](network&) { return greets(); });
  naturally([](network&) { return greets(); }, {.link = {.latency = 10ms}});
  for (const std::uint64_t seed : {1, 2, 3, 4, 5}) by_seed(seed, [](network&) { return greets(); });
}

TEST_CASE("a connection that is reset in the midst of a handshake of TLS ends it") {
  naturally(
      [](network& net) -> coro<> {
        const io::endpoint there("127.0.0.2", 443);
        io::server serving = io::start_server(io::over_tls(tls::server_context(), echo), there);
        auto connecting = create_task(io::connect_tls(there, "localhost", tls::client_context()));
        co_await sleep(25ms);
        CHECK(net.traffic().connections == 1);
        net.reset("127.0.0.1");
        std::error_code error;
        try {
          co_await connecting;
        } catch (const std::system_error& lost) {
          error = lost.code();
        }
        CHECK(error);
      },
      {.link = {.latency = 8ms}});
}
