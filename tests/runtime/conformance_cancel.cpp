// asyncio's rules for cancellation, as `conformance/asyncio.md` numbers them.
#include <troupe/runtime/any_task.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>
#include <troupe/runtime/wait.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <optional>

using namespace troupe;
using namespace troupe::testing;

namespace {

template <class T>
struct source {
  source() : awaited(kept.get_future()) {}
  promise<T> kept;
  future<T> awaited;
};

coro<int> value_of(future<int> awaited) { co_return co_await awaited; }

}  // namespace

TROUPE_PROGRAM_TEST_CASE("a task cancelled before its first step never runs", "[cancel-01]") {
  int alive = 0;
  journal log;
  auto never = [&](counted) -> coro<> {
    struct leaving {
      ~leaving() { log.push_back("left"); }
      journal& log;
    } const guard{log};
    log.push_back("started");
    try {
      co_await sleep(1s);
    } catch (...) {
      log.push_back("caught");
    }
  };
  auto body = [&]() -> coro<> {
    const auto made = create_task(never(counted(alive)));
    CHECK(made.cancel());
    std::vector<task<>> all{made};
    const auto waited = co_await wait(all);
    CHECK(waited.done.size() == 1);
    CHECK(made.cancelled());
    CHECK(alive == 0);
    CHECK_THROWS_AS(made.result(), cancelled);
    CHECK_THROWS_AS(made.exception(), cancelled);
  };
  testing::run(body());
  CHECK(log.empty());
}

TEST_CASE("a task cancelled before its first step ends in one round", "[cancel-01]") {
  manual_loop home;
  const auto made = home.create_task(sleep_of(1s));
  made.cancel();
  CHECK_FALSE(made.done());
  home.step();
  CHECK(made.cancelled());
}

TEST_CASE("cancelling a task changes at once only what it awaits", "[cancel-03]") {
  auto body = []() -> coro<> {
    source<int> f;
    const auto t = create_task(value_of(f.awaited));
    co_await sleep(0s);
    CHECK(t.cancel());
    CHECK(f.awaited.cancelled());
    CHECK_FALSE(t.done());
    CHECK_FALSE(t.cancelled());
    co_await sleep(0s);
    CHECK(t.cancelled());
  };
  testing::run(body());
}

TEST_CASE("a task and its future cancelled in one step are one cancellation", "[cancel-05]") {
  auto body = []() -> coro<> {
    source<int> f;
    source<int> g;
    int caught = 0;
    auto retry = [&]() -> coro<int> {
      try {
        co_await f.awaited;
      } catch (const cancelled&) {
        ++caught;
      }
      for (;;) {
        try {
          co_return co_await g.awaited;
        } catch (const cancelled&) {
          ++caught;
        }
      }
    };
    const auto t = create_task(retry());
    const auto plain = create_task(value_of(f.awaited));
    co_await sleep(0s);
    CHECK(f.awaited.cancel());
    CHECK(t.cancel());
    CHECK(plain.cancel());
    co_await rounds(5);
    CHECK(caught == 1);
    CHECK(t.cancelling() == 1);
    CHECK_FALSE(t.done());
    CHECK(plain.cancelled());
    g.kept.set_value(3);
    const int value = co_await t;
    CHECK(value == 3);
  };
  testing::run(body());
}

