#include <troupe/runtime/gather.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <memory>
#include <tuple>

using namespace troupe;
using namespace troupe::testing;

namespace {

coro<> note_after(journal& log, duration delay, std::string text) {
  co_await sleep(delay);
  log.push_back(text);
}

coro<std::unique_ptr<int>> make_number(int value) {
  co_await sleep(1s);
  co_return std::make_unique<int>(value);
}

coro<> clean_up_for(journal& log, duration delay) {
  bool stopped = false;
  try {
    co_await sleep(infinite);
  } catch (const cancelled&) {
    stopped = true;
  }
  if (stopped) co_await sleep(delay);
  log.push_back("cleaned up");
  throw cancelled{};
}

}  // namespace

TROUPE_PROGRAM_TEST_CASE("gather gives the results in the order of its arguments") {
  auto body = []() -> coro<std::string> {
    auto [number, text] = co_await gather(value_after(2s, 1), value_after(1s, std::string("text")));
    co_return text + std::to_string(number);
  };
  CHECK(testing::run(body()) == "text1");
}

TROUPE_PROGRAM_TEST_CASE("gather takes as long as its longest member") {
  auto body = []() -> coro<duration> {
    co_await gather(sleep_of(1s), sleep_of(3s), sleep_of(2s));
    co_return loop::current()->time() - time_point{};
  };
  CHECK(testing::run(body()) == 3s);
}

TEST_CASE("gather starts its members in the order of its arguments") {
  journal log;
  auto named = [&](std::string name) -> coro<> {
    log.push_back(name);
    co_return;
  };
  auto body = [&]() -> coro<> { co_await gather(named("a"), named("b"), named("c")); };
  testing::run(body());
  CHECK(log == journal{"a", "b", "c"});
}

TROUPE_PROGRAM_TEST_CASE("gather has an empty place for a member of no value") {
  auto body = []() -> coro<int> {
    auto [first, second] = co_await gather(sleep_of(1s), value_after(1s, 5));
    static_cast<void>(first);
    co_return second;
  };
  CHECK(testing::run(body()) == 5);
}

TROUPE_PROGRAM_TEST_CASE("gather moves results that only move") {
  auto body = []() -> coro<int> {
    auto [first, second] = co_await gather(make_number(1), make_number(2));
    co_return *first * 10 + *second;
  };
  CHECK(testing::run(body()) == 12);
}

TROUPE_PROGRAM_TEST_CASE("gather of nothing is ready") {
  auto body = []() -> coro<std::size_t> {
    auto none = co_await gather();
    co_return std::tuple_size_v<decltype(none)>;
  };
  CHECK(testing::run(body()) == 0);
}

TEST_CASE("gather of members that have ended does not suspend") {
  journal log;
  auto body = [&]() -> coro<> {
    auto both = gather(value_after(0s, 1), value_after(0s, 2));
    co_await rounds(5);
    loop::current()->call_soon([&] { log.push_back("callback"); });
    auto [first, second] = co_await both;
    log.push_back(std::to_string(first + second));
    co_await sleep(0s);
  };
  testing::run(body());
  CHECK(log == journal{"3", "callback"});
}

TROUPE_PROGRAM_TEST_CASE("gather throws the first failure at once") {
  auto failed_after = [](duration& after) -> coro<std::string> {
    std::string text;
    try {
      co_await gather(sleep_of(1h), fail_after(2s, "second"), fail_after(1s, "first"));
    } catch (const std::runtime_error& error) {
      text = error.what();
    }
    after = loop::current()->time() - time_point{};
    co_return text;
  };
  duration after{};
  CHECK(testing::run(failed_after(after)) == "first");
  CHECK(after == 1s);
}

TROUPE_PROGRAM_TEST_CASE("members of a failed gather run on") {
  journal log;
  auto body = [&]() -> coro<> {
    try {
      co_await gather(note_after(log, 2s, "went on"), fail_after(1s, "failed"));
    } catch (const std::runtime_error&) {
      log.push_back("caught");
    }
    co_await sleep(5s);
  };
  testing::run(body());
  CHECK(log == journal{"caught", "went on"});
}

