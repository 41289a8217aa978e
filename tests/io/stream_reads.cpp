// What a stream reads: some, all, exactly, lines, records; over memory, on virtual time. Entries of asyncio's stream reader.
#include <troupe/io/memory.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>
#include <troupe/runtime/timeout.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

using ends = std::pair<io::stream, io::stream>;

coro<> settle() { co_await sleep(1ms); }

coro<std::string> some(io::stream& from, std::size_t most = 1000) {
  const io::bytes got = co_await from.read_some(most);
  co_return std::string(got.text());
}
coro<std::string> exactly(io::stream& from, std::size_t count) {
  const io::bytes got = co_await from.read_exactly(count);
  co_return std::string(got.text());
}
coro<std::string> all(io::stream& from) {
  const io::bytes got = co_await from.read_all();
  co_return std::string(got.text());
}
coro<std::string> line(io::stream& from) { co_return co_await from.read_line(); }
coro<std::string> until(io::stream& from, std::string separator) {
  co_return co_await from.read_until(separator);
}

/// The kind of error that a read ends with, or what it gives.
coro<std::string> outcome(coro<std::string> read) {
  try {
    co_return co_await std::move(read);
  } catch (const io::incomplete_read& error) {
    co_return "incomplete: " + std::string(error.partial());
  } catch (const io::limit_overrun& error) {
    co_return "overrun " + std::to_string(error.consumed());
  } catch (const io::too_long&) {
    co_return "too long";
  } catch (const std::invalid_argument&) {
    co_return "invalid argument";
  } catch (const invalid_state&) {
    co_return "invalid state";
  } catch (const std::system_error& error) {
    co_return error.code().message();
  }
}

void play(coro<> (*scene)(ends), const io::stream_options& options = {},
          std::size_t capacity = 1 << 16) {
  struct stage {
    static coro<> run(coro<> (*scene)(ends), io::stream_options options, std::size_t capacity) {
      co_await scene(io::memory_pair(capacity, options));
    }
  };
  testing::run(stage::run(scene, options, capacity));
}

}  // namespace

TEST_CASE("read_some gives what is there and keeps the rest", "[conformance][reader-01]") {
  play([](ends two) -> coro<> {
    auto reading = create_task(some(two.second, 30));
    co_await settle();
    two.first.write("");
    co_await settle();
    CHECK_FALSE(reading.done());
    two.first.write("eighteen bytes now");
    std::string got = co_await reading;
    CHECK(got == "eighteen bytes now");
    two.first.write("line1");
    two.first.write("line2");
    got = co_await some(two.second, 5);
    CHECK(got == "line1");
    got = co_await some(two.second, 5);
    CHECK(got == "line2");
  });
}

