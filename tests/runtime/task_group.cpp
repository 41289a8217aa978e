#include <troupe/runtime/task_group.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <troupe/runtime/any_task.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

duration now() { return loop::current()->time() - time_point{}; }

/// The texts of the group's errors, or how else the coroutine ended.
coro<journal> errors_of(coro<> body) {
  journal texts;
  try {
    co_await body;
  } catch (const exception_group& group) {
    for (const std::exception_ptr& each : group.exceptions()) {
      const std::string text = describe(each);
      texts.push_back(text.substr(text.rfind(' ') + 1));
    }
  } catch (const cancelled&) {
    texts.push_back("(cancelled)");
  }
  co_return texts;
}

coro<> set(bool& flag) {
  flag = true;
  co_return;
}

coro<> fail_now(std::string text) {
  throw std::runtime_error(text);
  co_return;
}

coro<> note_end(duration delay, journal& log, std::string name) {
  std::string how = co_await ending(sleep_of(delay));
  log.push_back(name + " " + how);
  if (how == "cancelled") throw cancelled{};
}

/// Fails with `text` when it is cancelled.
coro<> fail_when_cancelled(std::string text) {
  std::string how = co_await ending(sleep_of(1h));
  if (how == "cancelled") throw std::runtime_error(text);
}

coro<> spawn_two_after(task_group& group, duration delay, std::vector<task<int>>& made) {
  co_await sleep(delay);
  made.push_back(group.create_task(value_after(1s, 1)));
  made.push_back(group.create_task(value_after(2s, 2)));
}

coro<> spawn_when_cancelled(task_group& group, coro<> spawned, bool& refused) {
  co_await ending(sleep_of(1h));
  try {
    group.create_task(std::move(spawned));
  } catch (const invalid_state&) {
    refused = true;
  }
}

coro<> hold(counted held, bool& started) {
  static_cast<void>(held);
  started = true;
  co_return;
}

}  // namespace

