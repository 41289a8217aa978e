// Memory while the other side is slow: senders that never stop, peers that send and never read, connections on which nothing happens.
#include <troupe/io/open_connection.hpp>
#include <troupe/io/tcp.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/task.hpp>

#include "scenarios/echo.hpp"
#include "scenarios/support.hpp"

#include <malloc.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr std::size_t block = std::size_t{1} << 16;
constexpr std::size_t high = std::size_t{1} << 18;
constexpr std::size_t low = std::size_t{1} << 16;
/// What both ends' buffers are set to. Narrower ones hold less than one packet of the loopback, and stall for its timers.
constexpr int buffers = 1 << 17;
/// More than they hold one way: the system doubles them.
constexpr std::size_t on_the_wire = std::size_t{1} << 20;
constexpr std::size_t rounds = 20;

/// Bytes of the heap in use. Nothing where a sanitizer has a heap of its own.
std::size_t held() {
  const auto all = ::mallinfo2();
  return all.uordblks + all.hblkhd;
}
std::size_t held_since(std::size_t before) {
  const std::size_t now = held();
  return now - std::min(now, before);
}

struct progress {
  std::size_t written = 0;
  std::size_t most_unsent = 0;
};

coro<> write_for_ever(io::stream& to, std::shared_ptr<progress> shared) {
  const std::string content(block, 'x');
  try {
    for (;;) {
      to.write(content);
      shared->written += block;
      shared->most_unsent = std::max(shared->most_unsent, to.unsent());
      co_await to.drain();
    }
  } catch (const std::system_error&) {
    // The end of the test.
  }
}

coro<> ask_for_ever(connection_ref to, std::shared_ptr<progress> shared) {
  const std::string content(block, 'x');
  try {
    for (;;) {
      co_await to.ask(text(content), infinite);
      shared->written += block;
    }
  } catch (const std::system_error&) {
  } catch (const actor_dead&) {
  }
}

/// Reads from time to time; `written` goes on, and never gets further ahead than `most_ahead`.
coro<> read_slowly(peer& from, const progress& sender, std::size_t most_ahead,
                   std::size_t most_held) {
  const std::size_t before = held();
  std::size_t received = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    const std::size_t so_far = sender.written;
    for (std::size_t part = 0; part < high + block; part += block) {
      const std::string got = co_await from.receive(block);
      REQUIRE(got.size() == block);
      received += got.size();
    }
    co_await poll_until([&] { return sender.written > so_far; });
    co_await turns();
    CHECK(sender.written <= received + most_ahead);
    CHECK(held_since(before) <= most_held);
  }
}

/// Sends as long as the other side takes any, and more than `least`; says how much that was.
coro<std::size_t> flood(peer& to, std::size_t least) {
  const std::string content(block, 'x');
  std::size_t sent = 0;
  for (int without = 0; without < 50 || sent <= least; ++without) {
    while (const std::size_t more = to.send_now(content)) {
      sent += more;
      without = 0;
      REQUIRE(sent < 100 * on_the_wire);  // or it never ends
    }
    co_await turns(10);
    co_await sleep(500us);
  }
  co_return sent;
}

coro<> echo_back(io::stream with) {
  try {
    for (;;) {
      io::bytes got = co_await with.read_some();
      if (got.empty()) co_return;
      with.write(std::move(got));
      co_await with.drain();
    }
  } catch (const std::system_error&) {
  }
}

}  // namespace

TEST_CASE(
    "a stream whose writer never stops holds no more than the high-water mark and one write") {
  struct scene {
    static coro<> run() {
      wire ends = make_wire(buffers, buffers);
      io::stream to = io::make_stream(std::move(ends.ours), {.high_water = high, .low_water = low});
      auto sender = std::make_shared<progress>();
      auto writing = create_task(write_for_ever(to, sender));
      co_await read_slowly(ends.theirs, *sender, high + block + on_the_wire, high + 4 * block);
      CHECK(sender->most_unsent > high);  // it was slow enough to come so far
      CHECK(sender->most_unsent <= high + block);
      to.abort();
      co_await writing;
    }
  };
  run_scenario(scene::run());
}

