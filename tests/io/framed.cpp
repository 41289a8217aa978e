// Frames over a stream.
#include <troupe/io/delimited.hpp>
#include <troupe/io/framed.hpp>
#include <troupe/io/length_prefixed.hpp>
#include <troupe/io/lines.hpp>
#include <troupe/io/memory.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>
#include <troupe/runtime/timeout.hpp>

#include "runtime/brute_force.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using ends = std::pair<io::stream, io::stream>;
using lines = io::framed<io::lines>;
using records = io::framed<io::length_prefixed>;

std::string text_of(const std::string& frame) { return frame; }
std::string text_of(const io::bytes& frame) { return std::string(frame.text()); }

/// The frame, "(none)" at the end of data, or the kind of error.
template <class Codec>
coro<std::string> next(io::framed<Codec>& from) {
  try {
    auto frame = co_await from.read();
    co_return frame ? text_of(*frame) : "(none)";
  } catch (const io::incomplete_read& error) {
    co_return "incomplete " + std::to_string(error.partial().size()) + " of " +
        (error.expected() ? std::to_string(*error.expected()) : "?");
  } catch (const io::bad_frame& error) {
    co_return "bad: " + error.code().message();
  } catch (const invalid_state&) {
    co_return "invalid state";
  } catch (const std::system_error& error) {
    co_return error.code().message();
  }
}

void play(coro<> (*scene)(ends), std::size_t capacity = 1 << 16) {
  struct stage {
    static coro<> run(coro<> (*of)(ends), std::size_t size) { co_await of(io::memory_pair(size)); }
  };
  testing::run(stage::run(scene, capacity));
}

}  // namespace

