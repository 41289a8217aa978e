#include <troupe/runtime/task.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <stdexcept>
#include <string>

using namespace troupe;
using namespace troupe::testing;

namespace {

coro<> hold_and_note([[maybe_unused]] counted argument, journal& log) {
  log.push_back("started");
  co_await sleep(infinite);
}

/// Counts the cancellations that are thrown at its sleeps, and ends after `limit` of them or by a sleep that lasts.
coro<int> count_cancellations(int limit) {
  int caught = 0;
  while (caught < limit) {
    bool slept = false;
    try {
      co_await sleep(1s);
      slept = true;
    } catch (const cancelled&) {
      ++caught;
    }
    if (slept) break;
  }
  co_return caught;
}

coro<> await_task(task<int> awaited) { co_await awaited; }

coro<int> await_future(future<int> awaited) {
  const int value = co_await awaited;
  co_return value;
}

coro<int> cancel_self_and_return() {
  task_base::current()->cancel();
  co_return 12;
}

coro<int> cancel_self_and_throw() {
  task_base::current()->cancel();
  throw std::runtime_error("thrown");
  co_return 12;
}

/// Swallows every cancellation, for as long as it is let; then returns how many there were.
coro<int> swallow_all(int limit) {
  int swallowed = 0;
  while (swallowed < limit) {
    try {
      co_await sleep(infinite);
    } catch (...) {
      ++swallowed;
    }
  }
  co_return swallowed;
}

}  // namespace

// --- cancellation ------------------------------------------------------------------------------------------------------

TROUPE_PROGRAM_TEST_CASE(
    "a task cancelled before its first step never runs, and its arguments are destroyed") {
  int alive = 0;
  journal log;
  auto body = [&]() -> coro<std::string> {
    const auto made = create_task(hold_and_note(counted(alive), log));
    made.cancel();
    std::string how = co_await ending(made);
    co_return how;
  };
  CHECK(testing::run(body()) == "cancelled");
  CHECK(log.empty());
  CHECK(alive == 0);
}

TROUPE_PROGRAM_TEST_CASE("a task cancelled while it waits gets the cancellation there") {
  int alive = 0;
  journal log;
  auto body = [&]() -> coro<std::string> {
    const auto made = create_task(hold_and_note(counted(alive), log));
    co_await sleep(1s);
    made.cancel();
    std::string how = co_await ending(made);
    co_return how + (made.cancelled() ? " indeed" : " not");
  };
  CHECK(testing::run(body()) == "cancelled indeed");
  CHECK(log == journal{"started"});
  CHECK(alive == 0);
}

TROUPE_PROGRAM_TEST_CASE(
    "a task cancelled while it is ready gets the cancellation at the await it was woken from") {
  auto body = []() -> coro<int> {
    const auto made = create_task(count_cancellations(10));
    // Both timers are due at once: the task is woken first, and cancelled while it is ready.
    loop& home = *loop::current();
    co_await sleep(0s);
    struct canceller : timer {
      explicit canceller(const task<int>& given)
          : timer([](timer& self) noexcept { static_cast<canceller&>(self).target.cancel(); }),
            target(given) {}
      const task<int>& target;
    } late(made);
    home.timers().arm(late, home.time() + 1s);
    const int caught = co_await made;
    co_return caught;
  };
  CHECK(testing::run(body()) == 1);
}

TROUPE_PROGRAM_TEST_CASE(
    "a task that cancels itself gets the cancellation at its next suspension") {
  auto body = []() -> coro<std::string> {
    auto self = [](journal& log) -> coro<> {
      task_base::current()->cancel();
      promise<int> kept;
      const auto ready = kept.get_future();
      kept.set_value(1);
      co_await ready;
      log.push_back("no suspension");
      co_await sleep(1s);
      log.push_back("slept");
    };
    journal log;
    std::string how = co_await ending(create_task(self(log)));
    co_return log.size() == 1 ? log[0] + ", " + how : "wrong";
  };
  CHECK(testing::run(body()) == "no suspension, cancelled");
}

