// The connection actor over transports of memory, on virtual time: as they are, without foreknowledge of what is to be read, torn, and late.
// What it does over sockets is in tests/scenarios.
#include <troupe/actors/actor.hpp>
#include <troupe/io/connection.hpp>
#include <troupe/io/memory.hpp>

#include "io/connections.hpp"
#include "scenarios/support.hpp"
#include "support/catch.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// A connection whose owner remembers, and the stream at the other end.
struct pair_of_ends {
  explicit pair_of_ends(wrapper wrap, const io::connection_options& options = {},
                        std::size_t capacity = 1 << 16)
      : pair_of_ends(wrap, options, io::memory_transports(capacity)) {}
  pair_of_ends(wrapper wrap, const io::connection_options& options,
               std::pair<std::unique_ptr<io::transport>, std::unique_ptr<io::transport>> both)
      : peer(std::move(both.second)),
        owner(spawn<recorder>(shared)),
        connection(spawn<io::stream_connection>(wrap(std::move(both.first)), owner, options)) {}

  std::shared_ptr<history> shared = std::make_shared<history>();
  history& pages = *shared;
  io::stream peer;
  actor_ref<recorder::protocol_type> owner;
  connection_ref connection;
};

}  // namespace

TEST_CASE("over any transport data comes against credit, and adds up") {
  play([](wrapper wrap) -> coro<> {
    pair_of_ends on(wrap);
    on.peer.write("0123456789");
    co_await settle();
    CHECK(on.pages.order.empty());
    for (const std::size_t more : {1U, 1U, 2U, 3U}) {
      const std::size_t before = on.pages.received.size();
      on.connection.tell(io::demand{more});
      co_await settle();
      CHECK(on.pages.received.size() == before + more);
    }
    on.connection.tell(io::demand{100});
    co_await settle();
    CHECK(on.pages.received == "0123456789");
  });
}

TEST_CASE(
    "over any transport an owner that grants no credit costs the peer's window, and no more") {
  play([](wrapper wrap) -> coro<> {
    pair_of_ends on(wrap, {}, 100);
    on.peer.write(std::string(1000, 'x'));
    co_await settle();
    CHECK(on.peer.unsent() >= 899);  // a byte may be held back
    CHECK(on.pages.order.empty());
    on.connection.tell(io::demand{SIZE_MAX});
    on.connection.tell(io::demand{SIZE_MAX});
    co_await on.pages.until_received(1000);
    CHECK(on.pages.received == std::string(1000, 'x'));
  });
}

TEST_CASE("over any transport the end of data needs no credit, but waits for what is before it") {
  play([](wrapper wrap) -> coro<> {
    pair_of_ends first(wrap);
    first.peer.write_eof();
    co_await first.pages.until_end();
    CHECK(first.pages.order == "e");

    pair_of_ends second(wrap);
    second.peer.write("hello");
    second.peer.write_eof();
    co_await settle();
    CHECK(second.pages.order.empty());
    second.connection.tell(io::demand{4});
    co_await settle();
    CHECK(second.pages.received == "hell");
    CHECK(second.pages.ends == 0);
    second.connection.tell(io::demand{1});
    co_await second.pages.until_end();
    CHECK(second.pages.received == "hello");
    CHECK(second.pages.ends == 1);
  });
}

TEST_CASE("over any transport a reset is noticed without credit") {
  play([](wrapper wrap) -> coro<> {
    pair_of_ends on(wrap);
    on.peer.abort();
    co_await on.pages.until_closed();
    CHECK(on.pages.order == "c");
    CHECK(on.pages.reason == std::errc::connection_reset);
  });
}

TEST_CASE("over any transport each side may end first, and the connection closes without error") {
  play([](wrapper wrap) -> coro<> {
    pair_of_ends first(wrap);
    first.connection.tell(io::demand{100});
    first.peer.write("question");
    first.peer.write_eof();
    co_await first.pages.until_end();
    co_await first.connection.ask(text("answer"));
    first.connection.tell(io::write_eof{});
    std::string got = co_await all_of(first.peer);
    CHECK(got == "answer");
    co_await first.pages.until_closed();
    CHECK_FALSE(first.pages.reason);

    pair_of_ends second(wrap);
    second.connection.tell(io::demand{100});
    second.connection.tell(text("question"));
    second.connection.tell(io::write_eof{});
    got = co_await all_of(second.peer);
    CHECK(got == "question");
    second.peer.write("answer");
    second.peer.close();
    co_await second.pages.until_closed();
    CHECK_FALSE(second.pages.reason);
    CHECK(second.pages.received == "answer");
    CHECK(second.pages.ends == 1);
  });
}

