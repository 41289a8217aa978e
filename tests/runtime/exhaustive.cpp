// The exhaustive search, against numbers that are known.
#include <troupe/runtime/lock.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/task_group.hpp>
#include <troupe/runtime/testing/exhaustive.hpp>
#include <troupe/runtime/testing/explore.hpp>
#include <troupe/runtime/testing/shared.hpp>

#include "support/catch.hpp"

#include <cstddef>
#include <deque>
#include <filesystem>

using namespace troupe;
using namespace troupe::testing;

namespace {

using cells = std::deque<shared<int>>;

coro<> write_one(shared<int>& to) { co_await to.write(1); }
coro<> read_one(shared<int>& from) { static_cast<void>(co_await from.read()); }

cells zeros(int count) {
  cells made;
  for (int each = 0; each < count; ++each) made.emplace_back(0);
  return made;
}

coro<> writers_of_their_own(int count) {
  cells all = zeros(count);
  task_group group;
  auto body = [&]() -> coro<> {
    for (shared<int>& each : all) group.create_task(write_one(each));
    co_return;
  };
  co_await group.run(body);
}

coro<> writers_of_one(int count) {
  shared<int> one;
  task_group group;
  auto body = [&]() -> coro<> {
    for (int each = 0; each < count; ++each) group.create_task(write_one(one));
    co_return;
  };
  co_await group.run(body);
}

coro<> readers_and_a_writer(int readers) {
  shared<int> one;
  task_group group;
  auto body = [&]() -> coro<> {
    group.create_task(write_one(one));
    for (int each = 0; each < readers; ++each) group.create_task(read_one(one));
    co_return;
  };
  co_await group.run(body);
}

coro<> seek_zero(cells& in) {
  for (std::size_t at = in.size() - 1;; --at) {
    const int value = co_await in[at].read();
    if (value == 0) co_return;
  }
}
coro<> one_more_than_before(cells& in, std::size_t at) {
  const int before = co_await in[at - 1].read();
  co_await in[at].write(before + 1);
}
coro<> last_zero(int count) {
  cells all = zeros(count + 1);
  task_group group;
  auto body = [&]() -> coro<> {
    group.create_task(seek_zero(all));
    for (int each = 1; each <= count; ++each)
      group.create_task(one_more_than_before(all, static_cast<std::size_t>(each)));
    co_return;
  };
  co_await group.run(body);
}

/// How many orders there are of what is not independent.
std::size_t orders_of(coro<> (*program)(int), int size) {
  const exploration all =
      explore({.schedules = 100'000, .how = search::exhaustive, .isolated = true},
              [=] { return program(size); });
  CHECK(all.complete);
  return all.different;
}

}  // namespace

// The programs and their numbers of Mazurkiewicz traces are those of Abdulla, Aronis, Jonsson and Sagonas (2014).
TEST_CASE("an exhaustive search makes each trace of the classic programs once") {
  CHECK(orders_of(writers_of_their_own, 6) == 1);
  CHECK(orders_of(writers_of_one, 4) == 24);
  CHECK(orders_of(readers_and_a_writer, 2) == 4);
  CHECK(orders_of(readers_and_a_writer, 8) == 256);
  CHECK(orders_of(last_zero, 5) == 64);
}
/// Seconds: for who has changed something here. `test-runtime "[long]"`
TEST_CASE("an exhaustive search makes each trace of the largest classic program once",
          "[.][long]") {
  CHECK(orders_of(last_zero, 10) == 3328);
}

TEST_CASE("an exhaustive search finds what one order in many shows, and can be run again") {
  const auto scenario = []() -> coro<> {
    shared<int> count;
    task_group group;
    auto add = [](shared<int>& to) -> coro<> {
      const int before = co_await to.read();
      co_await to.write(before + 1);
    };
    auto body = [&]() -> coro<> {
      for (int each = 0; each < 3; ++each) group.create_task(add(count));
      co_return;
    };
    co_await group.run(body);
    if (count.peek() == 1) throw std::runtime_error("two of three updates were lost");
  };
  try {
    explore({.schedules = 100'000, .how = search::exhaustive, .isolated = true}, scenario);
    FAIL("nothing was found");
  } catch (const schedule_failed& found) {
    std::filesystem::remove(found.about().file);
    replay again(found.about().choices);
    simulation world(again);
    CHECK_THROWS_WITH(world.run(scenario()), "two of three updates were lost");
  }
}

TEST_CASE("without the promise of isolation, all orders on a loop are made") {
  const auto two = []() -> coro<> {
    std::string order;
    task_group group;
    auto say = [&order](char what) -> coro<> {
      co_await sleep(duration::zero());
      order += what;
    };
    auto body = [&]() -> coro<> {
      for (const char each : {'a', 'b', 'c'}) group.create_task(say(each));
      co_return;
    };
    co_await group.run(body);
  };
  const exploration all = explore({.schedules = 100'000, .how = search::exhaustive}, two);
  CHECK(all.complete);
  CHECK(all.different == 90);  // two steps of each of three
  const exploration few = explore({.schedules = 10, .how = search::exhaustive}, two);
  CHECK_FALSE(few.complete);
}

TEST_CASE("choices of the scenario are all tried by an exhaustive search") {
  std::size_t seen = 0;
  const auto scenario = [&](simulation& world) -> coro<> {
    seen |= std::size_t{1} << (4 * world.choose(3) + world.choose(4));
    co_await sleep(duration::zero());
    seen |= (std::size_t{1} << 16) << world.choose(2);
  };
  const exploration all = explore({.how = search::exhaustive}, scenario);
  CHECK(all.complete);
  CHECK(all.different == 24);
  CHECK(seen == 0x30fffu);
}