TROUPE_PROGRAM_TEST_CASE("leaving a group waits for all its tasks", "[group-01]") {
  auto body = []() -> coro<> {
    std::optional<task<int>> first;
    std::optional<task<int>> second;
    task_group group;
    auto inside = [&]() -> coro<> {
      first = group.create_task(value_after(100ms, 42));
      co_await sleep(150ms);
      second = group.create_task(value_after(50ms, 11));
    };
    co_await group.run(inside);
    CHECK(now() == 200ms);
    CHECK(first->result() == 42);
    CHECK(second->result() == 11);
    CHECK(current_task().cancelling() == 0);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a group without tasks ends with its body and does not suspend",
                         "[group-01]") {
  auto body = []() -> coro<> {
    bool called = false;
    loop::current()->call_soon([&] { called = true; });
    task_group group;
    auto nothing = []() -> coro<> { co_return; };
    co_await group.run(nothing);
    CHECK_FALSE(called);
    co_await sleep(1ms);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a task that is cancelled alone is no failure of its group",
                         "[group-03]") {
  auto body = []() -> coro<> {
    std::optional<task<int>> first;
    std::optional<task<int>> second;
    task_group group;
    auto inside = [&]() -> coro<> {
      first = group.create_task(value_after(1s, 1));
      co_await sleep(0s);
      first->cancel();
      second = group.create_task(value_after(2s, 2));
    };
    co_await group.run(inside);
    CHECK(first->cancelled());
    CHECK(second->result() == 2);
    CHECK(now() == 2s);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a task that throws cancelled by itself is no failure of its group",
                         "[group-03]") {
  auto give_up = []() -> coro<> {
    throw cancelled{};
    co_return;
  };
  auto body = [&]() -> coro<> {
    task_group group;
    auto inside = [&]() -> coro<> {
      group.create_task(give_up());
      group.create_task(sleep_of(1s));
      co_await sleep(2s);
    };
    co_await group.run(inside);
    CHECK(now() == 2s);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a failing task interrupts the body", "[group-05]") {
  journal log;
  auto body = [&]() -> coro<> {
    task_group group;
    auto inside = [&]() -> coro<> {
      group.create_task(fail_after(50ms, "E"));
      co_await note_end(10s, log, "body");
    };
    const journal errors = co_await errors_of(group.run(inside));
    CHECK(errors == journal{"E"});
    CHECK(now() == 50ms);
    CHECK(current_task().cancelling() == 0);
    co_await sleep(1s);
    co_await sleep(1s);
    CHECK(now() == 2050ms);
  };
  testing::run(body());
  CHECK(log == journal{"body cancelled"});
}

TROUPE_PROGRAM_TEST_CASE("a failing task cancels the others", "[group-05]") {
  journal log;
  auto body = [&]() -> coro<> {
    task_group group;
    auto inside = [&]() -> coro<> {
      group.create_task(note_end(1h, log, "a"));
      group.create_task(fail_after(1s, "E"));
      group.create_task(note_end(1h, log, "b"));
      co_return;
    };
    const journal errors = co_await errors_of(group.run(inside));
    CHECK(errors == journal{"E"});
    CHECK(now() == 1s);
  };
  testing::run(body());
  CHECK(log.size() == 2);
}

TROUPE_PROGRAM_TEST_CASE("all failures come out, in the order in which they happened",
                         "[group-05]") {
  auto body = []() -> coro<> {
    task_group group;
    auto inside = [&]() -> coro<> {
      group.create_task(fail_when_cancelled("b"));
      group.create_task(fail_after(1s, "a"));
      co_return;
    };
    const journal errors = co_await errors_of(group.run(inside));
    CHECK(errors == journal{"a", "b"});
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a body that throws before its tasks began keeps them from beginning",
                         "[group-11]") {
  bool first = false;
  bool second = false;
  auto body = [&]() -> coro<> {
    std::vector<task<>> made;
    task_group group;
    auto inside = [&]() -> coro<> {
      made.push_back(group.create_task(set(first)));
      made.push_back(group.create_task(set(second)));
      throw std::runtime_error("E");
      co_return;
    };
    const journal errors = co_await errors_of(group.run(inside));
    CHECK(errors == journal{"E"});
    CHECK(made[0].cancelled());
    CHECK(made[1].cancelled());
  };
  testing::run(body());
  CHECK_FALSE(first);
  CHECK_FALSE(second);
}

TROUPE_PROGRAM_TEST_CASE("a failure of an outer group's task goes through an inner group",
                         "[group-13]") {
  journal log;
  auto body = [&]() -> coro<> {
    task_group outer;
    auto inside = [&]() -> coro<> {
      outer.create_task(fail_after(100ms, "E"));
      task_group inner;
      auto innermost = [&]() -> coro<> {
        inner.create_task(note_end(10s, log, "inner"));
        co_return;
      };
      co_await inner.run(innermost);
    };
    const journal errors = co_await errors_of(outer.run(inside));
    CHECK(errors == journal{"E"});
    CHECK(now() == 100ms);
    CHECK(current_task().cancelling() == 0);
    co_await sleep(1s);
  };
  testing::run(body());
  CHECK(log == journal{"inner cancelled"});
}

TROUPE_PROGRAM_TEST_CASE("the body's own error in its cleanup comes last", "[group-17]") {
  auto body = []() -> coro<> {
    task_group group;
    auto inside = [&]() -> coro<> {
      group.create_task(fail_after(100ms, "E1"));
      co_await fail_when_cancelled("E2");
    };
    const journal errors = co_await errors_of(group.run(inside));
    CHECK(errors == journal{"E1", "E2"});
    CHECK(current_task().cancelling() == 0);
    co_await sleep(1s);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("tasks of a group may make siblings while it waits", "[group-23]") {
  auto body = []() -> coro<> {
    std::vector<task<int>> made;
    task_group group;
    auto inside = [&]() -> coro<> {
      group.create_task(spawn_two_after(group, 100ms, made));
      co_return;
    };
    co_await group.run(inside);
    REQUIRE(made.size() == 2);
    CHECK(made[0].result() == 1);
    CHECK(made[1].result() == 2);
    CHECK(now() == 2100ms);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE(
    "a group that shuts down takes no more tasks and destroys what it is given", "[group-25]") {
  int alive = 0;
  bool started = false;
  bool refused = false;
  auto body = [&]() -> coro<> {
    task_group group;
    auto inside = [&]() -> coro<> {
      group.create_task(fail_after(1s, "E"));
      group.create_task(spawn_when_cancelled(group, hold(counted(alive), started), refused));
      co_return;
    };
    const journal errors = co_await errors_of(group.run(inside));
    CHECK(errors == journal{"E"});
  };
  testing::run(body());
  CHECK(refused);
  CHECK_FALSE(started);
  CHECK(alive == 0);
}

TROUPE_PROGRAM_TEST_CASE("a group that does not run takes no tasks") {
  bool started = false;
  auto body = [&]() -> coro<> {
    task_group group;
    CHECK_THROWS_AS(group.create_task(set(started)), invalid_state);
    auto nothing = []() -> coro<> { co_return; };
    co_await group.run(nothing);
    CHECK_THROWS_AS(group.create_task(set(started)), invalid_state);
    CHECK_THROWS_AS(co_await group.run(nothing), invalid_state);
  };
  testing::run(body());
  CHECK_FALSE(started);
}

TROUPE_PROGRAM_TEST_CASE("a group that runs is not run again, and keeps working") {
  auto body = []() -> coro<> {
    task_group group;
    auto inside = [&]() -> coro<> {
      CHECK_THROWS_AS(co_await group.run(sleep_of(0s)), invalid_state);
      group.create_task(sleep_of(1s));
    };
    co_await group.run(inside);
    CHECK(now() == 1s);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("no request leaks out of a group whose task failed at its exit",
                         "[group-33]") {
  auto body = []() -> coro<> {
    task_group group;
    auto inside = [&]() -> coro<> {
      group.create_task(fail_now("E"));
      co_return;
    };
    const journal errors = co_await errors_of(group.run(inside));
    CHECK(errors == journal{"E"});
    co_await sleep(0s);
    CHECK(current_task().cancelling() == 0);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("no request leaks out of a group whose eager task failed", "[group-33]") {
  auto body = []() -> coro<> {
    bool went_on = false;
    task_group group;
    auto inside = [&]() -> coro<> {
      group.create_task(fail_now("E"), {.eager = true});
      went_on = true;
      co_return;
    };
    const journal errors = co_await errors_of(group.run(inside));
    CHECK(errors == journal{"E"});
    CHECK(went_on);
    co_await sleep(0s);
    CHECK(current_task().cancelling() == 0);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("failures of a group's tasks are not reported besides") {
  auto body = []() -> coro<> {
    task_group group;
    auto inside = [&]() -> coro<> {
      group.create_task(fail_after(1s, "a"));
      group.create_task(fail_when_cancelled("b"));
      group.create_task(fail_when_cancelled("c"));
      co_return;
    };
    const journal errors = co_await errors_of(group.run(inside));
    CHECK(errors.size() == 3);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a failure of an inner group is one error of the outer group") {
  auto inner = []() -> coro<> {
    task_group group;
    auto inside = [&]() -> coro<> {
      group.create_task(fail_after(1s, "E"));
      co_return;
    };
    co_await group.run(inside);
  };
  auto body = [&]() -> coro<> {
    task_group group;
    auto inside = [&]() -> coro<> {
      group.create_task(inner());
      co_return;
    };
    bool found = false;
    try {
      co_await group.run(inside);
    } catch (const exception_group& failed) {
      found = failed.size() == 1 && failed.contains<std::runtime_error>();
    }
    CHECK(found);
  };
  testing::run(body());
}

TEST_CASE("a thousand tasks in a group end with it") {
  int ended = 0;
  auto one = [&](int index) -> coro<> {
    co_await sleep(std::chrono::milliseconds(index * 7919 % 1000));
    ++ended;
  };
  auto body = [&]() -> coro<> {
    task_group group;
    auto inside = [&]() -> coro<> {
      for (int index = 0; index < 1000; ++index) group.create_task(one(index));
      co_return;
    };
    co_await group.run(inside);
    CHECK(ended == 1000);
    CHECK(all_tasks().size() == 1);
  };
  testing::run(body());
}
