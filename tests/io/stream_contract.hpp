// What every transport has to give the stream over it, as one test that each passes: tests/io/stream_memory.cpp, and those of sockets in
// tests/scenarios. `make` connects two streams with the given options; nothing depends on time but by limits that are generous.
#pragma once

#include <troupe/io/stream.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/timeout.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <system_error>
#include <utility>

namespace troupe::testing::streams {

using namespace std::chrono_literals;

using ends = std::pair<io::stream, io::stream>;
using maker = coro<ends> (*)(io::stream_options options);

/// What a transport does not do as a socket does.
struct peculiarities {
  bool resets = true;  ///< an abort is told to the peer as an error, and not as the end of data
  std::size_t much = 4'000'000;  ///< more than it holds on the way
  std::size_t size = 300'000;    ///< of what is sent and read
};

/// Bytes that are each different from their neighbours and from those a block further on.
inline std::string pattern(std::size_t size, unsigned salt) {
  std::string made(size, '\0');
  for (std::size_t index = 0; index < size; ++index)
    made[index] = static_cast<char>((index * 31 + index / 251 + salt) & 0xff);
  return made;
}

inline std::string pattern_without_newlines(std::size_t size) {
  std::string made = pattern(size, 0);
  std::replace(made.begin(), made.end(), '\n', ' ');
  return made;
}

/// How a read, or another wait, ends: "", or the kind of error.
template <class T>
coro<std::string> end_of(coro<T> wait) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(wait);
    } else {
      static_cast<void>(co_await std::move(wait));
    }
    co_return "";
  } catch (const std::system_error& error) {
    co_return "lost";
  } catch (const invalid_state&) {
    co_return "invalid state";
  } catch (const io::incomplete_read& error) {
    co_return "incomplete";
  }
}

inline coro<> drained(io::stream& of) { co_await of.drain(); }
inline coro<> ended(io::stream& of) { co_await of.wait_closed(); }
inline coro<std::string> everything(io::stream& from) {
  const io::bytes got = co_await from.read_all();
  co_return std::string(got.text());
}
inline coro<std::string> exactly(io::stream& from, std::size_t count) {
  const io::bytes got = co_await from.read_exactly(count);
  co_return std::string(got.text());
}

/// Writes all in parts, waiting whenever too much is unsent.
inline coro<> send_all(io::stream& to, std::string what, std::size_t part) {
  const std::string_view text(what);
  for (std::size_t at = 0; at < text.size(); at += part) {
    to.write(text.substr(at, part));
    co_await to.drain();
  }
}

inline coro<> both_ways(maker make, std::size_t size) {
  ends two = co_await make({});
  const std::string there = pattern(size, 1);
  const std::string back = pattern(size, 2);
  auto first = create_task(send_all(two.first, there, 7000));
  auto second = create_task(send_all(two.second, back, 900));
  auto reading = create_task(exactly(two.first, back.size()));
  std::string got = co_await exactly(two.second, there.size());
  CHECK((got == there));
  got = co_await reading;
  CHECK((got == back));
  co_await first;
  co_await second;
}

inline coro<> lines(maker make) {
  ends two = co_await make({});
  two.first.write("hello ", "world", "!\n");
  two.first.write("second\nthird");
  std::string line = co_await two.second.read_line();
  CHECK(line == "hello world!\n");
  two.second.write(line);
  line = co_await two.first.read_line();
  CHECK(line == "hello world!\n");
  line = co_await two.second.read_line();
  CHECK(line == "second\n");
  two.first.close();
  line = co_await two.second.read_line();
  CHECK(line == "third");
  line = co_await two.second.read_line();
  CHECK(line.empty());
  CHECK(two.second.at_eof());
}

/// One side says that it writes no more; the other goes on.
inline coro<> half_close(maker make, bool first_ends, std::size_t size) {
  ends two = co_await make({});
  io::stream& ending = first_ends ? two.first : two.second;
  io::stream& going_on = first_ends ? two.second : two.first;
  const std::string request = pattern(size, 3);
  ending.write(request);
  ending.write_eof();
  ending.write_eof();
  CHECK_THROWS_AS(ending.write("more"), invalid_state);
  std::string got = co_await everything(going_on);
  CHECK((got == request));
  auto answering = create_task(send_all(going_on, pattern(size / 2, 4), 5000));
  got = co_await exactly(ending, size / 2);
  CHECK((got == pattern(size / 2, 4)));
  co_await answering;
  going_on.write_eof();
  got = co_await everything(ending);
  CHECK(got.empty());
  ending.close();
  going_on.close();
  std::string end = co_await end_of(ended(ending));
  CHECK(end.empty());
  end = co_await end_of(ended(going_on));
  CHECK(end.empty());
}