TEST_CASE("read_all gives everything once the end of data has come", "[conformance][reader-03]") {
  play(
      [](ends two) -> coro<> {
        auto reading = create_task(all(two.second));
        two.first.write("chunk1\n");
        co_await settle();
        two.first.write("chunk2");
        const std::string much(10'000, 'x');
        two.first.write(much);
        two.first.write_eof();
        const std::string got = co_await reading;
        CHECK(got == "chunk1\nchunk2" + much);
        CHECK(two.second.at_eof());
      },
      {.limit = 16}, 64);
}

TEST_CASE("what comes when a reader has been cancelled stays for the next",
          "[conformance][reader-05]") {
  play([](ends two) -> coro<> {
    auto reading = create_task(line(two.second));
    two.first.write("half ");
    co_await settle();
    reading.cancel();
    two.first.write("a line\n");
    CHECK_THROWS_AS(co_await reading, cancelled);
    std::string got = co_await line(two.second);
    CHECK(got == "half a line\n");
    reading = create_task(line(two.second));
    co_await settle();
    reading.cancel();
    two.first.abort();
    co_await settle();
    CHECK(reading.cancelled());
    got = co_await outcome(line(two.second));
    CHECK(got == "Connection reset by peer");
  });
}

TEST_CASE("a line is read across chunks, and what follows it stays", "[conformance][reader-07]") {
  play([](ends two) -> coro<> {
    two.first.write("chunk1 ");
    auto reading = create_task(line(two.second));
    for (const char* chunk : {"chunk2 ", "chunk3 ", "\n chunk4"}) {
      co_await settle();
      two.first.write(chunk);
    }
    std::string got = co_await reading;
    CHECK(got == "chunk1 chunk2 chunk3 \n");
    got = co_await some(two.second);
    CHECK(got == " chunk4");
  });
}

TEST_CASE("lines come one by one until the end of data", "[conformance][reader-07]") {
  play([](ends two) -> coro<> {
    two.first.write("line1\nline2\r\n\nline4");
    two.first.write_eof();
    std::vector<std::string> lines;
    while (auto next = co_await two.second.next_line()) lines.push_back(*next);
    // An empty line has a newline, the end of data has none.
    CHECK(lines == std::vector<std::string>{"line1", "line2", "", "line4"});
    const std::string last = co_await line(two.second);
    CHECK(last.empty());
  });
}

TEST_CASE("a line beyond the limit is dropped with its newline", "[conformance][reader-09]") {
  play(
      [](ends two) -> coro<> {
        two.first.write("line1\nno2\n");
        std::string got = co_await outcome(line(two.second));
        CHECK(got == "too long");
        got = co_await line(two.second);
        CHECK(got == "no2\n");
      },
      {.limit = 3});
}

TEST_CASE("the limit of a line is strict to the byte", "[conformance][reader-11]") {
  play(
      [](ends two) -> coro<> {
        two.first.write("1234567\n");
        std::string got = co_await outcome(line(two.second));
        CHECK(got == "1234567\n");
        two.first.write("12345678\n");
        got = co_await outcome(line(two.second));
        CHECK(got == "too long");
        two.first.write("12345678");
        got = co_await outcome(line(two.second));
        CHECK(got == "too long");
        two.first.write("x");
        got = co_await some(two.second);
        CHECK(got == "x");
      },
      {.limit = 7});
}

TEST_CASE("read_until leaves what follows, and an empty separator is an error",
          "[conformance][reader-13]") {
  play([](ends two) -> coro<> {
    auto reading = create_task(until(two.second, "AAA"));
    for (const char* chunk : {"line", "A", "AAx", "xx"}) {
      two.first.write(chunk);
      co_await settle();
    }
    std::string got = co_await reading;
    CHECK(got == "lineAAA");
    got = co_await exactly(two.second, 3);
    CHECK(got == "xxx");
    got = co_await outcome(until(two.second, ""));
    CHECK(got == "invalid argument");
  });
}

TEST_CASE("read_until beyond the limit leaves everything", "[conformance][reader-15]") {
  play(
      [](ends two) -> coro<> {
        two.first.write("some dataAA");
        std::string got = co_await outcome(until(two.second, "AAA"));
        CHECK(got == "overrun 9");
        two.first.write("A");
        co_await settle();
        // What is there is found to hold none first; then what has come is read.
        got = co_await outcome(until(two.second, "AAA"));
        CHECK(got == "overrun 9");
        got = co_await exactly(two.second, 12);
        CHECK(got == "some dataAAA");
      },
      {.limit = 3});
}

TEST_CASE("of several separators the one that ends first counts", "[conformance][reader-17]") {
  play([](ends two) -> coro<> {
    const auto several = [](io::stream& from, std::string one,
                            std::string other) -> coro<std::string> {
      co_return co_await from.read_until(one, other);
    };
    two.first.write("line 1\nline 2\r");
    std::string got = co_await several(two.second, "\r", "\n");
    CHECK(got == "line 1\n");
    got = co_await several(two.second, "\r", "\n");
    CHECK(got == "line 2\r");
    two.first.write("ABCDEFG");
    got = co_await several(two.second, "DEF", "BCDE");
    CHECK(got == "ABCDE");
    got = co_await exactly(two.second, 2);
    CHECK(got == "FG");
    auto reading = create_task(several(two.second, "A", "long sep"));
    for (const char* chunk : {"data", "Z", "Aaaa"}) {
      two.first.write(chunk);
      co_await settle();
    }
    got = co_await reading;
    CHECK(got == "dataZA");
    CHECK_THROWS_AS(two.second.read_until(std::span<const std::string_view>()),
                    std::invalid_argument);
  });
}

TEST_CASE("nothing is read ahead of what is asked for", "[conformance][reader-19]") {
  play(
      [](ends two) -> coro<> {
        two.first.write(std::string(1000, 'x'));
        co_await settle();
        CHECK(two.first.unsent() == 900);  // nobody reads: what the way holds has left, and no more
        std::string got = co_await some(two.second, 10);
        CHECK(got.size() == 10);
        co_await settle();
        CHECK(two.first.unsent() >= 800);
        two.first.write_eof();
        got = co_await all(two.second);
        CHECK(got.size() == 990);
      },
      {.limit = 16}, 100);
}

TEST_CASE("read_exactly waits for all, and gives what there was when the end comes first") {
  play([](ends two) -> coro<> {
    auto reading = create_task(exactly(two.second, 6));
    two.first.write("abc");
    co_await settle();
    CHECK_FALSE(reading.done());
    two.first.write("defg");
    std::string got = co_await reading;
    CHECK(got == "abcdef");
    two.first.write_eof();
    got = co_await outcome(exactly(two.second, 2));
    CHECK(got == "incomplete: g");
    got = co_await outcome(exactly(two.second, 1));
    CHECK(got == "incomplete: ");
    got = co_await exactly(two.second, 0);
    CHECK(got.empty());
  });
}

TEST_CASE("reads into memory of the caller copy what was read before, then read directly") {
  play([](ends two) -> coro<> {
    two.first.write("a line\nand more");
    std::string got = co_await line(two.second);
    CHECK(got == "a line\n");
    std::byte room[5];
    std::size_t count = co_await two.second.read_some(std::span(room));
    CHECK(count == 5);
    count = co_await two.second.read_some(std::span(room));
    CHECK(count == 3);
    two.first.write_eof();
    count = co_await two.second.read_some(std::span(room));
    CHECK(count == 0);
  });
}

TEST_CASE("a second task that reads one stream is told so") {
  play([](ends two) -> coro<> {
    auto first = create_task(line(two.second));
    co_await settle();
    std::string got = co_await outcome(line(two.second));
    CHECK(got == "invalid state");
    two.first.write("one\n");
    got = co_await first;
    CHECK(got == "one\n");
  });
}

TEST_CASE("a read takes a time limit as anything does, and loses nothing by it") {
  play([](ends two) -> coro<> {
    two.first.write("half");
    CHECK_THROWS_AS(co_await timeout(1s, exactly(two.second, 8)), timeout_error);
    two.first.write("half");
    const std::string got = co_await exactly(two.second, 8);
    CHECK(got == "halfhalf");
    two.first.write("half a line");
    CHECK_THROWS_AS(co_await timeout(1s, two.second.read_line()), timeout_error);
    two.first.write("\n");
    const std::string whole = co_await timeout(1s, two.second.read_line());
    CHECK(whole == "half a line\n");
  });
}

TEST_CASE("a read whose stream goes is told so") {
  play([](ends two) -> coro<> {
    auto reading = create_task(outcome(line(two.second)));
    co_await settle();
    {
      io::stream gone(std::move(two.second));
    }
    const std::string got = co_await reading;
    CHECK(got == "invalid state");
  });
}

TEST_CASE("a reader that was cancelled may see its stream go before it goes itself") {
  play([](ends two) -> coro<> {
    auto reading = create_task(line(two.second));
    co_await settle();
    reading.cancel();
    {
      io::stream gone(std::move(two.second));
    }
    two.first.abort();
    CHECK_THROWS_AS(co_await reading, cancelled);
  });
}
