// How a connection ends when its peer resets or closes it.
#include <troupe/io/tcp.hpp>

#include "scenarios/support.hpp"

#include <cstdint>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// The peer resets, and the owner hears of that and of nothing else.
coro<> reset_and_see_only_that(scene& on) {
  co_await turns();
  on.theirs.reset();
  co_await see_the_end(on.pages);
  CHECK(on.pages.order == "c");
  CHECK(on.pages.reason == std::errc::connection_reset);
}

/// The peer answers a request that it does not read, and closes.
coro<> answer_unread(scene& on) {
  on.connection.tell(io::demand{SIZE_MAX});
  on.connection.tell(text("a long request that the peer does not read"));
  co_await poll_until([&] { return on.theirs.waiting() != 0; });
  // Nothing of this is told to the connection before all of it has happened.
  CHECK(on.theirs.send_now("no") == 2);
  on.theirs.close();
}

}  // namespace

// --- peers that end ----------------------------------------------------------------------------------------------------------

TEST_CASE("a reset by the peer is noticed without credit") {
  auto body = []() -> coro<> {
    scene on;
    co_await reset_and_see_only_that(on);
  };
  run_scenario(body());
}

TEST_CASE("a reset by the peer is noticed while credit waits for data") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(io::demand{100});
    co_await reset_and_see_only_that(on);
  };
  run_scenario(body());
}

TEST_CASE("what arrived before a reset is still delivered, as far as there is credit") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(io::demand{30'000});
    CHECK(on.theirs.send_now(pattern(40'000)) == 40'000);
    co_await poll_until([&] { return unsent(on.theirs.native()) == 0; });
    on.theirs.reset();
    co_await see_the_end(on.pages);
    CHECK(on.pages.received.size() == 30'000);
    CHECK(on.pages.ends == 0);
    CHECK(on.pages.order.back() == 'c');
    CHECK(on.pages.closings == 1);
    CHECK(on.pages.reason == std::errc::connection_reset);
  };
  run_scenario(body());
}

TEST_CASE(
    "an answer that a peer sends before it closes with our request unread is still delivered") {
  auto body = []() -> coro<> {
    scene on;
    co_await answer_unread(on);
    co_await see_the_end(on.pages);
    CHECK(on.pages.received == "no");
    CHECK(on.pages.closings == 1);
    CHECK(on.pages.reason == std::errc::connection_reset);
  };
  run_scenario(body());
}

TEST_CASE("what arrived before a reset is delivered too when a write is what finds the reset") {
  auto body = []() -> coro<> {
    scene on;
    co_await answer_unread(on);
    const answered result = co_await ending(on.connection.ask(text("more of it"), infinite));
    CHECK(result.code == std::errc::connection_reset);
    co_await see_the_end(on.pages);
    CHECK(on.pages.received == "no");
    CHECK(on.pages.order == "fdc");
    CHECK(on.pages.reason == std::errc::connection_reset);
  };
  run_scenario(body());
}

TEST_CASE("an end of data that a reset follows at once is an error, not an orderly end") {
  auto body = []() -> coro<> {
    scene on({.write_window = 8 << 20}, narrow_wire());
    on.connection.tell(io::demand{SIZE_MAX});
    on.connection.tell(text(pattern(4 << 20)));
    on.connection.tell(io::write_eof{});
    co_await turns();
    on.theirs.end_sending();
    on.theirs.reset();
    co_await see_the_end(on.pages);
    CHECK(on.pages.closings == 1);
    CHECK(on.pages.reason);
  };
  run_scenario(body());
}

TEST_CASE("a peer that closes with data of ours unread ends the connection with an error") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(text("never read"));
    co_await poll_until([&] { return on.theirs.waiting() != 0; });
    on.theirs.close();
    co_await see_the_end(on.pages);
    CHECK(on.pages.order == "fc");
    CHECK(on.pages.reason == std::errc::connection_reset);
  };
  run_scenario(body());
}

TEST_CASE("a peer that closes while a backlog waits ends the connection with an error") {
  auto body = []() -> coro<> {
    scene on({.write_window = 8 << 20}, narrow_wire());
    on.connection.tell(text(pattern(4 << 20)));
    on.connection.tell(io::close{});
    co_await turns();
    on.theirs.close();
    co_await see_the_end(on.pages);
    CHECK(on.pages.order == "c");
    CHECK(on.pages.reason);
  };
  run_scenario(body());
}

TEST_CASE("writing to a peer that has closed ends the connection with an error") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(io::demand{100});
    on.theirs.close();
    co_await on.pages.until_end();
    while (on.pages.closings == 0) {
      on.connection.tell(text("anybody there?"));
      co_await sleep(0s);
    }
    co_await turns();
    CHECK(on.pages.closings == 1);
    CHECK((on.pages.reason == std::errc::connection_reset ||
           on.pages.reason == std::errc::broken_pipe));
  };
  run_scenario(body());
}

TEST_CASE("a peer that ended and then resets ends the connection with an error") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(io::demand{100});
    on.theirs.end_sending();
    co_await on.pages.until_end();
    on.theirs.reset();
    co_await see_the_end(on.pages);
    CHECK(on.pages.order == "ec");
    CHECK(on.pages.reason);
  };
  run_scenario(body());
}
