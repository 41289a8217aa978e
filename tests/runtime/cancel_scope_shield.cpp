// Scopes that shield, and scopes under attack; the others are in cancel_scope.cpp.
#include <troupe/runtime/cancel_scope.hpp>

#include "runtime/brute_force.hpp"
#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <troupe/runtime/any_task.hpp>
#include <troupe/runtime/task_group.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>
#include <troupe/runtime/timeout.hpp>

#include <optional>
#include <string>

using namespace troupe;
using namespace troupe::testing;

namespace {

coro<> note_end(duration delay, journal& log, std::string name) {
  std::string how = co_await ending(sleep_of(delay));
  log.push_back(name + " " + how);
  if (how == "cancelled") throw cancelled{};
}

coro<> note_sleeps(journal& log) {
  co_await note_end(1s, log, "first");
  co_await note_end(1s, log, "second");
}

/// Runs a shielded sleep of a second, then one that is not.
coro<> shielded_then_not(cancel_scope& shield, journal& log) {
  co_await shield.run(note_end(1s, log, "shielded"));
  co_await note_end(1s, log, "behind");
}

coro<> run_in(cancel_scope& scope, coro<> body) { co_await scope.run(std::move(body)); }

coro<> sleeps_within(cancel_scope& shield, journal& log) { co_await shield.run(note_sleeps(log)); }

coro<> timeout_within(cancel_scope& shield, journal& log) {
  auto limited = [&]() -> coro<> {
    log.push_back(co_await ending(timeout(1s, sleep_of(1h))));
    co_await note_end(1s, log, "cleanup");
  };
  co_await shield.run(limited);
}

coro<> move_on_within(cancel_scope& shield, journal& log) {
  auto limited = [&]() -> coro<> {
    const bool finished = co_await move_on_after(1s, sleep_of(1h));
    log.push_back(finished ? "finished" : "moved on");
    co_await note_end(1s, log, "cleanup");
  };
  co_await shield.run(limited);
}

coro<> group_within(cancel_scope& shield, journal& log) {
  auto grouped = [&]() -> coro<> {
    task_group group;
    auto members = [&]() -> coro<> {
      loop::current()->call_later(1s, [&] { group.cancel(); });
      group.create_task(note_end(1h, log, "member"));
      co_await sleep(1h);
    };
    co_await group.run(members);
    co_await note_end(1s, log, "cleanup");
  };
  co_await shield.run(grouped);
}

coro<int> swallow_once(journal& log) {
  log.push_back(co_await ending(sleep_of(1h)));
  co_return 42;
}

/// A task that has gone into a shield, on a loop that is driven by hand.
struct shielded_task {
  explicit shielded_task(coro<> (*body)(cancel_scope&, journal&))
      : shield({.shield = true}), running(driven.create_task(body(shield, log))) {
    driven.run_until_idle();
  }

  journal log;
  manual_loop driven;
  cancel_scope shield;
  task<> running;
};

/// What `body` notes when its task is cancelled in the shield. The task has to end as cancelled.
journal cancelled_in_a_shield(coro<> (*body)(cancel_scope&, journal&)) {
  shielded_task held(body);
  held.running.cancel();
  held.driven.advance(10s);
  CHECK(held.running.cancelled());
  return held.log;
}

coro<> await_in(cancel_scope& shield, task<int> child, std::optional<int>& value) {
  value = co_await shield.run(
      [](task<int> awaited) -> coro<int> { co_return co_await awaited; }(child));
}

}  // namespace

TEST_CASE("a shield holds a request to cancel until it is left") {
  shielded_task held(shielded_then_not);
  CHECK(held.running.cancel());
  held.driven.run_until_idle();
  CHECK(held.running.cancelling() == 1);
  CHECK_FALSE(held.running.done());
  held.driven.advance(10s);
  CHECK(held.log == journal{"shielded value", "behind cancelled"});
  CHECK(held.running.cancelled());
  CHECK(held.driven.time() == time_point(10s));
}

TEST_CASE("a request that a shield held can be taken back") {
  shielded_task held(shielded_then_not);
  held.running.cancel();
  held.driven.run_until_idle();
  CHECK(held.running.uncancel() == 0);
  held.driven.advance(10s);
  CHECK(held.log == journal{"shielded value", "behind value"});
}

TEST_CASE("a shield keeps the scopes around it away") {
  journal log;
  manual_loop driven;
  cancel_scope outer;
  cancel_scope shield({.shield = true});
  driven.create_task(run_in(outer, shielded_then_not(shield, log)));
  driven.run_until_idle();
  outer.cancel();
  driven.advance(10s);
  CHECK(log == journal{"shielded value", "behind cancelled"});
  CHECK(outer.cancelled_caught());
  CHECK_FALSE(shield.cancelled_caught());
}

TEST_CASE("a shield does not shield from itself, nor from what is inside") {
  journal log;
  manual_loop driven;
  cancel_scope shield({.deadline = time_point(1s), .shield = true});
  cancel_scope inner;
  driven.create_task(run_in(shield, run_in(inner, note_sleeps(log))));
  driven.run_until_idle();
  inner.cancel();
  driven.run_until_idle();
  CHECK(log == journal{"first cancelled"});
  CHECK(inner.cancelled_caught());

  log.clear();
  cancel_scope second({.deadline = time_point(500ms), .shield = true});
  driven.create_task(run_in(second, note_sleeps(log)));
  driven.advance(500ms);
  CHECK(log == journal{"first cancelled"});
  CHECK(second.cancelled_caught());
}

