#include <troupe/runtime/timer.hpp>

#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr time_point start{};

struct noting final : lazy_timer {
  noting() noexcept
      : lazy_timer([](timer& self) noexcept {
          auto& mine = static_cast<noting&>(self);
          if (mine.armed()) {  // it has only been settled
            if (mine.settled) mine.settled(mine);
            return;
          }
          if (mine.log != nullptr) mine.log->push_back(mine.number);
          if (mine.then) mine.then(mine);
        }) {}
  int number = 0;
  std::vector<int>* log = nullptr;
  std::function<void(noting&)> then;
  std::function<void(noting&)> settled;
};

std::unique_ptr<noting[]> make_timers(std::size_t count, std::vector<int>& log) {
  auto made = std::make_unique<noting[]>(count);
  for (std::size_t index = 0; index < count; ++index) {
    made[index].number = static_cast<int>(index);
    made[index].log = &log;
  }
  return made;
}

}  // namespace

TEST_CASE("timers fire by deadline") {
  timer_queue queue;
  std::vector<int> log;
  const auto timers = make_timers(4, log);
  queue.arm(timers[0], start + 3ms);
  queue.arm(timers[1], start + 1ms);
  queue.arm(timers[2], start + 4ms);
  queue.arm(timers[3], start + 2ms);
  CHECK(queue.fire_due(start + 3ms) == 3);
  CHECK(log == std::vector<int>{1, 3, 0});
  CHECK(queue.size() == 1);
  CHECK(queue.earliest() == start + 4ms);
  queue.cancel(timers[2]);
}

TEST_CASE("timers with one deadline fire in the order of arming") {
  timer_queue queue;
  std::vector<int> log;
  const auto timers = make_timers(50, log);
  std::vector<int> expected;
  for (int index = 0; index < 50; ++index) {
    const int shuffled = index * 7 % 50;
    queue.arm(timers[static_cast<std::size_t>(shuffled)], start + 1ms);
    expected.push_back(shuffled);
  }
  queue.fire_due(start + 1ms);
  CHECK(log == expected);
}

TEST_CASE("a timer never fires before its deadline") {
  timer_queue queue;
  std::vector<int> log;
  const auto timers = make_timers(1, log);
  queue.arm(timers[0], start + 1ms);
  CHECK(queue.fire_due(start + 1ms - 1ns) == 0);
  CHECK(queue.fire_due(start + 1ms) == 1);
}

TEST_CASE("a cancelled timer does not fire and can be armed again") {
  timer_queue queue;
  std::vector<int> log;
  const auto timers = make_timers(1, log);
  queue.arm(timers[0], start + 1ms);
  CHECK(timers[0].armed());
  queue.cancel(timers[0]);
  CHECK_FALSE(timers[0].armed());
  CHECK(queue.empty());
  queue.cancel(timers[0]);
  queue.arm(timers[0], start + 2ms);
  CHECK(queue.fire_due(start + 2ms) == 1);
  CHECK_FALSE(timers[0].armed());
}

TEST_CASE("a timer that arms itself while firing waits for the next look") {
  timer_queue queue;
  std::vector<int> log;
  const auto timers = make_timers(1, log);
  timers[0].then = [&](noting& self) { queue.arm(self, start); };
  queue.arm(timers[0], start);
  CHECK(queue.fire_due(start + 1ms) == 1);
  CHECK(queue.fire_due(start + 1ms) == 1);
  CHECK(timers[0].armed());
  queue.cancel(timers[0]);
}

TEST_CASE("a timer that arms itself for the past keeps no other from firing") {
  timer_queue queue;
  std::vector<int> log;
  const auto timers = make_timers(2, log);
  timers[0].then = [&](noting& self) { queue.arm(self, start); };
  queue.arm(timers[0], start);
  queue.arm(timers[1], start + 1ms);
  for (int look = 0; look < 3; ++look) queue.fire_due(start + 1ms);
  CHECK(std::count(log.begin(), log.end(), 1) == 1);
  queue.cancel(timers[0]);
}

TEST_CASE("a timer can cancel another that is due with it") {
  timer_queue queue;
  std::vector<int> log;
  const auto timers = make_timers(3, log);
  timers[0].then = [&](noting&) { queue.cancel(timers[1]); };
  for (std::size_t index = 0; index < 3; ++index) queue.arm(timers[index], start);
  CHECK(queue.fire_due(start) == 2);
  CHECK(log == std::vector<int>{0, 2});
}

