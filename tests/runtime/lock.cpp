#include <troupe/runtime/lock.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <optional>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Acquires and keeps.
coro<> take(lock& wanted, journal& log, std::string name) {
  co_await wanted.acquire();
  log.push_back(name);
}

/// Acquires, keeps for `rounds_held`, releases.
coro<> use(lock& wanted, journal& log, std::string name, int rounds_held = 1) {
  const auto held = co_await wanted.scoped();
  log.push_back(name);
  co_await rounds(rounds_held);
}

}  // namespace

TEST_CASE("tasks get a lock one after the other, in the order they asked", "[lock-01]") {
  auto body = []() -> coro<> {
    lock l;
    journal log;
    co_await l.acquire();
    create_task(take(l, log, "1"));
    create_task(take(l, log, "2"));
    co_await sleep(0s);
    CHECK(log.empty());
    l.release();
    create_task(take(l, log, "3"));
    co_await sleep(0s);
    CHECK(log == journal{"1"});
    l.release();
    co_await sleep(0s);
    CHECK(log == journal{"1", "2"});
    l.release();
    co_await sleep(0s);
    CHECK(log == journal{"1", "2", "3"});
    CHECK(l.locked());
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a cancelled task no longer stands in the line of a lock", "[lock-03]") {
  auto body = []() -> coro<> {
    lock l;
    journal log;
    co_await l.acquire();
    const auto waiting = create_task(take(l, log, "W"));
    co_await sleep(0s);
    waiting.cancel("no longer needed");
    std::string how = co_await ending(waiting);
    CHECK(how == "cancelled");
    l.release();
    CHECK_FALSE(l.locked());
    co_await sleep(0s);
    CHECK_FALSE(l.locked());
    CHECK(l.try_acquire());
    CHECK(log.empty());
  };
  testing::run(body());
}

TEST_CASE("a cancellation and a release in one step wake one task", "[lock-05]") {
  auto body = []() -> coro<> {
    lock l;
    journal log;
    co_await l.acquire();
    const auto t1 = create_task(take(l, log, "1"));
    const auto t2 = create_task(take(l, log, "2"));
    const auto t3 = create_task(take(l, log, "3"));
    co_await sleep(0s);
    loop::current()->call_soon([&] {
      t1.cancel();
      l.release();
    });
    co_await rounds(5);
    CHECK(log == journal{"2"});
    CHECK(t1.cancelled());
    CHECK(t2.done());
    CHECK_FALSE(t3.done());
    CHECK(l.locked());
    t3.cancel();
    co_await rounds(2);
  };
  testing::run(body());
}

TEST_CASE("a task that was chosen for a lock and cancelled then passes it on", "[lock-05]") {
  auto body = []() -> coro<> {
    lock l;
    journal log;
    co_await l.acquire();
    const auto t1 = create_task(take(l, log, "1"));
    create_task(take(l, log, "2"));
    const auto t3 = create_task(take(l, log, "3"));
    co_await sleep(0s);
    l.release();
    t1.cancel();
    t3.cancel();
    co_await rounds(5);
    CHECK(t1.cancelled());
    CHECK(log == journal{"2"});
    CHECK(l.locked());
    l.release();
    CHECK(l.try_acquire());
  };
  testing::run(body());
}

TEST_CASE("nobody overtakes the task that a lock was released to", "[lock-07]") {
  auto body = []() -> coro<> {
    lock l;
    journal log;
    co_await l.acquire();
    create_task(take(l, log, "W"));
    co_await sleep(0s);
    create_task(take(l, log, "N"));  // asks in the round in which W resumes, but before it
    l.release();
    CHECK_FALSE(l.locked());
    CHECK_FALSE(l.try_acquire());
    co_await sleep(0s);
    CHECK(log == journal{"W"});
    CHECK(l.locked());
    l.release();
    co_await sleep(0s);
    CHECK(log == journal{"W", "N"});
  };
  testing::run(body());
}

TEST_CASE("who releases a lock and wants it again stands behind those that wait", "[lock-07]") {
  auto body = []() -> coro<> {
    lock l;
    journal log;
    co_await l.acquire();
    create_task(use(l, log, "W"));
    co_await sleep(0s);
    l.release();
    co_await l.acquire();
    log.push_back("H");
    CHECK(log == journal{"W", "H"});
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a task that acquires a lock twice waits for itself", "[lock-09]") {
  auto body = []() -> coro<> {
    lock l;
    journal log;
    co_await l.acquire();
    const auto again = create_task(take(l, log, "again"));
    co_await sleep(50ms);
    CHECK_FALSE(again.done());
    again.cancel();
    std::string how = co_await ending(again);
    CHECK(how == "cancelled");
    auto other = [](lock& held) -> coro<> {
      held.release();
      co_return;
    };
    co_await create_task(other(l));
    CHECK_FALSE(l.locked());
  };
  testing::run(body());
}

// --- held_lock ---------------------------------------------------------------------------------------------------------

TROUPE_PROGRAM_TEST_CASE("an object that holds a lock releases it when it goes") {
  auto body = []() -> coro<> {
    lock l;
    {
      auto held = co_await l.scoped();
      CHECK(l.locked());
      CHECK(static_cast<bool>(held));
    }
    CHECK_FALSE(l.locked());
    {
      auto held = co_await l.scoped();
      held_lock moved(std::move(held));
      held = held_lock();
      CHECK(l.locked());
      CHECK_FALSE(static_cast<bool>(held));
      held = std::move(moved);
      held.release();
      CHECK_FALSE(l.locked());
      CHECK_THROWS_AS(held.release(), invalid_state);
      CHECK(l.try_acquire());
    }
    CHECK(l.locked());  // by try_acquire, not by what has gone
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE(
    "an object that held a lock has nothing to do with it when that is released by hand") {
  auto body = []() -> coro<> {
    lock l;
    {
      auto held = co_await l.scoped();
      l.release();
      CHECK_FALSE(static_cast<bool>(held));
      co_await l.acquire();
    }
    CHECK(l.locked());
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("an assignment to an object that holds a lock releases that lock") {
  auto body = []() -> coro<> {
    lock a;
    lock b;
    auto held = co_await a.scoped();
    held = co_await b.scoped();
    CHECK_FALSE(a.locked());
    CHECK(b.locked());
    auto& same = held;
    held = std::move(same);
    CHECK(b.locked());
  };
  testing::run(body());
}

// --- misuse ------------------------------------------------------------------------------------------------------------

TEST_CASE("a lock that nobody holds cannot be released") {
  lock l;
  CHECK_THROWS_AS(l.release(), invalid_state);
  CHECK(l.try_acquire());
  CHECK_FALSE(l.try_acquire());
  l.release();
  CHECK_THROWS_AS(l.release(), invalid_state);
}

TEST_CASE("a lock that goes while tasks wait for it tells them") {
  auto body = []() -> coro<> {
    std::optional<lock> l(std::in_place);
    journal log;
    co_await l->acquire();
    const auto first = create_task(take(*l, log, "1"));
    const auto second = create_task(use(*l, log, "2"));
    const auto third = create_task(use(*l, log, "3"));
    co_await sleep(0s);
    l->release();  // to the first
    third.cancel();
    l.reset();
    std::string how = co_await ending(first);
    CHECK(how.find("was destroyed") != std::string::npos);
    how = co_await ending(second);
    CHECK(how.find("was destroyed") != std::string::npos);
    how = co_await ending(third);
    CHECK(how == "cancelled");
    CHECK(log.empty());
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a lock that goes leaves the object that held it empty") {
  auto body = []() -> coro<> {
    std::optional<lock> l(std::in_place);
    auto held = co_await l->scoped();
    l.reset();
    CHECK_FALSE(static_cast<bool>(held));
  };
  testing::run(body());
}

TEST_CASE("a lock serves the tasks of one loop") {
  lock l;
  journal log;
  CHECK(l.try_acquire());
  const auto left = loop::open();
  const auto right = loop::open();
  const auto waiting = create_task(*left, take(l, log, "left"));
  left->run_once();
  const auto stranger = create_task(*right, take(l, log, "right"));
  right->run_once();
  REQUIRE(stranger.done());
  CHECK(describe(stranger.exception()).find("between loops use a queue") != std::string::npos);
  auto release = [](lock& held) -> coro<> {
    held.release();
    co_return;
  };
  const auto releasing = create_task(*right, release(l));
  right->run_once();
  CHECK(describe(releasing.exception()).find("call_soon_threadsafe") != std::string::npos);
  CHECK(l.locked());
  l.release();  // between two runs of its loop
  left->run_once();
  CHECK(log == journal{"left"});
  CHECK(waiting.done());
}

TEST_CASE("a lock may serve another loop when the first has closed") {
  lock l;
  for (int turn = 0; turn < 3; ++turn) {
    auto body = [](lock& with) -> coro<> {
      journal log;
      auto held = co_await with.scoped();
      const auto waiting = create_task(use(with, log, "W"));
      co_await sleep(0s);
      held.release();
      co_await waiting;
      CHECK(log == journal{"W"});
    };
    const auto other = loop::open();  // takes the memory of the last one
    testing::run(body(l));
  }
  CHECK_FALSE(l.locked());
}
