// A connection that goes on where a stream was: what had come before is the actor's, whatever had been read of it. Over memory, on virtual
// time; over TLS in tests/io/tls/connection.cpp.
#include <troupe/actors/actor.hpp>
#include <troupe/io/connection.hpp>
#include <troupe/io/framed.hpp>
#include <troupe/io/framed_connection.hpp>
#include <troupe/io/lines.hpp>
#include <troupe/io/memory.hpp>

#include "io/connections.hpp"
#include "scenarios/support.hpp"
#include "support/catch.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Tells of what is there once, as a socket does: who takes it over is told of what comes from then on only.
class tells_once final : public opaque, private io::transport::listener {
 public:
  using opaque::opaque;
  void attach(io::transport::listener& told) override {
    if (std::exchange(told_, &told) == nullptr) below().attach(*this);
  }

 private:
  void on_ready() noexcept override { told_->on_ready(); }
  io::transport::listener* told_ = nullptr;
};

/// Two streams; the first is to be handed over.
struct two_streams {
  two_streams() : two_streams(io::memory_transports()) {}
  explicit two_streams(
      std::pair<std::unique_ptr<io::transport>, std::unique_ptr<io::transport>> both)
      : ours(std::make_unique<tells_once>(std::move(both.first))), peer(std::move(both.second)) {}

  io::stream ours;
  io::stream peer;
};

/// What an owner of lines heard.
class line_recorder : public actor<io::frames<std::string>::events> {
 public:
  using messages = io::frames<std::string>;
  explicit line_recorder(std::shared_ptr<std::vector<std::string>> heard)
      : heard_(std::move(heard)) {}
  void on(messages::frame f) { heard_->push_back(f.content); }
  void on(messages::malformed) { heard_->push_back("?"); }
  void on(messages::end_of_data) { heard_->push_back("(end)"); }
  void on(messages::drained) {}
  void on(messages::closed) { heard_->push_back("#"); }

 private:
  std::shared_ptr<std::vector<std::string>> heard_;
};

}  // namespace

TEST_CASE("a connection over a transport that was another's reads what had come before") {
  testing::run([]() -> coro<> {
    two_streams on;
    const auto pages = std::make_shared<history>();
    auto owner = spawn<recorder>(pages);
    on.peer.write("hello");
    co_await settle();
    auto connection = spawn<io::stream_connection>(on.ours.take_apart().wire, owner);
    co_await settle();
    connection.tell(io::demand{100});
    co_await settle();
    CHECK(pages->received == "hello");
    on.peer.write(" again");
    co_await settle();
    CHECK(pages->received == "hello again");
  }());
}

TEST_CASE("a connection over a transport that was another's learns of an end that had come") {
  testing::run([]() -> coro<> {
    two_streams on;
    const auto pages = std::make_shared<history>();
    auto owner = spawn<recorder>(pages);
    on.peer.write_eof();
    co_await settle();
    auto connection = spawn<io::stream_connection>(on.ours.take_apart().wire, owner);
    co_await settle();
    CHECK(pages->order == "e");
  }());
}

TEST_CASE("a connection made of a stream gives what that had read ahead, against credit") {
  testing::run([]() -> coro<> {
    two_streams on;
    const auto pages = std::make_shared<history>();
    auto owner = spawn<recorder>(pages);
    const std::string much = pattern(10'000);
    on.peer.write("a greeting\n");
    on.peer.write(much);
    on.peer.write_eof();
    co_await settle();
    const std::string line = co_await on.ours.read_line();
    CHECK(line == "a greeting\n");
    auto connection = spawn<io::stream_connection>(std::move(on.ours), owner);
    co_await settle();
    CHECK(pages->order.empty());
    std::size_t granted = 0;
    for (const std::size_t more : {1U, 2U, 3000U, 5000U}) {
      connection.tell(io::demand{more});
      granted += more;
      co_await settle();
      CHECK(pages->received.size() == granted);
      CHECK(pages->ends == 0);
    }
    connection.tell(io::demand{100'000});
    co_await settle();
    CHECK(same(pages->received, much));
    CHECK(pages->ends == 1);
    co_await connection.ask(io::write(io::bytes("bye")));
    connection.tell(io::close{});
    const std::string answer = co_await all_of(on.peer);
    CHECK(answer == "bye");
    CHECK_FALSE(pages->reason);
  }());
}

TEST_CASE("a connection of frames made of a stream gives the frames that it had read ahead") {
  testing::run([]() -> coro<> {
    two_streams on;
    const auto heard = std::make_shared<std::vector<std::string>>();
    auto owner = spawn<line_recorder>(heard);
    on.peer.write("greeting\none\ntwo\nthr");
    co_await settle();
    io::framed<io::lines> greeted(std::move(on.ours));
    const auto first = co_await greeted.read();
    CHECK(first == "greeting");
    auto connection = spawn<io::framed_connection<io::lines>>(greeted.release(), owner);
    co_await settle();
    CHECK(heard->empty());
    connection.tell(line_recorder::messages::demand{1});
    co_await settle();
    CHECK(*heard == std::vector<std::string>{"one"});
    connection.tell(line_recorder::messages::demand{5});
    co_await settle();
    on.peer.write("ee\n");
    on.peer.write_eof();
    co_await settle();
    CHECK(*heard == std::vector<std::string>{"one", "two", "three", "(end)"});
  }());
}

TEST_CASE("a stream with something unsent or waited for makes no connection") {
  testing::run([]() -> coro<> {
    const auto pages = std::make_shared<history>();
    auto owner = spawn<recorder>(pages);
    auto both = io::memory_transports(10);
    io::stream full(std::move(both.first));
    full.write("more than its peer has room for");
    CHECK_THROWS_AS(spawn<io::stream_connection>(std::move(full), owner), invalid_state);
    co_return;
  }());
}
