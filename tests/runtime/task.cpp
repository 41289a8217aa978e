#include <troupe/runtime/task.hpp>

#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

coro<> note(journal& log, std::string text) {
  log.push_back(text);
  co_return;
}

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

// --- results -----------------------------------------------------------------------------------------------------------

TEST_CASE("a task gives its value to the one that awaits it") {
  auto body = []() -> coro<int> {
    const auto made = create_task(value_after(1s, 5));
    const int value = co_await made;
    co_return value;
  };
  CHECK(testing::run(body()) == 5);
}

TEST_CASE("a task can be awaited where it is made") {
  auto body = []() -> coro<int> {
    const int value = co_await create_task(value_after(1s, 5), {.name = "made and awaited"});
    co_return value;
  };
  CHECK(testing::run(body()) == 5);
}

TEST_CASE("a task gives a value that only moves") {
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

TEST_CASE("two tasks that await one task both get its value") {
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

TEST_CASE("the error of a task is thrown at every await of it") {
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

TEST_CASE("the result of a task can be read in place when it is done") {
  auto body = []() -> coro<int> {
    const auto made = create_task(value_after(1s, 5));
    co_await sleep(2s);
    co_return made.result() + (made.exception() == nullptr ? 10 : 0);
  };
  CHECK(testing::run(body()) == 15);
}

TEST_CASE("the result of a task that has not ended cannot be read") {
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

TEST_CASE("a task goes on without its handle") {
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

TEST_CASE("copies of a task handle are the same task") {
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

TEST_CASE("a task handle that was moved from throws when it is used") {
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

TEST_CASE("a task that awaits itself is told so") {
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

TEST_CASE("tasks that await each other can be cancelled") {
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

TEST_CASE("a task has the name it was given, or a number") {
  auto body = []() -> coro<std::string> {
    const auto named = create_task(value_after(0s, 1), {.name = std::string("loader") + "-7"});
    const auto numbered = create_task(value_after(0s, 1));
    co_return named.name() + " " + numbered.name().substr(0, 5);
  };
  CHECK(testing::run(body()) == "loader-7 task-");
}

// --- failures nobody looks at ------------------------------------------------------------------------------------------

TEST_CASE("a failure that nobody looks at is reported once, with the name and origin of its task") {
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

TEST_CASE("a failure is reported when its last handle goes unused") {
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

TEST_CASE("a cancelled task is no failure") {
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

// --- cancellation ------------------------------------------------------------------------------------------------------

TEST_CASE("a task cancelled before its first step never runs, and its arguments are destroyed") {
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

TEST_CASE("a task cancelled while it waits gets the cancellation there") {
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

TEST_CASE(
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

TEST_CASE("a task that cancels itself gets the cancellation at its next suspension") {
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

TEST_CASE("a cancellation that was not delivered turns a return into cancellation") {
  auto body = []() -> coro<std::string> {
    std::string how = co_await ending(create_task(cancel_self_and_return()));
    co_return how;
  };
  CHECK(testing::run(body()) == "cancelled");
}

TEST_CASE("a cancellation that was not delivered gives way to an error") {
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

TEST_CASE("a request taken back before delivery is forgotten") {
  auto body = []() -> coro<std::string> {
    promise<int> kept;
    auto awaited = kept.get_future();
    auto await_it = [](future<int>& given) -> coro<int> {
      const int value = co_await given;
      co_return value;
    };
    const auto made = create_task(await_it(awaited));
    co_await sleep(0s);
    kept.set_value(42);
    made.cancel();
    const int left = made.uncancel();
    const int value = co_await made;
    co_return std::to_string(left) + " " + std::to_string(value);
  };
  CHECK(testing::run(body()) == "0 42");
}

TEST_CASE("a request taken back of two is still delivered") {
  auto body = []() -> coro<int> {
    promise<int> kept;
    auto awaited = kept.get_future();
    auto await_it = [](future<int>& given) -> coro<int> {
      const int value = co_await given;
      co_return value;
    };
    const auto made = create_task(await_it(awaited));
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

TEST_CASE("requests are not counted below zero") {
  auto body = []() -> coro<int> { co_return task_base::current()->uncancel(); };
  CHECK(testing::run(body()) == 0);
}

TEST_CASE("a task that is done cannot be cancelled") {
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

TEST_CASE("a task whose awaited task was cancelled by others is itself not cancelled") {
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

TEST_CASE("a task cancelled for good is thrown at though what it awaits ended with a value") {
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

TEST_CASE("a task cancelled for good may return its value") {
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

TEST_CASE("a cancelled task may clean up with awaits") {
  journal log;
  auto clean_up = [&]() -> coro<> {
    bool stopped = false;
    try {
      co_await sleep(infinite);
    } catch (const cancelled&) {
      stopped = true;
    }
    co_await sleep(1s);
    log.push_back(stopped ? "cleaned up" : "went on");
  };
  auto body = [&]() -> coro<> {
    const auto made = create_task(clean_up());
    co_await sleep(0s);
    made.cancel();
    co_await made;
  };
  testing::run(body());
  CHECK(log == journal{"cleaned up"});
}

// --- a scenario, cancelled after every number of steps -------------------------------------------------------------------

namespace {

coro<int> scenario_child(int& alive, duration delay) {
  const counted mine(alive);
  co_await sleep(delay);
  co_return 1;
}

coro<> scenario(int& alive, int& progress) {
  const counted mine(alive);
  co_await sleep(1s);
  ++progress;
  promise<std::string> kept;
  auto awaited = kept.get_future();
  auto keep = [&]() -> coro<> {
    const counted its(alive);
    co_await sleep(1s);
    kept.set_value("a value that is longer than a small string");
  };
  const auto keeper = create_task(keep());
  // The keeper refers to this frame, so it ends before the frame does.
  std::exception_ptr stopped;
  try {
    const std::string text = co_await awaited;
    progress += text.empty() ? 0 : 1;
  } catch (const cancelled&) {
    stopped = std::current_exception();
  }
  if (stopped) keeper.cancel();
  co_await ending(keeper);
  if (stopped) std::rethrow_exception(stopped);
  ++progress;
  const int one = co_await create_task(scenario_child(alive, 1s));
  progress += one;
  auto [left, right] = co_await gather(scenario_child(alive, 1s), scenario_child(alive, 2s));
  progress += left + right;
  co_await sleep(0s);
  ++progress;
}

/// Lets the task take `steps` rounds or jumps of time, then cancels it.
coro<> cancel_after(const task_base& target, int steps) {
  for (int step = 0; step < steps && !target.done(); ++step) {
    co_await sleep(step % 3 == 0 ? duration(400ms) : 0s);
  }
}

}  // namespace

TEST_CASE("a task cancelled after any number of steps ends and leaks nothing") {
  bool completed = false;
  int steps = 0;
  for (; !completed && steps < 1000; ++steps) {
    int alive = 0;
    int progress = 0;
    auto body = [&]() -> coro<bool> {
      const auto made = create_task(scenario(alive, progress));
      co_await cancel_after(made.base(), steps);
      const bool cancelled_it = made.cancel();
      const std::string how = co_await ending(made);
      co_return cancelled_it ? how == "cancelled" : how == "value";
    };
    failure_log log;
    REQUIRE(testing::run(body(), &log));
    REQUIRE(alive == 0);
    REQUIRE(log.reports().empty());
    completed = progress == 7;
  }
  CHECK(completed);
  CHECK(steps > 20);
}

TEST_CASE("a run whose main task is cancelled after any number of steps ends and leaks nothing") {
  for (int steps = 0; steps < 60; ++steps) {
    int alive = 0;
    int progress = 0;
    auto body = [&]() -> coro<> {
      task_base* const self = task_base::current();
      auto canceller = [](task_base& target, int count) -> coro<> {
        co_await cancel_after(target, count);
        target.cancel();
      };
      create_task(canceller(*self, steps));
      co_await scenario(alive, progress);
    };
    failure_log log;
    try {
      testing::run(body(), &log);
    } catch (const cancelled&) {
    }
    REQUIRE(alive == 0);
    REQUIRE(log.reports().empty());
  }
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

TEST_CASE("a task cancelled for good does not wait for a task that swallows the cancellation") {
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
