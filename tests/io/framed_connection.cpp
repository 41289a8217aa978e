// Connections of frames over memory, on virtual time.
#include <troupe/actors/actor.hpp>
#include <troupe/io/delimited.hpp>
#include <troupe/io/framed_connection.hpp>
#include <troupe/io/length_prefixed.hpp>
#include <troupe/io/lines.hpp>
#include <troupe/io/memory.hpp>

#include "io/connections.hpp"
#include "scenarios/support.hpp"
#include "support/catch.hpp"
#include "support/random_numbers.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// What an owner of frames heard, in order: contents, "?reason", "(end)", "+frames drained", "#reason closed".
struct heard_of_frames {
  std::vector<std::string> all;
  std::size_t frames = 0;
  std::size_t closings = 0;
  std::error_code reason;
};

std::string text_of(const std::string& frame) { return frame; }
std::string text_of(const io::bytes& frame) { return std::string(frame.text()); }

template <class F>
class frame_recorder : public actor<typename io::frames<F>::events> {
 public:
  using messages = io::frames<F>;
  explicit frame_recorder(std::shared_ptr<heard_of_frames> heard) : heard_(std::move(heard)) {}
  void on(typename messages::frame f) {
    ++heard_->frames;
    heard_->all.push_back(text_of(f.content));
  }
  void on(typename messages::malformed m) { heard_->all.push_back("?" + m.reason.message()); }
  void on(typename messages::end_of_data) { heard_->all.push_back("(end)"); }
  void on(typename messages::drained d) { heard_->all.push_back("+" + std::to_string(d.frames)); }
  void on(typename messages::closed c) {
    ++heard_->closings;
    heard_->reason = c.reason;
    heard_->all.push_back("#");
  }

 private:
  std::shared_ptr<heard_of_frames> heard_;
};

template <io::codec C>
struct framed_ends {
  using messages = io::frames<typename C::frame>;
  explicit framed_ends(C how = C(), wrapper wrap = as_it_is,
                       const io::connection_options& options = {}, std::size_t capacity = 1 << 16)
      : framed_ends(std::move(how), wrap, options, io::memory_transports(capacity)) {}
  framed_ends(C how, wrapper wrap, const io::connection_options& options,
              std::pair<std::unique_ptr<io::transport>, std::unique_ptr<io::transport>> both)
      : peer(std::move(both.second)),
        owner(spawn<frame_recorder<typename C::frame>>(shared)),
        connection(spawn<io::framed_connection<C>>(wrap(std::move(both.first)), owner,
                                                   std::move(how), options)) {}

  /// Grants credit for so many frames, and time for what comes of it.
  coro<> grant(std::size_t frames) {
    connection.tell(typename messages::demand{frames});
    return settle();
  }

  std::shared_ptr<heard_of_frames> shared = std::make_shared<heard_of_frames>();
  heard_of_frames& heard = *shared;
  io::stream peer;
  actor_ref<typename messages::events> owner;
  actor_ref<typename messages::connection> connection;
};

using of_lines = io::frames<std::string>;
using of_bytes = io::frames<io::bytes>;
using strings = std::vector<std::string>;

std::string bad(io::frame_errc of) { return "?" + make_error_code(of).message(); }

}  // namespace

TEST_CASE("a connection of frames gives out as many frames as it has credit for") {
  play([](wrapper wrap) -> coro<> {
    framed_ends<io::lines> on({}, wrap);
    on.peer.write("one\ntwo\r\n\nfour\nfive");
    co_await settle();
    CHECK(on.heard.all.empty());
    co_await on.grant(2);
    CHECK(on.heard.all == strings{"one", "two"});
    co_await on.grant(1);
    CHECK(on.heard.all == strings{"one", "two", ""});
    on.connection.tell(of_lines::demand{SIZE_MAX});
    co_await on.grant(SIZE_MAX);
    CHECK(on.heard.all == strings{"one", "two", "", "four"});
    on.peer.write(" and more\n");
    co_await settle();
    CHECK(on.heard.all.back() == "five and more");
  });
}

TEST_CASE("a connection of frames ends after all frames, and keeps those there is no credit for") {
  play([](wrapper wrap) -> coro<> {
    framed_ends<io::lines> on({}, wrap);
    on.connection.tell(of_lines::demand{1});
    on.connection.tell(io::write_eof{});
    on.peer.write("one\ntwo\nlast");
    on.peer.write_eof();
    co_await settle();
    // Both sides have ended, but two frames wait for credit.
    CHECK(on.heard.all == strings{"one"});
    co_await on.grant(1);
    CHECK(on.heard.all == strings{"one", "two"});
    co_await on.grant(1);
    CHECK(on.heard.all == strings{"one", "two", "last", "(end)", "#"});
    CHECK_FALSE(on.heard.reason);
  });
}

