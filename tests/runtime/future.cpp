#include <troupe/runtime/future.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <memory>
#include <optional>
#include <thread>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

coro<int> await_int(future<int>& awaited) {
  const int value = co_await awaited;
  co_return value;
}

struct throwing_value {
  explicit throwing_value(int value) {
    if (value < 0) throw std::invalid_argument("negative");
  }
};

struct noting_observer : troupe::internal::observer {
  noting_observer(journal& given, std::string text)
      : observer([](observer& self) noexcept {
          auto& mine = static_cast<noting_observer&>(self);
          mine.log.push_back(mine.name);
        }),
        log(given),
        name(std::move(text)) {}
  journal& log;
  std::string name;
};

}  // namespace

TROUPE_PROGRAM_TEST_CASE("a future gives the value its promise was set to") {
  auto body = []() -> coro<int> {
    promise<int> kept;
    auto awaited = kept.get_future();
    loop::current()->call_soon([&] { kept.set_value(5); });
    const int value = co_await awaited;
    co_return value;
  };
  CHECK(testing::run(body()) == 5);
}

TROUPE_PROGRAM_TEST_CASE("an await of a future that is done does not suspend") {
  journal log;
  auto body = [&]() -> coro<> {
    promise<int> kept;
    const auto awaited = kept.get_future();
    kept.set_value(5);
    loop::current()->call_soon([&] { log.push_back("callback"); });
    const int first = co_await awaited;
    const int second = co_await awaited;
    log.push_back(std::to_string(first + second));
    co_await sleep(0s);
  };
  testing::run(body());
  CHECK(log == journal{"10", "callback"});
}

TROUPE_PROGRAM_TEST_CASE("a future of no value tells that it happened") {
  auto body = []() -> coro<bool> {
    promise<void> kept;
    const auto awaited = kept.get_future();
    loop::current()->call_soon([&] { kept.set_value(); });
    co_await awaited;
    co_return awaited.done();
  };
  CHECK(testing::run(body()));
}

TROUPE_PROGRAM_TEST_CASE(
    "a future throws the error its promise was set to, as often as it is asked") {
  auto body = []() -> coro<int> {
    promise<int> kept;
    const auto awaited = kept.get_future();
    kept.set_exception(std::make_exception_ptr(std::runtime_error("no value")));
    int thrown = 0;
    for (int turn = 0; turn < 3; ++turn) {
      try {
        co_await awaited;
      } catch (const std::runtime_error& error) {
        thrown += std::string(error.what()) == "no value";
      }
    }
    thrown += describe(awaited.exception()) == "std::runtime_error: no value";
    co_return thrown;
  };
  CHECK(testing::run(body()) == 4);
}

TEST_CASE("a promise can be kept by another thread") {
  failure_log log;
  auto body = []() -> coro<int> {
    promise<int> kept;
    const auto awaited = kept.get_future();
    std::thread keeper([&kept] { kept.set_value(5); });
    const int value = co_await awaited;
    keeper.join();
    co_return value;
  };
  CHECK(troupe::run(body(), real_time(log)) == 5);
}

TEST_CASE("who waits for a promise may destroy it as soon as it is kept") {
  failure_log log;
  auto body = []() -> coro<int> {
    int sum = 0;
    for (int turn = 0; turn < 50; ++turn) {
      auto kept = std::make_unique<promise<int>>();
      const auto awaited = kept->get_future();
      std::thread keeper([keeping = kept.get()] { keeping->set_value(1); });
      const int one = co_await awaited;
      sum += one;
      kept.reset();
      keeper.join();
    }
    co_return sum;
  };
  CHECK(troupe::run(body(), real_time(log)) == 50);
}