TEST_CASE("over any transport both sides may end at once, and close at once") {
  play([](wrapper wrap) -> coro<> {
    pair_of_ends ending(wrap);
    ending.connection.tell(io::write_eof{});
    ending.peer.write_eof();
    co_await ending.pages.until_closed();
    CHECK(ending.pages.order == "ec");
    CHECK_FALSE(ending.pages.reason);

    pair_of_ends closing(wrap);
    closing.connection.tell(io::close{});
    closing.peer.close();
    co_await closing.pages.until_closed();
    co_await settle();
    CHECK(closing.pages.closings == 1);
    CHECK_FALSE(closing.pages.reason);
  });
}

TEST_CASE(
    "over any transport close sends what was written, though the peer sent what is not read") {
  play([](wrapper wrap) -> coro<> {
    pair_of_ends on(wrap, {}, 50);
    on.peer.write("nobody reads this");
    const std::string sent = pattern(3000);
    on.connection.tell(text(sent));
    on.connection.tell(io::close{});
    const std::string got = co_await all_of(on.peer);
    CHECK(same(got, sent));
    co_await on.pages.until_closed();
    CHECK_FALSE(on.pages.reason);
    CHECK(on.pages.flushed == sent.size());
  });
}

TEST_CASE("over any transport a close that the peer holds up ends with its time limit") {
  play([](wrapper wrap) -> coro<> {
    pair_of_ends on(wrap, {.close_timeout = 30s}, 50);
    on.connection.tell(text(std::string(1000, 'x')));
    on.connection.tell(io::close{});
    co_await sleep(29s);
    CHECK(on.pages.closings == 0);
    co_await sleep(2s);
    CHECK(on.pages.closings == 1);
    CHECK(on.pages.reason == std::errc::timed_out);
    const std::string got = co_await all_of(on.peer);
    CHECK(got.ends_with(was_reset()));
  });
}

TEST_CASE(
    "over any transport asked writes wait for room in the window, in order, and drained tells") {
  play([](wrapper wrap) -> coro<> {
    pair_of_ends on(wrap, {.write_window = 100}, 10);
    co_await on.connection.ask(text(std::string(10, 'a')));
    std::vector<future<void>> waiting;
    for (const char each : {'b', 'c', 'd'})
      waiting.push_back(on.connection.ask(text(std::string(60, each)), infinite));
    co_await settle();
    CHECK(waiting[0].done());
    CHECK_FALSE(waiting[1].done());
    CHECK_FALSE(waiting[2].done());
    const io::bytes got = co_await on.peer.read_exactly(190);
    CHECK(got.text() == std::string(10, 'a') + std::string(60, 'b') + std::string(60, 'c') +
                            std::string(60, 'd'));
    for (const future<void>& each : waiting) co_await each;
    co_await on.pages.until([&] { return on.pages.flushed == 190; });
  });
}

TEST_CASE("over any transport a write that is told beyond the window ends the connection") {
  play([](wrapper wrap) -> coro<> {
    pair_of_ends on(wrap, {.write_window = 100}, 10);
    on.connection.tell(text(std::string(90, 'a')));
    on.connection.tell(text(std::string(90, 'b')));
    co_await on.pages.until_closed();
    CHECK(on.pages.reason == std::errc::no_buffer_space);
    const std::string got = co_await all_of(on.peer);
    CHECK(got.ends_with(was_reset()));
  });
}

TEST_CASE("over any transport an asked write that is given up is not sent") {
  play([](wrapper wrap) -> coro<> {
    pair_of_ends on(wrap, {.write_window = 100}, 10);
    on.connection.tell(text(std::string(100, 'a')));
    const future<void> given_up = on.connection.ask(text(std::string(80, 'b')), infinite);
    const future<void> last = on.connection.ask(text("the end"), infinite);
    co_await settle();
    CHECK(given_up.cancel());
    const io::bytes got = co_await on.peer.read_exactly(107);
    CHECK(got.text() == std::string(100, 'a') + "the end");
    co_await last;
  });
}

TEST_CASE(
    "over any transport abort, stop and a reset each fail the asks that wait, and close once") {
  play([](wrapper wrap) -> coro<> {
    for (const int how : {0, 1, 2}) {
      pair_of_ends on(wrap, {.write_window = 100}, 10);
      on.connection.tell(text(std::string(100, 'a')));
      auto first = create_task(ending(on.connection.ask(text(std::string(80, 'b')), infinite)));
      auto second = create_task(ending(on.connection.ask(text(std::string(80, 'c')), infinite)));
      on.connection.tell(io::close{});
      co_await settle();
      if (how == 0) on.connection.tell(io::abort{});
      if (how == 1) on.connection.stop();
      if (how == 2) on.peer.abort();
      const answered one = co_await first;
      const answered other = co_await second;
      CHECK_FALSE(one.ok);
      CHECK(one.code);
      CHECK(one.code == other.code);
      co_await see_the_end(on.pages);
      CHECK(on.pages.closings == 1);
      CHECK(on.pages.reason == one.code);
      const answered late_one = co_await ending(on.connection.ask(text("late")));
      CHECK(late_one.what.find("actor_dead") == 0);
    }
  });
}

