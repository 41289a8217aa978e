// asyncio's rules for the loop, as `conformance/asyncio.md` numbers them.
#include <troupe/runtime/any_task.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/signals.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>
#include <troupe/runtime/threadsafe.hpp>
#include <troupe/runtime/to_thread.hpp>

#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <unistd.h>

#include <array>
#include <csignal>
#include <functional>
#include <limits>
#include <optional>
#include <thread>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

// --- order -----------------------------------------------------------------------------------------------------------------

TEST_CASE("callbacks run once each, in the order of asking, and on the thread that runs the loop",
          "[loop-01]") {
  journal log;
  const auto home = loop::open();
  std::vector<std::thread::id> on;
  for (const char* name : {"A", "B", "C"}) {
    home->call_soon([&, name] {
      log.push_back(name);
      on.push_back(std::this_thread::get_id());
      if (log.size() == 3) home->stop();
    });
  }
  CHECK(log.empty());
  home->run_forever();
  CHECK(log == journal{"A", "B", "C"});
  CHECK(on == std::vector(3, std::this_thread::get_id()));
}

TEST_CASE("threadsafe and ordinary callbacks of the loop's own thread share one order",
          "[loop-01]") {
  journal log;
  manual_loop home;
  home->call_soon_threadsafe([&] { log.push_back("A"); });
  home->call_soon([&] { log.push_back("B"); });
  home.step();
  CHECK(log == journal{"A", "B"});
}

TEST_CASE("stop lets the round end, and does not outlive the run", "[loop-03]") {
  journal log;
  const auto home = loop::open();
  home->call_soon([&] {
    log.push_back("A");
    home->stop();
    home->call_soon([&] {
      log.push_back("C");
      home->call_soon([&] {
        log.push_back("D");
        home->stop();
      });
    });
  });
  home->call_soon([&] { log.push_back("B"); });
  home->run_forever();
  CHECK(log == journal{"A", "B"});
  home->run_forever();  // two rounds: the first stop is over
  CHECK(log == journal{"A", "B", "C", "D"});
}

TEST_CASE("a loop stopped before it runs makes one round and does not sleep", "[loop-03]") {
  journal log;
  const auto home = loop::open();
  home->call_soon([&] {
    log.push_back("X");
    home->call_soon([&] { log.push_back("later"); });
  });
  const auto far = home->call_later(1h, [&] { log.push_back("timer"); });
  home->stop();
  home->run_forever();
  CHECK(log == journal{"X"});
  far.cancel();
}

