// How a process starts, and how it ends by itself: by returning, and by what it throws.
#include <troupe/actors/process.hpp>

#include "actors/helpers.hpp"
#include "actors/mourner.hpp"
#include "support/catch.hpp"

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::mourning;

TEST_CASE("a process ends when its coroutine returns") {
  const played result = play([](journal& into) -> coro<> {
    auto short_lived = [](noting_box& inbox, journal& notes) -> coro<> {
      const note n = co_await inbox.receive<note>();
      notes.push_back(n.text);
    };
    auto one = spawn(short_lived, std::ref(into));
    auto end = reason_of(one.stopped());
    one.tell(note{"only"});
    one.tell(note{"never"});
    auto late = one.ask(question{});
    into.push_back(co_await end);
    into.push_back(co_await ending(std::move(late)));
    into.push_back(co_await ending(one.ask(question{})));
  });
  REQUIRE(result.into.size() == 4);
  CHECK(result.into[0] + " " + result.into[1] == "only stopped");
  CHECK(starts_with(result.into[2], "dead: "));
  CHECK(starts_with(result.into[3], "dead: "));
  CHECK(result.log.text() == "");
}

TEST_CASE("a process that never waits ends as well") {
  const played result = play([](journal& into) -> coro<> {
    auto one = spawn(
        [](noting_box&, journal& notes) -> coro<> {
          notes.push_back("ran");
          co_return;
        },
        std::ref(into));
    into.push_back("spawned");
    into.push_back(co_await reason_of(one.stopped()));
  });
  CHECK(result.into == journal{"spawned", "ran", "stopped"});
}

TEST_CASE("a process that throws has crashed, which monitors are told") {
  const played result = play([](journal& into) -> coro<> {
    auto one = spawn(tidy, std::ref(into));
    one.tell(fall{});
    into.push_back(co_await reason_of(one.stopped()));
  });
  CHECK(result.into == journal{"frame gone", "crashed: std::runtime_error: no rope"});
  CHECK(result.log.count("crashed") == 1);
}

TEST_CASE("a process may throw before its first await, or be a function that throws") {
  for (const bool no_coroutine : {false, true}) {
    const played result = play([no_coroutine](journal& into) -> coro<> {
      auto throws = [](noting_box&, bool at_once) -> coro<> {
        auto later = []() -> coro<> {
          throw std::runtime_error("no rope");
          co_return;
        };
        if (at_once) throw std::runtime_error("no rope");
        return later();
      };
      auto one = spawn(throws, no_coroutine);
      auto answer = one.ask(question{});
      into.push_back(co_await reason_of(one.stopped()));
      into.push_back(co_await ending(std::move(answer)));
    });
    REQUIRE(result.into.size() == 2);
    CHECK(result.into[0] == "crashed: std::runtime_error: no rope");
    CHECK(starts_with(result.into[1], "dead: "));
    CHECK(result.log.count("crashed") == 1);
  }
}

TEST_CASE("a process that lets a cancellation escape which is not its own has crashed") {
  const played result = play([](journal& into) -> coro<> {
    auto careless = [](noting_box&) -> coro<> {
      throw cancelled{};
      co_return;
    };
    auto one = spawn(careless);
    into.push_back(co_await reason_of(one.stopped()));
  });
  REQUIRE(result.into.size() == 1);
  CHECK(starts_with(result.into[0], "crashed: "));
}

TEST_CASE("a process knows its name and its ref") {
  const played result = play([](journal& into) -> coro<> {
    auto named = [](noting_box& inbox, journal& notes) -> coro<> {
      notes.push_back(std::string(inbox.name()));
      inbox.self().tell(note{"to myself"});
      const note n = co_await inbox.receive<note>();
      notes.push_back(n.text);
    };
    static_cast<void>(co_await spawn({.name = "ada"}, named, std::ref(into)).stopped());
    static_cast<void>(co_await spawn(named, std::ref(into)).stopped());
  });
  CHECK(result.into == journal{"ada", "to myself", "", "to myself"});
}
