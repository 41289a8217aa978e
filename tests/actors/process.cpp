// What a process receives: any message, some of them, in time or not.
#include <troupe/actors/process.hpp>
#include <troupe/runtime/timeout.hpp>

#include "actors/helpers.hpp"
#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct number {
  int value;
};
struct word {
  std::string text;
};
struct parcel {
  std::unique_ptr<int> content;
};
struct sum {
  using reply = int;
};
struct finish {};
using listening = protocol<number, word, sum, finish>;
using inbox_of_all = mailbox<number, word, sum, finish>;

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

/// Lets `body` be a process, to which `script` sends, and gives the journal.
template <class Process, class Script>
journal play(Process body, Script script) {
  journal into;
  auto scene = [&]() -> coro<> {
    auto to = spawn(body, std::ref(into));
    co_await script(to, into);
  };
  testing::run(scene());
  return into;
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

TEST_CASE("a receive of one type takes the oldest of that type and leaves the others in order") {
  auto choosy = [](inbox_of_all& inbox, journal& into) -> coro<> {
    for (int times = 0; times < 2; ++times) {
      const number n = co_await inbox.receive<number>();
      into.push_back(std::to_string(n.value));
    }
    for (int times = 0; times < 3; ++times) {
      auto left = co_await inbox.receive();
      auto* const w = std::get_if<word>(&left);
      into.push_back(w != nullptr ? w->text : std::to_string(std::get<number>(left).value));
    }
  };
  CHECK(play(choosy, [](actor_ref<listening> to, journal&) -> coro<> {
          to.tell(word{"a"});
          to.tell(word{"b"});
          to.tell(number{1});
          co_await settle();
          to.tell(number{2});
          to.tell(number{3});
          co_await settle();
        }) == journal{"1", "2", "a", "b", "3"});
}

TEST_CASE("a receive of several types takes the oldest message that is one of them") {
  auto choosy = [](inbox_of_all& inbox, journal& into) -> coro<> {
    for (int times = 0; times < 2; ++times) {
      auto got = co_await inbox.receive<word, number>();
      static_assert(std::is_same_v<decltype(got), std::variant<word, number>>);
      into.push_back(got.index() == 0 ? std::get<word>(got).text
                                      : std::to_string(std::get<number>(got).value));
    }
    static_cast<void>(co_await inbox.receive<finish>());
    into.push_back("finish");
  };
  CHECK(play(choosy, [](actor_ref<listening> to, journal&) -> coro<> {
          to.tell(finish{});
          to.tell(number{1});
          to.tell(word{"a"});
          co_await settle();
        }) == journal{"1", "a", "finish"});
}

TEST_CASE("a process looks for something else among the messages that it passed over") {
  auto choosy = [](inbox_of_all& inbox, journal& into) -> coro<> {
    static_cast<void>(co_await inbox.receive<finish>());
    const word w = co_await inbox.receive<word>();
    static_cast<void>(co_await inbox.receive<finish>());
    const number n = co_await inbox.receive<number>();
    into.push_back(w.text + std::to_string(n.value));
    auto last = co_await inbox.receive();
    into.push_back(std::get<word>(last).text);
  };
  CHECK(play(choosy, [](actor_ref<listening> to, journal&) -> coro<> {
          to.tell(number{1});
          to.tell(word{"a"});
          to.tell(finish{});
          to.tell(word{"b"});
          to.tell(finish{});
          co_await settle();
        }) == journal{"a1", "b"});
}

TEST_CASE(
    "the message at the place up to which a process has looked may be taken by another receive") {
  auto choosy = [](inbox_of_all& inbox, journal& into) -> coro<> {
    static_cast<void>(co_await inbox.receive<finish>());  // passes the word over
    auto first = co_await inbox.receive();                // takes it
    into.push_back(std::get<word>(first).text);
    static_cast<void>(co_await inbox.receive<finish>());
    into.push_back("finish");
    auto last = co_await inbox.receive();
    into.push_back(std::get<word>(last).text);
  };
  CHECK(play(choosy, [](actor_ref<listening> to, journal&) -> coro<> {
          to.tell(word{"a"});
          to.tell(finish{});
          co_await settle();
          to.tell(word{"b"});
          to.tell(finish{});
          co_await settle();
        }) == journal{"a", "finish", "b"});
}

namespace {

/// One receive of a script: of a number, a word, or either, by a receive of both or of any.
enum class wish { number, word, both, any };

struct random_script {
  explicit random_script(std::uint64_t seed) : random(seed) {
    std::vector<std::pair<bool, int>> left;
    for (int place = 0; place < 80; ++place) left.emplace_back(random.below(2) == 0, place);
    sent = left;
    while (!left.empty()) {
      const auto wanted = static_cast<wish>(random.below(4));
      auto found = left.begin();
      while (found != left.end() && (wanted == wish::number || wanted == wish::word) &&
             found->first != (wanted == wish::number))
        ++found;
      if (found == left.end()) continue;
      wishes.push_back(wanted);
      expected.push_back(std::to_string(found->second));
      left.erase(found);
    }
  }

  random_numbers random;
  std::vector<std::pair<bool, int>> sent;  ///< whether it is a number, and its place
  std::vector<wish> wishes;
  journal expected;
};

coro<> wishful(mailbox<number, word, finish>& inbox, const std::vector<wish>& wishes,
               journal& into) {
  auto note = [&](const auto& got) {
    if constexpr (requires { got.value; }) into.push_back(std::to_string(got.value));
    if constexpr (requires { got.text; }) into.push_back(got.text);
  };
  for (const wish each : wishes) {
    if (each == wish::number) {
      const auto got = co_await inbox.receive<number>();
      note(got);
    } else if (each == wish::word) {
      const auto got = co_await inbox.receive<word>();
      note(got);
    } else if (each == wish::both) {
      const auto got = co_await inbox.receive<word, number>();
      std::visit(note, got);
    } else {
      const auto got = co_await inbox.receive();
      std::visit(note, got);
    }
  }
}

}  // namespace

TEST_CASE("random receives take what a list gives that is searched from its beginning") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    random_script script(seed);
    journal received;
    auto body = [&]() -> coro<> {
      auto to = spawn(wishful, std::cref(script.wishes), std::ref(received));
      auto end = to.stopped();
      for (const auto& [is_number, place] : script.sent) {
        if (is_number) {
          to.tell(number{place});
        } else {
          to.tell(word{std::to_string(place)});
        }
        if (script.random.below(4) == 0) co_await sleep(0s);
      }
      static_cast<void>(co_await end);
    };
    testing::run(body());
    INFO("seed " << seed);
    CHECK(received == script.expected);
  }
}

