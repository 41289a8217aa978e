#include <troupe/runtime/on.hpp>

#include <troupe/runtime/any_task.hpp>
#include <troupe/runtime/cancel_scope.hpp>
#include <troupe/runtime/lock.hpp>
#include <troupe/runtime/task_group.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <atomic>
#include <optional>
#include <thread>

using namespace troupe;
using namespace troupe::testing;

namespace {

run_options several(failure_log& log, std::size_t threads) {
  run_options options = real_time(log, threads);
  options.shutdown_timeout = 10s;  // reached only by tests that shorten it
  return options;
}

loop& at(std::size_t index) { return runtime::current()->loop_at(index); }

}  // namespace

TEST_CASE("a task moves to another loop and back") {
  failure_log log;
  auto body = []() -> coro<bool> {
    const auto me = current_task();
    const auto first = std::this_thread::get_id();
    bool right = loop::current() == &at(0);
    co_await on(at(1));
    right &= loop::current() == &at(1) && std::this_thread::get_id() != first;
    right &= current_task() == me;
    co_await sleep(10us);  // of the timers there
    right &= loop::current() == &at(1);
    co_await on(at(0));
    right &= loop::current() == &at(0) && std::this_thread::get_id() == first;
    co_return right;
  };
  CHECK(troupe::run(body(), several(log, 2)));
  CHECK(log.text() == "");
}

TROUPE_PROGRAM_TEST_CASE("a move to the loop where the task is does nothing") {
  auto body = []() -> coro<bool> {
    bool ran = false;
    loop::current()->call_soon([&] { ran = true; });
    co_await on(*loop::current());
    const bool suspended = ran;
    co_await sleep(1ms);
    co_return suspended;
  };
  CHECK_FALSE(testing::run(body()));
}

TROUPE_PROGRAM_TEST_CASE("who awaits a task that ends away from home is told at home") {
  failure_log log;
  auto traveller = []() -> coro<int> {
    co_await on(at(1));
    co_return 5;
  };
  auto failing = []() -> coro<int> {
    co_await on(at(1));
    throw std::runtime_error("away");
  };
  auto body = [&]() -> coro<std::string> {
    const auto going = create_task(traveller());
    const auto lost = create_task(failing());
    const int value = co_await going;
    std::string how = co_await ending(lost);
    if (loop::current() != &at(0)) how += " elsewhere";
    co_return how + std::to_string(value);
  };
  CHECK(troupe::run(body(), several(log, 2)) == "error: away5");
  CHECK(log.text() == "");
}

TROUPE_PROGRAM_TEST_CASE("a coroutine run on another loop gives its result, or error, back") {
  failure_log log;
  auto where = []() -> coro<std::size_t> { co_return loop::current()->index(); };
  auto failing = []() -> coro<> {
    co_await sleep(1us);
    throw std::runtime_error("away");
  };
  auto body = [&]() -> coro<std::string> {
    const std::size_t there = co_await on(at(1), where());
    std::string how = co_await ending(on(at(1), failing()));
    co_return std::to_string(there) + how + std::to_string(loop::current()->index());
  };
  CHECK(troupe::run(body(), several(log, 2)) == "1error: away0");
}

TROUPE_PROGRAM_TEST_CASE(
    "a coroutine run on another loop is cancelled there, and what called it resumes here") {
  failure_log log;
  std::atomic<bool> waits{false};
  auto inner = [&]() -> coro<> {
    waits = true;
    co_await sleep(infinite);
  };
  auto outer = [&]() -> coro<std::string> {
    std::string how = co_await ending(on(at(1), inner()));
    co_return how + " on " + std::to_string(loop::current()->index());
  };
  auto body = [&]() -> coro<std::string> {
    const auto going = create_task(outer());
    while (!waits) co_await sleep(0s);
    going.cancel();
    std::string how = co_await going;
    co_return how;
  };
  CHECK(troupe::run(body(), several(log, 2)) == "cancelled on 0");
}

TROUPE_PROGRAM_TEST_CASE("a task does not move out of what belongs to its loop") {
  failure_log log;
  auto body = []() -> coro<int> {
    int refused = 0;
    auto go = [&]() -> coro<> {
      try {
        co_await on(at(1));
      } catch (const invalid_state&) {
        ++refused;
      }
    };
    cancel_scope scope;
    co_await scope.run(go());
    task_group group;
    co_await group.run(go());
    co_await go();  // and now it may
    co_return loop::current() == &at(1) ? refused : -1;
  };
  CHECK(troupe::run(body(), several(log, 2)) == 2);
}

TEST_CASE("a task does not move to a loop that has been closed") {
  auto body = []() -> coro<std::string> {
    const auto other = loop::open();
    other->close();
    auto go = [&]() -> coro<> { co_await on(*other); };
    std::string how = co_await ending(go());
    co_return how;
  };
  CHECK(testing::run(body()) == "error: a task cannot move to a loop that has been closed");
}

TROUPE_PROGRAM_TEST_CASE("a request to cancel that is due keeps a task from moving") {
  failure_log log;
  auto mover = []() -> coro<std::size_t> {
    current_task().cancel();
    try {
      co_await on(at(1));
    } catch (const cancelled&) {
    }
    co_return loop::current()->index();
  };
  auto body = [&]() -> coro<std::size_t> { co_return co_await create_task(mover()); };
  CHECK(troupe::run(body(), several(log, 2)) == 0);
}