TEST_CASE("a shield keeps the end for good away, and no longer") {
  shielded_task held(shielded_then_not);
  held.running.base().cancel_for_good();
  held.driven.advance(10s);
  CHECK(held.log == journal{"shielded value", "behind cancelled"});
}

TEST_CASE("of nested shields the outer one holds on when the inner one is left") {
  journal log;
  manual_loop driven;
  cancel_scope far({.shield = true});
  cancel_scope near({.shield = true});
  auto inside = [&]() -> coro<> {
    co_await near.run(note_end(1s, log, "near"));
    co_await note_end(1s, log, "far");
  };
  auto body = [&]() -> coro<> {
    co_await far.run(inside);
    co_await note_end(1s, log, "outside");
  };
  const auto running = driven.create_task(body());
  driven.run_until_idle();
  running.cancel();
  driven.advance(10s);
  CHECK(log == journal{"near value", "far value", "outside cancelled"});
}

TEST_CASE("a scope cancelled between two shields is felt between them") {
  journal log;
  manual_loop driven;
  cancel_scope far({.shield = true});
  cancel_scope middle;
  cancel_scope near({.shield = true});
  auto inside = [&]() -> coro<> {
    co_await near.run(note_end(1s, log, "near"));
    co_await note_end(1s, log, "middle");
  };
  auto body = [&]() -> coro<> {
    co_await middle.run(inside);
    co_await note_end(1s, log, "far");
  };
  const auto running = driven.create_task(run_in(far, body()));
  driven.run_until_idle();
  middle.cancel();
  driven.advance(10s);
  CHECK(log == journal{"near value", "middle cancelled", "far value"});
  CHECK(running.done());
}

TEST_CASE("a shield that is taken away lets through what it held") {
  shielded_task held(sleeps_within);
  held.running.cancel();
  held.driven.run_until_idle();
  CHECK_FALSE(held.running.done());
  held.shield.set_shield(false);
  held.driven.run_until_idle();
  CHECK(held.log == journal{"first cancelled"});
  CHECK(held.running.cancelled());
  CHECK(held.driven.time() == time_point(0s));
}

TEST_CASE("a request that is passed on when a shield goes is not delivered twice") {
  journal log;
  manual_loop driven;
  cancel_scope shield({.shield = true});
  const auto child = driven.create_task(swallow_once(log));
  std::optional<int> value;
  const auto running = driven.create_task(await_in(shield, child, value));
  driven.run_until_idle();
  running.cancel();
  driven.run_until_idle();
  CHECK(log.empty());
  shield.set_shield(false);
  driven.run_until_idle();
  CHECK(log == journal{"cancelled"});
  CHECK(child.result() == 42);
  CHECK(value == 42);
}

TEST_CASE("a shield that comes up keeps away what was not yet delivered") {
  journal log;
  manual_loop driven;
  cancel_scope outer;
  cancel_scope inner;
  auto body = [&]() -> coro<> {
    outer.cancel();
    inner.set_shield(true);
    co_await note_end(1s, log, "inside");
  };
  const auto running = driven.create_task(run_in(outer, run_in(inner, body())));
  driven.advance(10s);
  CHECK(log == journal{"inside value"});
  CHECK(running.done());
}

TEST_CASE("a time-out in a shield works while the shield holds a request") {
  CHECK(cancelled_in_a_shield(timeout_within) ==
        journal{"error: the time limit has passed", "cleanup value"});
}

TEST_CASE("a limit in a shield works while the shield holds a request") {
  CHECK(cancelled_in_a_shield(move_on_within) == journal{"moved on", "cleanup value"});
}

TEST_CASE("a group in a shield works while the shield holds a request") {
  CHECK(cancelled_in_a_shield(group_within) == journal{"member cancelled", "cleanup value"});
}

TEST_CASE("a request that a shield held is thrown once when the shield itself is cancelled") {
  journal log;
  manual_loop driven;
  cancel_scope shield({.deadline = time_point(1s), .shield = true});
  auto body = [&]() -> coro<> {
    log.push_back(co_await ending(run_in(shield, sleep_of(1h))));
    co_await note_end(1s, log, "cleanup");
  };
  const auto running = driven.create_task(body());
  driven.run_until_idle();
  running.cancel();
  driven.advance(10s);
  CHECK(log == journal{"cancelled", "cleanup value"});
}

TEST_CASE("a scope may outlive the task that a closing loop destroyed in it") {
  cancel_scope scope({.deadline = time_point(1h)});
  cancel_scope inner({.shield = true});
  {
    manual_loop driven;
    driven.create_task(run_in(scope, run_in(inner, sleep_of(infinite))));
    driven.run_until_idle();
    driven->abandon();
    driven->let_go();
  }
  scope.set_deadline(time_point(2h));
  inner.set_shield(false);
  scope.cancel();
  CHECK(scope.cancel_called());
  CHECK_FALSE(scope.cancelled_caught());
}
