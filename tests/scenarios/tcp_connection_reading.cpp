// A connection and what comes in: credit, order, ends of data.
#include <troupe/io/tcp.hpp>

#include "scenarios/support.hpp"

#include <poll.h>

#include <atomic>
#include <cstdint>
#include <thread>

using namespace troupe;
using namespace troupe::testing;

// --- credit ------------------------------------------------------------------------------------------------------------

TEST_CASE("nothing is read without credit") {
  auto body = []() -> coro<> {
    scene on;
    co_await on.theirs.send("hello");
    co_await turns();
    CHECK(on.pages.order.empty());
    on.connection.tell(io::demand{100});
    co_await on.pages.until_received(5);
    CHECK(on.pages.received == "hello");
  };
  run_scenario(body());
}

TEST_CASE("a demand of nothing is no credit") {
  auto body = []() -> coro<> {
    scene on;
    co_await on.theirs.send("hello");
    on.connection.tell(io::demand{0});
    co_await turns();
    CHECK(on.pages.order.empty());
  };
  run_scenario(body());
}

TEST_CASE("data never exceeds the credit given, and nothing is lost") {
  auto body = []() -> coro<> {
    scene on;
    const std::string sent = pattern(1 << 20);
    std::size_t granted = 0;
    std::size_t excess = 0;
    std::size_t step = 0;
    const auto grant = [&] {
      // From single bytes to more than one chunk, in no order.
      const std::size_t more =
          1 + (step * step * 977 + step * 13) % (step % 16 == 0 ? 200'000 : 700);
      ++step;
      granted += more;
      on.connection.tell(io::demand{more});
    };
    on.pages.on_data = [&](std::size_t) {
      if (on.pages.received.size() > granted) ++excess;
      if (on.pages.received.size() == granted && granted < sent.size()) grant();
    };
    auto sending = create_task(on.theirs.send(sent));
    grant();
    co_await on.pages.until_received(sent.size());
    co_await sending;
    CHECK(excess == 0);
    CHECK(step > 100);
    CHECK(same(on.pages.received, sent));
  };
  run_scenario(body());
}

TEST_CASE("credit adds up") {
  auto body = []() -> coro<> {
    scene on;
    for (int turn = 0; turn < 5; ++turn) on.connection.tell(io::demand{2});
    co_await on.theirs.send("0123456789abcdef");
    co_await on.pages.until_received(10);
    co_await turns();
    CHECK(on.pages.received == "0123456789");
  };
  run_scenario(body());
}

TEST_CASE("credit without limit stays without limit when more is given") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(io::demand{SIZE_MAX});
    on.connection.tell(io::demand{SIZE_MAX});
    co_await on.theirs.send("hello");
    co_await on.pages.until_received(5);
    CHECK(on.pages.received == "hello");
  };
  run_scenario(body());
}