TROUPE_PROGRAM_TEST_CASE("a cancellation that was not delivered turns a return into cancellation") {
  auto body = []() -> coro<std::string> {
    std::string how = co_await ending(create_task(cancel_self_and_return()));
    co_return how;
  };
  CHECK(testing::run(body()) == "cancelled");
}

TROUPE_PROGRAM_TEST_CASE("a cancellation that was not delivered gives way to an error") {
  auto body = []() -> coro<std::string> {
    std::string how = co_await ending(create_task(cancel_self_and_throw()));
    co_return how;
  };
  CHECK(testing::run(body()) == "error: thrown");
}

TEST_CASE("two requests before delivery are one cancellation") {
  auto body = []() -> coro<int> {
    const auto made = create_task(count_cancellations(10));
    co_await sleep(0s);
    const bool first = made.cancel();
    const bool second = made.cancel();
    const int requests = made.cancelling();
    const int caught = co_await made;
    co_return first&& second ? requests * 10 + caught : -1;
  };
  CHECK(testing::run(body()) == 21);
}

TEST_CASE("a future and the task that awaits it cancelled together are one cancellation") {
  auto retry = [](future<int>& first, int& caught) -> coro<> {
    try {
      co_await first;
    } catch (const cancelled&) {
      ++caught;
    }
    co_await sleep(1s);
  };
  auto body = [&]() -> coro<int> {
    promise<int> kept;
    auto awaited = kept.get_future();
    int caught = 0;
    const auto made = create_task(retry(awaited, caught));
    co_await sleep(0s);
    awaited.cancel();
    made.cancel();
    co_await made;
    co_return caught;
  };
  CHECK(testing::run(body()) == 1);
}

TEST_CASE("a task that swallows a cancellation lives on") {
  auto body = []() -> coro<int> {
    const auto made = create_task(count_cancellations(1));
    co_await sleep(0s);
    made.cancel();
    const int caught = co_await made;
    co_return caught * 10 + static_cast<int>(made.cancelled());
  };
  CHECK(testing::run(body()) == 10);
}

TROUPE_PROGRAM_TEST_CASE("a request taken back before delivery is forgotten") {
  auto body = []() -> coro<std::string> {
    promise<int> kept;
    const auto made = create_task(await_future(kept.get_future()));
    co_await sleep(0s);
    kept.set_value(42);
    made.cancel();
    const int left = made.uncancel();
    const int value = co_await made;
    co_return std::to_string(left) + " " + std::to_string(value);
  };
  CHECK(testing::run(body()) == "0 42");
}

TROUPE_PROGRAM_TEST_CASE("a request taken back of two is still delivered") {
  auto body = []() -> coro<int> {
    promise<int> kept;
    const auto made = create_task(await_future(kept.get_future()));
    co_await sleep(0s);
    kept.set_value(42);
    made.cancel();
    made.cancel();
    const int left = made.uncancel();
    const std::string how = co_await ending(made);
    co_return how == "cancelled" ? left : -1;
  };
  CHECK(testing::run(body()) == 1);
}

TEST_CASE("taking back a request does not bring back a future that it cancelled") {
  auto body = []() -> coro<std::string> {
    promise<int> kept;
    auto awaited = kept.get_future();
    auto await_it = [](future<int>& given) -> coro<> { co_await given; };
    const auto made = create_task(await_it(awaited));
    co_await sleep(0s);
    made.cancel();
    made.uncancel();
    std::string how = co_await ending(made);
    co_return how;
  };
  CHECK(testing::run(body()) == "cancelled");
}

TROUPE_PROGRAM_TEST_CASE("requests are not counted below zero") {
  auto body = []() -> coro<int> { co_return task_base::current()->uncancel(); };
  CHECK(testing::run(body()) == 0);
}

TROUPE_PROGRAM_TEST_CASE("a task that is done cannot be cancelled") {
  auto body = []() -> coro<bool> {
    const auto made = create_task(value_after(0s, 5));
    co_await made;
    const bool accepted = made.cancel();
    co_return !accepted && made.cancelling() == 0 && !made.cancelled() && made.result() == 5;
  };
  CHECK(testing::run(body()));
}