TEST_CASE("a cancellation that is swallowed spoils no later await", "[cancel-07]") {
  auto body = []() -> coro<> {
    source<int> f2;
    source<int> f3;
    auto swallows = [&]() -> coro<int> {
      try {
        co_await f2.awaited;
      } catch (const cancelled&) {
      }
      co_return co_await f3.awaited;
    };
    const auto t = create_task(swallows());
    co_await sleep(0s);
    t.cancel();
    co_await rounds(3);
    CHECK(f2.awaited.cancelled());
    CHECK_FALSE(f3.awaited.done());
    f3.kept.set_value(42);
    const int value = co_await t;
    CHECK(value == 42);
    CHECK_FALSE(t.cancelled());
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE(
    "a task that cancels itself and returns ends cancelled, and with its error if it throws",
    "[cancel-09]") {
  auto self = [](bool throws) -> coro<int> {
    current_task().cancel();
    if (throws) throw std::runtime_error("E");
    co_return 12;
  };
  auto body = [&]() -> coro<> {
    std::string returned = co_await ending(create_task(self(false)));
    std::string thrown = co_await ending(create_task(self(true)));
    CHECK(returned == "cancelled");
    CHECK(thrown == "error: E");
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a request that is due waits for a real suspension", "[cancel-11]") {
  journal log;
  auto self = [&]() -> coro<> {
    source<int> f;
    f.kept.set_value(1);
    current_task().cancel();
    const int value = co_await f.awaited;
    log.push_back("after " + std::to_string(value));
    try {
      co_await sleep(0s);
    } catch (const cancelled&) {
      log.push_back("cancelled");
      throw;
    }
  };
  auto body = [&]() -> coro<std::string> { co_return co_await ending(create_task(self())); };
  CHECK(testing::run(body()) == "cancelled");
  CHECK(log == journal{"after 1", "cancelled"});
}

TEST_CASE("two requests before delivery are one error", "[cancel-13]") {
  manual_loop home;
  int caught = 0;
  auto sleeper = [&]() -> coro<> {
    for (;;) {
      try {
        co_await sleep(1h);
        co_return;
      } catch (const cancelled&) {
        ++caught;
      }
    }
  };
  const auto t = home.create_task(sleeper());
  home.run_until_idle();
  CHECK(t.cancel());
  CHECK(t.cancel());
  CHECK(t.cancelling() == 2);
  home.run_until_idle();
  CHECK(caught == 1);
  home.advance(1h);
  CHECK(t.done());
  CHECK_FALSE(t.cancelled());
}

TEST_CASE("a cancellation goes inwards, and is thrown from inside outwards", "[cancel-15]") {
  const bool inner_is_task = GENERATE(false, true);
  auto body = [&]() -> coro<> {
    source<int> w;
    int proof = 0;
    journal log;
    auto inner = [&]() -> coro<> {
      try {
        co_await w.awaited;
      } catch (const cancelled&) {
        proof += 1;
        log.push_back("inner");
        throw;
      }
    };
    auto outer = [&]() -> coro<> {
      try {
        if (inner_is_task) {
          co_await create_task(inner());
        } else {
          co_await inner();
        }
      } catch (const cancelled&) {
        proof += 100;
        log.push_back("outer");
      }
    };
    const auto t = create_task(outer());
    co_await rounds(2);
    t.cancel();
    CHECK(w.awaited.cancelled());
    co_await t;
    CHECK(proof == 101);
    CHECK(log == journal{"inner", "outer"});
    CHECK_FALSE(t.cancelled());
  };
  testing::run(body());
}

TEST_CASE("a cancelled parent waits until its child has cleaned up", "[cancel-17]") {
  journal log;
  auto child = [&]() -> coro<> {
    bool stopped = false;
    try {
      co_await sleep(infinite);
    } catch (const cancelled&) {
      stopped = true;
    }
    for (int turn = 0; turn < 5; ++turn) {
      log.push_back("cleanup");
      co_await sleep(0s);
    }
    if (stopped) throw cancelled{};
  };
  manual_loop home;
  std::optional<task<>> made;
  auto parent = [&]() -> coro<> {
    made = create_task(child());
    try {
      co_await *made;
    } catch (const cancelled&) {
      log.push_back(made->done() ? "parent" : "too early");
      throw;
    }
  };
  const auto p = home.create_task(parent());
  home.run_until_idle();
  p.cancel();
  home.run_until_idle();
  CHECK(log == journal{"cleanup", "cleanup", "cleanup", "cleanup", "cleanup", "parent"});
  CHECK(p.cancelled());
}

TROUPE_PROGRAM_TEST_CASE("a waiter can tell that it is its child that was cancelled",
                         "[cancel-19]") {
  auto body = []() -> coro<> {
    int seen = -1;
    const auto c = create_task(sleep_of(infinite));
    auto parent = [&]() -> coro<std::string> {
      try {
        co_await c;
      } catch (const cancelled&) {
        seen = current_task().cancelling();
      }
      co_await sleep(1s);
      co_return "recovered";
    };
    const auto p = create_task(parent());
    co_await sleep(0s);
    c.cancel();
    std::string how = co_await p;
    CHECK(how == "recovered");
    CHECK(seen == 0);
  };
  testing::run(body());
}

TEST_CASE("a request taken back before delivery is forgotten, one of two is not", "[cancel-21]") {
  const int requests = GENERATE(1, 2);
  auto body = [&]() -> coro<> {
    source<int> f;
    const auto t = create_task(value_of(f.awaited));
    co_await sleep(0s);
    f.kept.set_value(42);
    for (int times = 0; times < requests; ++times) CHECK(t.cancel());
    CHECK(t.cancelling() == requests);
    CHECK(t.uncancel() == requests - 1);
    std::string how = co_await ending(t);
    CHECK(how == (requests == 1 ? "value" : "cancelled"));
    if (requests == 1) CHECK(t.result() == 42);
  };
  testing::run(body());
}

TEST_CASE("taking back a request does not revive the future that it cancelled", "[cancel-23]") {
  auto body = []() -> coro<> {
    source<int> f;
    int seen = -1;
    auto waits = [&]() -> coro<> {
      try {
        co_await f.awaited;
      } catch (const cancelled&) {
        seen = current_task().cancelling();
        throw;
      }
    };
    const auto t = create_task(waits());
    co_await sleep(0s);
    CHECK(t.cancel());
    CHECK(t.uncancel() == 0);
    CHECK(f.awaited.cancelled());
    std::string how = co_await ending(t);
    CHECK(how == "cancelled");
    CHECK(seen == 0);
  };
  testing::run(body());
}

TEST_CASE("a task that has ended cannot be cancelled, but its error counts as noticed",
          "[cancel-25]") {
  failure_log log;
  auto quick = [](int how) -> coro<int> {
    if (how == 1) throw std::runtime_error("E");
    if (how == 2) throw cancelled{};
    co_return 1;
  };
  auto body = [&]() -> coro<> {
    for (const int how : {0, 1, 2}) {
      const auto t = create_task(quick(how));
      co_await rounds(2);
      CHECK_FALSE(t.cancel());
      CHECK(t.cancelling() == 0);
      CHECK(t.done());
      CHECK(t.cancelled() == (how == 2));
      if (how == 0) CHECK(t.result() == 1);
    }
  };
  testing::run(body(), &log);
  CHECK(log.text() == "");
}

TEST_CASE("a cancelled task throws its reason each time it is asked", "[cancel-27]") {
  const bool begun = GENERATE(false, true);
  auto body = [&]() -> coro<> {
    const auto c = create_task(sleep_of(infinite));
    if (begun) co_await sleep(0s);
    c.cancel("m");
    std::string seen;
    for (int times = 0; times < 2; ++times) {
      try {
        co_await c;
      } catch (const cancelled& error) {
        seen += error.reason;
      }
    }
    for (int times = 0; times < 2; ++times) {
      try {
        if (times == 0) {
          c.result();
        } else {
          static_cast<void>(c.exception());
        }
      } catch (const cancelled& error) {
        seen += error.reason;
      }
    }
    CHECK(seen == "mmmm");
    CHECK(current_task().cancelling() == 0);
  };
  testing::run(body());
}