TEST_CASE("credit resumes reading of what arrived before, without any new notice from the system") {
  auto body = []() -> coro<> {
    scene on;
    const std::string sent = pattern(60'000);
    co_await on.theirs.send(sent);
    co_await poll_until([&] { return unsent(on.theirs.native()) == 0; });
    co_await turns();
    // The system has told all it will ever tell. Each demand is answered by what is there.
    for (std::size_t taken = 0; taken < sent.size();) {
      taken += 1000;
      on.connection.tell(io::demand{1000});
      co_await on.pages.until_received(taken);
      CHECK(on.pages.received.size() == taken);
    }
    CHECK(same(on.pages.received, sent));
  };
  run_scenario(body());
}

TEST_CASE("one credit for all reads what arrived before in several turns") {
  auto body = []() -> coro<> {
    scene on({.largest_chunk = 512});
    const std::string sent = pattern(60'000);
    co_await on.theirs.send(sent);
    co_await poll_until([&] { return unsent(on.theirs.native()) == 0; });
    on.connection.tell(io::demand{SIZE_MAX});
    co_await on.pages.until_received(sent.size());
    CHECK(on.pages.largest_chunk <= 512);
    CHECK(same(on.pages.received, sent));
  };
  run_scenario(body());
}

TEST_CASE("a peer that sends without end is stopped by the system when there is no credit") {
  auto body = []() -> coro<> {
    scene on({}, make_wire(32 << 10, 32 << 10));
    const std::string chunk = pattern(64 << 10);
    std::size_t sent = 0;
    for (int refusals = 0; refusals < 100 && sent < (std::size_t{64} << 20);) {
      const std::size_t taken = on.theirs.send_now(chunk);
      sent += taken;
      if (taken == 0) {
        ++refusals;
        co_await sleep(0s);
      }
    }
    CHECK(sent < std::size_t{2} << 20);
    CHECK(on.pages.order.empty());
    // And it goes on from there.
    on.connection.tell(io::demand{sent});
    co_await on.pages.until_received(sent);
    CHECK(on.pages.received.size() == sent);
  };
  run_scenario(body());
}

TEST_CASE("a full connection without credit costs no processor time") {
  auto body = []() -> coro<> {
    scene on({}, make_wire(32 << 10, 32 << 10));
    const std::string chunk = pattern(256 << 10);
    while (on.theirs.send_now(chunk) != 0) {
    }
    co_await turns();
    const duration before = processor_time();
    co_await sleep(300ms);
    CHECK(processor_time() - before < 150ms);
  };
  run_scenario(body());
}

TEST_CASE("a chunk is never larger than largest_chunk") {
  auto body = []() -> coro<> {
    scene on({.largest_chunk = 100});
    const std::string sent = pattern(100'000);
    on.connection.tell(io::demand{SIZE_MAX});
    auto sending = create_task(on.theirs.send(sent));
    co_await on.pages.until_received(sent.size());
    co_await sending;
    CHECK(on.pages.largest_chunk <= 100);
    CHECK(same(on.pages.received, sent));
  };
  run_scenario(body());
}

TEST_CASE("a largest_chunk of nothing reads byte by byte instead of seeing an end of data") {
  auto body = []() -> coro<> {
    scene on({.largest_chunk = 0});
    on.connection.tell(io::demand{SIZE_MAX});
    co_await on.theirs.send("hello");
    co_await on.pages.until_received(5);
    CHECK(on.pages.received == "hello");
    CHECK(on.pages.ends == 0);
  };
  run_scenario(body());
}

TEST_CASE("a peer that sends byte by byte is heard byte-exact") {
  auto body = []() -> coro<> {
    scene on;
    const std::string sent = pattern(2000);
    on.connection.tell(io::demand{SIZE_MAX});
    for (const char each : sent) co_await on.theirs.send(std::string(1, each));
    co_await on.pages.until_received(sent.size());
    CHECK(same(on.pages.received, sent));
  };
  run_scenario(body());
}

namespace {

/// The number in "alive, N messages queued".
std::size_t queued_messages(const connection_ref& of) {
  const std::string condition = of.cell()->condition();
  if (condition.find("over") != std::string::npos) return 1001;
  const std::size_t place = condition.find_first_of("0123456789");
  return place == std::string::npos ? 0 : std::stoul(condition.substr(place));
}

}  // namespace

TEST_CASE("a connection with endless credit and an endless peer does not fill its own mailbox") {
  auto body = []() -> coro<> {
    scene on({.largest_chunk = 256});
    on.connection.tell(io::demand{SIZE_MAX});
    const std::string sent = pattern(4 << 20);
    auto sending = create_task(on.theirs.send(sent));
    std::size_t most = 0;
    on.pages.on_data = [&](std::size_t) { most = std::max(most, queued_messages(on.connection)); };
    co_await on.pages.until_received(sent.size());
    co_await sending;
    CHECK(most <= 4);
    CHECK(same(on.pages.received, sent));
  };
  run_scenario(body());
}

TEST_CASE("a connection that is flooded leaves the others their turn") {
  auto body = []() -> coro<> {
    scene flooded;
    scene quiet;
    flooded.connection.tell(io::demand{SIZE_MAX});
    quiet.connection.tell(io::demand{SIZE_MAX});
    std::atomic<bool> done{false};
    const int native = flooded.theirs.native();
    std::thread flood([native, &done] {
      const std::string chunk = pattern(64 << 10);
      pollfd writable{native, POLLOUT, 0};
      while (!done) {
        if (::poll(&writable, 1, 10) == 1) {
          static_cast<void>(
              ::send(native, chunk.data(), chunk.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
        }
      }
    });
    flooded.pages.on_data = [&](std::size_t) {
      if (flooded.pages.received.size() > (std::size_t{1} << 20)) flooded.pages.received.clear();
    };
    for (std::size_t round = 1; round <= 50; ++round) {
      CHECK(quiet.theirs.send_now("x") == 1);
      co_await quiet.pages.until_received(round);
    }
    done = true;
    flood.join();
    CHECK(quiet.pages.received.size() == 50);
  };
  run_scenario(body());
}

TEST_CASE("urgent data, which splits what can be read, leaves nothing unread behind it") {
  auto body = []() -> coro<> {
    scene on;
    co_await on.theirs.send("before");
    CHECK(::send(on.theirs.native(), "!", 1, MSG_OOB) == 1);
    co_await on.theirs.send("after");
    co_await poll_until([&] { return unsent(on.theirs.native()) == 0; });
    on.connection.tell(io::demand{100});
    co_await on.pages.until_received(11);
    CHECK(on.pages.received == "beforeafter");
  };
  run_scenario(body());
}

TEST_CASE("urgent data that comes while reading leaves nothing unread behind it") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(io::demand{100});
    co_await on.theirs.send("first");
    co_await on.pages.until_received(5);
    CHECK(::send(on.theirs.native(), "second!", 7, MSG_OOB) == 7);
    co_await on.theirs.send("third");
    co_await on.pages.until_received(16);
    CHECK(on.pages.received == "firstsecondthird");
  };
  run_scenario(body());
}

// --- the end of data -----------------------------------------------------------------------------------------------------

TEST_CASE("an end of data comes after all data, however they arrive") {
  auto body = []() -> coro<> {
    scene on;
    const std::string sent = pattern(50'000);
    co_await on.theirs.send(sent);
    on.theirs.end_sending();
    co_await poll_until([&] { return unsent(on.theirs.native()) == 0; });
    on.connection.tell(io::demand{SIZE_MAX});
    co_await on.pages.until_end();
    CHECK(same(on.pages.received, sent));
    CHECK(on.pages.ends == 1);
    CHECK(on.pages.order.back() == 'e');
  };
  run_scenario(body());
}

TEST_CASE("an end of data behind a few bytes is noticed in the same breath") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(io::demand{SIZE_MAX});
    for (int turn = 0; turn < 5; ++turn) co_await sleep(0s);
    CHECK(on.theirs.send_now("bye") == 3);
    on.theirs.end_sending();
    co_await on.pages.until_end();
    CHECK(on.pages.received == "bye");
  };
  run_scenario(body());
}

TEST_CASE("an end of data needs no credit") {
  auto body = []() -> coro<> {
    scene on;
    on.theirs.end_sending();
    co_await on.pages.until_end();
    CHECK(on.pages.order == "e");
  };
  run_scenario(body());
}

TEST_CASE("an end of data behind data that uses up the credit is noticed") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(io::demand{5});
    co_await on.theirs.send("hello");
    on.theirs.end_sending();
    co_await on.pages.until_end();
    CHECK(on.pages.order == "de");
  };
  run_scenario(body());
}

TEST_CASE("an end of data waits for credit while there is data before it") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(io::demand{4});
    co_await on.theirs.send("hello");
    on.theirs.end_sending();
    co_await on.pages.until_received(4);
    co_await turns();
    CHECK(on.pages.ends == 0);
    on.connection.tell(io::demand{1});
    co_await on.pages.until_end();
    CHECK(on.pages.received == "hello");
  };
  run_scenario(body());
}

TEST_CASE("an end of data is told once, whatever credit follows") {
  auto body = []() -> coro<> {
    scene on;
    on.connection.tell(io::demand{10});
    on.theirs.end_sending();
    co_await on.pages.until_end();
    for (int turn = 0; turn < 10; ++turn) on.connection.tell(io::demand{10});
    co_await turns();
    CHECK(on.pages.order == "e");
  };
  run_scenario(body());
}
