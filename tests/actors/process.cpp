// What a process receives: every message in order, of any type; who may receive, and how a receive is written.
#include <troupe/actors/process.hpp>

#include "actors/helpers.hpp"
#include "actors/listening.hpp"
#include "support/explored.hpp"

#include <memory>
#include <string>
#include <variant>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::hearing;

namespace {

struct parcel {
  std::unique_ptr<int> content;
};

/// Notes what comes until it is told to finish.
coro<> listener(inbox_of_all& inbox, journal& into) {
  int total = 0;
  for (bool more = true; more;) {
    auto got = co_await inbox.receive();
    match(
        got,
        [&](number n) {
          total += n.value;
          into.push_back(std::to_string(n.value));
        },
        [&](word& w) { into.push_back(w.text); }, [&](asked<sum>& s) { s.reply.answer(total); },
        [&](finish) { more = false; });
  }
  into.push_back("finished");
}

}  // namespace

TEST_CASE("a process receives its messages in the order they came") {
  CHECK(play(listener, [](actor_ref<listening> to, journal&) -> coro<> {
          to.tell(number{1});
          to.tell(word{"two"});
          to.tell(number{3});
          const int total = co_await to.ask(sum{});
          CHECK(total == 4);
          to.tell(finish{});
          auto end = to.stopped();
          static_cast<void>(co_await end);
        }) == journal{"1", "two", "3", "finished"});
}

TEST_CASE("a message may be of a type that can only be moved") {
  CHECK(play(
            [](mailbox<parcel>& inbox, journal& into) -> coro<> {
              for (;;) {
                const parcel p = co_await inbox.receive();  // one type in the mailbox: no variant
                into.push_back(std::to_string(*p.content));
              }
            },
            [](actor_ref<protocol<parcel>> to, journal&) -> coro<> {
              to.tell(parcel{std::make_unique<int>(1)});
              to.tell(parcel{std::make_unique<int>(2)});
              co_await settle();
            }) == journal{"1", "2"});
}

TROUPE_PROGRAM_TEST_CASE("a process that sends to itself lets others run") {
  int rounds_of_others = 0;
  auto body = [&]() -> coro<> {
    auto restless = [](mailbox<number>& inbox) -> coro<> {
      inbox.self().tell(number{0});
      for (;;) inbox.self().tell(co_await inbox.receive());
    };
    auto to = spawn(restless);
    for (; rounds_of_others < 5; ++rounds_of_others) co_await sleep(0s);
    to.stop();
    auto end = to.stopped();
    static_cast<void>(co_await end);
  };
  testing::run(body());
  CHECK(rounds_of_others == 5);
}

TROUPE_PROGRAM_TEST_CASE("a receive outside the process itself is an error that says so") {
  failure_log log;
  auto body = []() -> coro<std::string> {
    std::string said;
    auto careless = [&](mailbox<number>& inbox) -> coro<> {
      auto inner = [](mailbox<number>& of_other) -> coro<number> {
        co_return co_await of_other.receive();
      };
      auto helper = inbox.create_task(inner(inbox));
      try {
        static_cast<void>(co_await helper);
      } catch (const invalid_state& error) {
        said = error.what();
      }
      const number still = co_await inbox.receive();
      said += " / " + std::to_string(still.value);
    };
    auto to = spawn({.name = "careless"}, careless);
    auto end = to.stopped();
    co_await settle();
    to.tell(number{5});
    static_cast<void>(co_await end);
    co_return said;
  };
  const std::string said = testing::run(body());
  CHECK(starts_with(said, "the mailbox of troupe::process<"));
  CHECK(said.find("number> 'careless' was used outside of the process: only its own coroutine "
                  "receives") != std::string::npos);
  CHECK(said.substr(said.size() - 4) == " / 5");
}

TEST_CASE("a receive may be named, and awaited again") {
  CHECK(play(
            [](mailbox<word>& inbox, journal& into) -> coro<> {
              auto next = inbox.receive(after(1s));
              const auto first = co_await next;
              co_await sleep(3s);  // its time has passed
              const auto second = co_await next;
              const auto third = co_await next;
              into.push_back(first->text + second->text + (third ? third->text : "nothing"));
            },
            [](actor_ref<protocol<word>> to, journal&) -> coro<> {
              co_await settle();
              to.tell(word{"a "});
              co_await sleep(1s);
              to.tell(word{"b "});
              auto end = to.stopped();
              static_cast<void>(co_await end);
            }) == journal{"a b nothing"});
}

TEST_CASE("a message may be received inside an expression") {
  CHECK(play(
            [](mailbox<word, finish>& inbox, journal& into) -> coro<> {
              into.push_back((co_await inbox.receive<word>()).text +
                             std::get<word>(co_await inbox.receive()).text);
              const bool ended = match(
                  co_await inbox.receive(), [](const word&) { return false; },
                  [](finish) { return true; });
              into.push_back(ended ? "finish" : "a word");
            },
            [](actor_ref<protocol<word, finish>> to, journal&) -> coro<> {
              for (int times = 0; times < 2; ++times) {
                to.tell(word{"a text that is longer than a small string "});
                co_await settle();
              }
              to.tell(finish{});
              auto end = to.stopped();
              static_cast<void>(co_await end);
            }) == journal{"a text that is longer than a small string "
                          "a text that is longer than a small string ",
                          "finish"});
}
