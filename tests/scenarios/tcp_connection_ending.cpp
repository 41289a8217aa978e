// How a connection ends: exactly one `closed`, whatever happened.
#include <troupe/io/tcp.hpp>

#include "scenarios/support.hpp"

#include <stdexcept>

using namespace troupe;
using namespace troupe::testing;

namespace {

wire narrow_wire() { return make_wire(16 << 10, 16 << 10); }

/// Whatever is still under way has had its chance to say `closed` a second time.
coro<> see_the_end(history& pages) {
  co_await pages.until_closed();
  co_await turns();
}

}  // namespace

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

// --- abort, stop, owners that end ------------------------------------------------------------------------------------------

TEST_CASE("abort resets the peer at once and drops the backlog") {
  auto body = []() -> coro<> {
    scene on({.write_window = 8 << 20}, narrow_wire());
    const std::string sent = pattern(4 << 20);
    on.connection.tell(text(sent));
    on.connection.tell(io::abort{});
    co_await see_the_end(on.pages);
    CHECK(on.pages.order == "c");
    CHECK(on.pages.reason == std::errc::connection_aborted);
    const std::string got = co_await on.theirs.receive_all();
    CHECK(got.size() < sent.size());
    CHECK(on.theirs.error() == ECONNRESET);
  };
  run_scenario(body());
}

TEST_CASE("stopping a connection by its ref closes it with operation_canceled") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.stop();
    co_await see_the_end(on.pages);
    CHECK(on.pages.order == "c");
    CHECK(on.pages.reason == std::errc::operation_canceled);
    co_await on.theirs.receive_all();
    CHECK(on.theirs.error() == ECONNRESET);
  };
  run_scenario(body());
}

TEST_CASE("stopping a connection during a backlog closes it once") {
  auto body = []() -> coro<> {
    scene on({.write_window = 8 << 20}, narrow_wire());
    on.connection.tell(text(pattern(4 << 20)));
    on.connection.tell(io::close{});
    co_await turns();
    on.connection.stop();
    co_await see_the_end(on.pages);
    CHECK(on.pages.order == "c");
    CHECK(on.pages.reason == std::errc::operation_canceled);
  };
  run_scenario(body());
}

TEST_CASE("a connection that is stopped before its first turn still says closed") {
  auto body = []() -> coro<> {
    const auto shared = std::make_shared<history>();
    history& pages = *shared;
    wire ends = make_wire();
    auto owner = spawn<recorder>(shared);
    spawn<io::tcp_connection>(std::move(ends.ours), owner).stop();
    co_await see_the_end(pages);
    CHECK(pages.order == "c");
  };
  run_scenario(body());
}

TEST_CASE("a connection on another loop that is stopped says closed once") {
  auto body = []() -> coro<> {
    const auto shared = std::make_shared<history>();
    history& pages = *shared;
    wire ends = make_wire();
    auto owner = spawn<recorder>(shared);
    auto connection = spawn<io::tcp_connection>(place::on(1), std::move(ends.ours), owner);
    connection.tell(io::demand{100});
    co_await ends.theirs.send("x");
    co_await pages.until_received(1);
    connection.stop();
    co_await see_the_end(pages);
    CHECK(pages.order == "dc");
    CHECK(pages.reason == std::errc::operation_canceled);
  };
  run_scenario(body(), 2);
}

namespace {

struct end_yourself {
  bool crash;
};

/// The parent of a connection that reports to somebody else.
class guardian : public actor<protocol<end_yourself>> {
 public:
  guardian(io::socket connected, actor_ref<io::connection_events> owner) {
    spawn<io::tcp_connection>(std::move(connected), std::move(owner));
  }
  void on(end_yourself e) {
    if (e.crash) throw std::runtime_error("on purpose");
    stop();
  }
};

}  // namespace