TEST_CASE("a lazy timer counts from the next reading of the clock") {
  timer_queue queue;
  std::vector<int> log;
  const auto timers = make_timers(1, log);
  queue.arm_lazily(timers[0], 5ms);
  CHECK(timers[0].armed());
  CHECK(queue.has_lazy());
  CHECK_FALSE(queue.empty());
  queue.settle(start + 10ms);
  CHECK_FALSE(queue.has_lazy());
  CHECK(queue.fire_due(start + 15ms - 1ns) == 0);
  CHECK(queue.fire_due(start + 15ms) == 1);
}

TEST_CASE("lazy timers with one deadline fire in the order of arming") {
  timer_queue queue;
  std::vector<int> log;
  const auto timers = make_timers(4, log);
  for (std::size_t index = 0; index < 4; ++index) queue.arm_lazily(timers[index], 5ms);
  queue.settle(start);
  queue.fire_due(start + 5ms);
  CHECK(log == std::vector<int>{0, 1, 2, 3});
}

TEST_CASE("lazy timers are cancelled in any order") {
  timer_queue queue;
  std::vector<int> log;
  const auto timers = make_timers(5, log);
  for (std::size_t index = 0; index < 5; ++index) queue.arm_lazily(timers[index], 5ms);
  for (const std::size_t index : {2u, 0u, 4u}) queue.cancel(timers[index]);
  queue.settle(start);
  queue.fire_due(start + 5ms);
  CHECK(log == std::vector<int>{1, 3});
  CHECK(queue.empty());
}

TEST_CASE("a lazy timer without end is never due, and stays armed until it is cancelled") {
  timer_queue queue;
  std::vector<int> log;
  const auto timers = make_timers(1, log);
  queue.arm_lazily(timers[0], infinite);
  queue.settle(start + 1h);
  CHECK(timers[0].armed());
  CHECK(queue.size() == 0);
  CHECK(queue.fire_due(time_point::max()) == 0);
  queue.cancel(timers[0]);
  CHECK_FALSE(timers[0].armed());
  CHECK(queue.empty());
}

TEST_CASE("a lazy timer is told once that it is settled, and again while it asks for that") {
  timer_queue queue;
  std::vector<int> log;
  std::vector<int> told;
  const auto timers = make_timers(3, log);
  for (std::size_t index = 0; index < 3; ++index) {
    timers[index].settled = [&](noting& mine) {
      told.push_back(mine.number);
      if (mine.number == 1 && told.size() < 8) queue.look_again(mine);
    };
  }
  queue.arm_lazily(timers[0], 5ms);
  queue.arm_lazily(timers[1], 3ms);
  queue.arm_lazily(timers[2], infinite);
  queue.settle(start);
  CHECK(told == std::vector<int>{0, 1, 2});
  queue.settle(start + 1ms);
  CHECK(told == std::vector<int>{0, 1, 2, 1});
  CHECK(queue.looking());
  // Cancelled, it is told no more.
  queue.cancel(timers[1]);
  CHECK_FALSE(queue.looking());
  queue.settle(start + 2ms);
  CHECK(told.size() == 4);
  CHECK(queue.fire_due(start + 1h) == 1);
  CHECK(log == std::vector<int>{0});
  queue.cancel(timers[2]);
}

TEST_CASE("a cleared queue has forgotten its timers, and they it") {
  timer_queue queue;
  std::vector<int> log;
  const auto timers = make_timers(3, log);
  queue.arm(timers[0], start);
  queue.arm(timers[1], start + 1ms);
  queue.arm_lazily(timers[2], 1ms);
  queue.clear([](timer&) noexcept {});
  CHECK(queue.empty());
  for (std::size_t index = 0; index < 3; ++index) CHECK_FALSE(timers[index].armed());
  queue.settle(start + 1h);
  CHECK(queue.fire_due(start + 1h) == 0);
}

