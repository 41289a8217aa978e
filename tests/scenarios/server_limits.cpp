// Servers with as many connections as they may have, and without descriptors. Entries of asyncio's Server.
#include <troupe/io/open_connection.hpp>
#include <troupe/io/server.hpp>

#include "scenarios/descriptors.hpp"
#include "scenarios/support.hpp"

#include <sys/resource.h>

#include <stdexcept>

using namespace troupe;
using namespace troupe::testing;

namespace {

const io::endpoint anywhere = io::endpoint::loopback(0);

/// Says hello, and stays as long as its client.
coro<> greet(io::stream client) {
  client.write("hello\n");
  static_cast<void>(co_await client.read_all());
}

std::string invalid_argument_of(io::server_options options) {
  try {
    io::start_server(greet, anywhere, std::move(options));
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("who comes to a full server waits until another leaves") {
  auto body = []() -> coro<> {
    io::server_options options;
    options.most_connections = 3;
    io::server serving = io::start_server(greet, anywhere, options);
    std::vector<peer> inside;
    for (int index = 0; index < 3; ++index) {
      inside.push_back(connect_peer(serving.local().port()));
      static_cast<void>(co_await inside.back().receive(6));
    }
    std::vector<peer> waiting;
    for (int index = 0; index < 3; ++index) waiting.push_back(connect_peer(serving.local().port()));
    co_await turns();
    for (const peer& each : waiting) CHECK(each.waiting() == 0);
    for (std::size_t index = 0; index < 3; ++index) {
      CHECK(serving.connections() == 3);
      inside[index].close();
      const std::string got = co_await waiting[index].receive(6);
      CHECK(got == "hello\n");
    }
    waiting.clear();
    serving.close();
    co_await serving.wait_closed();
  };
  run_scenario(body());
}

TEST_CASE("a full server may refuse with a few words") {
  auto body = []() -> coro<> {
    io::server_options options;
    options.most_connections = 1;
    options.full = io::when_full::refuse;
    options.refusal = "full, come again\n";
    io::server serving = io::start_server(greet, anywhere, options);
    for (int turn = 0; turn < 3; ++turn) {
      peer inside = connect_peer(serving.local().port());
      static_cast<void>(co_await inside.receive(6));
      for (int index = 0; index < 3; ++index) {
        peer refused = connect_peer(serving.local().port());
        const std::string got = co_await refused.receive_all();
        CHECK(got == "full, come again\n");
      }
      CHECK(serving.connections() == 1);
      inside.close();
      co_await poll_until([&] { return serving.connections() == 0; });
    }
  };
  run_scenario(body());
}

TEST_CASE("options of a server that contradict each other are told at its start") {
  auto body = []() -> coro<> {
    std::string told = invalid_argument_of({.most_connections = 0});
    CHECK(told == "a server that may have no connection serves nobody");
    told = invalid_argument_of({.refusal = "no"});
    CHECK(told == "a server whose clients wait when it is full refuses nobody");
    told = invalid_argument_of({.stream = {.high_water = 1, .low_water = 2}});
    CHECK_FALSE(told.empty());
    CHECK_THROWS_AS(io::start_server(greet, std::vector<io::listening_socket>()),
                    std::invalid_argument);
    co_return;
  };
  run_scenario(body());
}

TEST_CASE("without descriptors a server says so once, rests, and serves who waited",
          "[conformance][server-13]") {
  if (skipped_without_descriptors()) return;
  failure_log log;
  auto body = [](failure_log& reports) -> coro<> {
    io::server serving = io::start_server(greet, anywhere);
    std::vector<peer> guests;
    for (int index = 0; index < 10; ++index) guests.push_back(connect_peer(serving.local().port()));
    {
      const descriptor_limit few(static_cast<rlim_t>(next_descriptor()) + 3);
      co_await poll_until([&] { return !reports.reports().empty(); });
      co_await poll_until([&] { return serving.connections() == 3; });
      const duration before = processor_time();
      co_await sleep(300ms);  // it tries again several times
      CHECK(processor_time() - before < 150ms);
      CHECK(serving.connections() == 3);
    }
    for (peer& each : guests) {
      const std::string got = co_await each.receive(6);
      CHECK(got == "hello\n");
    }
    CHECK(reports.reports().size() == 1);
    CHECK(reports.count("the listener on " + serving.name() +
                        " cannot accept connections and tries again soon") == 1);
    guests.clear();
    serving.close();
    co_await serving.wait_closed();
  };
  run_scenario(body(log), 1, &log);
}

TEST_CASE("a server that is full when it runs out of descriptors serves on when both are over") {
  if (skipped_without_descriptors()) return;
  failure_log log;
  auto body = [](failure_log& reports) -> coro<> {
    io::server_options options;
    options.most_connections = 2;
    io::server serving = io::start_server(greet, anywhere, options);
    std::vector<peer> guests;
    for (int index = 0; index < 6; ++index) guests.push_back(connect_peer(serving.local().port()));
    {
      const descriptor_limit few(static_cast<rlim_t>(next_descriptor()) + 1);
      co_await poll_until([&] { return !reports.reports().empty(); });
      CHECK(serving.connections() == 1);
    }
    for (peer& each : guests) {
      const std::string got = co_await each.receive(6);
      CHECK(got == "hello\n");
      CHECK(serving.connections() <= 2);
      each.close();
    }
    CHECK(reports.reports().size() == 1);
  };
  run_scenario(body(log), 1, &log);
}

TEST_CASE("a server whose socket can accept no more says so and closes") {
  failure_log log;
  auto body = [](failure_log& reports) -> coro<> {
    io::listening_socket listening(anywhere);
    const int native = listening.native();
    io::server serving = io::start_server(greet, std::move(listening));
    peer guest = connect_peer(serving.local().port());
    static_cast<void>(co_await guest.receive(6));
    REQUIRE(::shutdown(native, SHUT_RDWR) == 0);  // behind its back
    co_await poll_until([&] { return !serving.is_serving(); });
    CHECK(reports.reports().size() == 1);
    guest.close();
    co_await serving.wait_closed();
  };
  run_scenario(body(log), 1, &log);
}
