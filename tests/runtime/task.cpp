// Tasks: their results, their handles, and failures that nobody looks at.
#include <troupe/runtime/task.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <memory>
#include <optional>
#include <source_location>
#include <stdexcept>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;

namespace {

coro<> note(journal& log, std::string text) {
  log.push_back(text);
  co_return;
}

}  // namespace

// --- results -----------------------------------------------------------------------------------------------------------

TROUPE_PROGRAM_TEST_CASE("a task gives its value to the one that awaits it") {
  auto body = []() -> coro<int> {
    const auto made = create_task(value_after(1s, 5));
    const int value = co_await made;
    co_return value;
  };
  CHECK(testing::run(body()) == 5);
}

TROUPE_PROGRAM_TEST_CASE("a task can be awaited where it is made") {
  auto body = []() -> coro<int> {
    const int value = co_await create_task(value_after(1s, 5), {.name = "made and awaited"});
    co_return value;
  };
  CHECK(testing::run(body()) == 5);
}

TROUPE_PROGRAM_TEST_CASE("a task gives a value that only moves") {
  auto make = []() -> coro<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
  auto body = [&]() -> coro<int> {
    std::unique_ptr<int> made = co_await create_task(make());
    co_return *made;
  };
  CHECK(testing::run(body()) == 7);
}

TEST_CASE("tasks take their first step after the one that made them, in the order of making") {
  journal log;
  auto body = [&]() -> coro<> {
    for (const char* name : {"a", "b", "c"}) create_task(note(log, name));
    log.push_back("main");
    co_await sleep(0s);
  };
  testing::run(body());
  CHECK(log == journal{"main", "a", "b", "c"});
}

TEST_CASE("the one that awaits a task resumes a round after its end") {
  journal log;
  auto body = [&]() -> coro<> {
    const auto child = create_task(note(log, "child"));
    loop::current()->call_soon([&] { log.push_back(child.done() ? "done" : "running"); });
    co_await child;
    log.push_back("parent");
  };
  testing::run(body());
  CHECK(log == journal{"child", "done", "parent"});
}

TROUPE_PROGRAM_TEST_CASE("two tasks that await one task both get its value") {
  auto add_one = [](task<int> awaited) -> coro<int> {
    const int value = co_await awaited;
    co_return value + 1;
  };
  auto body = [&]() -> coro<int> {
    const auto shared = create_task(value_after(1s, 5));
    auto [left, right] = co_await gather(add_one(shared), add_one(shared));
    co_return left + right;
  };
  CHECK(testing::run(body()) == 12);
}

TROUPE_PROGRAM_TEST_CASE("the error of a task is thrown at every await of it") {
  auto body = []() -> coro<int> {
    const auto failing = create_task(fail_after(1s, "E"));
    int thrown = 0;
    for (int turn = 0; turn < 5; ++turn) {
      try {
        co_await failing;
      } catch (const std::runtime_error& error) {
        thrown += std::string(error.what()) == "E";
      }
    }
    thrown += describe(failing.exception()) == "std::runtime_error: E";
    co_return thrown;
  };
  CHECK(testing::run(body()) == 6);
}

TROUPE_PROGRAM_TEST_CASE("the result of a task can be read in place when it is done") {
  auto body = []() -> coro<int> {
    const auto made = create_task(value_after(1s, 5));
    co_await sleep(2s);
    co_return made.result() + (made.exception() == nullptr ? 10 : 0);
  };
  CHECK(testing::run(body()) == 15);
}

TROUPE_PROGRAM_TEST_CASE("the result of a task that has not ended cannot be read") {
  auto body = []() -> coro<int> {
    const auto made = create_task(value_after(1s, 5), {.name = "slow"});
    std::string text;
    try {
      static_cast<void>(made.result());
    } catch (const invalid_state& error) {
      text = error.what();
    }
    co_return static_cast<int>(text.find("before there is one") != std::string::npos);
  };
  CHECK(testing::run(body()) == 1);
}

TROUPE_PROGRAM_TEST_CASE("a task goes on without its handle") {
  journal log;
  auto body = [&]() -> coro<> {
    {
      const auto dropped = create_task(note(log, "ran"));
    }
    co_await sleep(1s);
  };
  testing::run(body());
  CHECK(log == journal{"ran"});
}

TROUPE_PROGRAM_TEST_CASE("copies of a task handle are the same task") {
  auto body = []() -> coro<bool> {
    const auto first = create_task(value_after(1s, 5));
    auto second = first;
    task<int> third = create_task(value_after(1s, 6));
    third = second;
    co_await third;
    co_return &first.base() == &second.base() && first.done() && second.result() == 5;
  };
  CHECK(testing::run(body()));
}

TROUPE_PROGRAM_TEST_CASE("a task handle that was moved from throws when it is used") {
  auto body = []() -> coro<bool> {
    auto first = create_task(value_after(0s, 5));
    const auto second = std::move(first);
    try {
      static_cast<void>(first.done());
    } catch (const invalid_state&) {
      co_return true;
    }
    co_return false;
  };
  CHECK(testing::run(body()));
}