/// A message that is torn at each of its bytes, with time for the first part to be read alone, comes out whole.
inline coro<> torn_anywhere(maker make, std::size_t size) {
  ends two = co_await make({});
  const std::string line = pattern_without_newlines(size) + "\n";
  for (std::size_t cut = 0; cut <= line.size(); ++cut) {
    auto reading = create_task([](io::stream& from) -> coro<std::string> {
      co_return co_await from.read_line();
    }(two.second));
    two.first.write(std::string_view(line).substr(0, cut));
    for (int turn = 0; turn < 3; ++turn) co_await sleep(0s);
    two.first.write(std::string_view(line).substr(cut));
    const std::string got = co_await reading;
    CHECK((got == line));
  }
}

/// The first part of a message comes, and the rest much later; reads, reads with time limits and a reader that is not there all find it.
inline coro<> delayed(maker make) {
  ends two = co_await make({});
  auto reading = create_task(exactly(two.second, 8));
  two.first.write("half");
  co_await sleep(20ms);
  CHECK_FALSE(reading.done());
  two.first.write("half");
  std::string got = co_await reading;
  CHECK(got == "halfhalf");
  CHECK_THROWS_AS(co_await timeout(1ms, exactly(two.second, 4)), timeout_error);
  two.first.write("la");
  CHECK_THROWS_AS(co_await timeout(5ms, exactly(two.second, 4)), timeout_error);
  two.first.write("te");
  co_await sleep(5ms);
  got = co_await exactly(two.second, 4);
  CHECK(got == "late");
  two.first.write("the end");
  two.first.close();
  co_await sleep(5ms);  // all of it is there, and its sender has gone
  got = co_await everything(two.second);
  CHECK(got == "the end");
}

/// Both sides say at once that they write no more, or close: each gets what the other had written, and neither waits for the other.
inline coro<> both_end_at_once(maker make, bool closing, std::size_t size) {
  ends two = co_await make({});
  two.first.write(pattern(size, 11));
  two.second.write(pattern(size, 12));
  two.first.write_eof();
  two.second.write_eof();
  auto reading = create_task(everything(two.first));
  std::string got = co_await everything(two.second);
  CHECK((got == pattern(size, 11)));
  got = co_await reading;
  CHECK((got == pattern(size, 12)));
  if (closing) {
    two.first.close();
    two.second.close();
  } else {
    two.second.close();
    two.first.close();
  }
  std::string end = co_await end_of(ended(two.first));
  CHECK(end.empty());
  end = co_await end_of(ended(two.second));
  CHECK(end.empty());
}

/// A peer that resets while this side reads, in the middle of what it waits for: an error and no end of data, where there is such a thing.
inline coro<> reset_while_reading(maker make, peculiarities how) {
  ends two = co_await make({});
  auto reading = create_task(end_of(exactly(two.second, 100)));
  two.first.write("not all");
  co_await sleep(5ms);
  CHECK_FALSE(reading.done());
  two.first.abort();
  std::string end = co_await reading;
  CHECK(end == (how.resets ? "lost" : "incomplete"));
  if (how.resets) {
    end = co_await end_of(ended(two.second));
    CHECK(end == "lost");
  }
}

/// Who has begun to read, and stops, leaves the rest where it is; it is all there when it is wanted again.
inline coro<> reader_that_stops(maker make, std::size_t size) {
  ends two = co_await make({.high_water = 1000, .low_water = 100});
  auto sending = create_task(send_all(two.first, pattern(size, 13), 800));
  std::string got = co_await exactly(two.second, size / 10);
  // The sender stops by itself, and stays stopped.
  std::size_t unsent = 0;
  do {
    unsent = two.first.unsent();
    co_await sleep(20ms);
  } while (two.first.unsent() != unsent);
  auto last = create_task(exactly(two.second, size - size / 10));
  got += co_await last;
  CHECK((got == pattern(size, 13)));
  co_await sending;
  CHECK(two.first.unsent() == 0);
}

/// What was written before `close`, or before the stream went, arrives.
inline coro<> close_sends_all(maker make, bool drop, std::size_t size) {
  ends two = co_await make({});
  const std::string text = pattern(size, 5);
  two.first.write(text);
  if (drop) {
    io::stream gone(std::move(two.first));
  } else {
    two.first.close();
    CHECK(two.first.is_closing());
    two.first.write("dropped");
    const std::string end = co_await end_of(drained(two.first));
    CHECK(end == "lost");
  }
  const std::string got = co_await everything(two.second);
  CHECK((got == text));
  if (!drop) co_await two.first.wait_closed();
}

