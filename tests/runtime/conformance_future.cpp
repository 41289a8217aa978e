// asyncio's rules for futures, as `conformance/asyncio.md` numbers them, and attacks on their callbacks.
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <optional>
#include <thread>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Runs `function` as a callback of `home`: what has to be on the loop.
template <class Function>
void on_loop(const manual_loop& home, Function function) {
  home->call_soon(std::move(function));
  home->run_once();
}

std::exception_ptr error_of(const char* text) {
  return std::make_exception_ptr(std::runtime_error(text));
}

/// Notes that it was called, and is counted in `alive`.
future<int>::callback counted_callback(int& alive, journal& log) {
  return [&log, held = counted(alive)](const future<int>&) {
    static_cast<void>(held);
    log.push_back("called");
  };
}

/// A future with such a callback, and its promise, after their loop has closed.
promised_future<int> orphan(int& alive, journal& log) {
  manual_loop home;
  promised_future<int> made(home);
  made->add_done_callback(counted_callback(alive, log));
  return made;
}

}  // namespace

TROUPE_PROGRAM_TEST_CASE("a pending future is cancelled at once and for ever", "[future-01]") {
  auto body = []() -> coro<> {
    promise<int> kept;
    const auto f = kept.get_future();
    CHECK_FALSE(f.done());
    CHECK_FALSE(f.cancelled());
    CHECK_THROWS_AS(f.result(), invalid_state);
    CHECK_THROWS_AS(f.exception(), invalid_state);
    CHECK(f.cancel());
    CHECK(f.done());
    CHECK(f.cancelled());
    CHECK_THROWS_AS(f.result(), cancelled);
    CHECK_THROWS_AS(f.exception(), cancelled);
    CHECK_THROWS_AS(kept.set_value(1), invalid_state);
    CHECK_THROWS_AS(kept.set_exception(error_of("E")), invalid_state);
    CHECK_FALSE(f.cancel());
    CHECK(f.cancelled());
    co_return;
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a future that has a result takes no other and cannot be cancelled",
                         "[future-01]") {
  auto body = []() -> coro<> {
    promise<int> kept;
    const auto f = kept.get_future();
    kept.set_value(1);
    CHECK_THROWS_AS(kept.set_value(2), invalid_state);
    CHECK_THROWS_AS(kept.set_exception(error_of("E")), invalid_state);
    CHECK_THROWS_AS(kept.try_set_value(2), invalid_state);
    CHECK_FALSE(f.cancel());
    CHECK(f.result() == 1);
    CHECK(f.exception() == nullptr);
    co_return;
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("the reason of a future's cancellation is thrown with it", "[future-01]") {
  auto body = []() -> coro<std::string> {
    promise<int> kept;
    const auto f = kept.get_future();
    f.cancel("no use");
    f.cancel("another");
    try {
      static_cast<void>(f.result());
    } catch (const cancelled& error) {
      co_return error.reason;
    }
    co_return "";
  };
  CHECK(testing::run(body()) == "no use");
}

TROUPE_PROGRAM_TEST_CASE("an error that is none is refused", "[future-01]") {
  auto body = []() -> coro<> {
    promise<int> kept;
    const auto f = kept.get_future();
    CHECK_THROWS_AS(kept.set_exception(nullptr), std::invalid_argument);
    co_return;
  };
  testing::run(body());
}

// --- callbacks -------------------------------------------------------------------------------------------------------------

TEST_CASE("done callbacks run in the round after the end, in their order, once each",
          "[future-03]") {
  const int how = GENERATE(0, 1, 2);
  journal log;
  manual_loop home;
  promised_future<int> f(home);
  for (const char* name : {"A", "B"}) {
    f->add_done_callback([&log, name](const future<int>& over) {
      log.push_back(name + std::string(over.done() ? " done" : " pending"));
    });
  }
  on_loop(home, [&] {
    if (how == 0) f.promised->set_value(1);
    if (how == 1) f.promised->set_exception(error_of("E"));
    if (how == 2) f->cancel();
    CHECK(f->done());
    CHECK(log.empty());
  });
  CHECK(log.empty());
  home.step();
  CHECK(log == journal{"A done", "B done"});
  home.run_until_idle();
  CHECK(log.size() == 2);
  if (how == 1) CHECK(f->exception() != nullptr);
}

TEST_CASE("a callback added when the future is done runs in the next round", "[future-03]") {
  journal log;
  manual_loop home;
  promised_future<int> f(home);
  on_loop(home, [&] {
    f.promised->set_value(1);
    f->add_done_callback([&](const future<int>&) { log.push_back("late"); });
    CHECK(log.empty());
  });
  home.step();
  CHECK(log == journal{"late"});
}

TEST_CASE("a done callback that throws is reported and keeps none of the others away",
          "[future-03]") {
  failure_log reports;
  manual_loop home(&reports);
  promised_future<int> f(home);
  journal log;
  f->add_done_callback([](const future<int>&) { throw std::runtime_error("of a callback"); });
  f->add_done_callback([&](const future<int>&) { log.push_back("second"); });
  on_loop(home, [&] { f.promised->set_value(1); });
  home.run_until_idle();
  CHECK(log == journal{"second"});
  CHECK(reports.count("of a callback") == 1);
  CHECK(f->result() == 1);
}

TEST_CASE("a done callback may add callbacks, cancel, and drop the last handle", "[future-03]") {
  journal log;
  manual_loop home;
  auto f = std::make_optional<promised_future<int>>(home);
  (*f)->add_done_callback([&](const future<int>& over) {
    log.push_back(over.cancel() ? "cancelled" : "too late");
    over.add_done_callback([&](const future<int>&) { log.push_back("added"); });
    f.reset();
    log.push_back("value " + std::to_string(over.result()));
  });
  on_loop(home, [&] { f->promised->set_value(3); });
  home.run_until_idle();
  CHECK(log == journal{"too late", "value 3", "added"});
}

TEST_CASE("callbacks are removed by what they are copies of", "[future-05]") {
  journal log;
  manual_loop home;
  promised_future<int> f(home);
  const future<int>::callback first = [&](const future<int>&) { log.push_back("c1"); };
  const future<int>::callback second = [&](const future<int>&) { log.push_back("c2"); };
  const future<int>::callback third = [&](const future<int>&) { log.push_back("c3"); };
  for (int times = 0; times < 6; ++times) {
    f->add_done_callback(first);
    if (times == 3) f->add_done_callback(second);
  }
  CHECK(f->remove_done_callback(third) == 0);
  CHECK(f->remove_done_callback(first) == 6);
  CHECK(f->remove_done_callback(first) == 0);
  on_loop(home, [&] { f.promised->set_value(1); });
  home.run_until_idle();
  CHECK(log == journal{"c2"});
  CHECK(f->remove_done_callback(second) == 0);
}

TEST_CASE("a callback removed at the front, in the middle or at the end leaves the others",
          "[future-05]") {
  const std::size_t gone = GENERATE(0U, 1U, 2U);
  journal log;
  manual_loop home;
  promised_future<int> f(home);
  std::vector<future<int>::callback> all;
  for (const char* name : {"a", "b", "c"}) {
    all.emplace_back([&log, name](const future<int>&) { log.push_back(name); });
    f->add_done_callback(all.back());
  }
  CHECK(f->remove_done_callback(all[gone]) == 1);
  on_loop(home, [&] { f.promised->set_value(1); });
  home.run_until_idle();
  journal expected{"a", "b", "c"};
  expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(gone));
  CHECK(log == expected);
}

TROUPE_PROGRAM_TEST_CASE("callbacks are no obstacle to the waits beside them", "[future-05]") {
  auto body = []() -> coro<int> {
    promise<int> kept;
    const auto f = kept.get_future();
    journal log;
    const future<int>::callback noting = [&](const future<int>&) { log.push_back("c"); };
    f.add_done_callback(noting);
    auto wait = [](future<int> awaited) -> coro<int> { co_return co_await awaited; };
    const auto waiting = create_task(wait(f));
    co_await sleep(0s);
    f.add_done_callback(noting);
    CHECK(f.remove_done_callback(noting) == 2);
    kept.set_value(9);
    const int value = co_await waiting;
    CHECK(log.empty());
    co_return value;
  };
  CHECK(testing::run(body()) == 9);
}

TEST_CASE("a callback that is never called is destroyed with its future", "[future-05]") {
  int alive = 0;
  {
    manual_loop home;
    auto f = std::make_optional<promised_future<int>>(home);
    (*f)->add_done_callback(
        [held = counted(alive)](const future<int>&) { static_cast<void>(held); });
    CHECK(alive == 1);
    on_loop(home, [&] { f.reset(); });
    home.run_until_idle();
  }
  CHECK(alive == 0);
}

TEST_CASE("the callbacks of a future whose loop has closed are never called, and destroyed",
          "[future-05]") {
  int alive = 0;
  journal log;
  {
    promised_future<int> f = orphan(alive, log);
    SECTION("the promise is kept") { f.promised->set_value(1); }
    SECTION("the promise is dropped") { f.promised.reset(); }
    SECTION("nothing is done") {}
    SECTION("the promise is kept by a thread") {
      std::thread([&] { f.promised->set_value(1); }).join();
    }
  }
  CHECK(alive == 0);
  manual_loop next;  // in the memory of the first
  next.run_until_idle();
  CHECK(log.empty());
  CHECK(alive == 0);
}

TEST_CASE("a promise kept while another loop runs tells nothing to that loop", "[future-05]") {
  int alive = 0;
  journal log;
  {
    promised_future<int> f = orphan(alive, log);
    manual_loop next;  // in the memory of the first
    SECTION("the promise is kept") { f.promised->set_value(1); }
    SECTION("the promise is dropped") { f.promised.reset(); }
    next.run_until_idle();
    CHECK(log.empty());
  }
  CHECK(alive == 0);
}

TEST_CASE("a callback added to what ended on a loop that has closed is never called",
          "[future-05]") {
  int alive = 0;
  journal log;
  {
    auto home = std::make_optional<manual_loop>();
    promised_future<int> f(*home);
    on_loop(*home, [&] { f.promised->set_value(1); });
    home.reset();
    try {
      f->add_done_callback(counted_callback(alive, log));
    } catch (const invalid_state&) {
    }
  }
  manual_loop next;
  next.run_until_idle();
  CHECK(log.empty());
  CHECK(alive == 0);
}

// --- results ---------------------------------------------------------------------------------------------------------------

TEST_CASE("two awaits of a future that is done do not suspend", "[future-07]") {
  auto body = []() -> coro<> {
    promise<int> kept;
    const auto f = kept.get_future();
    kept.set_value(42);
    bool ran = false;
    loop::current()->call_soon([&] { ran = true; });
    const int first = co_await f;
    const int second = co_await f;
    CHECK(first == 42);
    CHECK(second == 42);
    CHECK_FALSE(ran);
    co_await sleep(0s);
    CHECK(ran);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a timer that comes too late does not disturb a cancelled future",
                         "[future-09]") {
  auto body = []() -> coro<> {
    promise<int> kept;
    const auto f = kept.get_future();
    bool accepted = true;
    loop::current()->call_later(1s, [&] { accepted = kept.try_set_value(1); });
    f.cancel();
    co_await sleep(2s);
    CHECK_FALSE(accepted);
    CHECK(f.cancelled());
    promise<int> other;
    const auto g = other.get_future();
    g.cancel();
    CHECK_FALSE(other.try_set_exception(error_of("never seen")));
    CHECK(g.cancelled());
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a stored error is thrown again and again", "[future-11]") {
  auto body = []() -> coro<> {
    const auto failing = create_task(testing::fail_after(1s, "E"));
    std::exception_ptr first;
    for (int times = 0; times < 5; ++times) {
      std::string how = co_await ending(failing);
      CHECK(how == "error: E");
    }
    first = failing.exception();
    CHECK(failing.exception() == first);
    CHECK(describe(first) == "std::runtime_error: E");
    CHECK(failing.done());
    CHECK_FALSE(failing.cancelled());
  };
  testing::run(body());
}

TEST_CASE("promises kept by threads while the loop of their futures closes harm nobody",
          "[future-09]") {
  random_numbers random(11);
  for (int repeat = 0; repeat < 40; ++repeat) {
    failure_log reports;
    std::vector<promise<std::string>> promises(0);
    std::vector<future<std::string>> futures;
    loop_options options;
    options.on_failure = reports.handler();
    auto home = loop::open(std::move(options));
    auto wait = [](future<std::string> awaited) -> coro<> {
      try {
        co_await awaited;
      } catch (const broken_promise&) {
      }
    };
    home->call_soon([&] {
      for (int index = 0; index < 40; ++index) {
        promises.emplace_back();
        futures.push_back(promises.back().get_future());
        if (index % 2 == 0) create_task(wait(futures.back()));
      }
      home->stop();
    });
    home->run_forever();
    std::vector<std::thread> keepers;
    for (std::size_t half = 0; half < 2; ++half) {
      keepers.emplace_back([&, half] {
        for (std::size_t index = half; index < promises.size(); index += 2) {
          if (index % 5 == 0) {
            const promise<std::string> dropped = std::move(promises[index]);
          } else {
            promises[index].set_value("a text that is longer than a small string");
          }
        }
      });
    }
    if (random.below(2) == 0) {
      home->call_soon([&] { home->stop(); });
      home->run_forever();
    }
    home = {};
    for (std::thread& each : keepers) each.join();
    CHECK(reports.text() == "");
  }
}
