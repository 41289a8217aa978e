// asyncio's rules for tasks and sleeps, as `conformance/asyncio.md` numbers them.
#include <troupe/runtime/task.hpp>

#include <troupe/runtime/any_task.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <optional>
#include <type_traits>

using namespace troupe;
using namespace troupe::testing;

namespace {

coro<> note(journal& log, std::string text) {
  log.push_back(std::move(text));
  co_return;
}

coro<int> deep(int depth, bool fails) {
  if (depth == 0) {
    if (fails) throw std::runtime_error("at the bottom");
    co_return 0;
  }
  co_return 1 + co_await deep(depth - 1, fails);
}

coro<std::string> slept() {
  co_await sleep(50ms);
  co_return co_await value_after<std::string>(50ms, "yeah");
}

template <class Task>
concept settable = requires(Task made) { made.set_value(1); } ||
                   requires(Task made) { made.set_exception(std::exception_ptr()); };

}  // namespace

TEST_CASE("making a task runs nothing; tasks begin in the order of making", "[task-01]") {
  journal log;
  auto body = [&]() -> coro<> {
    for (const char* name : {"A", "B", "C"}) create_task(note(log, name));
    log.push_back("main");
    co_await sleep(0s);
  };
  testing::run(body());
  CHECK(log == journal{"main", "A", "B", "C"});
}

TEST_CASE("a chain of a hundred thousand awaits resumes and unwinds", "[task-03]") {
  constexpr int depth = 100'000;
  CHECK(testing::run(deep(depth, false)) == depth);
  CHECK_THROWS_WITH(testing::run(deep(depth, true)), "at the bottom");
}

TEST_CASE("a waiter resumes in the round after its child's end", "[task-05]") {
  journal log;
  manual_loop home;
  auto child = [&]() -> coro<int> {
    co_await sleep(0s);
    log.push_back("C-end");
    co_return 4;
  };
  std::optional<task<int>> made;
  auto parent = [&]() -> coro<> {
    made = create_task(child());
    co_await *made;
    log.push_back("P");
  };
  const auto waiting = home.create_task(parent());
  home.step();  // P makes C and waits
  home.step();  // C yields
  home->call_soon([&] {
    log.push_back("X");
    CHECK(made->done());
    CHECK(made->result() == 4);
    CHECK_FALSE(waiting.done());
  });
  home.step();
  CHECK(log == journal{"C-end", "X"});
  home.step();
  CHECK(log == journal{"C-end", "X", "P"});
  CHECK(waiting.done());
}

TEST_CASE("nobody but its coroutine sets a task's result", "[task-07]") {
  STATIC_REQUIRE_FALSE(settable<task<int>>);
  STATIC_REQUIRE_FALSE(settable<any_task>);
  STATIC_REQUIRE(settable<promise<int>>);
}

TROUPE_PROGRAM_TEST_CASE("each task sees itself, however they take turns, and a callback sees none",
                         "[task-09]") {
  int wrong = 0;
  bool callback_saw_one = true;
  auto check_me = [&](const any_task& me) {
    if (!(current_task() == me)) ++wrong;
  };
  auto inner = [&](any_task me) -> coro<> {
    check_me(me);
    co_await sleep(0s);
    check_me(me);
  };
  auto one = [&](std::vector<promise<void>>& mine, std::vector<future<void>>& others) -> coro<> {
    const any_task me = current_task();
    if (!me) ++wrong;
    for (std::size_t turn = 0; turn < others.size(); ++turn) {
      check_me(me);
      mine[turn].set_value();
      check_me(me);
      co_await others[turn];
      check_me(me);
      co_await inner(me);
      check_me(me);
    }
  };
  auto body = [&]() -> coro<> {
    std::vector<promise<void>> kept[2];
    std::vector<future<void>> awaited[2];
    for (int side = 0; side < 2; ++side) {
      for (int turn = 0; turn < 5; ++turn) {
        kept[side].emplace_back();
        awaited[side].push_back(kept[side].back().get_future());
      }
    }
    const auto first = create_task(one(kept[0], awaited[1]));
    const auto second = create_task(one(kept[1], awaited[0]));
    loop::current()->call_soon([&] { callback_saw_one = static_cast<bool>(current_task()); });
    co_await first;
    co_await second;
  };
  CHECK_FALSE(current_task());
  testing::run(body());
  CHECK(wrong == 0);
  CHECK_FALSE(callback_saw_one);
  CHECK_FALSE(current_task());
}

