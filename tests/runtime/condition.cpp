#include <troupe/runtime/condition.hpp>
#include <troupe/runtime/timeout.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <memory>
#include <optional>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Waits once and keeps the lock.
coro<> await_and_keep(condition& awaited, journal& log, std::string name) {
  co_await awaited.acquire();
  co_await awaited.wait();
  log.push_back(name);
}

/// Waits once and gives the lock back.
coro<> await_change(condition& awaited, journal& log, std::string name) {
  const auto held = co_await awaited.scoped();
  co_await awaited.wait();
  log.push_back(name);
}

bool never() { return false; }

}  // namespace

TEST_CASE("notified tasks get the lock one at a time", "[cond-01]") {
  auto body = []() -> coro<> {
    condition c;
    journal log;
    for (const char* name : {"1", "2", "3"}) create_task(await_and_keep(c, log, name));
    co_await sleep(0s);
    CHECK_FALSE(c.locked());
    co_await c.acquire();
    c.notify();
    co_await sleep(0s);
    CHECK(log.empty());
    c.release();
    co_await sleep(0s);
    CHECK(log == journal{"1"});
    CHECK(c.locked());
    c.notify(2);
    co_await sleep(0s);
    CHECK(log == journal{"1"});
    c.release();
    co_await sleep(0s);
    CHECK(log == journal{"1", "2"});
    CHECK(c.locked());
    c.release();
    co_await sleep(0s);
    CHECK(log == journal{"1", "2", "3"});
    CHECK(c.locked());
  };
  testing::run(body());
}

TEST_CASE("a task that is cancelled on its way to the lock gets it before it ends", "[cond-03]") {
  auto body = []() -> coro<> {
    condition c;
    bool locked_at_end = false;
    auto waiter = [](condition& awaited, bool& locked) -> coro<> {
      const auto held = co_await awaited.scoped();
      try {
        co_await awaited.wait();
      } catch (const cancelled& caught) {
        locked = awaited.locked() && held && caught.reason == "enough";
        throw;
      }
    };
    const auto w = create_task(waiter(c, locked_at_end));
    co_await sleep(0s);
    co_await c.acquire();
    c.notify();
    co_await sleep(0s);
    w.cancel("enough");
    co_await rounds(3);
    CHECK_FALSE(w.done());
    CHECK_FALSE(locked_at_end);
    c.release();
    co_await rounds(2);
    CHECK(w.cancelled());
    CHECK(locked_at_end);
    CHECK_FALSE(c.locked());
  };
  testing::run(body());
}

TEST_CASE("a task that is cancelled while it waits gets the lock before it ends", "[cond-03]") {
  for (const bool for_good : {false, true}) {
    auto body = [](bool good) -> coro<> {
      condition c;
      journal log;
      const auto w = create_task(await_change(c, log, "1"));
      co_await sleep(0s);
      co_await c.acquire();
      if (good) {
        w.base().cancel_for_good();
      } else {
        w.cancel();
        w.cancel();
      }
      co_await sleep(1s);  // the task does not keep the loop busy meanwhile
      CHECK_FALSE(w.done());
      c.release();
      co_await rounds(2);
      CHECK(w.cancelled());
      CHECK(log.empty());
      CHECK_FALSE(c.locked());
    };
    testing::run(body(for_good));
  }
}

