// A connection and what goes out: order, the window, slow readers.
#include <troupe/io/tcp.hpp>

#include "scenarios/support.hpp"

#include <malloc.h>

#include <thread>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Much more than the system takes of a narrow wire: a backlog of at least half of it stays until the peer reads.
constexpr std::size_t jam_size = 1 << 20;
constexpr std::size_t too_much =
    3 * jam_size / 4;  // to fit into a window of `jam_window` behind it
constexpr io::connection_options jam_window{.write_window = jam_size + 8192};

void jam(scene& on) { on.connection.tell(text(pattern(jam_size))); }

}  // namespace

// --- what arrives --------------------------------------------------------------------------------------------------------

TEST_CASE("what is written arrives, is answered, and is reported as drained") {
  auto body = []() -> coro<> {
    scene on;
    co_await on.connection.ask(text("hello"));
    const std::string got = co_await on.theirs.receive(5);
    CHECK(got == "hello");
    co_await on.pages.until([&] { return on.pages.flushed == 5; });
    CHECK(on.pages.order == "f");
  };
  run_scenario(body());
}

TEST_CASE("an empty write is answered and drained at once") {
  auto body = []() -> coro<> {
    scene on;
    co_await on.connection.ask(text(""));
    on.connection.tell(text(""));
    co_await on.pages.until([&] { return on.pages.order == "ff"; });
    CHECK(on.pages.flushed == 0);
  };
  run_scenario(body());
}

TEST_CASE("an empty write into a backlog is answered") {
  auto body = []() -> coro<> {
    scene on({}, narrow_wire());
    jam(on);
    co_await on.connection.ask(text(""));
    const std::string got = co_await on.theirs.receive(jam_size);
    CHECK(got.size() == jam_size);
  };
  run_scenario(body());
}

