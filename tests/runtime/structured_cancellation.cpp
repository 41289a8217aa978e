// Groups, time-outs, scopes, shields and waits in each other, stopped at every place where they can be.
#include "runtime/brute_force.hpp"
#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <troupe/runtime/any_task.hpp>
#include <troupe/runtime/cancel_scope.hpp>
#include <troupe/runtime/scope.hpp>
#include <troupe/runtime/shield.hpp>
#include <troupe/runtime/task_group.hpp>
#include <troupe/runtime/timeout.hpp>
#include <troupe/runtime/wait.hpp>
#include <troupe/runtime/wait_for.hpp>

#include <list>
#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct stage {
  loop* home = nullptr;
  int alive = 0;          ///< workers whose frames live
  bool outlived = false;  ///< a worker outlived the group it was made in
  int cancelling = 0;     ///< requests that are left at the scenario's end, when it comes so far
  std::list<int> groups;  ///< how many of each group's workers live
};

/// In the frame that runs a group: whether all that began in it has ended with it.
struct group_check {
  explicit group_check(stage& given) : with(given), inside(given.groups.emplace_back(0)) {}
  ~group_check() { with.outlived |= inside != 0; }
  stage& with;
  int& inside;
};

/// In the frame of a worker, of the group that `inside` counts for.
struct presence {
  presence(stage& with, int& inside) : one(with.alive), member(inside) {}
  counted one;
  counted member;
};

coro<> work(stage& with, int& inside, duration time) {
  const presence held(with, inside);
  co_await sleep(time);
}

/// Begins a clean-up of two seconds when it is cancelled.
coro<> work_and_clean_up(stage& with, int& inside, duration time) {
  const presence held(with, inside);
  std::string how = co_await ending(sleep_of(time));
  if (how != "cancelled") co_return;
  co_await sleep(2s);
  throw cancelled{};
}

coro<> work_and_fail(stage& with, int& inside, duration time) {
  const presence held(with, inside);
  co_await sleep(time);
  throw std::runtime_error("E");
}

coro<> group_of_two(stage& with) {
  const group_check check(with);
  task_group group;
  auto inside = [&]() -> coro<> {
    group.create_task(work(with, check.inside, 3s), {.name = "victim"});
    group.create_task(work_and_clean_up(with, check.inside, 1s));
    co_await sleep(2s);
  };
  co_await group.run(inside);
}

coro<> group_that_fails(stage& with) {
  const group_check check(with);
  task_group group;
  auto inside = [&]() -> coro<> {
    group.create_task(work_and_clean_up(with, check.inside, 5s), {.name = "victim"});
    group.create_task(work_and_fail(with, check.inside, 1s));
    co_await sleep(3s);
  };
  try {
    co_await group.run(inside);
  } catch (const exception_group&) {
  }
}

coro<> group_that_cancels_itself(stage& with) {
  const group_check check(with);
  task_group group;
  auto inside = [&]() -> coro<> {
    group.create_task(work_and_clean_up(with, check.inside, 5s), {.name = "victim"});
    co_await sleep(1s);
    group.cancel();
    co_await sleep(1s);
  };
  co_await group.run(inside);
}

coro<> time_out(stage& with, coro<> body) {
  static_cast<void>(with);
  try {
    co_await timeout(1s, std::move(body));
  } catch (const timeout_error&) {
  }
}

/// Notes what is left behind `body`; a request that is due is delivered before.
coro<> play(stage& with, coro<> body) {
  with.home = loop::current();
  co_await body;
  co_await sleep(0s);
  with.cancelling = current_task().cancelling();
}

coro<> nested_groups(stage& with) {
  const group_check check(with);
  task_group group;
  auto inside = [&]() -> coro<> {
    group.create_task(work(with, check.inside, 1s));
    group.create_task(group_of_two(with));
    co_await group_that_fails(with);
    co_await group_that_cancels_itself(with);
  };
  co_await group.run(inside);
}

coro<> limits_in_a_group(stage& with) {
  const group_check check(with);
  task_group group;
  auto inside = [&]() -> coro<> {
    group.create_task(time_out(with, work_and_clean_up(with, check.inside, 3s)));
    group.create_task(time_out(with, group_of_two(with)));
    co_await move_on_after(1s, group_of_two(with));
    co_await time_out(with, work(with, check.inside, 1s));
  };
  co_await group.run(inside);
}

coro<> groups_in_limits(stage& with) {
  co_await time_out(with, group_of_two(with));
  co_await time_out(with, group_that_fails(with));
  co_await time_out(with, group_that_cancels_itself(with));
  co_await move_on_after(1s, group_that_fails(with));
  co_await move_on_after(1500ms, time_out(with, group_of_two(with)));
  co_await time_out(with, time_out(with, group_of_two(with)));
}

/// Awaits what it has shielded, in any case.
coro<> shielded(stage& with, coro<> body) {
  static_cast<void>(with);
  const auto inner = create_task(std::move(body), {.name = "inner"});
  bool stopped = false;
  try {
    co_await shield(inner);
  } catch (const cancelled&) {
    stopped = true;
  }
  if (!stopped) co_return;
  cancel_scope scope({.shield = true});
  const std::vector<task<>> one(1, inner);
  co_await scope.run(wait(one));
  throw cancelled{};
}

