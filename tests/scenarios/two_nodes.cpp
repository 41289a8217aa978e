// Nodes in programs of their own: one is killed, stopped, sent garbage.
#include <troupe/io/open_connection.hpp>
#include <troupe/runtime/errors.hpp>

#include "scenarios/counting.hpp"

#include <csignal>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;

TEST_CASE(
    "an ask of a program that is killed fails, and the next one that is started there is found") {
  auto body = []() -> coro<> {
    counting other;
    const io::endpoint where = co_await other.address();
    cluster::node here({.name = "test", .seeds = {where}});
    auto counter = co_await found(here);
    const int one = co_await counter.ask(count{});
    CHECK(one == 1);
    other.program().send(SIGSTOP);
    auto waiting = counter.ask(count{}, infinite);
    auto ended = counter.stopped();
    co_await sleep(50ms);
    other.program().send(SIGKILL);
    CHECK_THROWS_AS(co_await waiting, cluster::node_lost);
    const exit_reason why = co_await ended;
    CHECK(why.failed());
    co_await other.program().status();
    counting next(where.text());
    co_await next.address();
    counter = co_await found(here);
    const int again = co_await counter.ask(count{5});
    CHECK(again == 5);
  };
  run_scenario(body());
}

TEST_CASE("a program that stands still is lost when nothing was heard of it for long enough") {
  auto body = []() -> coro<> {
    counting other;
    const io::endpoint where = co_await other.address();
    cluster::node_options how{.name = "test", .seeds = {where}};
    how.heartbeat = 100ms;
    how.silence = 8s;  // no machine is as slow
    cluster::node here(how);
    auto counter = co_await found(here);
    other.program().send(SIGSTOP);
    auto waiting = counter.ask(count{}, infinite);
    CHECK_THROWS_AS(co_await waiting, cluster::node_lost);
    other.program().send(SIGCONT);
    counter = co_await found(here);
    const int sum = co_await counter.ask(count{});
    CHECK(sum >= 1);
  };
  run_scenario(body());
}

TEST_CASE("who is no node is turned away, and does others no harm") {
  auto body = []() -> coro<> {
    counting other;
    const io::endpoint where = co_await other.address();
    cluster::node here({.name = "test", .seeds = {where}});
    auto counter = co_await found(here);
    for (const char* const each : {"GET / HTTP/1.1\r\n\r\n", "\xff\xff\xff\xff", "\0\0\0\0"}) {
      io::stream stranger = co_await io::open_connection(where);
      stranger.write(std::string_view(each, 4));
      try {
        auto reading = stranger.read_all();
        co_await timeout(20s, std::move(reading));
      } catch (const std::system_error&) {
      }
      const int sum = co_await counter.ask(count{});
      CHECK(sum >= 1);
    }
  };
  run_scenario(body());
}