TEST_CASE("many small writes keep their order, through a backlog too") {
  auto body = []() -> coro<> {
    scene on({}, narrow_wire());
    const std::string sent = pattern(300'000);
    std::size_t size = 1;
    for (std::size_t done = 0; done < sent.size(); size = size % 97 + 1) {
      const std::string_view part = std::string_view(sent).substr(done, size);
      on.connection.tell(text(part));
      done += part.size();
    }
    const std::string got = co_await on.theirs.receive(sent.size());
    CHECK(same(got, sent));
    co_await on.pages.until([&] { return on.pages.flushed == sent.size(); });
    CHECK(on.pages.closings == 0);
  };
  run_scenario(body());
}

TEST_CASE("small and large writes mixed keep their order through a backlog") {
  auto body = []() -> coro<> {
    scene on({.write_window = 4 << 20}, narrow_wire());
    const std::string sent = pattern(2 << 20);
    std::size_t step = 0;
    for (std::size_t done = 0; done < sent.size(); ++step) {
      const std::string_view part =
          std::string_view(sent).substr(done, step % 3 == 0 ? 5000 : 1 + step % 700);
      on.connection.tell(text(part));
      done += part.size();
    }
    const std::string got = co_await on.theirs.receive(sent.size());
    CHECK(same(got, sent));
  };
  run_scenario(body());
}

TEST_CASE("told and asked writes keep their order") {
  auto body = []() -> coro<> {
    scene on({.write_window = 100'000}, narrow_wire());
    const std::string sent = pattern(600'000);
    std::vector<future<void>> answers;
    for (std::size_t done = 0; done < sent.size(); done += 1000) {
      const std::string_view part = std::string_view(sent).substr(done, 1000);
      // What is told has to fit into the window: only before anything is asked.
      if (done < 90'000) {
        on.connection.tell(text(part));
      } else {
        answers.push_back(on.connection.ask(text(part), infinite));
      }
    }
    const std::string got = co_await on.theirs.receive(sent.size());
    CHECK(same(got, sent));
    for (const future<void>& each : answers) co_await each;
  };
  run_scenario(body());
}

TEST_CASE("asked writes of any total reach a reading peer") {
  auto body = []() -> coro<> {
    scene on({.write_window = 256 << 10});
    const std::string sent = pattern(32 << 20);
    auto receiving = create_task(on.theirs.receive(sent.size()));
    for (std::size_t done = 0; done < sent.size(); done += 32 << 10) {
      co_await on.connection.ask(text(std::string_view(sent).substr(done, 32 << 10)), infinite);
    }
    const std::string got = co_await receiving;
    CHECK(same(got, sent));
    co_await on.pages.until([&] { return on.pages.flushed == sent.size(); });
    CHECK(on.pages.flushed == sent.size());
  };
  run_scenario(body());
}

TEST_CASE("a write larger than the window is let in when nothing is before it") {
  auto body = []() -> coro<> {
    scene on({.write_window = 1000}, narrow_wire());
    const std::string sent = pattern(1 << 20);
    on.connection.tell(text(sent));
    const std::string got = co_await on.theirs.receive(sent.size());
    CHECK(same(got, sent));
    CHECK(on.pages.closings == 0);
  };
  run_scenario(body());
}

TEST_CASE("a window of nothing lets one write in at a time") {
  auto body = []() -> coro<> {
    scene on({.write_window = 0}, narrow_wire());
    const std::string sent = pattern(1 << 20);
    auto receiving = create_task(on.theirs.receive(sent.size()));
    for (std::size_t done = 0; done < sent.size(); done += 64 << 10) {
      co_await on.connection.ask(text(std::string_view(sent).substr(done, 64 << 10)), infinite);
    }
    const std::string got = co_await receiving;
    CHECK(same(got, sent));
  };
  run_scenario(body());
}

// --- slow readers ----------------------------------------------------------------------------------------------------------

TEST_CASE("an asked write beyond the window is answered only when there is room") {
  auto body = []() -> coro<> {
    scene on(jam_window, narrow_wire());
    jam(on);
    co_await on.connection.ask(text(std::string(4000, 'a')), infinite);  // within the window
    const future<void> late = on.connection.ask(text(std::string(too_much, 'b')), infinite);
    co_await turns();
    CHECK_FALSE(late.done());
    const std::string got = co_await on.theirs.receive(jam_size + 4000 + too_much);
    co_await late;
    CHECK(got.substr(jam_size) == std::string(4000, 'a') + std::string(too_much, 'b'));
  };
  run_scenario(body());
}

TEST_CASE("a slow reader never makes more wait than the window holds") {
  auto body = []() -> coro<> {
    constexpr std::size_t window = 64 << 10;
    scene on({.write_window = window}, narrow_wire());
    const std::string chunk = pattern(4096);
    std::size_t accepted = 0;
    std::size_t most = 0;
    auto writing = [](scene& with, std::string_view part, std::size_t& count) -> coro<> {
      for (int turn = 0; turn < 500; ++turn) {
        co_await with.connection.ask(text(part), infinite);
        count += part.size();
      }
    };
    auto task = create_task(writing(on, chunk, accepted));
    std::string got;
    while (got.size() < 500 * chunk.size()) {
      co_await turns(10);
      const std::size_t taken = got.size() + on.theirs.waiting() + unsent(on.native);
      most = std::max(most, accepted - std::min(accepted, taken));
      on.theirs.receive_now(got, 3000);
    }
    co_await task;
    CHECK(got.size() == 500 * chunk.size());
    CHECK(most > window / 2);
    CHECK(most <= window);
  };
  run_scenario(body());
}

TEST_CASE(
    "a told write beyond the window ends the connection with no_buffer_space and resets the peer") {
  auto body = []() -> coro<> {
    scene on(jam_window, narrow_wire());
    jam(on);
    on.connection.tell(text(std::string(4000, 'a')));
    co_await turns();
    CHECK(on.pages.closings == 0);
    on.connection.tell(text(std::string(too_much, 'b')));
    co_await on.pages.until_closed();
    CHECK(on.pages.reason == std::errc::no_buffer_space);
    co_await on.theirs.receive_all();
    CHECK(on.theirs.error() == ECONNRESET);
    co_await turns();
    CHECK(on.pages.closings == 1);
  };
  run_scenario(body());
}

TEST_CASE(
    "a told write behind one that waits for room ends the connection, so that none overtakes "
    "another") {
  auto body = []() -> coro<> {
    scene on(jam_window, narrow_wire());
    jam(on);
    co_await on.connection.ask(text(std::string(4000, 'a')), infinite);
    auto waiting = ending(on.connection.ask(text(std::string(too_much, 'b')), infinite));
    on.connection.tell(text("c"));
    const answered result = co_await std::move(waiting);
    CHECK(result.code == std::errc::no_buffer_space);
    co_await on.pages.until_closed();
    CHECK(on.pages.reason == std::errc::no_buffer_space);
  };
  run_scenario(body());
}

TEST_CASE("writes whose askers have given up do not pile up") {
  auto body = []() -> coro<> {
    scene on(jam_window, narrow_wire());
    jam(on);
    // An owner that tries again and again.
    for (int turn = 0; turn < 100; ++turn) {
      const future<void> attempt = on.connection.ask(text(std::string(too_much, 'b')), infinite);
      co_await turns(3);
      CHECK(attempt.cancel());
    }
    const future<void> last = on.connection.ask(text("the end"), infinite);
    std::string got;
    while (got.find("the end") == std::string::npos && on.theirs.error() == 0) {
      if (on.theirs.receive_now(got) == 0) co_await sleep(200us);
    }
    co_await last;
    // What nobody waits for any more and was not let in is not sent.
    CHECK(got.find('b', jam_size) == std::string::npos);
  };
  run_scenario(body());
}

TEST_CASE("a backlog of tiny writes takes little more memory than its bytes") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  WARN("skipped: a sanitizer's heap is another");
#else
  auto body = []() -> coro<> {
    constexpr std::size_t window = 512 << 10;
    scene on({.write_window = jam_size + window}, narrow_wire());
    jam(on);
    co_await turns();
    const std::size_t before = ::mallinfo2().uordblks;
    for (std::size_t done = 0; done < window; ++done)
      co_await on.connection.ask(text("x"), infinite);
    const std::size_t after = ::mallinfo2().uordblks;
    CHECK(after - before < 2 * window);
  };
  run_scenario(body());
#endif
}

TEST_CASE("a peer that never reads costs no processor time while writes wait") {
  auto body = []() -> coro<> {
    scene on(jam_window, narrow_wire());
    jam(on);
    const future<void> late = on.connection.ask(text(std::string(too_much, 'b')), infinite);
    co_await turns();
    const duration before = processor_time();
    co_await sleep(300ms);
    CHECK(processor_time() - before < 150ms);
  };
  run_scenario(body());
}

TEST_CASE("drained comes once for a backlog and counts what was written since the last time") {
  auto body = []() -> coro<> {
    scene on({.write_window = 2 * jam_size}, narrow_wire());
    jam(on);
    on.connection.tell(text(std::string(10'000, 'a')));
    on.connection.tell(text(std::string(20'000, 'b')));
    const std::string got = co_await on.theirs.receive(jam_size + 30'000);
    CHECK(got.size() == jam_size + 30'000);
    co_await on.pages.until([&] { return on.pages.flushed == jam_size + 30'000; });
    CHECK(on.pages.order == "f");
  };
  run_scenario(body());
}

// --- the end of writing ------------------------------------------------------------------------------------------------------

TEST_CASE("after write_eof the peer sees the end of data, and reading goes on") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(io::demand{SIZE_MAX});
    on.connection.tell(text("bye"));
    on.connection.tell(io::write_eof{});
    const std::string got = co_await on.theirs.receive_all();
    CHECK(got == "bye");
    CHECK(on.theirs.error() == 0);
    co_await on.theirs.send("still here");
    co_await on.pages.until_received(10);
    CHECK(on.pages.received == "still here");
    CHECK(on.pages.closings == 0);
  };
  run_scenario(body());
}

TEST_CASE("write_eof waits for the backlog") {
  auto body = []() -> coro<> {
    scene on({.write_window = 4 << 20}, narrow_wire());
    const std::string sent = pattern(2 << 20);
    on.connection.tell(text(sent));
    on.connection.tell(io::write_eof{});
    on.connection.tell(io::write_eof{});
    co_await turns();
    const std::string got = co_await on.theirs.receive_all();
    CHECK(same(got, sent));
    CHECK(on.theirs.error() == 0);
  };
  run_scenario(body());
}

TEST_CASE("write_eof waits for writes that wait for room") {
  auto body = []() -> coro<> {
    scene on(jam_window, narrow_wire());
    jam(on);
    const future<void> first = on.connection.ask(text(std::string(too_much, 'a')), infinite);
    const future<void> second = on.connection.ask(text(std::string(too_much, 'b')), infinite);
    on.connection.tell(io::write_eof{});
    const std::string got = co_await on.theirs.receive_all();
    CHECK(got.substr(jam_size) == std::string(too_much, 'a') + std::string(too_much, 'b'));
    co_await first;
    co_await second;
  };
  run_scenario(body());
}

TEST_CASE("an asked write after write_eof fails with broken_pipe, and a told one is dropped") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(io::write_eof{});
    const answered result = co_await ending(on.connection.ask(text("late")));
    CHECK(result.code == std::errc::broken_pipe);
    CHECK(result.what.find("writing to a connection") != std::string::npos);
    on.connection.tell(text("late too"));
    const std::string got = co_await on.theirs.receive_all();
    CHECK(got.empty());
    co_await turns();
    CHECK(on.pages.closings == 0);
  };
  run_scenario(body());
}

// --- writes that fail ----------------------------------------------------------------------------------------------------------

TEST_CASE("an asked write that finds the connection broken fails with the system's error") {
  auto body = []() -> coro<> {
    scene on;
    // The reset is there, but the connection has not been told: this task keeps the loop busy.
    on.theirs.reset();
    const future<void> first = on.connection.ask(text("x"), infinite);
    const answered result = co_await ending(on.connection.ask(text("y"), infinite));
    const answered earlier = co_await ending(std::move(const_cast<future<void>&>(first)));
    CHECK_FALSE(earlier.ok);
    INFO(earlier.what);
    CHECK((earlier.code == std::errc::broken_pipe || earlier.code == std::errc::connection_reset));
    CHECK_FALSE(result.ok);
    co_await on.pages.until_closed();
    CHECK(on.pages.order == "c");
  };
  run_scenario(body());
}

TEST_CASE("asked writes that wait for room fail when the peer resets") {
  auto body = []() -> coro<> {
    scene on(jam_window, narrow_wire());
    jam(on);
    co_await on.connection.ask(text(std::string(4000, 'a')), infinite);
    auto first = ending(on.connection.ask(text(std::string(too_much, 'b')), infinite));
    auto second = ending(on.connection.ask(text(std::string(too_much, 'c')), infinite));
    co_await turns();
    on.theirs.reset();
    const answered one = co_await std::move(first);
    const answered other = co_await std::move(second);
    CHECK(one.code == std::errc::connection_reset);
    CHECK(other.code == std::errc::connection_reset);
    co_await on.pages.until_closed();
    CHECK(on.pages.reason == std::errc::connection_reset);
    CHECK(on.pages.closings == 1);
  };
  run_scenario(body());
}

TEST_CASE("asked writes that wait for room fail when the connection is stopped") {
  auto body = []() -> coro<> {
    scene on(jam_window, narrow_wire());
    jam(on);
    co_await on.connection.ask(text(std::string(4000, 'a')), infinite);
    auto waiting = ending(on.connection.ask(text(std::string(too_much, 'b')), infinite));
    co_await turns();
    on.connection.stop();
    const answered result = co_await std::move(waiting);
    CHECK(result.code == std::errc::operation_canceled);
    co_await on.pages.until_closed();
    CHECK(on.pages.reason == std::errc::operation_canceled);
  };
  run_scenario(body());
}

TEST_CASE("a write after the end fails with actor_dead") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(io::close{});
    co_await on.pages.until_closed();
    const answered result = co_await ending(on.connection.ask(text("late")));
    CHECK(result.what.find("actor_dead") == 0);
    on.connection.tell(text("late too"));
    on.connection.tell(io::demand{1});
    on.connection.tell(io::close{});
    co_await turns();
    CHECK(on.pages.order == "c");
  };
  run_scenario(body());
}

TEST_CASE("asked writes wait for room up to eight windows more, and fail beyond that") {
  auto body = []() -> coro<> {
    scene on(jam_window, narrow_wire());
    jam(on);
    std::vector<future<void>> waiting;
    for (int count = 0; count < 9; ++count)
      waiting.push_back(on.connection.ask(text(pattern(jam_size)), infinite));
    std::error_code reason;
    try {
      co_await waiting.back();
    } catch (const std::system_error& error) {
      reason = error.code();
    }
    CHECK(reason == std::errc::no_buffer_space);
    const std::string got = co_await on.theirs.receive(9 * jam_size);
    CHECK(got.size() == 9 * jam_size);
    for (int count = 0; count < 8; ++count) co_await waiting[static_cast<std::size_t>(count)];
  };
  run_scenario(body());
}

TEST_CASE("a close that a peer which never reads holds up ends with timed_out") {
  auto body = []() -> coro<> {
    scene on({.close_timeout = std::chrono::milliseconds(20)}, narrow_wire());
    jam(on);
    on.connection.tell(io::close{});
    co_await on.pages.until_closed();
    CHECK(on.pages.reason == std::errc::timed_out);
  };
  run_scenario(body());
}