TEST_CASE("timers armed, cancelled and fired at random do as a sorted list does") {
  struct entry {
    time_point deadline;
    int order;
    std::size_t index;
  };
  constexpr std::size_t count = 60;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    random_numbers random(seed);
    timer_queue queue;
    std::vector<int> log;
    std::vector<int> expected;
    const auto timers = make_timers(count, log);
    std::vector<entry> model;
    std::vector<std::pair<std::size_t, duration>> lazy;
    time_point now = start;
    int order = 0;
    const auto settle = [&] {
      queue.settle(now);
      for (const auto& [index, delay] : lazy) model.push_back({now + delay, order++, index});
      lazy.clear();
    };
    for (int step = 0; step < 400; ++step) {
      const std::size_t index = random.below(count);
      noting& chosen = timers[index];
      const duration delay = std::chrono::microseconds(random.below(40));
      switch (random.below(4)) {
        case 0:
          if (chosen.armed()) break;
          queue.arm(chosen, now + delay);
          model.push_back({now + delay, order++, index});
          break;
        case 1:
          if (chosen.armed()) break;
          queue.arm_lazily(chosen, delay);
          lazy.emplace_back(index, delay);
          break;
        case 2:
          queue.cancel(chosen);
          std::erase_if(model, [&](const entry& each) { return each.index == index; });
          std::erase_if(lazy, [&](const auto& each) { return each.first == index; });
          break;
        default:
          now += std::chrono::microseconds(random.below(15));
          settle();
          std::sort(model.begin(), model.end(), [](const entry& left, const entry& right) {
            return left.deadline != right.deadline ? left.deadline < right.deadline
                                                   : left.order < right.order;
          });
          while (!model.empty() && model.front().deadline <= now) {
            expected.push_back(static_cast<int>(model.front().index));
            model.erase(model.begin());
          }
          queue.fire_due(now);
      }
      REQUIRE(queue.size() == model.size());
    }
    REQUIRE(log == expected);
    for (std::size_t index = 0; index < count; ++index) queue.cancel(timers[index]);
    REQUIRE(queue.empty());
  }
}

// --- many timers ---------------------------------------------------------------------------------------------------------

namespace {

/// A timer that notes its number.
struct numbered : timer {
  numbered(std::vector<int>& given, int mine)
      : timer([](timer& self) noexcept {
          auto& fired = static_cast<numbered&>(self);
          fired.log->push_back(fired.number);
        }),
        log(&given),
        number(mine) {}
  std::vector<int>* log;
  int number;
};

}  // namespace

TEST_CASE(
    "many timers, armed, cancelled and fired at random over all ranges of time, do as a sorted "
    "list does") {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U}) {
    random_numbers random(seed);
    timer_queue queue;
    std::vector<int> log;
    std::vector<std::unique_ptr<numbered>> timers;
    struct planned {
      time_point deadline;
      std::uint64_t order;
      int number;
    };
    std::vector<planned> wanted;
    std::uint64_t order = 0;
    time_point now{};
    constexpr int count = 6'000;
    for (int number = 0; number < count; ++number)
      timers.push_back(std::make_unique<numbered>(log, number));
    // Delays from nanoseconds to centuries, as many of each size.
    const auto some_delay = [&] {
      return duration(static_cast<duration::rep>(random.next() >> (4 + random.below(60))));
    };
    const auto arm = [&](int number) {
      const time_point deadline = now + some_delay();
      queue.arm(*timers[static_cast<std::size_t>(number)], deadline);
      wanted.push_back({deadline, order++, number});
    };
    for (int number = 0; number < count; ++number) arm(number);
    for (int step = 0; step < 200; ++step) {
      for (int times = 0; times < 20 && !wanted.empty(); ++times) {
        const std::size_t chosen = random.below(wanted.size());
        queue.cancel(*timers[static_cast<std::size_t>(wanted[chosen].number)]);
        const int number = wanted[chosen].number;
        wanted.erase(wanted.begin() + static_cast<std::ptrdiff_t>(chosen));
        if (random.below(2) == 0) arm(number);
      }
      now += some_delay() / 1000;
      queue.settle(now);
      log.clear();
      std::vector<planned> due;
      std::erase_if(wanted, [&](const planned& each) {
        if (each.deadline > now) return false;
        due.push_back(each);
        return true;
      });
      std::sort(due.begin(), due.end(), [](const planned& a, const planned& b) {
        return a.deadline != b.deadline ? a.deadline < b.deadline : a.order < b.order;
      });
      CHECK(queue.fire_due(now) == due.size());
      std::vector<int> expected;
      for (const planned& each : due) expected.push_back(each.number);
      REQUIRE(log == expected);
      REQUIRE(queue.size() == wanted.size());
      if (!wanted.empty()) {
        const auto first = std::min_element(
            wanted.begin(), wanted.end(),
            [](const planned& a, const planned& b) { return a.deadline < b.deadline; });
        REQUIRE(queue.earliest() == first->deadline);
      }
      for (const int number : expected) arm(number);
    }
    for (const planned& each : wanted) queue.cancel(*timers[static_cast<std::size_t>(each.number)]);
    CHECK(queue.empty());
  }
}

