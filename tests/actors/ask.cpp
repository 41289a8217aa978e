// Asks and how they are answered: by values, by errors, or by the death of who was asked.
#include <troupe/actors/ask.hpp>

#include "actors/calculator.hpp"
#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::calculation;

namespace {

template <class M>
coro<std::string> how_ends(M request) {
  auto asked = spawn<calculator>();
  std::string how = co_await ending(asked.ask(std::move(request)));
  co_return how;
}

}  // namespace

TROUPE_PROGRAM_TEST_CASE("an ask gives the value that the handler returns") {
  CHECK(testing::run(how_ends(square{7})) == "49");
  CHECK(testing::run(how_ends(square_slowly{7})) == "49");
}

TROUPE_PROGRAM_TEST_CASE("an ask can be awaited in the expression that makes it") {
  auto body = []() -> coro<int> {
    auto asked = spawn<calculator>();
    const int nine = co_await asked.ask(square{3});
    const int sum = co_await asked.ask(square{nine}, 2s) + co_await asked.ask(square_slowly{1}, 2s);
    co_return sum;
  };
  CHECK(testing::run(body()) == 82);
}

TROUPE_PROGRAM_TEST_CASE("an ask of a void reply ends when the handler has ended") {
  auto body = []() -> coro<int> {
    auto asked = spawn<calculator>();
    co_await asked.ask(flush{});
    co_await asked.ask(flush_slowly{});
    const int times = co_await asked.ask(handled{});
    co_return times;
  };
  CHECK(testing::run(body()) == 2);
}

TROUPE_PROGRAM_TEST_CASE("a reply may be move-only") {
  auto body = []() -> coro<int> {
    auto asked = spawn<calculator>();
    auto first = co_await asked.ask(make{});
    auto second = co_await asked.ask(make_slowly{});
    co_return *first + *second;
  };
  CHECK(testing::run(body()) == 3);
}

TROUPE_PROGRAM_TEST_CASE("what a handler returns is converted to the reply") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    std::string hello = co_await asked.ask(greet{});
    co_return hello;
  };
  CHECK(testing::run(body()) == "hello");
}

TROUPE_PROGRAM_TEST_CASE(
    "several asks may be on their way at once, and are answered in their order") {
  auto body = []() -> coro<std::vector<int>> {
    auto asked = spawn<calculator>();
    auto first = asked.ask(square_slowly{1});
    auto second = asked.ask(square{2});
    auto third = asked.ask(square_slowly{3});
    std::vector<int> answers;
    answers.push_back(co_await third);
    const bool earlier_ones_done = first.done() && second.done();
    answers.push_back(co_await first);
    answers.push_back(co_await second);
    answers.push_back(earlier_ones_done ? 1 : 0);
    co_return answers;
  };
  CHECK(testing::run(body()) == std::vector<int>{9, 1, 4, 1});
}

// --- errors ------------------------------------------------------------------------------------------------------------

TROUPE_PROGRAM_TEST_CASE("a rejected request leaves the actor alive and reports nothing") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    std::string how = co_await ending(asked.ask(refuse{}));
    how += " / " + co_await ending(asked.ask(refuse_slowly{}));
    how += " / " + co_await ending(asked.ask(square{2}));
    co_return how;
  };
  CHECK(testing::run(body()) == "rejected: not today / rejected: not tomorrow / 4");
}

TROUPE_PROGRAM_TEST_CASE(
    "a rejection of a request that was told is reported, and the actor lives on") {
  failure_log log;
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    asked.tell(refuse{});
    asked.tell(refuse_slowly{});
    std::string how = co_await ending(asked.ask(square{2}));
    co_return how;
  };
  CHECK(testing::run(body(), &log) == "4");
  CHECK(log.reports().size() == 2);
  CHECK(log.count("not today") == 1);
  CHECK(log.count("not tomorrow") == 1);
}

TROUPE_PROGRAM_TEST_CASE("the asker gets the exception of a handler, and the actor has crashed") {
  failure_log log;
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    std::string how = co_await ending(asked.ask(crash{}));
    how += " / " + co_await ending(asked.ask(square{2}));
    co_return how;
  };
  const std::string how = testing::run(body(), &log);
  CHECK(starts_with(how, "error: boom / dead: "));
  CHECK(log.count("crashed") == 1);
}

TROUPE_PROGRAM_TEST_CASE(
    "the asker gets the exception of a coroutine handler, and the actor has crashed") {
  failure_log log;
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    std::string how = co_await ending(asked.ask(crash_slowly{}));
    how += " / " + co_await ending(asked.ask(square{2}));
    co_return how;
  };
  const std::string how = testing::run(body(), &log);
  CHECK(starts_with(how, "error: late boom / dead: "));
  CHECK(log.count("crashed") == 1);
}

TROUPE_PROGRAM_TEST_CASE("asks that were queued at a crash fail at once") {
  failure_log log;
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>({.name = "c"});
    auto crashes = asked.ask(crash{}, infinite);
    auto queued = asked.ask(square{2}, infinite);
    std::string how = co_await ending(std::move(crashes));
    how += " / " + co_await ending(std::move(queued));
    co_return how;
  };
  const std::string how = testing::run(body(), &log);
  CHECK(starts_with(how, "error: boom / dead: "));
  CHECK(how.find("calculator 'c' was asked") != std::string::npos);
  CHECK(how.find("square") != std::string::npos);
}

TROUPE_PROGRAM_TEST_CASE(
    "asks that were queued at a stop, or in the hands of a coroutine handler, fail at once") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    auto in_hand = asked.ask(square_slowly{1, 1h}, infinite);
    auto queued = asked.ask(square{2}, infinite);
    co_await settle();
    asked.stop();
    std::string how = co_await ending(std::move(in_hand));
    how += " / " + co_await ending(std::move(queued));
    co_return how;
  };
  const std::string how = testing::run(body());
  CHECK(starts_with(how, "dead: "));
  CHECK(how.find(" / dead: ") != std::string::npos);
}

TROUPE_PROGRAM_TEST_CASE("an ask of a dead actor fails at once") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    asked.stop();
    co_await settle();
    auto answer = asked.ask(square{2}, infinite);
    const bool at_once = answer.done();
    std::string how = co_await ending(std::move(answer));
    co_return how + (at_once ? " at once" : " later");
  };
  const std::string how = testing::run(body());
  CHECK(starts_with(how, "dead: "));
  CHECK(how.find(" at once") != std::string::npos);
}

TROUPE_PROGRAM_TEST_CASE("an actor cannot ask itself once it stops") {
  struct self_asker : actor<protocol<square>> {
    explicit self_asker(journal& given) : pages(given) {}
    int on(square s) { return s.value; }
    coro<> on_stop() {
      std::string how = co_await ending(self().ask(square{1}, infinite));
      pages.push_back(std::move(how));
    }
    journal& pages;
  };
  journal pages;
  auto body = [](journal& into) -> coro<> {
    spawn<self_asker>(std::ref(into)).stop();
    co_await settle();
  };
  testing::run(body(pages));
  REQUIRE(pages.size() == 1);
  CHECK(starts_with(pages[0], "dead: "));
}