TEST_CASE(
    "thousands of messages that a process keeps are looked at once, however many others come") {
  // Each of the receives would take a walk of ten thousand steps: a second and more. The test counts no time; it is quick or not.
  constexpr int many = 10'000;
  int taken = 0;
  int kept = 0;
  auto body = [&]() -> coro<> {
    auto keeper = [&](mailbox<number, word>& inbox) -> coro<> {
      while (taken < many) {
        const word w = co_await inbox.receive<word>();
        taken += static_cast<int>(w.text.size());
      }
      while (std::optional<number> n = inbox.try_receive<number>()) kept += n->value == kept;
    };
    auto to = spawn(keeper);
    for (int count = 0; count < many; ++count) to.tell(number{count});
    co_await settle();
    for (int count = 0; count < many; ++count) {
      to.tell(word{"w"});
      if (count % 2 == 0) co_await sleep(0s);
    }
    auto end = to.stopped();
    static_cast<void>(co_await end);
  };
  testing::run(body());
  CHECK(taken == many);
  CHECK(kept == many);
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

TEST_CASE("a process that sends to itself lets others run") {
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

// --- time-outs --------------------------------------------------------------------------------------------------------

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

// --- who may receive --------------------------------------------------------------------------------------------------

TEST_CASE("a receive outside the process itself is an error that says so") {
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

// --- how a receive is written -----------------------------------------------------------------------------------------

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
