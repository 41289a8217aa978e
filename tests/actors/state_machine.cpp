// State machines: actors whose present state decides what a message does, and when a message changes the state.
#include <troupe/actors/actor_roots.hpp>
#include <troupe/actors/state_machine.hpp>

#include "actors/door.hpp"
#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <cstdint>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::doors;

TEST_CASE("a message changes the state when its handler has ended: exit, the old one gone, enter") {
  CHECK(play("",
             [](door_ref one, journal& into) -> coro<> {
               one.tell(push{});
               into.push_back(co_await state_of(one));
               const int pulled = co_await one.ask(pull{});
               into.push_back("pulled " + std::to_string(pulled));
               into.push_back(co_await state_of(one));
             }) == journal{"opened made by 1", "exits closed", "closed gone", "enters opened",
                           "opened", "closed made", "exits opened", "enters closed", "pulled 1",
                           "closed"});
}

TEST_CASE("a state's handler goes before the machine's, which is there for all other states") {
  CHECK(play("",
             [](door_ref one, journal& into) -> coro<> {
               into.push_back(co_await one.ask(knock{}));
               one.tell(push{});
               into.push_back(co_await one.ask(knock{}));
             }) == journal{"nobody hears", "opened made by 1", "exits closed", "closed gone",
                           "enters opened", "come in"});
}

TEST_CASE("a message that neither the state nor the machine takes is a dead letter, or rejected") {
  std::uint64_t letters = 0;
  const journal seen = play("", [&](door_ref one, journal& into) -> coro<> {
    const std::uint64_t before = internal::actor_roots::of_current_loop().dead_letters;
    one.tell(pull{});
    one.tell(shut_itself{});
    into.push_back(co_await ending(one.ask(pull{})));
    letters = internal::actor_roots::of_current_loop().dead_letters - before;
  });
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].find("rejected: ") == 0);
  CHECK(seen[0].find("door does not take ") != std::string::npos);
  CHECK(seen[0].find("::pull in its state ") != std::string::npos);
  CHECK(short_name(seen[0]) == "closed");
  CHECK(letters == 2);
}

TEST_CASE("the state of a coroutine handler stays until the coroutine has ended") {
  CHECK(play("",
             [](door_ref one, journal& into) -> coro<> {
               auto waited = one.ask(wait_and_push{1s});
               auto after = one.ask(knock{});
               const int first = co_await waited;
               into.push_back(std::to_string(first));
               into.push_back(co_await after);
             }) == journal{"opened made by 2", "waits", "still closed", "exits closed",
                           "closed gone", "enters opened", "1", "come in"});
}

TEST_CASE("a coroutine handler that is cancelled by the end of its machine changes no state") {
  CHECK(play("", [](door_ref one, journal& into) -> coro<> {
          auto waited = one.ask(wait_and_push{1s});
          co_await settle();
          one.stop();
          into.push_back((co_await ending(std::move(waited))).substr(0, 5));
        }) == journal{"opened made by 2", "waits", "dead:", "on_stop"});
}

TEST_CASE("of several changes in a handler the last one counts") {
  CHECK(play("",
             [](door_ref one, journal& into) -> coro<> {
               into.push_back(co_await ending(one.ask(whim("none"))));
             }) ==
        journal{"opened made by 3", "exits closed", "closed gone", "enters opened", "answered"});
}

TEST_CASE("a handler that rejects, crashes or stops the machine changes no state") {
  CHECK(play("", [](door_ref one, journal& into) -> coro<> {
          auto asked = one.ask(whim("rejects"));
          into.push_back(co_await ending(std::move(asked)));
          into.push_back(co_await state_of(one));
        }) == journal{"opened made by 3", "rejected: not now", "closed"});
  failure_log log;
  CHECK(play(
            "",
            [](door_ref one, journal& into) -> coro<> {
              auto asked = one.ask(whim("crashes"));
              into.push_back(co_await ending(std::move(asked)));
            },
            &log) == journal{"opened made by 3", "on_stop", "closed gone", "error: broken"});
  CHECK(play("", [](door_ref one, journal& into) -> coro<> {
          auto asked = one.ask(whim("stops"));
          into.push_back(co_await ending(std::move(asked)));
        }) == journal{"opened made by 3", "on_stop", "closed gone", "answered"});
}

TEST_CASE("what the constructor of a state throws comes out of become") {
  failure_log log;
  CHECK(play(
            "",
            [](door_ref one, journal& into) -> coro<> {
              auto asked = one.ask(whim("unlucky"));
              into.push_back(co_await ending(std::move(asked)));
            },
            &log) == journal{"opened made by 3", "on_stop", "closed gone", "error: unlucky"});
}

TEST_CASE("a state's timer ends with the state") {
  CHECK(play("shuts itself", [](door_ref one, journal& into) -> coro<> {
          one.tell(push{});
          co_await sleep(2s);
          into.push_back(co_await state_of(one));
          into.clear();
          one.tell(push{});
          co_await sleep(500ms);
          static_cast<void>(co_await one.ask(pull{}));
          one.tell(push{});
          co_await sleep(700ms);  // the first one would have come by now
          into.clear();
          into.push_back(co_await state_of(one));
          co_await sleep(1s);
          into.push_back(co_await state_of(one));
        }) == journal{"opened", "closed made", "exits opened", "enters closed", "closed"});
}

TEST_CASE("requests that one state puts aside are answered by another") {
  CHECK(play("",
             [](door_ref one, journal& into) -> coro<> {
               auto first = one.ask(deliver{});
               auto second = one.ask(deliver{});
               co_await settle();
               one.tell(push{});
               into.push_back(co_await ending(std::move(first)));
               into.push_back(co_await ending(std::move(second)));
             }) == journal{"opened made by 1", "exits closed", "closed gone", "enters opened",
                           "delivered", "delivered", "answered", "answered"});
}