TEST_CASE("a connection whose parent stops or crashes closes once, with operation_canceled") {
  const bool crash = GENERATE(false, true);
  failure_log log;
  auto body = [](bool crashes) -> coro<> {
    const auto shared = std::make_shared<history>();
    history& pages = *shared;
    wire ends = make_wire();
    auto owner = spawn<recorder>(shared);
    auto parent = spawn<guardian>(std::move(ends.ours), owner);
    parent.tell(end_yourself{crashes});
    co_await see_the_end(pages);
    CHECK(pages.order == "c");
    CHECK(pages.reason == std::errc::operation_canceled);
    co_await ends.theirs.receive_all();
    CHECK(ends.theirs.error() == ECONNRESET);
  };
  run_scenario(body(crash), 1, &log);
  CHECK(log.reports().size() == (crash ? 1 : 0));
}

TEST_CASE("an owner that crashes takes its connection along, and no other") {
  class fragile : public actor<io::connection_events> {
   public:
    explicit fragile(io::socket connected)
        : connection_(spawn<io::tcp_connection>(std::move(connected), self())) {
      connection_.tell(io::demand{100});
    }
    void on(io::data d) {
      if (d.chunk.text() == "crash") throw std::runtime_error("on purpose");
      connection_.tell(io::write(std::move(d.chunk)));
    }
    void on(io::end_of_data) {}
    void on(io::drained) {}
    void on(io::closed) { stop(); }

   private:
    connection_ref connection_;
  };
  failure_log log;
  auto body = []() -> coro<> {
    wire one = make_wire();
    wire other = make_wire();
    spawn<fragile>(std::move(one.ours));
    spawn<fragile>(std::move(other.ours));
    co_await one.theirs.send("crash");
    co_await one.theirs.receive_all();
    CHECK(one.theirs.error() == ECONNRESET);
    co_await other.theirs.send("hello");
    const std::string got = co_await other.theirs.receive(5);
    CHECK(got == "hello");
  };
  run_scenario(body(), 1, &log);
  CHECK(log.count("on purpose") == 1);
  CHECK(log.reports().size() == 1);
}

TEST_CASE("connections that are open when the program ends are closed") {
  auto body = [](peer& left) -> coro<> {
    const auto shared = std::make_shared<history>();
    wire ends = make_wire();
    auto owner = spawn<recorder>(shared);
    spawn<io::tcp_connection>(std::move(ends.ours), owner);
    left = std::move(ends.theirs);
    co_return;
  };
  peer left;
  // The peer outlives the run and is counted as one descriptor more.
  troupe::run(body(left));
  std::string got;
  while (left.error() == 0 && !left.at_end()) left.receive_now(got);
  CHECK(left.error() == ECONNRESET);
}

// --- peers that end ----------------------------------------------------------------------------------------------------------

TEST_CASE("a reset by the peer is noticed without credit") {
  auto body = []() -> coro<> {
    scene on;
    co_await turns();
    on.theirs.reset();
    co_await see_the_end(on.pages);
    CHECK(on.pages.order == "c");
    CHECK(on.pages.reason == std::errc::connection_reset);
  };
  run_scenario(body());
}

TEST_CASE("a reset by the peer is noticed while credit waits for data") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(io::demand{100});
    co_await turns();
    on.theirs.reset();
    co_await see_the_end(on.pages);
    CHECK(on.pages.order == "c");
    CHECK(on.pages.reason == std::errc::connection_reset);
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
    on.connection.tell(io::demand{SIZE_MAX});
    on.connection.tell(text("a long request that the peer does not read"));
    co_await poll_until([&] { return on.theirs.waiting() != 0; });
    // Nothing of this is told to the connection before all of it has happened.
    CHECK(on.theirs.send_now("no") == 2);
    on.theirs.close();
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
    on.connection.tell(io::demand{SIZE_MAX});
    on.connection.tell(text("a long request that the peer does not read"));
    co_await poll_until([&] { return on.theirs.waiting() != 0; });
    CHECK(on.theirs.send_now("no") == 2);
    on.theirs.close();
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