inline coro<> abort_ends_everything(maker make, peculiarities how) {
  ends two = co_await make({});
  const std::string much = pattern(how.much, 6);
  two.first.write(much);  // nobody reads it
  CHECK(two.first.unsent() != 0);
  auto first = create_task(end_of(drained(two.first)));
  auto second = create_task(end_of(drained(two.first)));
  auto reading = create_task(end_of(everything(two.first)));
  auto waiting = create_task(end_of(ended(two.first)));
  co_await sleep(1ms);
  two.first.abort();
  CHECK(two.first.unsent() == 0);
  std::string end = co_await first;
  CHECK(end == "lost");
  end = co_await second;
  CHECK(end == "lost");
  end = co_await reading;
  CHECK(end.empty());
  end = co_await waiting;
  CHECK(end.empty());
  end = co_await end_of(everything(two.second));
  CHECK(end == (how.resets ? "lost" : ""));
  two.first.abort();
  two.first.close();
  two.first.write("nothing");
}

/// A peer that does not read stops who drains, and costs no more memory than the marks say.
inline coro<> slow_reader(maker make, std::size_t size) {
  const std::size_t high = size / 3;
  const std::size_t part = size / 30;
  ends two = co_await make({.high_water = high, .low_water = size / 15});
  std::size_t written = 0;
  std::size_t most = 0;
  bool stop = false;
  struct sender {
    static coro<> run(io::stream& to, std::size_t part, std::size_t& written, std::size_t& most,
                      bool& stop) {
      const std::string chunk = pattern(part, 7);
      while (!stop) {
        to.write(chunk);
        written += chunk.size();
        most = std::max(most, to.unsent());
        co_await to.drain();
      }
      to.write_eof();
    }
  };
  auto sending = create_task(sender::run(two.first, part, written, most, stop));
  // It stops by itself.
  for (std::size_t before = 1; before != written;) {
    before = written;
    co_await sleep(50ms);
  }
  CHECK(most <= high + part);
  CHECK(two.first.unsent() > 0);
  const std::size_t stopped_at = written;
  std::size_t got = 0;
  while (written == stopped_at) {
    const io::bytes some = co_await two.second.read_some();
    got += some.size();
  }
  stop = true;
  const std::string rest = co_await everything(two.second);
  got += rest.size();
  co_await sending;
  CHECK(got == written);
  CHECK(most <= high + part);
}

/// Reads and drains that are cancelled have taken nothing.
inline coro<> cancelled_waits(maker make, std::size_t size) {
  ends two = co_await make({.high_water = 1000, .low_water = 100});
  for (int round = 0; round < 20; ++round) {
    auto line = create_task([](io::stream& from) -> coro<std::string> {
      co_return co_await from.read_line();
    }(two.second));
    auto some = std::string("abc").substr(0, static_cast<std::size_t>(round % 3));
    two.first.write(some);
    co_await sleep(1ms);
    line.cancel();
    CHECK_THROWS_AS(co_await line, cancelled);
    two.first.write("\n");
    const std::string whole = co_await two.second.read_line();
    CHECK(whole == some + "\n");
  }
  const std::string much = pattern(size, 8);
  two.first.write(much);
  auto drain = create_task(drained(two.first));
  co_await sleep(1ms);
  drain.cancel();
  CHECK_THROWS_AS(co_await drain, cancelled);
  const std::string got = co_await exactly(two.second, much.size());
  CHECK((got == much));
  co_await two.first.drain();
}

/// A peer that goes while this side writes and drains.
inline coro<> peer_goes(maker make, std::size_t size) {
  ends two = co_await make({});
  two.first.write(pattern(size, 9));
  auto drain = create_task(end_of(drained(two.first)));
  auto waiting = create_task(end_of(ended(two.first)));
  co_await sleep(1ms);
  {
    io::stream gone(std::move(two.second));
    gone.abort();
  }
  std::string end = co_await drain;
  CHECK(end == "lost");
  end = co_await waiting;
  CHECK(end == "lost");
  two.first.write("into the void");
  end = co_await end_of(drained(two.first));
  CHECK(end == "lost");
}

inline coro<> close_has_a_limit(maker make, std::size_t size) {
  ends two = co_await make({.close_timeout = 50ms});
  two.first.write(pattern(2 * size, 10));  // nobody reads it
  two.first.close();
  const std::string end = co_await end_of(ended(two.first));
  CHECK(end == "lost");
}

/// The whole contract.
inline coro<> contract(maker make, peculiarities how = {}) {
  co_await lines(make);
  co_await both_ways(make, how.size);
  co_await half_close(make, true, how.size);
  co_await half_close(make, false, how.size);
  co_await close_sends_all(make, false, how.size);
  co_await close_sends_all(make, true, how.size);
  co_await torn_anywhere(make, 40);
  co_await delayed(make);
  co_await both_end_at_once(make, true, 5000);
  co_await both_end_at_once(make, false, 5000);
  co_await reset_while_reading(make, how);
  co_await reader_that_stops(make, how.size);
  co_await slow_reader(make, how.size);
  co_await cancelled_waits(make, how.much);
  co_await peer_goes(make, how.much);
  co_await close_has_a_limit(make, how.much);
  co_await abort_ends_everything(make, how);
}

}  // namespace troupe::testing::streams
