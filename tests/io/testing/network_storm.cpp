// Whatever happens to the network, what is read is what was written, in order, from the beginning.
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/timeout.hpp>

#include "io/stream_contract.hpp"
#include "io/testing/support.hpp"

#include <algorithm>
#include <optional>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::networks;

namespace {

/// Writes `size` bytes and reads as many, at the same time. Returns whether it came to its end.
coro<bool> exchanges(io::stream over, std::size_t size, unsigned mine, unsigned theirs) {
  std::string got;
  bool whole = false;
  auto sending =
      create_task(error_of(streams::send_all(over, streams::pattern(size, mine), 5'000)));
  try {
    while (got.size() < size) {
      const io::bytes some = co_await timeout(20min, over.read_some());
      if (some.empty()) break;
      got += some.text();
    }
    whole = got.size() == size;
  } catch (const std::system_error&) {
  } catch (const timeout_error&) {  // who has nothing to say does not hear that the other is gone
  }
  if (!whole) over.abort();
  co_await sending;
  expect(got == streams::pattern(size, theirs).substr(0, got.size()), "other bytes were read");
  co_return whole;
}

/// Something happens to the network every now and then, and all is well in the end.
coro<> rages(simulation& world, network& net, int times) {
  for (int each = 0; each < times; ++each) {
    co_await sleep(1ms * world.choose(20));
    switch (world.choose(6)) {
      case 0:
        break;
      case 1:
        net.partition("127.0.0.1", "127.0.0.2");
        break;
      case 2:
        net.isolate("127.0.0.2");
        break;
      case 3:
        net.reset("127.0.0.1", "127.0.0.2");
        break;
      case 4:
        net.crash("127.0.0.2");
        net.restart("127.0.0.2");
        break;
      default:
        net.heal();
    }
  }
  if (world.choose(4) != 0) net.heal();
}

coro<> storm(simulation& world, std::size_t size, bool calm) {
  network_options how;
  how.link = {.latency = 300us, .jitter = 500us, .loss = 0.05};
  how.send_buffer = 8'000;
  how.receive_buffer = 3'000;
  how.faults = calm ? 0 : 2;
  network net(world, how);
  const io::endpoint there("127.0.0.2", 7);
  const io::stream_options short_close{.close_timeout = 1s};
  io::server serving = io::start_server(
      [size](io::stream client) -> coro<> { co_await exchanges(std::move(client), size, 2, 1); },
      there, {.stream = short_close});
  auto weather = create_task(rages(world, net, calm ? 0 : 6));
  auto client = [](io::endpoint where, std::size_t size_of_all, bool expects_all) -> coro<> {
    try {
      io::stream made = co_await io::open_connection(where);
      const bool whole = co_await exchanges(std::move(made), size_of_all, 1, 2);
      expect(whole || !expects_all, "without a fault not all has come");
    } catch (const std::system_error&) {
      expect(!expects_all, "without a fault there was no connection");
    }
  };
  co_await gather(client(there, size, calm), client(there, size, calm), client(there, size, calm));
  co_await weather;
  co_await serving.shutdown(1s);
}

}  // namespace

TEST_CASE("whatever happens to the network, what is read is what was written") {
  explore({.schedules = 50}, [](simulation& world) { return storm(world, 30'000, false); });
}
TEST_CASE("when nothing happens to the network all of it is read") {
  explore({.schedules = 20}, [](simulation& world) { return storm(world, 30'000, true); });
}
