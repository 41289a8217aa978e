// What states do when a machine enters or leaves them: they change the state again, throw, stop the machine.
#include <troupe/actors/state_machine.hpp>

#include "actors/door.hpp"
#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <stdexcept>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::doors;

TEST_CASE("on_enter and on_exit may change the state again") {
  CHECK(play("springs back",
             [](door_ref one, journal& into) -> coro<> {
               one.tell(push{});
               into.push_back(co_await state_of(one));
             }) == journal{"opened made by 1", "exits closed", "closed gone", "enters opened",
                           "closed made", "exits opened", "enters closed", "closed"});
  CHECK(play("locks",
             [](door_ref one, journal& into) -> coro<> {
               one.tell(push{});
               static_cast<void>(co_await one.ask(pull{}));
               into.push_back(co_await state_of(one));
             }) == journal{"opened made by 1", "exits closed", "closed gone", "enters opened",
                           "closed made", "exits opened", "closed gone", "enters locked",
                           "locked"});
}

TEST_CASE("an on_enter or on_exit that throws is a crash") {
  for (const std::string whims : {"breaks", "sticks"}) {
    failure_log log;
    const journal seen = play(
        whims,
        [](door_ref one, journal& into) -> coro<> {
          auto end_of_it = one.stopped();
          one.tell(push{});
          one.tell(pull{});
          const exit_reason why = co_await end_of_it;
          into.push_back(why.text());
        },
        &log);
    CHECK(seen.back() == (whims == "breaks" ? "crashed: std::runtime_error: no hinge"
                                            : "crashed: std::runtime_error: stuck"));
    CHECK(log.reports().size() == 1);
  }
}

TEST_CASE("an on_enter that throws when a coroutine handler has ended is a crash") {
  failure_log log;
  const journal seen = play(
      "breaks",
      [](door_ref one, journal& into) -> coro<> {
        auto end_of_it = one.stopped();
        auto waited = one.ask(wait_and_push{1s});
        auto after = one.ask(how{});
        into.push_back(co_await ending(std::move(waited)));
        into.push_back((co_await ending(std::move(after))).substr(0, 5));
        const exit_reason why = co_await end_of_it;
        into.push_back(why.text());
      },
      &log);
  CHECK(seen == journal{"opened made by 2", "waits", "still closed", "exits closed", "closed gone",
                        "enters opened", "1", "on_stop",
                        "dead:", "crashed: std::runtime_error: no hinge"});
}

TEST_CASE("a machine may stop in on_enter") {
  CHECK(
      play("stops", [](door_ref one, journal&) -> coro<> {
        one.tell(push{});
        one.tell(pull{});
        co_await settle();
      }) == journal{"opened made by 1", "exits closed", "closed gone", "enters opened", "on_stop"});
}

TROUPE_PROGRAM_TEST_CASE(
    "a state that enters itself anew without end is a crash instead of a hang") {
  struct ever;
  struct around : state_machine<around, protocol<push>, ever> {};
  struct ever : around::state {
    void on_enter() { become<ever>(); }
    void on(push) {}
  };
  failure_log log;
  auto body = []() -> coro<std::string> {
    auto one = spawn<around>();
    auto end_of_it = one.stopped();
    const exit_reason why = co_await end_of_it;
    co_return why.text();
  };
  const std::string why = testing::run(body(), &log);
  INFO(why << log.text());
  CHECK(why.find("change without a message") != std::string::npos);
}
