// Asks that are not answered in time.
#include <troupe/actors/ask.hpp>

#include "actors/calculator.hpp"
#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::calculation;

// --- time-outs ---------------------------------------------------------------------------------------------------------

TROUPE_PROGRAM_TEST_CASE("an ask times out after the time it was given, and no sooner") {
  auto body = []() -> coro<duration> {
    auto asked = spawn<calculator>();
    const time_point before = loop::current()->time();
    const std::string how = co_await ending(asked.ask(square_slowly{1, 1h}, 250ms));
    co_return starts_with(how, "timeout: ") ? loop::current()->time() - before : duration::zero();
  };
  CHECK(testing::run(body()) == 250ms);
}

TROUPE_PROGRAM_TEST_CASE("an ask times out after five seconds unless it is told otherwise") {
  auto body = []() -> coro<duration> {
    auto asked = spawn<calculator>();
    const time_point before = loop::current()->time();
    const std::string how = co_await ending(asked.ask(square_slowly{1, 1h}));
    co_return starts_with(how, "timeout: ") ? loop::current()->time() - before : duration::zero();
  };
  CHECK(testing::run(body()) == 5s);
}

TROUPE_PROGRAM_TEST_CASE("an infinite ask waits as long as it takes") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    std::string how = co_await ending(asked.ask(square_slowly{3, 100h}, infinite));
    co_return how;
  };
  CHECK(testing::run(body()) == "9");
}

TROUPE_PROGRAM_TEST_CASE(
    "an ask without time left times out unless it is answered before the loop looks at its clock") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    std::string how = co_await ending(asked.ask(square_slowly{1}, 0s));
    how += co_await ending(asked.ask(square_slowly{1}, -1s));
    co_return how;
  };
  const std::string how = testing::run(body());
  CHECK(starts_with(how, "timeout: "));
  CHECK(how.rfind("timeout: ") > 0);
}

TROUPE_PROGRAM_TEST_CASE(
    "a time-out says who was asked what, for how long, and what the actor is doing") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>({.name = "slow"});
    asked.tell(square_slowly{1, 1h});
    asked.tell(square{1});
    std::string how = co_await ending(asked.ask(flush{}, 1500ms));
    co_return how;
  };
  const std::string how = testing::run(body());
  CHECK(how.find("calculator 'slow' did not answer") != std::string::npos);
  CHECK(how.find("flush within 1.5 s") != std::string::npos);
  CHECK(how.find("alive, 2 messages queued, handling") != std::string::npos);
  CHECK(how.find("square_slowly)") != std::string::npos);
}

TROUPE_PROGRAM_TEST_CASE("a time-out tells an actor that is stopping from one that is alive") {
  struct slow_stopper : actor<protocol<square_slowly>> {
    coro<int> on(square_slowly) {
      try {
        co_await sleep(1h);
      } catch (const cancelled&) {
      }
      co_return 1;
    }
    void on_start() { spawn<slow_end>(); }
    struct slow_end : actor<protocol<>> {
      coro<> on_stop() { co_await sleep(1h); }
    };
  };
  auto body = []() -> coro<std::string> {
    auto asked = spawn<slow_stopper>();
    co_await settle();
    asked.stop();
    co_await settle();
    std::string how = asked.cell()->condition();
    co_await sleep(2h);
    how += ", " + asked.cell()->condition();
    co_return how;
  };
  CHECK(testing::run(body()) == "stopping, dead");
}

TROUPE_PROGRAM_TEST_CASE("a late answer is dropped, and the next ask gets its own") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    std::string how = co_await ending(asked.ask(square_slowly{2, 2s}, 1s));
    how = how.substr(0, 7);
    how += " / " + co_await ending(asked.ask(square_slowly{3, 1s}, 5s));
    co_return how;
  };
  CHECK(testing::run(body()) == "timeout / 9");
}

TROUPE_PROGRAM_TEST_CASE("a request whose ask has timed out is not handled any more") {
  auto body = []() -> coro<int> {
    auto asked = spawn<calculator>();
    asked.tell(square_slowly{1, 1min});
    const std::string how = co_await ending(asked.ask(square{2}, 1s));
    co_await sleep(2min);
    const int times = co_await asked.ask(handled{});
    co_return times;
  };
  CHECK(testing::run(body()) == 1);
}

TEST_CASE("many asks that time out together cost no more than their number") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    asked.tell(square_slowly{1, 1h});
    std::vector<future<int>> answers;
    for (int index = 0; index < 5000; ++index) answers.push_back(asked.ask(square{index}, 1s));
    co_await sleep(2s);
    std::string how = co_await ending(std::move(answers.back()));
    co_return how;
  };
  CHECK(testing::run(body()).find("alive, over 1000 messages queued") != std::string::npos);
}

TROUPE_PROGRAM_TEST_CASE(
    "an actor that asks itself in a coroutine handler is told so at once, and goes on") {
  struct narcissus : actor<protocol<square, greet>> {
    int on(square s) { return s.value; }
    coro<std::string> on(greet) {
      std::string how = co_await ending(self().ask(square{1}, 1s));
      co_return how;
    }
  };
  auto body = []() -> coro<std::string> {
    auto asked = spawn<narcissus>();
    std::string how = co_await asked.ask(greet{}, infinite);
    const std::string after = co_await ending(asked.ask(square{5}));
    co_return how + " / " + after;
  };
  const std::string how = testing::run(body());
  CHECK(starts_with(how, "deadlock: "));
  CHECK(how.find("handling") != std::string::npos);
  CHECK(how.find(" / 5") != std::string::npos);
}

TROUPE_PROGRAM_TEST_CASE(
    "an ask that waits for itself for ever ends as a deadlock on virtual time, and crashes the "
    "actor") {
  struct narcissus : actor<protocol<square>> {
    coro<int> on(square s) {
      const int same = co_await self().ask(s, infinite);
      co_return same;
    }
  };
  auto body = []() -> coro<int> {
    auto asked = spawn<narcissus>();
    const int never = co_await asked.ask(square{1}, infinite);
    co_return never;
  };
  failure_log log;
  CHECK_THROWS_AS(testing::run(body(), &log), ask_deadlock);
  CHECK(log.count("crashed") == 1);
}

TROUPE_PROGRAM_TEST_CASE(
    "an ask whose future was dropped may time out, and be answered after that") {
  auto body = []() -> coro<int> {
    auto asked = spawn<calculator>();
    static_cast<void>(asked.ask(square_slowly{1, 2s}, 1s));
    static_cast<void>(asked.ask(square_slowly{1, 2s}, 3s));
    co_await sleep(10s);
    const int times = co_await asked.ask(handled{});
    co_return times;
  };
  CHECK(testing::run(body()) == 2);
}
