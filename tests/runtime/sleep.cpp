#include <troupe/runtime/sleep.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <algorithm>

using namespace troupe;
using namespace troupe::testing;

namespace {

coro<> note_after(journal& log, duration delay, std::string text) {
  co_await sleep(delay);
  log.push_back(text);
}

coro<> sleep_without_end() { co_await sleep(infinite); }

}  // namespace

TROUPE_PROGRAM_TEST_CASE("a sleep takes its time and no more on virtual time") {
  auto body = []() -> coro<duration> {
    const time_point before = loop::current()->time();
    co_await sleep(1500ms);
    co_return loop::current()->time() - before;
  };
  CHECK(testing::run(body()) == 1500ms);
}

TEST_CASE("a sleep in real time is never too short") {
  failure_log log;
  auto body = []() -> coro<bool> {
    bool long_enough = true;
    for (const auto delay : {1us, 50us, 300us}) {
      const time_point before = clock::now();
      co_await sleep(delay);
      long_enough &= clock::now() - before >= delay;
    }
    co_return long_enough;
  };
  CHECK(troupe::run(body(), real_time(log)));
}

TROUPE_PROGRAM_TEST_CASE("sleeps end by their deadlines, not by the order they began in") {
  journal log;
  auto body = [&]() -> coro<> {
    co_await gather(note_after(log, 3s, "c"), note_after(log, 1s, "a"), note_after(log, 2s, "b"));
  };
  testing::run(body());
  CHECK(log == journal{"a", "b", "c"});
}

TEST_CASE("sleeps with one deadline end in the order they began in") {
  journal log;
  auto body = [&]() -> coro<> {
    co_await gather(note_after(log, 1s, "a"), note_after(log, 1s, "b"), note_after(log, 1s, "c"));
  };
  testing::run(body());
  CHECK(log == journal{"a", "b", "c"});
}

TEST_CASE("a sleep of zero lets run once what is ready") {
  journal log;
  auto body = [&]() -> coro<> {
    loop::current()->call_soon([&] { log.push_back("callback"); });
    co_await sleep(0s);
    log.push_back("task");
  };
  testing::run(body());
  CHECK(log == journal{"callback", "task"});
}

TROUPE_PROGRAM_TEST_CASE("a negative sleep is one of zero") {
  auto body = []() -> coro<duration> {
    const time_point before = loop::current()->time();
    co_await sleep(-1h);
    co_await sleep(duration::min());
    co_return loop::current()->time() - before;
  };
  CHECK(testing::run(body()) == 0s);
}

TEST_CASE("two tasks that sleep for zero take turns") {
  journal log;
  auto twice = [&](std::string name) -> coro<> {
    for (int turn = 0; turn < 2; ++turn) {
      log.push_back(name);
      co_await sleep(0s);
    }
  };
  auto body = [&]() -> coro<> { co_await gather(twice("a"), twice("b")); };
  testing::run(body());
  CHECK(log == journal{"a", "b", "a", "b"});
}

TEST_CASE("a delay of a fraction is rounded up, never down") {
  CHECK(troupe::internal::to_duration(std::chrono::duration<double, std::nano>(1.5)) == 2ns);
  CHECK(troupe::internal::to_duration(std::chrono::duration<double>(-1.0)) == -1s);
}

TEST_CASE("a delay beyond the clock's range is held at its end") {
  CHECK(troupe::internal::to_duration(std::chrono::hours::max()) == duration::max());
  CHECK(troupe::internal::to_duration(std::chrono::hours::min()) == duration::min());
  CHECK(troupe::internal::to_duration(std::chrono::duration<double>(1e300)) == duration::max());
  CHECK(troupe::internal::saturating_add(time_point(5s), duration::max()) == time_point::max());
  CHECK(troupe::internal::saturating_add(time_point(-5s), duration::min()) == time_point::min());
}

TROUPE_PROGRAM_TEST_CASE("a sleep without end ends by cancellation") {
  auto body = []() -> coro<std::string> {
    const auto sleeping = create_task(sleep_without_end());
    co_await sleep(1000h);
    sleeping.cancel();
    std::string how = co_await ending(sleeping);
    co_return how;
  };
  CHECK(testing::run(body()) == "cancelled");
}

TEST_CASE("a cancelled sleep takes no time and leaves no timer") {
  auto body = []() -> coro<duration> {
    const time_point before = loop::current()->time();
    const auto sleeping = create_task(value_after(1h, 1));
    co_await sleep(0s);
    const std::size_t armed = loop::current()->timers().size();
    sleeping.cancel();
    const std::size_t left = loop::current()->timers().size();
    if (armed != left + 1) throw std::logic_error("the timer was kept");
    co_await ending(sleeping);
    co_return loop::current()->time() - before;
  };
  CHECK(testing::run(body()) == 0s);
}

TEST_CASE("a simulated day of seconds passes at once") {
  auto body = []() -> coro<int> {
    int ticks = 0;
    for (; loop::current()->time() < time_point(24h); ++ticks) co_await sleep(1s);
    co_return ticks;
  };
  CHECK(testing::run(body()) == 24 * 60 * 60);
}

TEST_CASE("a thousand sleepers wake in order, whatever their order of arming") {
  std::vector<std::size_t> woken;
  auto one = [&](std::size_t millisecond) -> coro<> {
    co_await sleep(std::chrono::milliseconds(millisecond));
    woken.push_back(millisecond);
  };
  auto body = [&]() -> coro<> {
    for (std::size_t index = 0; index < 1000; ++index) create_task(one(index * 7919 % 1000 + 1));
    co_await sleep(2s);
  };
  testing::run(body());
  CHECK(woken.size() == 1000);
  CHECK(std::is_sorted(woken.begin(), woken.end()));
}

TROUPE_PROGRAM_TEST_CASE("a sleep with a value gives it after the delay", "[sleep-01]") {
  auto body = []() -> coro<std::string> {
    const time_point begin = loop::current()->time();
    co_await sleep(50ms);
    std::string value = co_await sleep(50ms, std::string("yeah"));
    CHECK(loop::current()->time() - begin == 100ms);
    co_return value;
  };
  CHECK(testing::run(body()) == "yeah");
}