TEST_CASE("many timers are forgotten by a queue that is cleared") {
  timer_queue queue;
  std::vector<int> log;
  std::vector<std::unique_ptr<numbered>> timers;
  for (int number = 0; number < 2'000; ++number) {
    timers.push_back(std::make_unique<numbered>(log, number));
    queue.arm(*timers.back(), time_point{} + number * 1s);
  }
  int forgotten = 0;
  static int* counter;
  counter = &forgotten;
  queue.clear([](timer&) noexcept { ++*counter; });
  CHECK(forgotten == 2'000);
  CHECK(queue.empty());
  CHECK_FALSE(timers.back()->armed());
}

TEST_CASE("a timer at the end of time waits behind many others, and does not hang") {
  timer_queue queue;
  std::vector<int> log;
  std::vector<std::unique_ptr<numbered>> timers;
  for (int number = 0; number < 300; ++number) {
    timers.push_back(std::make_unique<numbered>(log, number));
    queue.arm(*timers.back(), number == 299 ? time_point::max() : time_point{} + number * 1ms);
  }
  CHECK(queue.fire_due(time_point{} + 1s) == 299);
  CHECK(queue.earliest() == time_point::max());
  CHECK(queue.size() == 1);
  queue.cancel(*timers.back());
  CHECK(queue.empty());
}

TEST_CASE(
    "looking for the next timer takes nothing out of its slot, whatever was cancelled before") {
  timer_queue queue;
  std::vector<int> log;
  constexpr int few = 200;
  std::vector<std::unique_ptr<numbered>> timers;
  for (int number = 0; number < 2 * few + 1; ++number)
    timers.push_back(std::make_unique<numbered>(log, number));
  const time_point now = start + 1s;
  queue.settle(now);
  for (int number = 0; number < few; ++number)
    queue.arm(*timers[static_cast<std::size_t>(number)], now + 1h + 1us * number);
  // Whoever sleeps looks again in time, but need not know the very moment.
  CHECK(queue.next_look() <= now + 1h);
  CHECK(queue.next_look() > now);
  numbered& cancelled_one = *timers[2 * few];
  queue.arm(cancelled_one, now + 5s);
  CHECK(queue.next_look() <= now + 5s);
  queue.cancel(cancelled_one);
  CHECK_FALSE(queue.due(now + 10s));
  CHECK(queue.next_look() > now + 10s);
  // What is armed for before that comes before it.
  for (int number = few; number < 2 * few; ++number)
    queue.arm(*timers[static_cast<std::size_t>(number)], now + 10s + 1ms * (2 * few - number));
  CHECK(queue.fire_due(now + 20s) == few);
  std::vector<int> expected;
  for (int number = 2 * few - 1; number >= few; --number) expected.push_back(number);
  CHECK(log == expected);
  log.clear();
  expected.clear();
  for (int number = 0; number < few; ++number) expected.push_back(number);
  CHECK(queue.fire_due(now + 2h) == few);
  CHECK(log == expected);
  CHECK(queue.empty());
}

TEST_CASE(
    "what is armed for before timers that were looked at long before their time comes first") {
  timer_queue queue;
  std::vector<int> log;
  std::vector<std::unique_ptr<numbered>> timers;
  for (int number = 0; number < 900; ++number)
    timers.push_back(std::make_unique<numbered>(log, number));
  const auto arm = [&](int number, time_point deadline) {
    queue.arm(*timers[static_cast<std::size_t>(number)], deadline);
  };
  // So many are due at once, at the end of time or before, that they are no longer in the heap; they are looked at, and some
  // cancelled, the first among them.
  const time_point late = GENERATE(start + 1h, time_point::max());
  queue.settle(start);
  for (int number = 0; number < 300; ++number) arm(number, late);
  for (int number = 0; number < 130; ++number)
    queue.cancel(*timers[static_cast<std::size_t>(number)]);
  CHECK(queue.earliest() == late);
  for (int number = 130; number < 150; ++number)
    queue.cancel(*timers[static_cast<std::size_t>(number)]);
  for (int number = 300; number < 900; ++number) arm(number, start + 1min + 1ms * (number % 7));
  CHECK(queue.earliest() == start + 1min);
  CHECK(queue.size() == 750);
  CHECK(queue.fire_due(start + 2min) == 600);
  CHECK(std::is_sorted(log.begin(), log.end(), [](int one, int other) {
    return std::pair(one % 7, one) < std::pair(other % 7, other);
  }));
  log.clear();
  CHECK(queue.fire_due(late) == 150);
  CHECK(log.front() == 150);
  CHECK(std::is_sorted(log.begin(), log.end()));
  CHECK(queue.empty());
}