TROUPE_PROGRAM_TEST_CASE("a task that awaits itself is told so") {
  auto body = []() -> coro<std::string> {
    std::optional<task<std::string>> self;
    auto await_it = [](std::optional<task<std::string>>& awaited) -> coro<std::string> {
      std::string how;
      try {
        how = co_await *awaited;
      } catch (const invalid_state& error) {
        how = error.what();
      }
      co_return how;
    };
    self = create_task(await_it(self), {.name = "narcissus"});
    std::string how = co_await *self;
    co_return how;
  };
  CHECK(testing::run(body()) == "task 'narcissus' awaits itself");
}

TROUPE_PROGRAM_TEST_CASE("tasks that await each other can be cancelled") {
  auto body = []() -> coro<std::string> {
    std::optional<task<>> first;
    std::optional<task<>> second;
    auto await_it = [](std::optional<task<>>& awaited) -> coro<> { co_await *awaited; };
    first = create_task(await_it(second));
    second = create_task(await_it(first));
    co_await rounds(3);
    first->cancel();
    std::string how = co_await ending(*first);
    std::string other = co_await ending(*second);
    co_return how + " " + other;
  };
  CHECK(testing::run(body()) == "cancelled cancelled");
}

TEST_CASE("a task cannot be made where no loop runs") {
  CHECK_THROWS_AS(create_task(value_after(0s, 1)), invalid_state);
}

TEST_CASE("the task that runs is known, in its callees too, and in callbacks there is none") {
  auto current = []() -> coro<task_base*> { co_return task_base::current(); };
  auto body = [&]() -> coro<bool> {
    bool none = false;
    loop::current()->call_soon([&] { none = task_base::current() == nullptr; });
    task_base* const before = task_base::current();
    const bool same = co_await current() == before;
    co_await sleep(0s);
    co_return none&& same&& before != nullptr&& before == task_base::current();
  };
  CHECK(testing::run(body()));
  CHECK(task_base::current() == nullptr);
}

TROUPE_PROGRAM_TEST_CASE("a task has the name it was given, or a number") {
  auto body = []() -> coro<std::string> {
    const auto named = create_task(value_after(0s, 1), {.name = std::string("loader") + "-7"});
    const auto numbered = create_task(value_after(0s, 1));
    co_return named.name() + " " + numbered.name().substr(0, 5);
  };
  CHECK(testing::run(body()) == "loader-7 task-");
}

TEST_CASE("a handle that is awaited may be given another task meanwhile") {
  struct held {
    task<int> job;
  };
  auto give = [](int value) -> coro<int> {
    co_await sleep(1s);
    co_return value;
  };
  auto wait = [](held& on) -> coro<int> { co_return co_await on.job; };
  auto body = [&]() -> coro<int> {
    held one{create_task(give(1))};
    auto waiter = create_task(wait(one));
    co_await sleep(0s);
    one.job = create_task(give(2));
    const int first = co_await waiter;
    co_await one.job;
    co_return first;
  };
  CHECK(testing::run(body()) == 1);
}

// --- failures nobody looks at ------------------------------------------------------------------------------------------

TROUPE_PROGRAM_TEST_CASE(
    "a failure that nobody looks at is reported once, with the name and origin of its task") {
  failure_log log;
  unsigned line = 0;
  auto body = [&]() -> coro<> {
    line = std::source_location::current().line() + 1;
    create_task(fail_after(1s, "unseen"), {.name = "loader"});
    co_await sleep(2s);
  };
  testing::run(body(), &log);
  REQUIRE(log.reports().size() == 1);
  CHECK(log.count("task 'loader'") == 1);
  CHECK(log.count("unseen") == 1);
  CHECK(log.reports()[0].where.line() == line);
  CHECK(std::string(log.reports()[0].where.file_name()).find("task.cpp") != std::string::npos);
}

TROUPE_PROGRAM_TEST_CASE("a failure is reported when its last handle goes unused") {
  failure_log log;
  auto body = [&]() -> coro<> {
    std::optional<task<>> held = create_task(fail_after(1s, "unseen"));
    co_await sleep(2s);
    if (!log.reports().empty()) throw std::logic_error("too early");
    held.reset();
  };
  testing::run(body(), &log);
  CHECK(log.reports().size() == 1);
}

TEST_CASE("a failure that somebody looked at is not reported") {
  auto body = []() -> coro<> {
    const auto awaited = create_task(fail_after(1s, "seen"));
    const auto asked = create_task(fail_after(1s, "seen"));
    const std::string how = co_await ending(awaited);
    static_cast<void>(asked.exception());
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a cancelled task is no failure") {
  auto body = []() -> coro<> {
    create_task(sleep_of(infinite)).cancel();
    const auto started = create_task(sleep_of(infinite));
    co_await sleep(0s);
    started.cancel();
    co_await sleep(1s);
  };
  testing::run(body());
}

TEST_CASE("a failure looked at after the end of the runtime is still there") {
  std::optional<task<>> kept;
  auto body = [&]() -> coro<> {
    kept = create_task(fail_after(1s, "late"));
    co_await sleep(2s);
  };
  testing::run(body());
  CHECK(describe(kept->exception()) == "std::runtime_error: late");
}

TEST_CASE("a handle dropped after its runtime tells nothing to the next one") {
  std::optional<task<>> kept;
  auto first = [&]() -> coro<> {
    kept = create_task(fail_after(1s, "of an earlier run"));
    co_await sleep(2s);
    static_cast<void>(kept->exception());
  };
  auto second = [&]() -> coro<> {
    kept.reset();
    co_return;
  };
  testing::run(first());
  testing::run(second());
}
