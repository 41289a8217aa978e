// Groups that are cancelled: from outside, by themselves, and at every place where they can be.
#include <troupe/runtime/task_group.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <troupe/runtime/any_task.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>
#include <troupe/runtime/timeout.hpp>

#include <optional>
#include <stdexcept>
#include <string>

using namespace troupe;
using namespace troupe::testing;

namespace {

duration now() { return loop::current()->time() - time_point{}; }

/// How a group ended: "value", "cancelled", or its number of errors.
coro<std::string> end_of(coro<> running) {
  try {
    co_await running;
    co_return "value";
  } catch (const exception_group& group) {
    co_return std::to_string(group.size()) + " errors";
  } catch (const cancelled&) {
    co_return "cancelled";
  }
}

coro<> note_end(duration delay, journal& log, std::string name) {
  std::string how = co_await ending(sleep_of(delay));
  log.push_back(name + " " + how);
  if (how == "cancelled") throw cancelled{};
}

coro<> count_cancelled(int& count) {
  std::string how = co_await ending(sleep_of(1h));
  if (how == "cancelled") ++count;
  throw cancelled{};
}

coro<> count_steps(int& begun, int& stopped) {
  ++begun;
  co_await count_cancelled(stopped);
}

coro<> fail_when_cancelled(std::string text) {
  co_await ending(sleep_of(1h));
  throw std::runtime_error(text);
}

/// Needs `time` after it was cancelled.
coro<> end_slowly(duration time, bool& ended) {
  co_await ending(sleep_of(1h));
  co_await sleep(time);
  ended = true;
}

coro<> fail_on(future<void> gate, std::string text) {
  co_await gate;
  throw std::runtime_error(text);
}

coro<> group_of_sleepers(int count, int& stopped) {
  task_group group;
  auto inside = [&]() -> coro<> {
    for (int each = 0; each < count; ++each) group.create_task(count_cancelled(stopped));
    co_return;
  };
  co_await group.run(inside);
}

coro<> group_of_two_at_exit(int& begun, int& stopped) {
  task_group group;
  auto inside = [&]() -> coro<> {
    group.create_task(count_steps(begun, stopped));
    group.create_task(count_steps(begun, stopped));
    co_return;
  };
  co_await group.run(inside);
}

coro<> group_that_fails_in_cleanup(int& counted_errors) {
  task_group group;
  auto inside = [&]() -> coro<> {
    group.create_task(fail_when_cancelled("E"));
    group.create_task(fail_when_cancelled("E"));
    co_await sleep(1h);
  };
  try {
    co_await group.run(inside);
  } catch (const exception_group& failed) {
    counted_errors = static_cast<int>(failed.size());
    throw;
  }
}

/// Cleans up for half a second in the body; its task fails after 0.3 s.
coro<> group_that_cleans_up(std::string& how) {
  task_group group;
  auto inside = [&]() -> coro<> {
    group.create_task(fail_after(300ms, "E"));
    co_await ending(sleep_of(10s));
    co_await sleep(500ms);
    throw cancelled{};
  };
  how = co_await end_of(group.run(inside));
}

coro<> cancel_now(any_task victim) {
  victim.cancel();
  co_return;
}

coro<> await_it(task<> awaited) { co_await awaited; }

struct after_group {
  std::string how;
  int cancelling = -1;
  std::string later;
};

/// A group whose body sleeps and whose task fails when `gate` opens; then sleeps a second.
coro<> fail_and_go_on(future<void> gate, after_group& seen) {
  task_group group;
  auto inside = [&]() -> coro<> {
    group.create_task(fail_on(gate, "E"));
    co_await sleep(1h);
  };
  seen.how = co_await end_of(group.run(inside));
  seen.cancelling = current_task().cancelling();
  seen.later = co_await ending(sleep_of(1s));
  if (seen.later == "cancelled") throw cancelled{};
}

/// A group whose task fails at once while another ends slowly; then yields.
coro<> fail_and_end_slowly(bool& slow_ended, after_group& seen) {
  task_group group;
  auto inside = [&]() -> coro<> {
    group.create_task(fail_after(10ms, "E"));
    group.create_task(end_slowly(100ms, slow_ended));
    co_return;
  };
  seen.how = co_await end_of(group.run(inside));
  seen.cancelling = current_task().cancelling();
  seen.later = co_await ending(sleep_of(0s));
}

coro<> cancel_group(task_group& group) {
  group.cancel();
  co_await sleep(1h);
}

coro<> cancel_group_and_end_slowly(duration time, after_group& seen) {
  bool ended = false;
  task_group group;
  auto inside = [&]() -> coro<> {
    group.create_task(end_slowly(time, ended));
    co_await sleep(0s);
    group.cancel();
  };
  seen.how = co_await end_of(group.run(inside));
  seen.cancelling = current_task().cancelling();
  seen.later = co_await ending(sleep_of(0s));
}

}  // namespace

