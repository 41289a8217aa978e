// When actors are made to crash by the messages that they get, or at any step.
#include <troupe/actors/process.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/testing/explore.hpp>

#include "actors/overheard.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::overheard;

TEST_CASE("an actor that crashes before a message finds it again after its restart") {
  in_world([]() -> coro<> {
    notes heard;
    auto boss = spawn<supervisor>(std::ref(heard));
    auto to = co_await boss.ask(whom{});
    interception rules;
    const rule crashed = rules.each<word>().times(1).crash(moment::before);
    to.tell(word{"a"});
    to.tell(word{"b"});
    co_await sleep(1s);
    CHECK(heard.lives == 2);
    CHECK(spoken(heard) == "ab");
    CHECK(crashed.count() == 1);
  });
}

TEST_CASE("an actor that crashes after a message has handled it and answered, and not the next") {
  in_world([]() -> coro<> {
    notes heard;
    auto boss = spawn<supervisor>(std::ref(heard));
    auto to = co_await boss.ask(whom{});
    interception rules;
    const rule crashed = rules.any().times(2).crash(moment::after);
    const int answer = co_await to.ask(question{1});
    CHECK(answer == 2);
    CHECK(heard.lives == 1);
    co_await sleep(1s);
    CHECK(heard.lives == 2);
    const int waited_for = co_await to.ask(slow{});
    CHECK(waited_for == 7);
    co_await sleep(1s);
    CHECK(heard.ended == 1);
    CHECK(heard.lives == 3);
    CHECK(crashed.count() == 2);
  });
}

TEST_CASE("an actor crashes while its handler waits, and the asker is told") {
  in_world([]() -> coro<> {
    notes heard;
    auto boss = spawn<supervisor>(std::ref(heard));
    auto to = co_await boss.ask(whom{});
    interception rules;
    const rule crashed = rules.any().times(2).crash(moment::during);
    const int at_once = co_await to.ask(question{1});  // does not wait, so is not met
    CHECK(at_once == 2);
    const std::string failure = co_await failure_of(to.ask(slow{}));
    CHECK(failure.find("dead or stopping") != std::string::npos);
    co_await sleep(5s);
    CHECK(heard.begun == 1);
    CHECK(heard.ended == 0);
    CHECK(heard.lives == 2);
    CHECK(crashed.count() == 1);
    const int again = co_await to.ask(slow{});
    CHECK(again == 7);
  });
}

TEST_CASE("a crash that is chosen comes in each of the moments in which the handler waits") {
  std::set<std::string> seen;
  const exploration tried = explore({.how = search::exhaustive}, [&]() -> coro<> {
    notes heard;
    auto boss = spawn<supervisor>(std::ref(heard));
    auto to = co_await boss.ask(whom{});
    interception rules;
    static_cast<void>(rules.each<slow>().maybe().crash(moment::during));
    const std::string failure = co_await failure_of(to.ask(slow{}));
    seen.insert(std::to_string(heard.begun) + std::to_string(heard.ended) +
                (failure.empty() ? " answered" : " failed"));
    co_await sleep(5s);
  });
  CHECK(tried.complete);
  CHECK(seen == std::set<std::string>{"10 failed", "11 answered"});
}

TEST_CASE("an actor crashes at each step there is, once at most") {
  std::set<std::string> seen;
  int most_lives = 0;
  const exploration tried =
      explore({.schedules = 10'000, .how = search::exhaustive}, [&]() -> coro<> {
        notes heard;
        auto boss = spawn<supervisor>(std::ref(heard));
        auto to = co_await boss.ask(whom{});
        interception rules;
        const rule crashed = rules.crash_at_any_step(to);
        to.tell(word{"a"});
        const std::string failure = co_await failure_of(to.ask(slow{}));
        most_lives = std::max(most_lives, heard.lives);
        seen.insert(spoken(heard) + std::to_string(heard.begun) + std::to_string(heard.ended) +
                    (failure.empty() ? " answered" : " failed"));
        if (crashed.count() > 1) throw std::runtime_error("more than once");
      });
  CHECK(tried.complete);
  CHECK(most_lives == 2);
  // At first, and all comes after the restart; in between; while the handler waits; after all.
  CHECK(seen.count("a11 answered") == 1);
  CHECK(seen.count("a10 failed") == 1);
}

TEST_CASE(
    "an actor that is made to crash where nobody supervises it ends, and that is no failure") {
  in_world([]() -> coro<> {
    notes heard;
    auto to = spawn<listener>(std::ref(heard));
    interception rules;
    rules.crash(to);
    const std::string failure = co_await failure_of(to.ask(question{1}));
    CHECK(failure.find("dead") != std::string::npos);
  });
}

TEST_CASE("what a rule throws is a failure of the scenario") {
  try {
    in_world([]() -> coro<> {
      notes heard;
      auto to = spawn<listener>(std::ref(heard));
      interception rules;
      static_cast<void>(
          rules.each<word>().rewrite([](word&) { throw std::logic_error("a typo"); }));
      to.tell(word{"a"});
      co_await sleep(1s);
    });
    FAIL("it did not fail");
  } catch (const unexpected_failure& failed) {
    CHECK(std::string(failed.what()).find("a rule of an interception threw") != std::string::npos);
    CHECK(std::string(failed.what()).find("a typo") != std::string::npos);
  }
}

TEST_CASE("an interception is refused where there is no simulation, or another one") {
  CHECK_THROWS_AS(interception(), invalid_state);
  in_world([]() -> coro<> {
    interception rules;
    CHECK_THROWS_AS(interception(), invalid_state);
    CHECK_THROWS_AS(rules.each<word>().times(0).drop(), std::invalid_argument);
    CHECK_THROWS_AS(rules.each<word>().delay(-1s), std::invalid_argument);
    CHECK_THROWS_AS(rules.each<word>().delay(2s, 1s), std::invalid_argument);
    CHECK_THROWS_AS(rules.each<word>().reorder(0), std::invalid_argument);
    co_return;
  });
}

TEST_CASE("a message that a later rule drops crashes nobody, nor does another in its place") {
  in_world([]() -> coro<> {
    notes heard;
    auto boss = spawn<supervisor>(std::ref(heard));
    auto to = co_await boss.ask(whom{});
    interception rules;
    const auto is_x = [](const word& each) { return each.text == "x"; };
    const rule crashed = rules.each<word>().where(is_x).crash(moment::after);
    static_cast<void>(rules.each<word>().where(is_x).drop());
    for (int each = 0; each < 20; ++each) to.tell(word{"x"});
    co_await sleep(1s);
    for (int each = 0; each < 20; ++each) to.tell(word{"y"});
    co_await sleep(1s);
    CHECK(crashed.count() == 0);
    CHECK(heard.lives == 1);
  });
}

TEST_CASE("a rule that is to crash a process in the midst of a message says that it has none") {
  CHECK_THROWS_WITH(in_world([]() -> coro<> {
                      auto body = [](mailbox<word>& inbox) -> coro<> {
                        for (;;) static_cast<void>(co_await inbox.receive());
                      };
                      auto to = spawn(body);
                      interception rules;
                      static_cast<void>(rules.each<word>().crash(moment::after));
                      to.tell(word{"a"});
                      co_await sleep(1s);
                    }),
                    Catch::Contains("a process has no handlers"));
}