TEST_CASE("many promises kept and dropped by many threads all reach their futures") {
  failure_log log;
  auto body = []() -> coro<int> {
    constexpr int threads = 4;
    constexpr int each = 100;
    std::vector<future<int>> futures;
    std::vector<std::vector<promise<int>>> promises(threads);
    for (auto& mine : promises) {
      for (int index = 0; index < each; ++index) {
        mine.emplace_back();
        futures.push_back(mine.back().get_future());
      }
    }
    std::vector<std::thread> keepers;
    for (auto& mine : promises) {
      keepers.emplace_back([&mine] {
        for (int index = 0; index < each; ++index) {
          if (index % 3 != 0) mine[static_cast<std::size_t>(index)].set_value(1);
        }
        mine.clear();
      });
    }
    int kept = 0;
    int broken = 0;
    for (const future<int>& awaited : futures) {
      try {
        const int one = co_await awaited;
        kept += one;
      } catch (const broken_promise&) {
        ++broken;
      }
    }
    for (std::thread& keeper : keepers) keeper.join();
    co_return kept * 1000 + broken;
  };
  CHECK(troupe::run(body(), real_time(log)) == 264'136);
}

TROUPE_PROGRAM_TEST_CASE("a dropped promise breaks its future") {
  auto body = []() -> coro<> {
    std::optional<promise<int>> kept(std::in_place);
    const auto awaited = kept->get_future();
    loop::current()->call_soon([&] { kept.reset(); });
    co_await awaited;
  };
  CHECK_THROWS_AS(testing::run(body()), broken_promise);
}

TROUPE_PROGRAM_TEST_CASE("a dropped promise whose future nobody awaits is no failure") {
  auto body = []() -> coro<> {
    {
      promise<int> kept;
      const auto dropped = kept.get_future();
    }
    {
      promise<int> kept;
    }
    co_return;
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a promise that is assigned another breaks its first future") {
  auto body = []() -> coro<std::string> {
    promise<int> first;
    promise<int> second;
    const auto broken = first.get_future();
    const auto whole = second.get_future();
    first = std::move(second);
    first.set_value(1);
    co_return describe(broken.exception()) + (whole.done() ? " done" : " open");
  };
  CHECK(testing::run(body()) ==
        "troupe::broken_promise: the promise was dropped without a result done");
}

TROUPE_PROGRAM_TEST_CASE("an error in a future that nobody looks at is reported") {
  failure_log log;
  auto body = []() -> coro<> {
    promise<int> kept;
    {
      const auto dropped = kept.get_future();
      kept.set_exception(std::make_exception_ptr(std::runtime_error("unseen")));
    }
    co_return;
  };
  testing::run(body(), &log);
  CHECK(log.count("unseen") == 1);
}

TROUPE_PROGRAM_TEST_CASE("a second result is an error") {
  auto body = []() -> coro<> {
    promise<int> kept;
    const auto awaited = kept.get_future();
    kept.set_value(1);
    kept.set_value(2);
    co_return;
  };
  CHECK_THROWS_AS(testing::run(body()), invalid_state);
}

TROUPE_PROGRAM_TEST_CASE("a result whose making throws leaves the promise open") {
  auto body = []() -> coro<bool> {
    promise<throwing_value> kept;
    const auto awaited = kept.get_future();
    try {
      kept.set_value(-1);
    } catch (const std::invalid_argument&) {
    }
    const bool open = !awaited.done();
    kept.set_value(1);
    co_return open&& awaited.done();
  };
  CHECK(testing::run(body()));
}

TROUPE_PROGRAM_TEST_CASE("the future of a promise can be taken once") {
  auto body = []() -> coro<> {
    promise<int> kept;
    const auto first = kept.get_future();
    const auto second = kept.get_future();
    co_return;
  };
  CHECK_THROWS_AS(testing::run(body()), invalid_state);
}

TEST_CASE("a promise is made on a loop") { CHECK_THROWS_AS(promise<int>(), invalid_state); }

TROUPE_PROGRAM_TEST_CASE("a future asked for its result too early throws") {
  auto body = []() -> coro<int> {
    promise<int> kept;
    const auto awaited = kept.get_future();
    int thrown = 0;
    try {
      static_cast<void>(awaited.result());
    } catch (const invalid_state&) {
      ++thrown;
    }
    try {
      static_cast<void>(awaited.exception());
    } catch (const invalid_state&) {
      ++thrown;
    }
    co_return thrown;
  };
  CHECK(testing::run(body()) == 2);
}

TROUPE_PROGRAM_TEST_CASE("a future that was moved from throws when it is used") {
  auto body = []() -> coro<bool> {
    promise<int> kept;
    auto first = kept.get_future();
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

TROUPE_PROGRAM_TEST_CASE("a cancelled future is done at once, and drops a late result") {
  auto body = []() -> coro<std::string> {
    promise<int> kept;
    const auto awaited = kept.get_future();
    std::string log;
    log += awaited.cancel() ? "cancelled " : "refused ";
    log += awaited.cancelled() ? "is so " : "is not so ";
    log += awaited.cancel() ? "again " : "not again ";
    log += kept.try_set_value(1) ? "kept " : "dropped ";
    try {
      co_await awaited;
    } catch (const cancelled&) {
      log += "thrown";
    }
    co_return log;
  };
  CHECK(testing::run(body()) == "cancelled is so not again dropped thrown");
}

TEST_CASE("cancelling a task that awaits a future cancels the future at once and the task later") {
  auto body = []() -> coro<std::string> {
    promise<int> kept;
    auto awaited = kept.get_future();
    const auto waiting = create_task(await_int(awaited));
    co_await sleep(0s);
    waiting.cancel();
    std::string log = awaited.cancelled() ? "future " : "";
    log += waiting.done() ? "too early " : "";
    std::string how = co_await ending(waiting);
    co_return log + how;
  };
  CHECK(testing::run(body()) == "future cancelled");
}

TROUPE_PROGRAM_TEST_CASE(
    "a result that comes with a cancellation does not erase it and is not lost") {
  auto body = []() -> coro<std::string> {
    promise<int> kept;
    auto awaited = kept.get_future();
    const auto waiting = create_task(await_int(awaited));
    co_await sleep(0s);
    kept.set_value(5);
    waiting.cancel();
    std::string how = co_await ending(waiting);
    co_return how + std::to_string(awaited.result());
  };
  CHECK(testing::run(body()) == "cancelled5");
}

TEST_CASE("two tasks can await one future, and wake in the order they came") {
  journal log;
  auto one = [&](future<int>& awaited, std::string name) -> coro<> {
    const int value = co_await awaited;
    log.push_back(name + std::to_string(value));
  };
  auto body = [&]() -> coro<> {
    promise<int> kept;
    auto awaited = kept.get_future();
    auto both = gather(one(awaited, "a"), one(awaited, "b"));
    co_await sleep(0s);
    kept.set_value(5);
    co_await both;
  };
  testing::run(body());
  CHECK(log == journal{"a5", "b5"});
}

TROUPE_PROGRAM_TEST_CASE("observers are told in the order they came, and not when they left") {
  journal log;
  auto body = [&]() -> coro<> {
    promise<int> kept;
    const auto awaited = kept.get_future();
    noting_observer first(log, "first");
    noting_observer second(log, "second");
    noting_observer third(log, "third");
    for (noting_observer* each : {&first, &second, &third}) awaited.base().add_observer(*each);
    awaited.base().remove_observer(second);
    kept.set_value(1);
    co_return;
  };
  testing::run(body());
  CHECK(log == journal{"first", "third"});
}

TROUPE_PROGRAM_TEST_CASE("a future and a promise may outlive their runtime") {
  std::optional<future<std::string>> kept_future;
  std::optional<promise<std::string>> kept_promise;
  auto body = [&]() -> coro<> {
    kept_promise.emplace();
    kept_future = kept_promise->get_future();
    co_return;
  };
  testing::run(body());
  kept_promise->set_value("too late");
  CHECK_FALSE(kept_future->done());
}

TEST_CASE("a promise dropped after the end of its runtime breaks nothing") {
  std::optional<promise<std::string>> kept_promise;
  auto body = [&]() -> coro<> {
    kept_promise.emplace();
    static_cast<void>(kept_promise->get_future());
    co_return;
  };
  testing::run(body());
  kept_promise.reset();
}

TROUPE_PROGRAM_TEST_CASE("a result set before the end is there after it") {
  std::optional<future<std::string>> kept;
  auto body = [&]() -> coro<> {
    promise<std::string> set;
    kept = set.get_future();
    set.set_value("in time");
    co_return;
  };
  testing::run(body());
  CHECK(kept->result() == "in time");
}

TEST_CASE("promises kept by a thread while the runtime ends are each kept or refused") {
  failure_log log;
  for (int repeat = 0; repeat < 30; ++repeat) {
    std::vector<promise<int>> promises;
    std::vector<future<int>> futures;
    std::thread keeper;
    auto body = [&]() -> coro<> {
      for (int index = 0; index < 50; ++index) {
        promises.emplace_back();
        futures.push_back(promises.back().get_future());
      }
      keeper = std::thread([&] {
        for (promise<int>& each : promises) each.set_value(1);
      });
      co_await futures.front();
    };
    troupe::run(body(), real_time(log));
    keeper.join();
  }
  CHECK(log.reports().empty());
}