TEST_CASE("a request while the group waits at its exit cancels every task", "[group-07]") {
  int stopped = 0;
  auto body = [&]() -> coro<> {
    const auto runner = create_task(group_of_sleepers(5, stopped));
    co_await sleep(1s);
    runner.cancel();
    std::string how = co_await ending(runner);
    CHECK(how == "cancelled");
    CHECK(stopped == 5);
    CHECK(runner.cancelling() == 1);
    CHECK(all_tasks().size() == 1);
  };
  testing::run(body());
}

TEST_CASE("errors outrank the request from outside", "[group-09]") {
  auto body = []() -> coro<> {
    int errors = 0;
    const auto runner = create_task(group_that_fails_in_cleanup(errors));
    co_await sleep(1s);
    runner.cancel();
    CHECK_THROWS_AS(co_await runner, exception_group);
    CHECK(errors == 2);
  };
  testing::run(body());
}

TEST_CASE("a failure interrupts the cleanup of a body that was cancelled", "[group-15]") {
  for (const bool nested : {false, true}) {
    auto body = [](bool inner_task) -> coro<> {
      std::string how;
      const auto grouped = create_task(group_that_cleans_up(how));
      const auto runner = inner_task ? create_task(await_it(grouped)) : grouped;
      co_await sleep(100ms);
      runner.cancel();
      std::string end = co_await ending(runner);
      CHECK(how == "1 errors");
      CHECK(now() == 300ms);
      // The request came to a group that ended by its error: it is due at the next suspension, or at the end.
      CHECK(end == "cancelled");
    };
    testing::run(body(nested));
  }
}

TEST_CASE("a request at the exit finds tasks that take their first step", "[group-21]") {
  manual_loop driven;
  int begun = 0;
  int stopped = 0;
  const auto runner = driven.create_task(group_of_two_at_exit(begun, stopped));
  driven.create_task(cancel_now(runner));  // its turn is right after that of the runner
  driven.step();
  CHECK(begun == 0);  // the runner is at its exit, its tasks are about to begin
  CHECK(runner.cancelling() == 1);
  driven.run_until_idle();
  CHECK(runner.cancelled());
  CHECK(begun == 2);
  CHECK(stopped == 2);
}

TEST_CASE("a request at the exit reaches tasks that have begun", "[group-21]") {
  manual_loop driven;
  int begun = 0;
  int stopped = 0;
  const auto runner = driven.create_task(group_of_two_at_exit(begun, stopped));
  driven.run_until_idle();
  runner.cancel();
  driven.run_until_idle();
  CHECK(runner.cancelled());
  CHECK(begun == 2);
  CHECK(stopped == 2);
  CHECK(all_tasks(*driven).empty());
}

TEST_CASE("a request and a failure at the same time are both kept", "[group-27]") {
  for (const bool request_first : {true, false}) {
    auto body = [](bool first) -> coro<> {
      promise<void> gate;
      after_group seen;
      const auto parent = create_task(fail_and_go_on(gate.get_future(), seen));
      co_await rounds(5);
      if (first) {
        // The task fails in the next round, in which the parent is cancelled before.
        gate.set_value();
        parent.cancel();
      } else {
        loop::current()->call_soon([parent] { parent.cancel(); });
        gate.set_value();
      }
      std::string how = co_await ending(parent);
      CHECK(seen.how == "1 errors");
      CHECK(seen.cancelling == 1);
      CHECK(seen.later == "cancelled");
      CHECK(how == "cancelled");
    };
    testing::run(body(request_first));
  }
}

TEST_CASE("a request after the group knows of the failure is kept as well", "[group-27]") {
  auto body = []() -> coro<> {
    promise<void> gate;
    after_group seen;
    const auto parent = create_task(fail_and_go_on(gate.get_future(), seen));
    co_await rounds(5);
    gate.set_value();
    loop::current()->call_soon([parent] { parent.cancel(); });  // right behind the task
    std::string how = co_await ending(parent);
    CHECK(seen.how == "1 errors");
    CHECK(seen.cancelling == 1);
    CHECK(seen.later == "cancelled");
    CHECK(how == "cancelled");
  };
  testing::run(body());
}

