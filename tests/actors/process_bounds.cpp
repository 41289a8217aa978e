// Processes whose mailbox has bounds, urgent messages, and stops that drain.
#include <troupe/actors/process.hpp>

#include "actors/helpers.hpp"
#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <functional>
#include <string>
#include <utility>
#include <variant>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct number {
  int value;
};
struct word {
  std::string text;
};
struct sum {
  using reply = int;
};
using listening = protocol<number, word, sum>;
using listening_box = mailbox<number, word, sum>;

std::string text_of(const std::variant<number, word, asked<sum>>& got) {
  if (const auto* const n = std::get_if<number>(&got)) return std::to_string(n->value);
  if (const auto* const w = std::get_if<word>(&got)) return w->text;
  return "sum";
}

/// Notes all that comes, but works on each for a second.
coro<> slow(listening_box& inbox, journal& into) {
  for (;;) {
    auto got = co_await inbox.receive();
    co_await sleep(1s);
    into.push_back(text_of(got));
    if (auto* const s = std::get_if<asked<sum>>(&got)) s->reply.answer(1);
  }
}

/// Wants words only, until "all" comes.
coro<> choosy(listening_box& inbox, journal& into) {
  for (;;) {
    const word w = co_await inbox.receive<word>();
    into.push_back(w.text);
    if (w.text != "all") continue;
    while (const auto left = inbox.try_receive()) into.push_back(text_of(*left));
  }
}

}  // namespace

TEST_CASE("a full mailbox of a process refuses, and has room again for each message received") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto to = spawn({.mailbox = {.capacity = 2}}, slow, std::ref(into));
          co_await settle();
          to.tell(number{1});
          co_await settle();  // in hand
          for (int value = 2; value < 6; ++value) to.tell(number{value});
          auto refused = to.ask(sum{});
          into.push_back((co_await ending(std::move(refused))).substr(0, 6));
          co_await sleep(1s);
          to.tell(number{6});
          to.tell(number{7});
          co_await sleep(10s);
        }) == journal{"error:", "1", "2", "3", "6"});
}

TEST_CASE("who sends to a process with a full mailbox waits for room, in order") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto to = spawn({.mailbox = {.capacity = 1, .when_full = overflow::suspend}}, slow,
                          std::ref(into));
          for (int value = 1; value < 5; ++value) {
            auto sent = to.send(number{value});
            co_await sent;
          }
          into.push_back("sent");
          auto answer = to.ask(sum{}, infinite);
          static_cast<void>(co_await answer);
        }) == journal{"1", "2", "sent", "3", "4", "sum"});
}

TEST_CASE("a message that a process has looked at may be dropped for a newer one") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto to = spawn({.mailbox = {.capacity = 2, .when_full = overflow::drop_oldest}}, choosy,
                          std::ref(into));
          co_await settle();
          for (int value = 1; value < 6; ++value) {
            to.tell(number{value});
            co_await settle();
          }
          to.tell(word{"first"});
          co_await settle();
          to.tell(number{6});
          to.tell(word{"all"});
          co_await settle();
        }) == journal{"first", "all", "6"});
}

TROUPE_PROGRAM_TEST_CASE(
    "messages that a process keeps are dropped for newer ones as from a list") {
  journal into;
  journal expected;
  auto body = [&]() -> coro<> {
    auto to = spawn({.mailbox = {.capacity = 3, .when_full = overflow::drop_oldest}}, choosy,
                    std::ref(into));
    journal kept;
    random_numbers random(7);
    for (int count = 0; count < 300; ++count) {
      const std::size_t kind = random.below(6);
      if (kept.size() == 3) kept.erase(kept.begin());
      if (kind > 1) {
        to.tell(number{count});
        kept.push_back(std::to_string(count));
      } else {
        to.tell(word{kind == 0 ? "one" : "all"});
        expected.push_back(kind == 0 ? "one" : "all");
        if (kind == 1) expected.insert(expected.end(), kept.begin(), kept.end());
        if (kind == 1) kept.clear();
      }
      co_await settle();
    }
  };
  testing::run(body());
  CHECK(into == expected);
}

TEST_CASE("an urgent message comes to a process before those that wait, and behind urgent ones") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto to = spawn(slow, std::ref(into));
          co_await settle();
          to.tell(number{1});
          co_await settle();
          to.tell(number{2});
          to.tell(number{3}, urgent);
          to.tell(number{4}, urgent);
          co_await sleep(10s);
          to.tell(number{5}, urgent);
          co_await sleep(10s);
        }) == journal{"1", "3", "4", "2", "5"});
}

TEST_CASE("an urgent message that a process does not want yet waits before the others") {
  for (const std::size_t capacity : {0, 5}) {
    CHECK(journal_of([capacity](journal& into) -> coro<> {
            auto to = spawn({.mailbox = {.capacity = capacity}}, choosy, std::ref(into));
            co_await settle();
            to.tell(number{1});
            to.tell(number{2}, urgent);
            co_await settle();
            to.tell(number{3}, urgent);
            co_await settle();
            to.tell(word{"early"}, urgent);
            co_await settle();
            to.tell(word{"all"});
            co_await settle();
          }) == journal{"early", "all", "2", "3", "1"});
  }
}

TEST_CASE("a process that drains works off what waits, takes nothing new, and is stopped then") {
  for (const std::size_t capacity : {0, 5}) {
    CHECK(journal_of([capacity](journal& into) -> coro<> {
            auto to = spawn({.mailbox = {.capacity = capacity}}, slow, std::ref(into));
            to.tell(number{1});
            to.tell(number{2});
            co_await settle();
            to.stop_when_drained();
            to.tell(number{3});
            const exit_reason why = co_await to.stopped();
            into.push_back(why.text());
          }) == journal{"1", "2", "stopped"});
  }
}

TEST_CASE("a process that drains ends with what it never wants, and when its time is over") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto to = spawn(choosy, std::ref(into));
          to.tell(number{1});
          to.tell(word{"a word"});
          co_await settle();
          to.stop_when_drained();
          const exit_reason why = co_await to.stopped();
          into.push_back(why.text());
          auto other = spawn(slow, std::ref(into));
          for (int value = 1; value < 9; ++value) other.tell(number{value});
          co_await settle();
          other.stop_when_drained(2500ms);
          const exit_reason late = co_await other.stopped();
          into.push_back(late.text());
        }) == journal{"a word", "stopped", "1", "2", "stopped"});
}

TEST_CASE("a process that keeps ever more messages without a bound is reported") {
  failure_log log;
  auto body = []() -> coro<> {
    auto to = spawn(
        [](listening_box& inbox) -> coro<> { static_cast<void>(co_await inbox.receive<sum>()); });
    co_await settle();
    for (std::size_t count = 0; count < default_high_water + 10; ++count) {
      to.tell(number{1});
      if (count % 2 == 0) co_await sleep(0s);
    }
  };
  testing::run(body(), &log);
  CHECK(log.count("messages waiting and no bound") == 1);
}