TEST_CASE("frames go over a stream and come out of it, until there is none any more") {
  play([](ends two) -> coro<> {
    records here(std::move(two.first));
    records there(std::move(two.second));
    here.write("one");
    here.write(io::bytes(std::string_view("two")));
    here.write(std::string());
    const std::string large(300'000, 'x');
    here.write(large);
    here.write_eof();
    std::string got = co_await next(there);
    CHECK(got == "one");
    got = co_await next(there);
    CHECK(got == "two");
    got = co_await next(there);
    CHECK(got.empty());
    got = co_await next(there);
    CHECK((got == large));
    got = co_await next(there);
    CHECK(got == "(none)");
    got = co_await next(there);
    CHECK(got == "(none)");
  });
}

TEST_CASE("frames come out whole though the way holds a byte at a time") {
  play(
      [](ends two) -> coro<> {
        auto sending = create_task([](io::stream over) -> coro<> {
          records to(std::move(over));
          for (int size = 0; size < 200; ++size)
            to.write(std::string(static_cast<std::size_t>(size), 'x'));
          to.close();
          co_await to.wait_closed();
        }(std::move(two.first)));
        records from(std::move(two.second));
        for (std::size_t size = 0; size < 200; ++size) {
          const auto frame = co_await from.read();
          REQUIRE(frame);
          CHECK(frame->size() == size);
        }
        const auto end = co_await from.read();
        CHECK_FALSE(end);
        co_await sending;
      },
      1);
}

TEST_CASE("data that ends inside a frame is incomplete, and then there is none") {
  play([](ends two) -> coro<> {
    records from(std::move(two.second));
    two.first.write(std::string_view("\0\0\0\5abc", 7));
    two.first.write_eof();
    std::string got = co_await next(from);
    CHECK(got == "incomplete 7 of 9");
    got = co_await next(from);
    CHECK(got == "(none)");
  });
  play([](ends two) -> coro<> {
    lines from(std::move(two.second), io::lines({.rest_is_frame = false}));
    two.first.write("whole\nhalf");
    two.first.write_eof();
    std::string got = co_await next(from);
    CHECK(got == "whole");
    got = co_await next(from);
    CHECK(got == "incomplete 4 of ?");
  });
}

TEST_CASE("a line that is too long is told once, and the next one is read") {
  play([](ends two) -> coro<> {
    lines from(std::move(two.second), io::lines({.limit = 10}));
    two.first.write(std::string(50'000, 'x') + "\nfine\n" + std::string(20, 'y'));
    two.first.write_eof();
    std::string text;
    try {
      co_await from.read();
    } catch (const io::bad_frame& error) {
      CHECK(error.code() == io::frame_errc::too_long);
      text = error.what();
    }
    CHECK(text == "a line of more than 10 bytes, from memory: longer than the limit of its codec");
    std::string got = co_await next(from);
    CHECK(got == "fine");
    got = co_await next(from);
    CHECK(got == "bad: longer than the limit of its codec");
    got = co_await next(from);
    CHECK(got == "(none)");
  });
}

TEST_CASE("behind a length that is too large nothing is read, each time") {
  play([](ends two) -> coro<> {
    records from(std::move(two.second), io::length_prefixed({.limit = 100}));
    two.first.write("HTTP/1.1 200 OK\r\n");
    for (int turn = 0; turn < 3; ++turn) {
      const std::string got = co_await next(from);
      CHECK(got == "bad: longer than the limit of its codec");
    }
  });
}

TEST_CASE("what cannot be framed is not sent, and the stream goes on") {
  play([](ends two) -> coro<> {
    lines to(std::move(two.first));
    CHECK_THROWS_AS(to.write("two\nlines"), io::bad_frame);
    to.write("one");
    lines from(std::move(two.second));
    const std::string got = co_await next(from);
    CHECK(got == "one");
  });
}

TEST_CASE(
    "a stream that is taken out again has all that was read ahead, and what is before frames") {
  play([](ends two) -> coro<> {
    two.first.write("a greeting\n");
    two.first.write(std::string_view("\0\0\0\3one\0\0\0\3two", 14));
    two.first.write("and a line\nrest");
    const std::string greeting = co_await two.second.read_line();
    CHECK(greeting == "a greeting\n");
    records from(std::move(two.second));
    std::string got = co_await next(from);
    CHECK(got == "one");
    got = co_await next(from);
    CHECK(got == "two");
    io::stream plain = from.release();
    got = co_await plain.read_line();
    CHECK(got == "and a line\n");
    const io::bytes rest = co_await plain.read_exactly(4);
    CHECK(rest.text() == "rest");
  });
}

TEST_CASE("a read of a frame that is cancelled, or late, has taken nothing") {
  play([](ends two) -> coro<> {
    records from(std::move(two.second));
    const std::string whole("\0\0\0\4four\0\0\0\0", 12);
    for (const char each : whole.substr(0, 8)) {
      auto reading = create_task(next(from));
      co_await sleep(1ms);
      reading.cancel();
      CHECK_THROWS_AS(co_await reading, cancelled);
      CHECK_THROWS_AS(co_await timeout(1ms, next(from)), timeout_error);
      two.first.write(std::string_view(&each, 1));
    }
    two.first.write(std::string_view(whole).substr(8));
    std::string got = co_await next(from);
    CHECK(got == "four");
    got = co_await next(from);
    CHECK(got.empty());
  });
}

TEST_CASE("a stream of frames may be moved while it is read, and told apart when it goes") {
  play([](ends two) -> coro<> {
    std::optional<lines> from(std::in_place, std::move(two.second));
    auto reading = create_task(next(*from));
    co_await sleep(1ms);
    lines moved = std::move(*from);
    two.first.write("still here\n");
    std::string got = co_await reading;
    CHECK(got == "still here");
    reading = create_task(next(moved));
    co_await sleep(1ms);
    {
      lines gone = std::move(moved);
    }
    got = co_await reading;
    CHECK(got == "invalid state");
  });
}

TEST_CASE("a peer that resets in the middle of a frame is an error and no end of data") {
  play([](ends two) -> coro<> {
    records from(std::move(two.second));
    two.first.write(std::string_view("\0\0\0\5ab", 6));
    auto reading = create_task(next(from));
    co_await sleep(1ms);
    two.first.abort();
    const std::string got = co_await reading;
    CHECK(got == "Connection reset by peer");
  });
}

namespace {

/// A codec of a program's own: one decimal digit per frame, as a number; "!" throws where it is made.
struct digits {
  using frame = int;
  io::decoded decode(std::string_view so_far, bool) const {
    return so_far.empty() ? io::decoded::need() : io::decoded::found(1, 0, 1);
  }
  int make(std::string_view content) const {
    if (content[0] < '0' || content[0] > '9') throw std::domain_error("no digit");
    return content[0] - '0';
  }
  io::encoded encode(int digit) {
    io::encoded made;
    made.head[0] = static_cast<char>('0' + digit);
    made.head_size = 1;
    return made;
  }
};

}  // namespace

TEST_CASE("a codec of one's own gives what it likes, and what it throws is thrown at the read") {
  play([](ends two) -> coro<> {
    io::framed<digits> here(std::move(two.first));
    here.write(4);
    two.first = here.release();
    two.first.write("!2");
    io::framed<digits> there(std::move(two.second));
    std::optional<int> got = co_await there.read();
    CHECK(got == 4);
    CHECK_THROWS_AS(co_await there.read(), std::domain_error);
    got = co_await there.read();
    CHECK(got == 2);
  });
}

namespace {

struct stage {
  std::string got;
};

coro<> send_frames(io::stream over) {
  try {
    records to(std::move(over));
    for (const std::size_t size : {0U, 1U, 9U, 40U}) {
      to.write(std::string(size, static_cast<char>('a' + size % 20)));
      co_await to.drain();
    }
    to.close();
    co_await to.wait_closed();
  } catch (const std::system_error&) {
  }
}

coro<> read_frames(stage& with) {
  auto two = io::memory_pair(4, {.high_water = 3, .low_water = 1});
  auto sending = create_task(send_frames(std::move(two.first)), {.name = "sender"});
  records from(std::move(two.second));
  try {
    while (auto frame = co_await from.read()) with.got += text_of(*frame) + ";";
  } catch (const io::incomplete_read&) {  // the sender was stopped
  } catch (const std::system_error&) {
  }
  from.close();
  co_await sending;
}

void verify(stage& with) {
  const std::string all =
      ";" + std::string("b") + ";" + std::string(9, 'j') + ";" + std::string(40, 'a') + ";";
  CHECK(all.starts_with(with.got));
}

}  // namespace

TEST_CASE("a reader and a writer of frames may be stopped at any place") {
  for (const char* victim : {"", "sender"}) {
    brute_force_options options;
    options.victim = victim;
    options.may_fail = true;
    for_each_cancellation<stage>(read_frames, verify, options);
    options.for_good = true;
    for_each_cancellation<stage>(read_frames, verify, options);
    for_each_abandonment<stage>(read_frames, verify, options);
  }
}