TROUPE_PROGRAM_TEST_CASE("a cancellation that is due when a wait begins ends it with the lock held",
                         "[cond-03]") {
  auto body = []() -> coro<> {
    condition c;
    const auto held = co_await c.scoped();
    task_base::current()->cancel();
    bool caught = false;
    try {
      co_await c.wait();
    } catch (const cancelled&) {
      caught = c.locked() && held;
    }
    CHECK(caught);
    task_base::current()->uncancel();
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a condition is used with its lock held", "[cond-05]") {
  auto body = []() -> coro<> {
    condition c;
    std::string how = co_await ending(c.wait());
    CHECK(how.find("acquire it first") != std::string::npos);
    CHECK_THROWS_AS(c.notify(), invalid_state);
    CHECK_THROWS_AS(c.notify_all(), invalid_state);
    how = co_await ending(c.wait_for(never));
    CHECK(how.find("acquire it first") != std::string::npos);
    const int five = co_await c.wait_for([] { return 5; });
    CHECK(five == 5);
    CHECK_THROWS_AS(c.release(), invalid_state);
    CHECK_FALSE(c.locked());
  };
  testing::run(body());
}

TEST_CASE("a notification reaches as many as it is for", "[cond-07]") {
  auto body = []() -> coro<> {
    condition c;
    journal log;
    for (const char* name : {"1", "2", "3"}) create_task(await_change(c, log, name));
    co_await sleep(0s);
    co_await c.acquire();
    c.notify(1);
    c.release();
    co_await rounds(2);
    CHECK(log == journal{"1"});
    co_await c.acquire();
    c.notify(0);
    c.notify(1);
    c.notify(2048);
    c.release();
    co_await rounds(3);
    CHECK(log == journal{"1", "2", "3"});
    CHECK_FALSE(c.locked());
  };
  testing::run(body());
}

TEST_CASE("a notification of all reaches all, in order", "[cond-07]") {
  auto body = []() -> coro<> {
    condition c;
    journal log;
    create_task(await_change(c, log, "1"));
    create_task(await_change(c, log, "2"));
    co_await sleep(0s);
    co_await c.acquire();
    c.notify_all();
    c.notify_all();
    c.release();
    co_await rounds(3);
    CHECK(log == journal{"1", "2"});
    CHECK_FALSE(c.locked());
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a wait that takes too long ends with the lock held", "[cond-09]") {
  auto body = []() -> coro<> {
    condition c;
    {
      const auto held = co_await c.scoped();
      const time_point before = loop::current()->time();
      bool late = false;
      try {
        co_await timeout(50ms, c.wait());
      } catch (const timeout_error&) {
        late = true;
      }
      CHECK(late);
      CHECK(c.locked());
      CHECK(static_cast<bool>(held));
      CHECK(loop::current()->time() - before == 50ms);
    }
    CHECK_FALSE(c.locked());
  };
  testing::run(body());
}

TEST_CASE("the notification of a task that is cancelled goes to another one", "[cond-11]") {
  auto body = []() -> coro<> {
    condition c;
    int state = 0;
    auto consumer = [](condition& awaited, int& items) -> coro<> {
      const auto held = co_await awaited.scoped();
      co_await awaited.wait_for([&] { return items != 0; });
      --items;
      awaited.notify_all();
    };
    const auto c0 = create_task(consumer(c, state));
    const auto c1 = create_task(consumer(c, state));
    co_await sleep(0s);
    {
      const auto held = co_await c.scoped();
      state = 1;
      c.notify(1);
      co_await sleep(0s);
      c0.cancel();
      co_await timeout(50ms, c.wait_for([&] { return state == 0; }));
    }
    co_await c1;
    CHECK(c0.cancelled());
    CHECK_FALSE(c.locked());
  };
  testing::run(body());
}

TEST_CASE("a notification does not go to a task that has been cancelled", "[cond-13]") {
  auto body = []() -> coro<> {
    condition c;
    journal log;
    const auto w1 = create_task(await_change(c, log, "1"));
    const auto w2 = create_task(await_change(c, log, "2"));
    const auto w3 = create_task(await_change(c, log, "3"));
    co_await sleep(0s);
    co_await c.acquire();
    w1.cancel();
    c.notify(1);
    c.release();
    co_await rounds(5);
    CHECK(log == journal{"2"});
    CHECK(w1.cancelled());
    CHECK(w2.done());
    CHECK_FALSE(w3.done());
    w3.cancel();
    co_await rounds(3);
    CHECK_FALSE(c.locked());
  };
  testing::run(body());
}

// --- the lock ----------------------------------------------------------------------------------------------------------

TEST_CASE("conditions may share a lock") {
  auto body = []() -> coro<> {
    lock shared;
    condition full(shared);
    condition empty(shared);
    journal log;
    create_task(await_change(full, log, "full"));
    create_task(await_change(empty, log, "empty"));
    co_await sleep(0s);
    {
      const auto held = co_await shared.scoped();
      CHECK((full.locked() && empty.locked()));
      CHECK_FALSE(full.try_acquire());
      empty.notify_all();
    }
    co_await rounds(2);
    CHECK(log == journal{"empty"});
    {
      const auto held = co_await full.scoped();
      full.notify();
    }
    co_await rounds(2);
    CHECK(log == journal{"empty", "full"});
  };
  testing::run(body());
}

TEST_CASE("an object that holds the lock does not own it while its task waits") {
  auto body = []() -> coro<> {
    condition c;
    std::optional<held_lock> kept;
    auto waiter = [](condition& awaited, std::optional<held_lock>& place) -> coro<> {
      place.emplace(co_await awaited.scoped());
      co_await awaited.wait();
    };
    const auto first = create_task(waiter(c, kept));
    co_await sleep(0s);
    CHECK_FALSE(c.locked());
    CHECK_THROWS_AS(kept->release(), invalid_state);
    held_lock moved(std::move(*kept));
    co_await c.acquire();
    c.notify();
    c.release();
    co_await first;
    CHECK(c.locked());
    CHECK(static_cast<bool>(moved));
    CHECK_FALSE(static_cast<bool>(*kept));
    moved.release();
    CHECK_FALSE(c.locked());
    const auto second = create_task(waiter(c, kept));
    co_await sleep(0s);
    kept.reset();  // then nobody but the task itself releases the lock
    co_await c.acquire();
    c.notify();
    c.release();
    co_await second;
    CHECK(c.locked());
  };
  testing::run(body());
}

// --- misuse ------------------------------------------------------------------------------------------------------------

TEST_CASE("a condition that goes while tasks wait for it tells them, wherever they are") {
  for (const bool own : {true, false}) {
    for (const int when : {0, 1, 2}) {
      auto body = [](bool with_own, int at) -> coro<> {
        lock outer;
        auto c = with_own ? std::make_unique<condition>() : std::make_unique<condition>(outer);
        journal log;
        const auto notified = create_task(await_change(*c, log, "1"));
        const auto waiting = create_task(await_change(*c, log, "2"));
        const auto stopped = create_task(await_change(*c, log, "3"));
        co_await sleep(0s);
        co_await c->acquire();
        c->notify();
        stopped.cancel();
        if (at == 1) co_await sleep(0s);  // they stand in the lock's line
        if (at == 2) c->release();
        c.reset();
        if (!with_own && outer.locked()) outer.release();
        co_await rounds(5);
        REQUIRE((notified.done() && waiting.done() && stopped.done()));
        CHECK(describe(notified.exception()).find("was destroyed") != std::string::npos);
        CHECK(describe(waiting.exception()).find("was destroyed") != std::string::npos);
        CHECK(stopped.cancelled());
        CHECK(log.empty());
        CHECK_FALSE(outer.locked());
        CHECK(outer.try_acquire());
      };
      INFO("own lock: " << own << ", " << when);
      testing::run(body(own, when));
    }
  }
}

TEST_CASE("a condition serves the tasks of one loop") {
  condition c;
  journal log;
  const auto left = loop::open();
  const auto right = loop::open();
  const auto waiting = create_task(*left, await_change(c, log, "left"));
  left->run_once();
  const auto stranger = create_task(*right, await_change(c, log, "right"));
  right->run_once();
  REQUIRE(stranger.done());
  CHECK(describe(stranger.exception()).find("between loops use a queue") != std::string::npos);
  auto notify = [](condition& other) -> coro<> {
    const auto held = co_await other.scoped();
    other.notify();
  };
  const auto notifying = create_task(*right, notify(c));
  right->run_once();
  CHECK(describe(notifying.exception()).find("call_soon_threadsafe") != std::string::npos);
  REQUIRE(c.try_acquire());
  c.notify();
  c.release();
  left->run_once();
  CHECK(waiting.done());
}