TEST_CASE("cancelling a task cancels the task it awaits") {
  auto body = []() -> coro<std::string> {
    const auto inner = create_task(value_after(1h, 1));
    const auto outer = create_task(await_task(inner));
    co_await rounds(2);
    outer.cancel();
    std::string how = co_await ending(outer);
    co_return how + (inner.cancelled() ? ", both" : ", one");
  };
  CHECK(testing::run(body()) == "cancelled, both");
}

TEST_CASE("a cancelled task waits until the task it awaits has cleaned up") {
  auto clean_up = []() -> coro<int> {
    try {
      co_await sleep(infinite);
    } catch (const cancelled&) {
    }
    co_await sleep(5s);
    throw cancelled{};
  };
  auto body = [&]() -> coro<duration> {
    const auto inner = create_task(clean_up());
    const auto outer = create_task(await_task(inner));
    co_await rounds(2);
    outer.cancel();
    co_await ending(outer);
    co_return loop::current()->time() - time_point{};
  };
  CHECK(testing::run(body()) == 5s);
}

TROUPE_PROGRAM_TEST_CASE(
    "a task whose awaited task was cancelled by others is itself not cancelled") {
  auto body = []() -> coro<int> {
    const auto inner = create_task(value_after(1h, 1));
    co_await sleep(0s);
    inner.cancel();
    int thrown = 0;
    try {
      co_await inner;
    } catch (const cancelled&) {
      thrown = 1;
    }
    co_return thrown * 10 + task_base::current()->cancelling();
  };
  CHECK(testing::run(body()) == 10);
}

TEST_CASE("a task cancelled for good is thrown at by every suspension") {
  auto body = []() -> coro<int> {
    const auto made = create_task(swallow_all(5));
    co_await sleep(0s);
    made.base().cancel_for_good();
    const int swallowed = co_await made;
    co_return swallowed;
  };
  CHECK(testing::run(body()) == 5);
}

TROUPE_PROGRAM_TEST_CASE(
    "a task cancelled for good is thrown at though what it awaits ended with a value") {
  auto stubborn = []() -> coro<int> {
    try {
      co_await sleep(infinite);
    } catch (const cancelled&) {
    }
    co_return 1;
  };
  auto body = [&]() -> coro<std::string> {
    const auto inner = create_task(stubborn());
    const auto outer = create_task(await_task(inner));
    co_await rounds(2);
    outer.base().cancel_for_good();
    std::string how = co_await ending(outer);
    co_return how;
  };
  CHECK(testing::run(body()) == "cancelled");
}

TROUPE_PROGRAM_TEST_CASE("a task cancelled for good may return its value") {
  auto body = []() -> coro<int> {
    const auto made = create_task([]() -> coro<int> {
      task_base::current()->cancel_for_good();
      co_return 7;
    }());
    const int value = co_await made;
    co_return value;
  };
  CHECK(testing::run(body()) == 7);
}

TROUPE_PROGRAM_TEST_CASE(
    "a task cancelled for good does not wait for a task that swallows the cancellation") {
  auto stubborn = []() -> coro<> {
    bool caught = false;
    try {
      co_await sleep(infinite);
    } catch (const cancelled&) {
      caught = true;
    }
    if (caught) co_await sleep(1h);
  };
  auto wait = [](task<> job) -> coro<> { co_await job; };
  auto body = [&]() -> coro<duration> {
    auto job = create_task(stubborn());
    auto waiter = create_task(wait(job));
    co_await sleep(1s);
    const time_point before = loop::current()->time();
    waiter.base().cancel_for_good();
    try {
      co_await waiter;
    } catch (const cancelled&) {
    }
    co_return loop::current()->time() - before;
  };
  CHECK(testing::run(body()) == duration::zero());
}

TEST_CASE("a cancelled task may clean up with awaits") {
  journal log;
  auto body = [&]() -> coro<> {
    const auto made = create_task(wait_and_clean_up(log));
    co_await sleep(0s);
    made.cancel();
    co_await made;
  };
  testing::run(body());
  CHECK(log == journal{"cleaned up"});
}