coro<> shields(stage& with) {
  const group_check check(with);
  task_group group;
  auto inside = [&]() -> coro<> {
    group.create_task(shielded(with, group_of_two(with)));
    co_await shielded(with, work_and_clean_up(with, check.inside, 1s));
    co_await time_out(with, shielded(with, work(with, check.inside, 2s)));
  };
  co_await group.run(inside);
}

coro<> wait_for_shields(stage& with) {
  int& inside = with.groups.emplace_back(0);
  const auto inner = create_task(work(with, inside, 3s));
  for (const duration limit : {duration(1s), duration(0s), duration(5s)}) {
    try {
      co_await wait_for(shield(inner), limit);
    } catch (const timeout_error&) {
    }
  }
  try {
    co_await wait_for(create_task(work_and_clean_up(with, inside, 3s)), 1s);
  } catch (const timeout_error&) {
  }
}

coro<> gathered_groups(stage& with) {
  int& inside = with.groups.emplace_back(0);
  co_await gather(group_of_two(with), group_that_fails(with), group_that_cancels_itself(with));
  co_await gather(return_exceptions, group_of_two(with), work_and_fail(with, inside, 1s));
}

coro<> scopes_with_shields(stage& with) {
  int& inside = with.groups.emplace_back(0);
  cancel_scope outer({.deadline = loop::current()->time() + 1s});
  auto stretch = [&]() -> coro<> {
    cancel_scope held({.shield = true});
    co_await held.run(group_of_two(with));
    co_await work(with, inside, 1s);
  };
  co_await outer.run(stretch);
  co_await work(with, inside, 1s);
}

void verify(stage& with) {
  CHECK(with.alive == 0);
  CHECK_FALSE(with.outlived);
  CHECK(with.cancelling == 0);
  if (with.home != nullptr) CHECK(with.home->timers().empty());
}

using scenario = coro<> (*)(stage&);

/// Stops `played` in each way, after each number of rounds.
void stop_everywhere(scenario played) {
  auto whole = [played](stage& with) -> coro<> { return play(with, played(with)); };
  for_each_cancellation<stage>(whole, verify);
  for_each_cancellation<stage>(whole, verify, {.for_good = true});
  for_each_cancellation<stage>(whole, verify, {.twice = true});
  for_each_abandonment<stage>(whole, [](stage& with) {
    CHECK(with.alive == 0);
    if (with.home != nullptr) CHECK(with.home->timers().empty());
  });
}

/// Cancels a task in a group instead: the scenario ends as if nothing had happened.
void stop_member_everywhere(scenario played) {
  auto whole = [played](stage& with) -> coro<> { return play(with, played(with)); };
  for_each_cancellation<stage>(whole, verify, {.victim = "victim"});
}

}  // namespace

TEST_CASE("nested groups may be stopped everywhere") { stop_everywhere(&nested_groups); }

TEST_CASE("time limits in groups may be stopped everywhere") {
  stop_everywhere(&limits_in_a_group);
}

TEST_CASE("groups in time limits may be stopped everywhere") { stop_everywhere(&groups_in_limits); }

TEST_CASE("shields in groups and time limits may be stopped everywhere") {
  stop_everywhere(&shields);
}

TEST_CASE("waits for shields may be stopped everywhere") { stop_everywhere(&wait_for_shields); }

TEST_CASE("gathered groups may be stopped everywhere") { stop_everywhere(&gathered_groups); }

TEST_CASE("scopes with shields may be stopped everywhere") {
  stop_everywhere(&scopes_with_shields);
}

TEST_CASE("a task of a group may be cancelled everywhere without a trace") {
  stop_member_everywhere(&nested_groups);
  stop_member_everywhere(&groups_in_limits);
  stop_member_everywhere(&gathered_groups);
}

TROUPE_PROGRAM_TEST_CASE(
    "a scope, a time limit or a group that is given a coroutine which was awaited leaves nothing "
    "behind") {
  auto attempt = [](auto& scope) -> coro<std::string> {
    auto used = rounds(1);
    co_await used;
    auto running = scope.run(std::move(used));
    co_return co_await ending(std::move(running));
  };
  auto body = [&]() -> coro<std::string> {
    cancel_scope stretch;
    stretch.cancel();
    timeout_scope limit(1s);
    task_group group;
    group.cancel();
    std::string log;
    {
      auto one = attempt(stretch);
      log += co_await one + "\n";
      auto other = attempt(limit);
      log += co_await other + "\n";
      auto third = attempt(group);
      log += co_await third + "\n";
    }
    // Nothing of them is left: no request, no pressed scope, nothing that keeps the task on its loop.
    co_await sleep(2s);
    log += std::to_string(current_task().cancelling());
    log += troupe::internal::scope::bound(*task_base::current()) ? " bound" : " free";
    co_return log;
  };
  const std::string error =
      "error: await of a coro that was awaited before; call the function again\n";
  CHECK(testing::run(body()) == error + error + error + "0 free");
}