TROUPE_PROGRAM_TEST_CASE("a task that is away from home is cancelled there by the end of the run") {
  failure_log log;
  std::atomic<int> cleaned{0};
  auto away = [&](std::size_t index) -> coro<> {
    co_await on(at(index));
    try {
      co_await sleep(infinite);
    } catch (const cancelled&) {
      if (loop::current()->index() == index) ++cleaned;
      throw;
    }
  };
  auto body = [&]() -> coro<> {
    for (std::size_t index = 0; index < 3; ++index) {
      for (int times = 0; times < 5; ++times) create_task(away(index));
    }
    co_await sleep(1ms);
  };
  troupe::run(body(), several(log, 3));
  CHECK(cleaned == 15);
  CHECK(log.text() == "");
}

TROUPE_PROGRAM_TEST_CASE("a task that is away and refuses to end is given a second notice there") {
  failure_log log;
  std::atomic<int> notices{0};
  auto stubborn = [&]() -> coro<> {
    co_await on(at(1));
    for (int times = 0; times < 2; ++times) {
      try {
        co_await sleep(infinite);
      } catch (const cancelled&) {
        ++notices;
      }
    }
  };
  auto body = [&]() -> coro<> {
    create_task(stubborn());
    co_await sleep(1ms);
  };
  run_options options = several(log, 2);
  options.shutdown_timeout = 2s;  // the first is waited for, the second is room for a slow machine
  troupe::run(body(), options);
  CHECK(notices == 2);
  CHECK(log.text() == "");
}

TEST_CASE("a task that is away and never ends is named and destroyed") {
  failure_log log;
  int alive = 0;
  auto endless = [](counted) -> coro<> {
    co_await on(at(1));
    for (;;) {
      try {
        co_await sleep(10us);
      } catch (const cancelled&) {
      }
    }
  };
  auto body = [&]() -> coro<> {
    create_task(endless(counted(alive)), {.name = "endless"});
    co_await sleep(1ms);
  };
  run_options options = several(log, 2);
  options.shutdown_timeout = 2ms;
  troupe::run(body(), options);
  CHECK(alive == 0);
  CHECK(log.count("endless") >= 1);
}

TEST_CASE("tasks that travel under a storm of cancellations all end, and where they should") {
  random_numbers random(GENERATE(1U, 2U, 3U));
  constexpr std::size_t loops = 3;
  failure_log log;
  std::atomic<int> alive{0};
  std::atomic<int> wrong{0};
  auto step = [](std::size_t turn) -> coro<std::size_t> {
    if (turn % 3 == 0) co_await sleep(0s);
    co_return loop::current()->index();
  };
  auto traveller = [&](std::uint64_t seed) -> coro<int> {
    random_numbers mine(seed);
    struct guard {
      explicit guard(std::atomic<int>& given) : count(given) { ++count; }
      ~guard() { --count; }
      std::atomic<int>& count;
    } held(alive);
    int caught = 0;
    for (std::size_t turn = 0; turn < 12; ++turn) {
      const std::size_t there = mine.below(loops);
      try {
        if (turn % 2 == 0) {
          co_await on(at(there));
        } else {
          const loop* const before = loop::current();
          std::exception_ptr error;
          try {
            const std::size_t was = co_await on(at(there), step(turn));
            if (was != there) ++wrong;
          } catch (...) {
            error = std::current_exception();
          }
          if (loop::current() != before) ++wrong;
          if (error) std::rethrow_exception(error);
        }
      } catch (const cancelled&) {
        if (++caught == 3) throw;
      }
    }
    co_return caught;
  };
  auto body = [&]() -> coro<> {
    std::vector<task<int>> all;
    for (int index = 0; index < 60; ++index) all.push_back(create_task(traveller(random.next())));
    for (int shot = 0; shot < 300; ++shot) {
      all[random.below(all.size())].cancel("storm");
      if (random.below(3) == 0) co_await sleep(0s);
    }
    for (const auto& each : all) co_await ending(each);
    if (loop::current() != &at(0)) ++wrong;
  };
  troupe::run(body(), several(log, loops));
  CHECK(alive == 0);
  CHECK(wrong == 0);
  CHECK(log.text() == "");
}

TEST_CASE("a run that ends in the middle of a storm of travellers leaves nothing") {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    random_numbers random(seed);
    failure_log log;
    std::atomic<int> alive{0};
    auto traveller = [&](std::uint64_t start) -> coro<> {
      random_numbers mine(start);
      struct guard {
        explicit guard(std::atomic<int>& given) : count(given) { ++count; }
        ~guard() { --count; }
        std::atomic<int>& count;
      } held(alive);
      for (;;) co_await on(at(mine.below(3)));
    };
    auto body = [&]() -> coro<> {
      for (int index = 0; index < 20; ++index) create_task(traveller(random.next()));
      co_await rounds(static_cast<int>(random.below(20)));
    };
    troupe::run(body(), several(log, 3));
    CHECK(alive == 0);
    CHECK(log.text() == "");
  }
}