TEST_CASE("over any transport much goes both ways and comes out the same") {
  play([](wrapper wrap) -> coro<> {
    pair_of_ends on(wrap, {.write_window = 1000}, 300);
    const std::string there = pattern(20'000);
    const std::string back = pattern(20'000, 7);
    on.pages.on_data = [&](std::size_t size) { on.connection.tell(io::demand{size}); };
    on.connection.tell(io::demand{700});
    auto sending = create_task([](io::stream& to, std::string what) -> coro<> {
      for (std::size_t at = 0; at < what.size(); at += 999) {
        to.write(std::string_view(what).substr(at, 999));
        co_await to.drain();
      }
      to.write_eof();
    }(on.peer, back));
    auto writing = create_task([](connection_ref to, std::string what) -> coro<> {
      for (std::size_t at = 0; at < what.size(); at += 777)
        co_await to.ask(text(std::string_view(what).substr(at, 777)), infinite);
      to.tell(io::write_eof{});
    }(on.connection, there));
    const std::string got = co_await all_of(on.peer);
    CHECK(same(got, there));
    co_await sending;
    co_await writing;
    co_await on.pages.until_closed();
    CHECK(same(on.pages.received, back));
    CHECK_FALSE(on.pages.reason);
    on.pages.on_data = nullptr;
  });
}

TEST_CASE("a connection that is full of everything stops with its loop, and says closed") {
  std::shared_ptr<history> pages;
  testing::run([](std::shared_ptr<history>& told) -> coro<> {
    pair_of_ends on(as_it_is, {.write_window = 100}, 10);
    told = on.shared;
    on.peer.write(std::string(100, 'x'));
    on.connection.tell(io::demand{3});
    on.connection.tell(text(std::string(100, 'a')));
    // Nobody waits for the answer any more when it fails.
    const future<void> waiting = on.connection.ask(text(std::string(80, 'b')), infinite);
    on.connection.tell(io::close{});
    co_await sleep(1ms);
  }(pages));
  CHECK(pages->received == "xxx");
  CHECK(pages->closings <= 1);  // its owner may have stopped before it
}

namespace {

/// Has a farewell to send, for which there is no room before a while has passed; or ever.
class with_farewell final : public opaque {
 public:
  with_farewell(std::unique_ptr<io::transport> below, duration takes)
      : opaque(std::move(below)), takes_(takes) {}
  ~with_farewell() override { notice_.cancel(); }

  void attach(io::transport::listener& told) override {
    told_ = &told;
    below().attach(told);
  }
  bool finish() noexcept override {
    if (!std::exchange(asked_, true) && takes_ != infinite) {
      notice_ = loop::current()->call_later(takes_, [this] {
        said_ = true;
        told_->on_ready();
      });
    }
    return said_;
  }

 private:
  io::transport::listener* told_ = nullptr;
  timer_handle notice_;
  duration takes_;
  bool asked_ = false;
  bool said_ = false;
};

std::unique_ptr<io::transport> in_ten_seconds(std::unique_ptr<io::transport> below) {
  return std::make_unique<with_farewell>(std::move(below), 10s);
}
std::unique_ptr<io::transport> never(std::unique_ptr<io::transport> below) {
  return std::make_unique<with_farewell>(std::move(below), infinite);
}

}  // namespace

TEST_CASE("a connection waits for the farewell of its transport, but not for ever") {
  testing::run([]() -> coro<> {
    for (const bool both_end : {false, true}) {
      pair_of_ends polite(in_ten_seconds);
      pair_of_ends held_up(never, {.close_timeout = 30s});
      for (pair_of_ends* each : {&polite, &held_up}) {
        if (both_end) {
          each->peer.write_eof();
          each->connection.tell(io::write_eof{});
        } else {
          each->connection.tell(io::close{});
        }
      }
      co_await sleep(9s);
      CHECK(polite.pages.closings == 0);
      co_await sleep(2s);
      CHECK(polite.pages.closings == 1);
      CHECK_FALSE(polite.pages.reason);
      co_await sleep(18s);
      CHECK(held_up.pages.closings == 0);
      co_await sleep(2s);
      CHECK(held_up.pages.closings == 1);
      CHECK(held_up.pages.reason == std::errc::timed_out);
    }
  }());
}

TEST_CASE("a connection needs a transport and an owner") {
  testing::run([]() -> coro<> {
    auto owner = spawn<recorder>(std::make_shared<history>());
    std::unique_ptr<io::transport> none;
    CHECK_THROWS_AS(spawn<io::stream_connection>(std::move(none), owner), std::invalid_argument);
    auto ends = io::memory_transports();
    CHECK_THROWS_AS(
        spawn<io::stream_connection>(std::move(ends.first), actor_ref<io::connection_events>()),
        std::invalid_argument);
    co_return;
  }());
}