TEST_CASE("an end of data inside a frame is told without credit, and writing goes on") {
  testing::run([]() -> coro<> {
    framed_ends<io::length_prefixed> on;
    on.connection.tell(of_bytes::demand{1});
    on.peer.write(std::string_view("\0\0\0\2hi\0\0\0\5hel", 13));
    on.peer.write_eof();
    co_await settle();
    CHECK(on.heard.all == strings{"hi", bad(io::frame_errc::incomplete), "(end)"});
    co_await on.connection.ask(of_bytes::write(io::bytes(std::string_view("still here"))));
    on.connection.tell(io::close{});
    const std::string got = co_await all_of(on.peer);
    CHECK(got == std::string("\0\0\0\x0astill here", 14));
    co_await settle();
    CHECK(on.heard.all.back() == "#");
    CHECK_FALSE(on.heard.reason);
  }());
}

TEST_CASE("a frame that is too long costs one of credit and little memory, and others follow") {
  testing::run([]() -> coro<> {
    framed_ends<io::lines> on(io::lines({.limit = 10}));
    on.connection.tell(of_lines::demand{2});
    on.peer.write(std::string(200'000, 'x') + "\none\ntwo\n");
    co_await settle();
    CHECK(on.heard.all == strings{bad(io::frame_errc::too_long), "one"});
    co_await on.grant(1);
    CHECK(on.heard.all.back() == "two");
  }());
}

TEST_CASE("behind a length that cannot be the connection ends, and resets the peer") {
  testing::run([]() -> coro<> {
    framed_ends<io::length_prefixed> on;
    on.connection.tell(of_bytes::demand{10});
    on.peer.write("GET / HTTP/1.1\r\n\r\n");
    co_await settle();
    CHECK(on.heard.all == strings{"#"});
    CHECK(on.heard.reason == io::frame_errc::too_long);
    const std::string got = co_await all_of(on.peer);
    CHECK(got == was_reset());
  }());
}

TEST_CASE("frames are written in order, asked ones wait for room, and drained counts frames") {
  testing::run([]() -> coro<> {
    framed_ends<io::lines> on({}, as_it_is, {.write_window = 50}, 10);
    on.connection.tell(of_lines::write("tell"));
    co_await settle();
    CHECK(on.heard.all == strings{"+1"});
    std::vector<future<void>> answers;
    for (const char each : {'a', 'b', 'c'})
      answers.push_back(on.connection.ask(of_lines::write(std::string(40, each)), infinite));
    const future<void> given_up = on.connection.ask(of_lines::write("given up"), infinite);
    co_await settle();
    CHECK(answers[0].done());
    CHECK_FALSE(answers[1].done());
    CHECK(given_up.cancel());
    on.connection.tell(io::close{});
    const std::string got = co_await all_of(on.peer);
    CHECK(got == "tell\n" + std::string(40, 'a') + "\n" + std::string(40, 'b') + "\n" +
                     std::string(40, 'c') + "\n");
    for (const future<void>& each : answers) co_await each;
    co_await settle();
    CHECK(on.heard.all == strings{"+1", "+3", "#"});
  }());
}

TEST_CASE("what cannot be framed fails who asks, and ends the connection of who tells") {
  testing::run([]() -> coro<> {
    framed_ends<io::lines> on;
    std::error_code reason;
    try {
      co_await on.connection.ask(of_lines::write("two\nlines"));
    } catch (const io::bad_frame& error) {
      reason = error.code();
    }
    CHECK(reason == io::frame_errc::bad_content);
    co_await on.connection.ask(of_lines::write("one"));
    CHECK(on.heard.closings == 0);
    on.connection.tell(of_lines::write("two\nlines"));
    co_await settle();
    CHECK(on.heard.closings == 1);
    CHECK(on.heard.reason == io::frame_errc::bad_content);
  }());
}

TEST_CASE(
    "a connection of frames holds no more than a frame that has begun and what was read with it") {
  testing::run([]() -> coro<> {
    framed_ends<io::length_prefixed> on(io::length_prefixed({.limit = 1 << 20}), as_it_is, {},
                                        1000);
    on.connection.tell(of_bytes::demand{1});
    const std::string frame = std::string("\0\0\0\3abc", 7);
    std::string many;
    for (int count = 0; count < 2000; ++count) many += frame;
    on.peer.write(many);
    co_await settle();
    CHECK(on.heard.frames == 1);
    // The way holds 1000, one read took as much, and one byte may be held back.
    CHECK(on.peer.unsent() >= many.size() - 2001);
    for (std::size_t count = 2; count <= 2000; ++count) {
      on.connection.tell(of_bytes::demand{1});
      co_await sleep(1ms);
      REQUIRE(on.heard.frames == count);
    }
  }());
}

TEST_CASE("random frames go to a connection and back the same, however they are torn") {
  play([](wrapper wrap) -> coro<> {
    random_numbers random(5);
    framed_ends<io::length_prefixed> on({}, wrap, {}, 500);
    on.connection.tell(of_bytes::demand{SIZE_MAX});
    strings sent;
    auto reading = create_task(all_of(on.peer));
    std::string expected;
    for (int count = 0; count < 100; ++count) {
      std::string content(random.below(count % 10 == 0 ? 5000 : 50), ' ');
      for (char& each : content) each = static_cast<char>(random.next());
      sent.push_back(content);
      io::length_prefixed codec;
      std::string whole;
      const io::encoded made = codec.encode(std::string_view(content));
      for (const std::string_view part : made.parts()) whole += part;
      on.peer.write(whole);
      co_await on.peer.drain();
      expected += whole;
      co_await on.connection.ask(of_bytes::write(io::bytes(content)), infinite);
    }
    on.peer.write_eof();
    co_await settle();
    on.connection.tell(io::close{});
    const std::string got = co_await reading;
    CHECK(same(got, expected));
    strings received;
    for (const std::string& each : on.heard.all)
      if (received.size() < sent.size() && each == sent[received.size()]) received.push_back(each);
    CHECK(received.size() == sent.size());
    CHECK(on.heard.frames == sent.size());
  });
}

namespace {

/// Digits as numbers in words; throws in each of its functions where it is told to.
struct choosy {
  using frame = std::string;
  io::decoded decode(std::string_view so_far, bool) {
    if (so_far.starts_with('*')) throw std::runtime_error("decode");
    return so_far.empty() ? io::decoded::need() : io::decoded::found(1, 0, 1);
  }
  std::string make(std::string_view content) {
    if (content == "!") throw std::domain_error("make");
    return std::string(content);
  }
  io::encoded encode(const std::string& content) {
    io::encoded made;
    made.body = content;
    return made;
  }
};

}  // namespace

TEST_CASE("what a codec throws is told as a frame that is none, or ends the connection") {
  testing::run([]() -> coro<> {
    framed_ends<choosy> on;
    on.connection.tell(of_lines::demand{4});
    on.peer.write("1!2");
    co_await settle();
    CHECK(on.heard.all == strings{"1", bad(io::frame_errc::bad_content), "2"});
    on.peer.write("*");
    co_await settle();
    CHECK(on.heard.closings == 1);
    CHECK(on.heard.reason == io::frame_errc::bad_content);
  }());
}

TEST_CASE(
    "a connection of frames that is aborted, stopped, reset or whose owner goes closes once") {
  for (const int how : {0, 1, 2, 3}) {
    testing::run([](int way) -> coro<> {
      framed_ends<io::lines> on({}, as_it_is, {.write_window = 50}, 10);
      on.connection.tell(of_lines::demand{1});
      on.peer.write("one\ntwo\nthr");
      on.connection.tell(of_lines::write(std::string(40, 'a')));
      auto waiting =
          create_task(ending(on.connection.ask(of_lines::write(std::string(40, 'b')), infinite)));
      co_await settle();
      if (way == 0) on.connection.tell(io::abort{});
      if (way == 1) on.connection.stop();
      if (way == 2) on.peer.abort();
      if (way == 3) on.owner.stop();
      if (way == 3) co_await settle();
      if (way == 3) on.connection.tell(io::abort{});
      const answered answer = co_await waiting;
      CHECK_FALSE(answer.ok);
      CHECK(answer.code);
      co_await settle();
      CHECK(on.heard.frames == 1);
      CHECK(on.heard.closings == (way == 3 ? 0 : 1));
    }(how));
  }
}

TEST_CASE("many credits and an endless peer do not fill the mailbox of a connection of frames") {
  testing::run([]() -> coro<> {
    framed_ends<io::lines> on({}, as_it_is, {.largest_chunk = 16}, 1 << 16);
    on.peer.write(std::string(60'000, '\n'));
    std::size_t most = 0;
    for (int turn = 0; turn < 2000; ++turn) {
      on.connection.tell(of_lines::demand{20});
      co_await sleep(0s);
      const std::string condition = on.connection.cell()->condition();
      const std::size_t place = condition.find_first_of("0123456789");
      if (place != std::string::npos)
        most = std::max(most, std::size_t(std::stoul(condition.substr(place))));
    }
    CHECK(most <= 4);
    co_await settle();
    CHECK(on.heard.frames == 40'000);
  }());
}
