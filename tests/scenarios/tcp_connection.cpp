// A connection and its owner: echoes, near and far, and several connections of one owner.
#include <troupe/io/tcp.hpp>

#include "scenarios/echo.hpp"
#include "scenarios/support.hpp"

#include <map>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Sends `text` while it receives, ends, and receives the rest.
coro<std::string> exchange(peer& with, std::string text) {
  std::string back;
  std::size_t sent = 0;
  while (sent < text.size() && with.error() == 0 && !with.at_end()) {
    const std::size_t out = with.send_now(std::string_view(text).substr(sent, 1 << 20));
    sent += out;
    if (with.receive_now(back) + out == 0) co_await sleep(200us);
    co_await sleep(0s);
  }
  with.end_sending();
  const std::string rest = co_await with.receive_all();
  co_return back + rest;
}

}  // namespace

// --- echo --------------------------------------------------------------------------------------------------------------

TEST_CASE("an echo gives back what it got, whatever its size") {
  const std::size_t size = GENERATE(as<std::size_t>(), 0, 1, 64, 16 << 10, 1 << 20, 10 << 20);
  auto body = [](std::size_t wanted) -> coro<> {
    wire ends = make_wire();
    spawn<echo>(std::move(ends.ours));
    const std::string sent = pattern(wanted);
    const std::string back = co_await exchange(ends.theirs, sent);
    CHECK(back.size() == sent.size());
    CHECK(same(back, sent));
    CHECK(ends.theirs.error() == 0);
  };
  run_scenario(body(size));
}

TEST_CASE("an echo with a credit of a few bytes gives back what it got") {
  auto body = []() -> coro<> {
    wire ends = make_wire();
    spawn<echo>(std::move(ends.ours), std::size_t{7});
    const std::string sent = pattern(20'000);
    const std::string back = co_await exchange(ends.theirs, sent);
    CHECK(same(back, sent));
  };
  run_scenario(body());
}

TEST_CASE("an echo works over IPv6") {
  if (!has_ipv6()) {
    WARN("skipped: this machine has no ::1");
    return;
  }
  auto body = []() -> coro<> {
    wire ends = make_wire(0, 0, io::endpoint("::1", 0));
    spawn<echo>(std::move(ends.ours));
    const std::string sent = pattern(100'000);
    const std::string back = co_await exchange(ends.theirs, sent);
    CHECK(same(back, sent));
  };
  run_scenario(body());
}

TEST_CASE("a connection on another loop than its owner gives back what it got") {
  auto body = []() -> coro<> {
    wire ends = make_wire();
    spawn<echo>(std::move(ends.ours), std::size_t{64 << 10}, place::on(1));
    const std::string sent = pattern(3 << 20);
    const std::string back = co_await exchange(ends.theirs, sent);
    CHECK(back.size() == sent.size());
    CHECK(same(back, sent));
  };
  run_scenario(body(), 2);
}

// --- several of one owner ---------------------------------------------------------------------------------------------

TEST_CASE("two connections of one owner are told apart by from") {
  struct by_sender {
    std::map<internal::cell*, std::string> heard;
  };
  class both : public actor<io::connection_events> {
   public:
    explicit both(std::shared_ptr<by_sender> pages) : shared_(std::move(pages)), pages_(*shared_) {}
    void on(io::data d) { pages_.heard[d.from.cell()] += d.chunk.text(); }
    void on(io::end_of_data d) { pages_.heard[d.from.cell()] += " end"; }
    void on(io::drained d) { pages_.heard[d.from.cell()] += " drained"; }
    void on(io::closed d) { pages_.heard[d.from.cell()] += " closed"; }

   private:
    std::shared_ptr<by_sender> shared_;
    by_sender& pages_;
  };
  auto body = []() -> coro<> {
    const auto shared = std::make_shared<by_sender>();
    by_sender& pages = *shared;
    auto owner = spawn<both>(shared);
    wire first = make_wire();
    wire second = make_wire();
    auto one = spawn<io::tcp_connection>(std::move(first.ours), owner);
    auto other = spawn<io::tcp_connection>(std::move(second.ours), owner);
    one.tell(io::demand{100});
    other.tell(io::demand{100});
    co_await first.theirs.send("from first");
    first.theirs.end_sending();
    co_await second.theirs.send("from second");
    co_await poll_until([&] { return pages.heard[one.cell()] == "from first end"; });
    co_await poll_until([&] { return pages.heard[other.cell()] == "from second"; });
    one.tell(io::close{});
    other.tell(text("x"));
    co_await poll_until([&] { return pages.heard[one.cell()] == "from first end closed"; });
    co_await poll_until([&] { return pages.heard[other.cell()] == "from second drained"; });
    CHECK(pages.heard.size() == 2);
  };
  run_scenario(body());
}
