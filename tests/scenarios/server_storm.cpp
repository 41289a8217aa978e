// A server under clients who do anything, and that is asked for anything meanwhile: nobody is forgotten, nothing is leaked.
#include <troupe/io/open_connection.hpp>
#include <troupe/io/server.hpp>
#include <troupe/runtime/task.hpp>

#include "scenarios/support.hpp"
#include "support/random_numbers.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

struct tally {
  int begun = 0;
  int over = 0;
};

/// Serves in one of the ways that handlers have: to the end, to an error, not at all, handing the stream on.
coro<> serve_somehow(io::stream client, tally& all, unsigned way) {
  struct visit {
    tally& of;
    explicit visit(tally& all) : of(all) { ++of.begun; }
    ~visit() { ++of.over; }
  } const guard(all);
  switch (way % 5) {
    case 0:
      for (io::bytes got; !(got = co_await client.read_some()).empty();)
        client.write(std::move(got));
      break;
    case 1:
      client.write(std::string(300'000, 'x'));
      co_await client.drain();
      break;
    case 2:
      break;
    case 3: {
      auto reading = create_task([](io::stream handed) -> coro<> {
        static_cast<void>(co_await handed.read_some());
      }(std::move(client)));
      co_await reading;
      break;
    }
    default:
      co_await sleep(2ms);
      client.abort();
  }
}

coro<> visit_somehow(io::endpoint where, unsigned way) {
  try {
    io::stream server = co_await io::open_connection(where);
    switch (way % 5) {
      case 0:
        server.write("one\ntwo\n");
        static_cast<void>(co_await server.read_line());  // or too much
        break;
      case 1:
        server.write_eof();
        static_cast<void>(co_await server.read_all());
        break;
      case 2:
        server.abort();
        break;
      case 3:
        server.write(std::string(200'000, 'y'));
        co_await sleep(1ms);
        break;
      default:
        break;
    }
  } catch (const std::system_error&) {  // what one may expect here
  } catch (const io::too_long&) {
  }
}

coro<> storm(unsigned seed, io::when_full full) {
  random_numbers random(seed);
  tally all;
  io::server_options options;
  options.most_connections = 8;
  options.full = full;
  auto handler = [&](io::stream client) {
    return serve_somehow(std::move(client), all, random.below(5));
  };
  io::server serving = io::start_server(handler, io::endpoint::loopback(0), options);
  // How many are served in a round depends on who is quicker, so there are as many rounds as it takes.
  for (int round = 0; round < 30 || all.begun <= 100; ++round) {
    std::vector<task<>> visitors;
    for (int index = 0; index < 20; ++index)
      visitors.push_back(create_task(visit_somehow(serving.local(), random.below(5))));
    for (unsigned step = random.below(20); step != 0; --step) co_await sleep(0s);
    switch (random.below(4)) {
      case 0:
        serving.close_clients();
        break;
      case 1:
        serving.abort_clients();
        break;
      case 2:
        for (std::size_t index = 0; index < visitors.size(); index += 3) visitors[index].cancel();
        break;
      default:
        break;
    }
    // Each way to serve lets each way to visit end.
    for (const auto& each : visitors) {
      try {
        co_await each;
      } catch (const cancelled&) {
      }
    }
    serving.abort_clients();  // whose handlers are not over yet
    CHECK(serving.connections() <= 8);
  }
  co_await serving.shutdown(10ms);
  CHECK(serving.connections() == 0);
  CHECK(all.begun == all.over);
}

}  // namespace

TEST_CASE("a server survives clients who do anything, and loses none") {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    CAPTURE(seed);
    run_scenario(storm(seed, io::when_full::wait));
    run_scenario(storm(seed, io::when_full::refuse));
  }
}