TROUPE_PROGRAM_TEST_CASE(
    "a failure that comes after gather's first one is dropped, as in asyncio") {
  failure_log log;
  auto body = []() -> coro<> {
    try {
      co_await gather(fail_after(1s, "first"), fail_after(2s, "second"));
    } catch (const std::runtime_error&) {
    }
    co_await sleep(5s);
  };
  testing::run(body(), &log);
  CHECK(log.count("first") == 0);
  CHECK(log.count("second") == 0);
}

TROUPE_PROGRAM_TEST_CASE(
    "gather throws the failure that came first, also when it is awaited later") {
  failure_log log;
  auto body = []() -> coro<std::string> {
    auto both = gather(fail_after(2s, "left"), fail_after(1s, "right"));
    co_await sleep(5s);
    try {
      co_await both;
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "nothing";
  };
  CHECK(testing::run(body(), &log) == "right");
}

TEST_CASE("cancelling a task that gathers cancels all members") {
  auto body = []() -> coro<std::string> {
    auto first = std::make_shared<std::string>();
    auto inner = [](std::shared_ptr<std::string> how) -> coro<> {
      try {
        co_await sleep(infinite);
      } catch (const cancelled&) {
        *how += "cancelled ";
        throw;
      }
    };
    auto outer = [](decltype(inner)& make, std::shared_ptr<std::string> how) -> coro<> {
      co_await gather(make(how), make(how));
    };
    const auto gathering = create_task(outer(inner, first));
    co_await rounds(3);
    gathering.cancel();
    std::string how = co_await ending(gathering);
    co_return *first + how;
  };
  CHECK(testing::run(body()) == "cancelled cancelled cancelled");
}

TEST_CASE("a cancelled gather ends with the first member that ends as cancelled") {
  journal log;
  auto outer = [&]() -> coro<> { co_await gather(clean_up_for(log, 3s), clean_up_for(log, 1s)); };
  auto body = [&]() -> coro<duration> {
    const auto gathering = create_task(outer());
    co_await rounds(3);
    gathering.cancel();
    co_await ending(gathering);
    co_return loop::current()->time() - time_point{};
  };
  CHECK(testing::run(body()) == 1s);
  CHECK(log == journal{"cleaned up"});
}

TROUPE_PROGRAM_TEST_CASE(
    "a cancelled gather throws cancelled though a member swallowed its cancellation") {
  auto stubborn = []() -> coro<int> {
    try {
      co_await sleep(infinite);
    } catch (const cancelled&) {
    }
    co_return 1;
  };
  auto outer = [&]() -> coro<> { co_await gather(stubborn(), stubborn()); };
  auto body = [&]() -> coro<std::string> {
    const auto gathering = create_task(outer());
    co_await rounds(3);
    gathering.cancel();
    std::string how = co_await ending(gathering);
    co_return how;
  };
  CHECK(testing::run(body()) == "cancelled");
}

TROUPE_PROGRAM_TEST_CASE("a gather that was never awaited runs its members") {
  journal log;
  auto body = [&]() -> coro<> {
    static_cast<void>(gather(note_after(log, 1s, "a"), note_after(log, 2s, "b")));
    co_await sleep(5s);
  };
  testing::run(body());
  CHECK(log == journal{"a", "b"});
}

TROUPE_PROGRAM_TEST_CASE("a gather handed a coroutine that was used before is an error") {
  auto body = []() -> coro<> {
    auto used = value_after(0s, 1);
    co_await used;
    co_await gather(std::move(used));
  };
  CHECK_THROWS_AS(testing::run(body()), invalid_state);
}

TROUPE_PROGRAM_TEST_CASE("gather takes futures and tasks beside coroutines") {
  auto give = [](int value) -> coro<int> { co_return value; };
  auto body = [&]() -> coro<int> {
    promise<int> later;
    auto all = gather(later.get_future(), create_task(give(20)), give(300));
    later.set_value(1);
    const auto [a, b, c] = co_await all;
    co_return a + b + c;
  };
  CHECK(testing::run(body()) == 321);
}
