// Receives of a process that wait for so long, or not at all.
#include <troupe/actors/process.hpp>
#include <troupe/runtime/timeout.hpp>

#include "actors/helpers.hpp"
#include "actors/listening.hpp"
#include "support/catch.hpp"

#include <optional>
#include <string>
#include <variant>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::hearing;

TEST_CASE("a receive with a time-out gives nothing when no such message comes in time") {
  CHECK(play(
            [](inbox_of_all& inbox, journal& into) -> coro<> {
              for (int times = 0; times < 3; ++times) {
                const std::optional<number> got = co_await inbox.receive<number>(after(1s));
                into.push_back(got ? std::to_string(got->value) : "nothing");
              }
              auto any = co_await inbox.receive(after(1s));
              into.push_back(any ? std::get<word>(*any).text : "nothing");
              any = co_await inbox.receive(after(1s));
              into.push_back(any ? "something" : "nothing");
            },
            [](actor_ref<listening> to, journal& into) -> coro<> {
              co_await sleep(500ms);
              to.tell(word{"a word"});
              co_await sleep(600ms);
              into.push_back("a second has passed");
              to.tell(number{7});
              auto end = to.stopped();
              static_cast<void>(co_await end);
            }) == journal{"nothing", "a second has passed", "7", "nothing", "a word", "nothing"});
}

TEST_CASE("a receive with no time takes what is there, and lets others run before it gives up") {
  CHECK(play(
            [](inbox_of_all& inbox, journal& into) -> coro<> {
              for (int times = 0; times < 4; ++times) {
                const auto got = co_await inbox.receive<number>(after(0s));
                into.push_back(got ? std::to_string(got->value) : "nothing");
              }
            },
            [](actor_ref<listening> to, journal&) -> coro<> {
              to.tell(number{1});
              to.tell(number{2});
              auto end = to.stopped();
              static_cast<void>(co_await end);
            }) == journal{"1", "2", "nothing", "nothing"});
}

TEST_CASE("a receive may wait without end, or run in a time limit") {
  CHECK(play(
            [](inbox_of_all& inbox, journal& into) -> coro<> {
              const auto first = co_await inbox.receive<number>(after(infinite));
              into.push_back(std::to_string(first->value));
              for (int times = 0; times < 2; ++times) {
                try {
                  const number n = co_await timeout(1s, inbox.receive<number>());
                  into.push_back(std::to_string(n.value));
                } catch (const timeout_error&) {
                  into.push_back("time-out");
                }
              }
            },
            [](actor_ref<listening> to, journal&) -> coro<> {
              co_await sleep(1h);
              to.tell(number{1});
              to.tell(number{2});
              auto end = to.stopped();
              static_cast<void>(co_await end);
            }) == journal{"1", "2", "time-out"});
}

TEST_CASE("a message that comes in the moment of a time-out is not lost") {
  for (const auto early : {1ns, 0ns, -1ns}) {
    const journal got = play(
        [](mailbox<number>& inbox, journal& into) -> coro<> {
          const auto first = co_await inbox.receive(after(1s));
          if (first) into.push_back(std::to_string(first->value));
          try {
            const number second = co_await timeout(1s, inbox.receive());
            into.push_back(std::to_string(second.value));
          } catch (const timeout_error&) {
          }
          while (const auto more = inbox.try_receive()) into.push_back(std::to_string(more->value));
        },
        [early](actor_ref<protocol<number>> to, journal&) -> coro<> {
          co_await sleep(1s - early);
          to.tell(number{1});
          co_await sleep(1s);
          to.tell(number{2});
          auto end = to.stopped();
          static_cast<void>(co_await end);
        });
    // What comes when the process has ended is a dead letter; the first has always a receive that takes it.
    REQUIRE(!got.empty());
    CHECK(got.front() == "1");
  }
}

TEST_CASE("try_receive takes what is there and never waits") {
  CHECK(play(
            [](inbox_of_all& inbox, journal& into) -> coro<> {
              into.push_back(inbox.try_receive() ? "something" : "nothing");
              co_await sleep(1s);
              const std::optional<word> w = inbox.try_receive<word>();
              into.push_back(w ? w->text : "nothing");
              while (auto any = inbox.try_receive<number, finish>())
                into.push_back(any->index() == 0 ? "a number" : "finish");
              into.push_back(inbox.try_receive() ? "something" : "nothing");
            },
            [](actor_ref<listening> to, journal&) -> coro<> {
              co_await settle();
              to.tell(number{1});
              to.tell(word{"a"});
              to.tell(finish{});
              auto end = to.stopped();
              static_cast<void>(co_await end);
            }) == journal{"nothing", "a", "a number", "finish", "nothing"});
}