TEST_CASE("two nested groups that both fail take back a request each", "[group-29]") {
  auto body = []() -> coro<> {
    promise<void> gate;
    auto w = gate.get_future();
    std::string between;
    int cancelling_between = -1;
    task_group outer;
    auto inside = [&]() -> coro<> {
      task_group inner;
      auto innermost = [&]() -> coro<> {
        inner.create_task(fail_on(w, "E1"));
        outer.create_task(fail_on(w, "E2"));
        co_await sleep(0s);
        co_await sleep(0s);
        gate.set_value();
        co_await sleep(1h);
      };
      between = co_await end_of(inner.run(innermost));
      cancelling_between = current_task().cancelling();
    };
    std::string how = co_await end_of(outer.run(inside));
    CHECK(between == "1 errors");
    CHECK(cancelling_between == 1);
    CHECK(how == "1 errors");
    CHECK(current_task().cancelling() == 0);
    co_await sleep(1s);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a request while a failed group winds up is kept until behind it",
                         "[group-31]") {
  bool slow_ended = false;
  auto body = [&]() -> coro<> {
    after_group seen;
    const auto parent = create_task(fail_and_end_slowly(slow_ended, seen));
    co_await sleep(50ms);
    parent.cancel();
    co_await rounds(3);
    CHECK_FALSE(parent.done());
    co_await ending(parent);
    CHECK(slow_ended);
    CHECK(now() == 110ms);
    CHECK(seen.how == "1 errors");
    CHECK(seen.cancelling == 1);
    CHECK(seen.later == "cancelled");
  };
  testing::run(body());
}

TEST_CASE("a task may cancel its group while the body sleeps", "[group-35]") {
  int stopped = 0;
  journal log;
  auto body = [&]() -> coro<> {
    task_group group;
    auto inside = [&]() -> coro<> {
      group.create_task(count_cancelled(stopped));
      group.create_task(cancel_group(group));
      co_await note_end(1h, log, "body");
    };
    co_await group.run(inside);
    CHECK(current_task().cancelling() == 0);
    co_await sleep(1s);
    CHECK(now() == 1s);
  };
  testing::run(body());
  CHECK(stopped == 1);
  CHECK(log == journal{"body cancelled"});
}

TEST_CASE("a body may cancel its group and end", "[group-35]") {
  int stopped = 0;
  auto body = [&]() -> coro<> {
    task_group group;
    auto inside = [&]() -> coro<> {
      group.create_task(count_cancelled(stopped));
      co_await sleep(0s);
      group.cancel();
      group.cancel();
    };
    co_await group.run(inside);
    CHECK(current_task().cancelling() == 0);
    co_await sleep(1s);
    group.cancel();  // too late
    co_await sleep(1s);
    CHECK(now() == 2s);
  };
  testing::run(body());
  CHECK(stopped == 1);
}

TROUPE_PROGRAM_TEST_CASE(
    "a group that was cancelled before it runs goes as far as its first suspension", "[group-35]") {
  journal log;
  auto body = [&]() -> coro<> {
    task_group group;
    group.cancel();
    auto inside = [&]() -> coro<> {
      log.push_back("began");
      co_await note_end(1h, log, "body");
    };
    co_await group.run(inside);
    CHECK(current_task().cancelling() == 0);
    co_await sleep(1s);
  };
  testing::run(body());
  CHECK(log == journal{"began", "body cancelled"});
}

TEST_CASE("a cancelled group still throws what its tasks throw", "[group-35]") {
  auto body = []() -> coro<> {
    task_group group;
    auto inside = [&]() -> coro<> {
      group.create_task(fail_when_cancelled("E"));
      co_await sleep(0s);
      group.cancel();
    };
    std::string how = co_await end_of(group.run(inside));
    CHECK(how == "1 errors");
    CHECK(current_task().cancelling() == 0);
    co_await sleep(1s);
  };
  testing::run(body());
}

TEST_CASE("a request from outside while a cancelled group winds up is not lost", "[group-35]") {
  auto body = []() -> coro<> {
    after_group seen;
    const auto parent = create_task(cancel_group_and_end_slowly(1s, seen));
    co_await sleep(500ms);
    parent.cancel();
    co_await ending(parent);
    CHECK(seen.how == "cancelled");
    CHECK(seen.cancelling == 1);
    CHECK(seen.later == "value");
    CHECK(now() == 1s);
  };
  testing::run(body());
}
