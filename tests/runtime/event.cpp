#include <troupe/runtime/event.hpp>

#include "runtime/brute_force.hpp"
#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <memory>

using namespace troupe;
using namespace troupe::testing;

namespace {

coro<> await_event(event& awaited, journal& log, std::string name) {
  co_await awaited.wait();
  log.push_back(name);
}

}  // namespace

TEST_CASE("those that wait for an event go on in order, after who comes when it is set",
          "[event-01]") {
  auto body = []() -> coro<> {
    event happened;
    journal log;
    create_task(await_event(happened, log, "1"));
    create_task(await_event(happened, log, "2"));
    co_await sleep(0s);
    create_task(await_event(happened, log, "3"));
    CHECK(log.empty());
    happened.set();
    CHECK(happened.is_set());
    co_await sleep(0s);
    CHECK(log == journal{"3", "1", "2"});
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a wait for an event that is set does not suspend", "[event-01]") {
  auto body = []() -> coro<> {
    event happened;
    happened.set();
    happened.set();
    bool suspended = false;
    loop::current()->call_soon([&] { suspended = true; });
    co_await happened.wait();
    co_await happened.wait();
    CHECK_FALSE(suspended);
    co_await sleep(1ms);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a cancelled task no longer waits for an event", "[event-03]") {
  auto body = []() -> coro<> {
    event happened;
    journal log;
    const auto waiting = create_task(await_event(happened, log, "1"));
    co_await sleep(0s);
    waiting.cancel();
    std::string how = co_await ending(waiting);
    CHECK(how == "cancelled");
    happened.set();
    co_await sleep(0s);
    CHECK(log.empty());
    CHECK(happened.is_set());
  };
  testing::run(body());
}

TEST_CASE("a task that an event was set for can still be cancelled in that step", "[event-05]") {
  auto body = []() -> coro<> {
    event happened;
    journal log;
    const auto w1 = create_task(await_event(happened, log, "1"));
    const auto w2 = create_task(await_event(happened, log, "2"));
    const auto w3 = create_task(await_event(happened, log, "3"));
    co_await sleep(0s);
    happened.set();
    w2.cancel();
    co_await rounds(3);
    CHECK(log == journal{"1", "3"});
    CHECK(w2.cancelled());
    CHECK(happened.is_set());
    CHECK((w1.done() && w3.done()));
  };
  testing::run(body());
}

TEST_CASE("tasks that an event was set for go on although it is cleared at once", "[event-05]") {
  auto body = []() -> coro<> {
    event happened;
    journal log;
    create_task(await_event(happened, log, "1"));
    co_await sleep(0s);
    const auto late = create_task(await_event(happened, log, "late"));
    happened.set();
    happened.clear();
    CHECK_FALSE(happened.is_set());
    co_await rounds(3);
    CHECK(log == journal{"1"});
    CHECK_FALSE(late.done());
    happened.set();
    co_await late;
  };
  testing::run(body());
}

TEST_CASE("an event that goes while tasks wait for it tells them") {
  auto body = []() -> coro<> {
    auto happened = std::make_unique<event>();
    journal log;
    const auto w1 = create_task(await_event(*happened, log, "1"));
    const auto w2 = create_task(await_event(*happened, log, "2"));
    co_await sleep(0s);
    w2.cancel();
    happened.reset();
    std::string how = co_await ending(w1);
    CHECK(how.find("was destroyed") != std::string::npos);
    how = co_await ending(w2);
    CHECK(how == "cancelled");
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("an event may go as soon as it is set") {
  auto body = []() -> coro<> {
    auto happened = std::make_unique<event>();
    journal log;
    const auto waiting = create_task(await_event(*happened, log, "1"));
    co_await sleep(1ms);
    happened->set();
    happened.reset();
    co_await waiting;
    CHECK(log == journal{"1"});
  };
  testing::run(body());
}

TEST_CASE("an event serves the tasks of one loop") {
  event happened;
  journal log;
  const auto left = loop::open();
  const auto right = loop::open();
  const auto waiting = create_task(*left, await_event(happened, log, "left"));
  left->run_once();
  const auto stranger = create_task(*right, await_event(happened, log, "right"));
  right->run_once();
  REQUIRE(stranger.done());
  CHECK(describe(stranger.exception()).find("between loops use a queue") != std::string::npos);
  auto set = [](event& other) -> coro<> {
    other.set();
    co_return;
  };
  const auto setting = create_task(*right, set(happened));
  right->run_once();
  CHECK(describe(setting.exception()).find("call_soon_threadsafe") != std::string::npos);
  CHECK_FALSE(happened.is_set());
  happened.set();
  left->run_once();
  CHECK(waiting.done());
}

TEST_CASE("an event survives the cancellation or destruction of those that wait for it") {
  struct fixture {
    event happened;
    journal log;
    int alive = 0;
  };
  auto scenario = [](fixture& with) -> coro<> {
    auto one = [](fixture& in, counted) -> coro<> {
      for (int turn = 0; turn < 3; ++turn) {
        co_await in.happened.wait();
        in.happened.clear();
        co_await sleep(0s);
      }
    };
    const auto a = create_task(one(with, counted(with.alive)), {.name = "a"});
    const auto b = create_task(one(with, counted(with.alive)), {.name = "b"});
    for (int turn = 0; turn < 10; ++turn) {
      with.happened.set();
      co_await sleep(0s);
    }
    co_await gather(return_exceptions, a, b);
  };
  auto check = [](fixture& with) { CHECK(with.alive == 0); };
  for (const char* victim : {"a", "b"}) {
    brute_force_options options;
    options.victim = victim;
    CHECK(for_each_cancellation<fixture>(scenario, check, options) > 5);
  }
  CHECK(for_each_abandonment<fixture>(scenario, check) > 5);
}

TROUPE_PROGRAM_TEST_CASE("the wait for an event gives true, as asyncio's", "[event-05]") {
  auto body = []() -> coro<bool> {
    event happened;
    loop::current()->call_later(1s, [&happened] { happened.set(); });
    const bool waited = co_await happened.wait();
    const bool at_once = co_await happened.wait();
    co_return waited&& at_once;
  };
  CHECK(testing::run(body()));
}
