// How a connection ends when it is aborted or stopped, or its owner ends.
#include <troupe/io/tcp.hpp>

#include "scenarios/support.hpp"

#include <stdexcept>

using namespace troupe;
using namespace troupe::testing;

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
