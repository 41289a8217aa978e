// How a connection ends: exactly one `closed`, whatever happened.
#include <troupe/io/tcp.hpp>

#include "scenarios/support.hpp"

using namespace troupe;
using namespace troupe::testing;

// --- both sides end ------------------------------------------------------------------------------------------------------

TEST_CASE("a half-close by the peer leaves writing open") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(io::demand{100});
    co_await on.theirs.send("question");
    on.theirs.end_sending();
    co_await on.pages.until_end();
    co_await on.connection.ask(text("answer"));
    co_await on.connection.ask(text(" and more"));
    const std::string got = co_await on.theirs.receive(15);
    CHECK(got == "answer and more");
    CHECK(on.pages.received == "question");
    CHECK(on.pages.closings == 0);
  };
  run_scenario(body());
}

TEST_CASE("when the peer ended first, write_eof closes without error") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(io::demand{100});
    on.theirs.end_sending();
    co_await on.pages.until_end();
    on.connection.tell(text("last"));
    on.connection.tell(io::write_eof{});
    co_await see_the_end(on.pages);
    CHECK(on.pages.order == "efc");
    CHECK_FALSE(on.pages.reason);
    const std::string got = co_await on.theirs.receive_all();
    CHECK(got == "last");
    CHECK(on.theirs.error() == 0);
  };
  run_scenario(body());
}

TEST_CASE("when this side ended first, the peer's end closes without error") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(io::demand{100});
    on.connection.tell(io::write_eof{});
    co_await on.theirs.receive_all();
    co_await on.theirs.send("last");
    on.theirs.end_sending();
    co_await see_the_end(on.pages);
    CHECK(on.pages.order == "dec");
    CHECK_FALSE(on.pages.reason);
  };
  run_scenario(body());
}

TEST_CASE("both sides ending at once closes without error, though no credit was given") {
  auto body = []() -> coro<> {
    scene on;
    on.theirs.end_sending();
    on.connection.tell(io::write_eof{});
    co_await see_the_end(on.pages);
    CHECK(on.pages.order == "ec");
    CHECK_FALSE(on.pages.reason);
  };
  run_scenario(body());
}

// --- close ---------------------------------------------------------------------------------------------------------------

TEST_CASE("close ends the connection without error") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(io::close{});
    co_await see_the_end(on.pages);
    CHECK(on.pages.order == "c");
    CHECK_FALSE(on.pages.reason);
    CHECK(on.pages.from.back() == on.connection);
    const std::string got = co_await on.theirs.receive_all();
    CHECK(got.empty());
    CHECK(on.theirs.error() == 0);
  };
  run_scenario(body());
}

TEST_CASE("close told twice closes once") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(io::close{});
    on.connection.tell(io::close{});
    on.connection.tell(io::abort{});
    co_await see_the_end(on.pages);
    CHECK(on.pages.order == "c");
    CHECK_FALSE(on.pages.reason);
  };
  run_scenario(body());
}

TEST_CASE("close flushes the backlog first") {
  auto body = []() -> coro<> {
    scene on({.write_window = 8 << 20}, narrow_wire());
    const std::string sent = pattern(4 << 20);
    on.connection.tell(text(sent));
    on.connection.tell(io::close{});
    co_await turns();
    CHECK(on.pages.closings == 0);
    const std::string got = co_await on.theirs.receive_all();
    CHECK(same(got, sent));
    CHECK(on.theirs.error() == 0);
    co_await see_the_end(on.pages);
    CHECK(on.pages.order == "fc");
    CHECK_FALSE(on.pages.reason);
  };
  run_scenario(body());
}

TEST_CASE("close flushes writes that wait for room first") {
  auto body = []() -> coro<> {
    scene on({.write_window = 32 << 10}, narrow_wire());
    const std::string sent = pattern(200'000);
    std::vector<future<void>> answers;
    for (std::size_t done = 0; done < sent.size(); done += 5000) {
      answers.push_back(
          on.connection.ask(text(std::string_view(sent).substr(done, 5000)), infinite));
    }
    on.connection.tell(io::close{});
    co_await turns();
    const std::string got = co_await on.theirs.receive_all();
    CHECK(same(got, sent));
    for (const future<void>& each : answers) co_await each;
    co_await see_the_end(on.pages);
    CHECK_FALSE(on.pages.reason);
  };
  run_scenario(body());
}

TEST_CASE("close after write_eof does not wait for the peer") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(io::write_eof{});
    on.connection.tell(io::close{});
    co_await see_the_end(on.pages);
    CHECK(on.pages.order == "c");
    CHECK_FALSE(on.pages.reason);
  };
  run_scenario(body());
}

TEST_CASE("close loses nothing that was written, though the peer sent what nobody has read") {
  auto body = []() -> coro<> {
    scene on({}, make_wire(0, 0));
    co_await on.theirs.send(pattern(10'000));
    co_await poll_until([&] { return unsent(on.theirs.native()) == 0; });
    // More than the peer's system takes before the peer reads, and all of it in ours.
    const int room = 2 << 20;
    set_buffer(on.native, SO_SNDBUF, room);
    const std::string sent = pattern(1 << 20);
    on.connection.tell(text(sent));
    on.connection.tell(io::close{});
    co_await see_the_end(on.pages);
    CHECK_FALSE(on.pages.reason);
    const std::string got = co_await on.theirs.receive_all();
    CHECK(got.size() == sent.size());
    CHECK(on.theirs.error() == 0);
  };
  run_scenario(body());
}

TEST_CASE("close ends although the peer sends without end") {
  auto body = []() -> coro<> {
    scene on({}, narrow_wire());
    const std::string chunk = pattern(64 << 10);
    while (on.theirs.send_now(chunk) != 0) {
    }
    on.connection.tell(text("bye"));
    on.connection.tell(io::close{});
    while (on.pages.closings == 0) {
      on.theirs.send_now(chunk);
      co_await sleep(0s);
    }
    co_await turns();
    CHECK(on.pages.closings == 1);
    CHECK_FALSE(on.pages.reason);
  };
  run_scenario(body());
}

// --- connections that never begin, and thousands that do -----------------------------------------------------------------

TEST_CASE("a connection over a socket that cannot be watched is refused when it is spawned") {
  auto body = []() -> coro<> {
    const auto shared = std::make_shared<history>();
    history& pages = *shared;
    auto owner = spawn<recorder>(shared);
    CHECK_THROWS_AS(spawn<io::tcp_connection>(io::socket(io::descriptor(), io::endpoint()), owner),
                    std::system_error);
    co_await turns();
    CHECK(pages.order.empty());
  };
  run_scenario(body());
}

TEST_CASE("connections that are made and closed in thousands leave nothing behind") {
  auto body = []() -> coro<> {
    const auto shared = std::make_shared<history>();
    history& pages = *shared;
    auto owner = spawn<recorder>(shared);
    for (std::size_t turn = 1; turn <= 2000; ++turn) {
      wire ends = make_wire();
      auto connection = spawn<io::tcp_connection>(std::move(ends.ours), owner);
      connection.tell(io::demand{100});
      switch (turn % 4) {
        case 0:
          connection.stop();
          break;
        case 1:
          connection.tell(io::close{});
          break;
        case 2:
          ends.theirs.reset();
          break;
        default:
          connection.tell(io::abort{});
          break;
      }
      co_await pages.until_closed(turn);
    }
    CHECK(pages.closings == 2000);
  };
  run_scenario(body());
}