TEST_CASE("a connection actor whose writer asks and never stops holds no more than its window") {
  struct scene_of_actors {
    static coro<> run() {
      scene on({.write_window = high}, make_wire(buffers, buffers));
      auto sender = std::make_shared<progress>();
      auto writing = create_task(ask_for_ever(on.connection, sender));
      co_await read_slowly(on.theirs, *sender, high + block + on_the_wire, high + 4 * block);
      on.connection.tell(io::abort{});
      co_await writing;
      co_await see_the_end(on.pages);
    }
  };
  run_scenario(scene_of_actors::run());
}

TEST_CASE("an echo over a stream takes no more from a peer that never reads than its marks") {
  struct scene {
    static coro<> run() {
      wire ends = make_wire(buffers, buffers);
      auto echo = create_task(
          echo_back(io::make_stream(std::move(ends.ours), {.high_water = high, .low_water = low})));
      const std::size_t before = held();
      const std::size_t sent = co_await flood(ends.theirs, high);
      CHECK(sent <= high + block + 2 * on_the_wire);
      CHECK(held_since(before) <= high + 4 * block);
      ends.theirs.reset();
      co_await echo;
    }
  };
  run_scenario(scene::run());
}

TEST_CASE(
    "an echo of connection actors takes no more from a peer that never reads than its credit") {
  struct scene {
    static coro<> run() {
      wire ends = make_wire(buffers, buffers);
      auto session = spawn<echo>(std::move(ends.ours), high);
      const std::size_t before = held();
      const std::size_t sent = co_await flood(ends.theirs, high);
      CHECK(sent <= 2 * high + 2 * on_the_wire);
      CHECK(held_since(before) <= high + 4 * block);
      ends.theirs.reset();
      co_await poll_until([&] { return session.cell()->state() == internal::cell::life::dead; });
    }
  };
  run_scenario(scene::run());
}

TEST_CASE(
    "a stream on which nothing happens, and the coroutine that reads it, take less than 1 KiB") {
  struct scene {
    static coro<> run() {
      constexpr std::size_t count = 400;  // of pairs: within the usual limit of descriptors
      constexpr std::size_t slab = std::size_t{32} << 10;
      std::vector<io::descriptor> others;
      std::vector<task<>> serving;
      others.reserve(count);
      serving.reserve(count);
      const std::size_t before = held();
      const std::uint64_t slabs = troupe::internal::count_pool().slabs;
      for (std::size_t index = 0; index < count; ++index) {
        int both[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, both) == 0);
        others.emplace_back(both[0]);
        io::socket ours(io::descriptor(both[1]), io::endpoint::loopback(0));
        serving.push_back(create_task(echo_back(io::make_stream(std::move(ours)))));
      }
      // Each has done something.
      for (const io::descriptor& each : others)
        REQUIRE(::send(each.get(), "x", 1, MSG_NOSIGNAL) == 1);
      for (const io::descriptor& each : others) {
        char got = 0;
        co_await poll_until([&] { return ::recv(each.get(), &got, 1, MSG_DONTWAIT) == 1; });
        CHECK(got == 'x');
      }
      // The first 32 slabs are of the heap, the others not.
      const std::uint64_t more = troupe::internal::count_pool().slabs - slabs;
      const std::size_t beside =
          more - (std::min<std::uint64_t>(slabs + more, 32) - std::min<std::uint64_t>(slabs, 32));
      const std::size_t all = held_since(before) + slab * beside;
      std::printf("memory per idle stream and its coroutine: %zu bytes\n", all / count);
      CHECK(all / count < 1024);
      others.clear();
      for (task<>& each : serving) co_await each;
    }
  };
  run_scenario(scene::run());
}