TEST_CASE("two tasks that await a third both get its result, and it runs once", "[task-11]") {
  const bool fails = GENERATE(false, true);
  int runs = 0;
  auto third = [&]() -> coro<int> {
    ++runs;
    co_await sleep(1s);
    if (fails) throw std::runtime_error("E");
    co_return 7;
  };
  auto wait = [](task<int> awaited) -> coro<std::string> {
    try {
      co_return std::to_string(co_await awaited);
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
  };
  auto body = [&]() -> coro<std::string> {
    const auto awaited = create_task(third());
    const auto p = create_task(wait(awaited));
    const auto q = create_task(wait(awaited));
    std::string first = co_await p;
    std::string second = co_await q;
    co_return first + second;
  };
  CHECK(testing::run(body()) == (fails ? "EE" : "77"));
  CHECK(runs == 1);
}

TEST_CASE("a result is kept until it is asked for, and asking does not suspend", "[task-11]") {
  const bool fails = GENERATE(false, true);
  auto quick = [](bool throws) -> coro<int> {
    if (throws) throw std::runtime_error("E");
    co_return 7;
  };
  auto body = [&]() -> coro<> {
    const auto made = create_task(quick(fails));
    co_await rounds(100);
    bool ran = false;
    loop::current()->call_soon([&] { ran = true; });
    for (int times = 0; times < 3; ++times) {
      std::string how = co_await ending(made);
      CHECK(how == (fails ? "error: E" : "value"));
      if (fails) {
        CHECK_THROWS_WITH(made.result(), "E");
        CHECK(describe(made.exception()) == "std::runtime_error: E");
      } else {
        CHECK(made.result() == 7);
        CHECK(made.exception() == nullptr);
      }
    }
    CHECK_FALSE(ran);
    co_await sleep(0s);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a coroutine is consumed once", "[task-13]") {
  STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<coro<int>>);
  auto body = []() -> coro<int> {
    auto c = value_after(100ms, 5);
    const auto made = create_task(std::move(c));
    co_await sleep(0s);
    int refused = 0;
    try {
      co_await c;
    } catch (const invalid_state&) {
      ++refused;
    }
    try {
      create_task(std::move(c));
    } catch (const invalid_state&) {
      ++refused;
    }
    const int value = co_await made;
    co_return value * 10 + refused;
  };
  CHECK(testing::run(body()) == 52);
}

TEST_CASE("no error is fatal: whatever a cancelled task throws stays in it", "[task-15]") {
  // Differs from asyncio, which has errors that leave the loop.
  auto throws = []() -> coro<> {
    try {
      co_await sleep(infinite);
    } catch (const cancelled&) {
      throw 42;
    }
  };
  auto body = [&]() -> coro<std::string> {
    const auto made = create_task(throws());
    co_await sleep(0s);
    made.cancel();
    co_await sleep(1s);
    CHECK_FALSE(made.cancelled());
    co_return describe(made.exception());
  };
  CHECK(testing::run(body()) == "an object of type int");
}

TEST_CASE("the done callbacks of a task run after its end, in their order, without a task",
          "[future-03]") {
  journal log;
  manual_loop home;
  const auto made = home.create_task(sleep_of(1s));
  const task<>::callback second = [&](const task<>&) { log.push_back("second"); };
  made.add_done_callback([&](const task<>& over) {
    log.push_back(over == made && over.done() && !current_task() ? "first" : "wrong");
    CHECK_FALSE(over.cancel());
    CHECK(over.remove_done_callback(second) == 0);
  });
  made.add_done_callback(second);
  home.advance(1s);
  CHECK(log == journal{"first", "second"});
}

TEST_CASE("a done callback may cancel a task that is to run in its round", "[future-03]") {
  journal log;
  manual_loop home;
  auto victim = [&]() -> coro<> {
    try {
      co_await sleep(1s);
      log.push_back("slept");
      co_await sleep(0s);
      log.push_back("went on");
    } catch (const cancelled&) {
      log.push_back("cancelled");
    }
  };
  const auto first = home.create_task(sleep_of(1s));
  const auto second = home.create_task(victim());
  first.add_done_callback([&](const task<>&) { second.cancel(); });
  home.advance(2s);
  CHECK(log == journal{"slept", "cancelled"});
}

TEST_CASE("a sleep takes its time, and what follows gives its value", "[sleep-01]") {
  manual_loop home;
  const time_point before = home.time();
  const auto made = home.create_task(slept());
  home.advance(100ms - 1ns);
  CHECK_FALSE(made.done());
  home.advance(1ns);
  CHECK(made.result() == "yeah");
  CHECK(home.time() - before == 100ms);
}

TEST_CASE("a cancelled sleep gives its timer back at once", "[sleep-03]") {
  manual_loop home;
  const auto made = home.create_task(sleep_of(10s));
  home.run_until_idle();
  CHECK(home->timers().size() == 1);
  made.cancel();
  CHECK(home->timers().empty());
  home.step();
  CHECK(made.cancelled());
  CHECK_FALSE(home->advance_to_next());
}