TEST_CASE("the one round of a loop stopped before it runs looks at timers and descriptors",
          "[loop-03]") {
  const auto home = loop::open();
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  REQUIRE(::write(ends[1], "x", 1) == 1);
  journal log;
  home->add_reader(ends[0], [&] { log.push_back("reader"); });
  home->call_at(home->time() + 1us, [&] { log.push_back("timer"); });
  const time_point until = clock::now() + 2us;
  while (clock::now() < until) {
  }
  home->stop();
  home->run_forever();
  CHECK(log == journal{"reader", "timer"});
  home->remove_reader(ends[0]);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("a timer fires once, not before its time, and one in the past in the first round",
          "[loop-05]") {
  journal log;
  manual_loop home;
  const time_point now = home.time();
  const auto late = home->call_at(now + 100ms, [&] { log.push_back("X"); });
  home->call_at(now - 5s, [&] { log.push_back("Y"); });
  CHECK(late.when() == now + 100ms);
  home.step();
  CHECK(log == journal{"Y"});
  home.advance(100ms - 1ns);
  CHECK(log == journal{"Y"});
  home.advance(1ns);
  CHECK(log == journal{"Y", "X"});
  home.advance(1h);
  CHECK(log == journal{"Y", "X"});
}

TEST_CASE("a timer in real time does not fire early", "[loop-05]") {
  const auto home = loop::open();
  time_point fired{};
  const auto armed = home->call_later(300us, [&] {
    fired = clock::now();
    home->stop();
  });
  home->run_forever();
  CHECK(fired >= armed.when());
}

TEST_CASE("a delay that is no number is refused when the timer is asked for", "[loop-05]") {
  manual_loop home;
  const std::chrono::duration<double> none(std::numeric_limits<double>::quiet_NaN());
  CHECK_THROWS_AS(home->call_later(none, [] {}), std::invalid_argument);
  CHECK(home->timers().empty());
}

TEST_CASE("what is ready goes before timers that become due in the same round", "[loop-07]") {
  journal log;
  manual_loop home;
  home->call_later(0s, [&] { log.push_back("T"); });
  home->call_later(-1s, [&] { log.push_back("U"); });
  home->call_soon([&] { log.push_back("S"); });
  home->call_soon_threadsafe([&] { log.push_back("P"); });
  home.step();
  REQUIRE(log.size() == 4);
  CHECK(log[0] == "S");
  CHECK(log[1] == "P");
}

TEST_CASE("timers that are due in one round fire by their deadlines", "[loop-07]") {
  journal log;
  manual_loop home;
  const time_point now = home.time();
  home->call_at(now + 2ms, [&] { log.push_back("third"); });
  home->call_at(now + 1ms, [&] { log.push_back("second"); });
  home->call_soon([&, now] {
    home->call_at(now - 1s, [&] { log.push_back("past"); });
    home->call_at(now - 5s, [&] { log.push_back("long past"); });
  });
  home.advance(5ms);
  CHECK(log == journal{"long past", "past", "second", "third"});
}

TEST_CASE("a cancelled callback is not called and lets go of what it holds at once", "[loop-01]") {
  manual_loop home;
  int alive = 0;
  journal log;
  const auto soon = home->call_soon([&, held = counted(alive)] {
    static_cast<void>(held);
    log.push_back("soon");
  });
  const auto later = home->call_later(1s, [&, held = counted(alive)] {
    static_cast<void>(held);
    log.push_back("later");
  });
  const auto due = home->call_later(0s, [&, held = counted(alive)] {
    static_cast<void>(held);
    log.push_back("due");
  });
  CHECK(alive == 3);
  for (int times = 0; times < 2; ++times) {
    soon.cancel();
    later.cancel();
    due.cancel();
  }
  CHECK(alive == 0);
  CHECK(soon.cancelled());
  CHECK(later.cancelled());
  home.advance(2s);
  CHECK(log.empty());
}

TEST_CASE("a callback may cancel itself and those of its own round", "[loop-01]") {
  journal log;
  manual_loop home;
  std::optional<call_handle> mine;
  std::optional<call_handle> next;
  mine = home->call_soon([&] {
    mine->cancel();
    next->cancel();
    log.push_back("mine");
  });
  next = home->call_soon([&] { log.push_back("next"); });
  home.run_until_idle();
  CHECK(log == journal{"mine"});
  CHECK_FALSE(mine->cancelled());
  mine->cancel();  // made already
  CHECK_FALSE(mine->cancelled());
}

TEST_CASE("a timer that fires may cancel those that are due with it", "[loop-07]") {
  journal log;
  manual_loop home;
  std::optional<timer_handle> second;
  home->call_later(1s, [&] {
    log.push_back("first");
    second->cancel();
  });
  second = home->call_later(1s, [&] { log.push_back("second"); });
  home.advance(2s);
  CHECK(log == journal{"first"});
}

TEST_CASE("handles may outlive their loop", "[loop-15]") {
  int alive = 0;
  std::optional<call_handle> soon;
  std::optional<timer_handle> later;
  {
    manual_loop home;
    later = home->call_later(1s, [held = counted(alive)] { static_cast<void>(held); });
    soon = home->call_soon([held = counted(alive)] { static_cast<void>(held); });
  }
  CHECK(alive == 0);
  const manual_loop next;  // in the memory of the first
  soon->cancel();
  later->cancel();
}

TEST_CASE("cancelled timers are not kept", "[loop-09]") {
  journal log;
  manual_loop home;
  home->call_later(3000s, [&] { log.push_back("live"); });
  home->call_later(4000s, [&] { log.push_back("last"); });
  std::vector<timer_handle> many;
  for (int index = 0; index < 1000; ++index)
    many.push_back(home->call_later(3600s, [&] { log.push_back("cancelled"); }));
  CHECK(home->timers().size() == 1002);
  for (const timer_handle& each : many) each.cancel();
  home.step();
  CHECK(home->timers().size() == 2);
  home.advance(5000s);
  CHECK(log == journal{"live", "last"});
}

TEST_CASE("posts of eight threads all run on the loop's thread, in the order of each thread",
          "[loop-11]") {
  constexpr int threads = 8;
  constexpr int each = 1000;
  const auto home = loop::open();
  const auto here = std::this_thread::get_id();
  std::vector<int> expected(threads, 0);
  bool right = true;
  bool inside = false;
  int received = 0;
  std::vector<std::thread> posters;
  for (int sender = 0; sender < threads; ++sender) {
    posters.emplace_back([&, sender] {
      for (int number = 0; number < each; ++number) {
        home->call_soon_threadsafe([&, sender, number] {
          right &= !std::exchange(inside, true) && std::this_thread::get_id() == here &&
                   expected[static_cast<std::size_t>(sender)]++ == number;
          if (++received == threads * each) home->stop();
          inside = false;
        });
      }
    });
  }
  home->run_forever();
  for (std::thread& poster : posters) poster.join();
  CHECK(received == threads * each);
  CHECK(right);
}
