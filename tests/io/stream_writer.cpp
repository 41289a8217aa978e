// What a stream writes: marks, drains, half-closes, ends; over memory, on virtual time. Entries of asyncio's stream writer.
#include <troupe/io/memory.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>

#include "io/stream_contract.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing::streams;
using namespace std::chrono_literals;

namespace {

/// The first of two streams of which nobody reads the other, with so many bytes unsent.
ends with_unsent(std::size_t unsent) {
  ends two = io::memory_pair(1);
  two.first.write(std::string(unsent + 1, 'x'));
  CHECK(two.first.unsent() == unsent);
  return two;
}

/// Whether a drain would wait now.
bool would_wait(io::stream& of) {
  auto wait = of.drain();
  return !wait.await_ready();
}

}  // namespace

TEST_CASE("a drain without pressure does not let anybody else run", "[conformance][writer-03]") {
  auto body = []() -> coro<> {
    ends two = io::memory_pair();
    bool other_ran = false;
    loop::current()->call_soon([&] { other_ran = true; });
    for (int turn = 0; turn < 100; ++turn) {
      two.first.write("little");
      co_await two.first.drain();
    }
    CHECK_FALSE(other_ran);
    co_await sleep(0s);
    CHECK(other_ran);
  };
  testing::run(body());
}

TEST_CASE("the marks say when a drain waits, and one of them gives the other",
          "[conformance][writer-05]") {
  auto body = []() -> coro<> {
    ends two = with_unsent(512);
    io::stream& out = two.first;
    CHECK_THROWS_AS(out.set_write_limits(0, 1), std::invalid_argument);
    CHECK_FALSE(would_wait(out));
    out.set_write_limits(1024, 128);
    CHECK_FALSE(would_wait(out));
    out.set_write_limits(512, 128);  // not above the mark
    CHECK_FALSE(would_wait(out));
    out.set_write_limits(256, 128);
    CHECK(would_wait(out));

    auto waiting = create_task(drained(out));
    static_cast<void>(co_await two.second.read_exactly(512 + 1 - 129));
    co_await sleep(1ms);
    CHECK(out.unsent() == 128);
    CHECK(waiting.done());  // at the low mark
    co_await waiting;
    out.write(std::string(128, 'x'));
    CHECK_FALSE(would_wait(out));
    out.write("x");
    CHECK(would_wait(out));
    co_return;
  };
  testing::run(body());

  auto given_alone = [](std::optional<std::size_t> high, std::optional<std::size_t> low) -> coro<> {
    ends two = with_unsent(400);
    two.first.set_write_limits(high, low);
    CHECK_FALSE(would_wait(two.first));
    two.first.write("x");
    CHECK(would_wait(two.first));
    auto waiting = create_task(drained(two.first));
    co_await sleep(1ms);
    static_cast<void>(co_await two.second.read_exactly(300));
    co_await sleep(1ms);
    CHECK_FALSE(waiting.done());
    static_cast<void>(co_await two.second.read_exactly(1));
    co_await waiting;
    CHECK(two.first.unsent() == 100);
  };
  testing::run(given_alone(400, {}));
  testing::run(given_alone({}, 100));
}

TEST_CASE("what is written after close is dropped, and the drain says so",
          "[conformance][writer-07]") {
  auto body = []() -> coro<> {
    ends two = io::memory_pair();
    two.first.close();
    CHECK(two.first.is_closing());
    for (int turn = 0; turn < 10; ++turn) two.first.write("late");
    std::error_code code;
    try {
      co_await two.first.drain();
    } catch (const std::system_error& error) {
      code = error.code();
    }
    CHECK(code == std::errc::connection_reset);
    const std::string got = co_await everything(two.second);
    CHECK(got.empty());
  };
  testing::run(body());
}

TEST_CASE("an abort drops what is unsent and ends drains and waits", "[conformance][writer-09]") {
  auto body = []() -> coro<> {
    ends two = with_unsent(1'000'000);
    auto blocked = create_task(end_of(drained(two.first)));
    co_await sleep(1ms);
    CHECK_FALSE(blocked.done());
    two.first.abort();
    CHECK(two.first.unsent() == 0);
    const std::string end = co_await blocked;
    CHECK(end == "lost");
    co_await two.first.wait_closed();
    const std::string seen = co_await end_of(everything(two.second));
    CHECK(seen == "lost");
  };
  testing::run(body());
}

TEST_CASE("write_eof lets what was written go first, and the answer come",
          "[conformance][writer-11]") {
  auto body = []() -> coro<> {
    ends two = io::memory_pair(100);
    const std::string request = pattern(50'000, 1);
    two.first.write(request);
    two.first.write_eof();
    two.first.write_eof();
    CHECK_THROWS_AS(two.first.write("more"), invalid_state);
    const std::string got = co_await everything(two.second);
    CHECK((got == request));
    two.second.write("answer\n");
    const std::string answer = co_await two.first.read_line();
    CHECK(answer == "answer\n");
    two.first.close();
    two.first.write_eof();  // harmless
    two.second.close();
    two.second.write_eof();
    co_await two.first.wait_closed();
  };
  testing::run(body());
}

TEST_CASE("a lost stream ends all drains and the wait for its end alike",
          "[conformance][writer-13]") {
  auto body = []() -> coro<> {
    ends two = with_unsent(1'000'000);
    std::vector<task<std::string>> blocked;
    for (int index = 0; index < 3; ++index)
      blocked.push_back(create_task(end_of(drained(two.first))));
    auto waiting = create_task(end_of(ended(two.first)));
    co_await sleep(1ms);
    two.second.abort();
    for (const auto& each : blocked) {
      const std::string end = co_await each;
      CHECK(end == "lost");
    }
    std::string end = co_await waiting;
    CHECK(end == "lost");
    end = co_await end_of(ended(two.first));
    CHECK(end == "lost");
  };
  testing::run(body());
}
