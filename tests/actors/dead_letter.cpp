// What becomes of messages that nobody handles: counted by reason, told, reported in debug mode.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/actor_roots.hpp>
#include <troupe/actors/counts.hpp>
#include <troupe/actors/dead_letter.hpp>
#include <troupe/actors/router.hpp>

#include "actors/helpers.hpp"
#include "actors/scribe.hpp"
#include "support/explored.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::writing;

namespace {

struct post {};
struct ponder {};
using posted = protocol<post, ponder>;

class box : public actor<posted> {
 public:
  void on(post) {}
  coro<> on(ponder) { co_await sleep(1s); }
};

const char* word(dead_letter::reason why) {
  switch (why) {
    case dead_letter::reason::dead:
      return "dead";
    case dead_letter::reason::full:
      return "full";
    case dead_letter::reason::dropped:
      return "dropped";
    case dead_letter::reason::nobody:
      break;
  }
  return "nobody";
}

actor_ref<posted> busy_box(overflow when_full) {
  auto made =
      spawn<box>(spawn_options{.name = "small", .on = place::here, .mailbox = {1, when_full, 0}});
  made.tell(ponder{});
  return made;
}

std::uint64_t dead_letters() {
  return troupe::internal::actor_roots::of_current_loop().dead_letters;
}

}  // namespace

TROUPE_PROGRAM_TEST_CASE(
    "dead letters are told with their reason and their addressee, and counted") {
  journal told;
  auto body = [&]() -> coro<> {
    on_dead_letter([&told](const dead_letter& letter) {
      told.push_back(std::string(word(letter.why)) + ": " + letter.to.description());
      CHECK(letter.message.find("post") != std::string_view::npos);
    });
    auto gone = spawn<box>({.name = "gone"});
    gone.stop();
    co_await gone.stopped();
    gone.tell(post{});
    auto rejecting = busy_box(overflow::reject);
    auto dropping = busy_box(overflow::drop_newest);
    co_await settle();
    for (const auto& each : {rejecting, dropping}) {
      each.tell(post{});
      each.tell(post{});
    }
    router<posted> nobody;
    nobody.tell(post{});
    const actor_counts counts = counts_of_loop();
    CHECK(counts.dead_letters == 4);
    CHECK(counts.refused_as_full == 1);
    CHECK(counts.dropped == 1);
    // An empty handler ends it.
    on_dead_letter({});
    gone.tell(post{});
    CHECK(counts_of_loop().dead_letters == 5);
  };
  testing::run(body());
  REQUIRE(told.size() == 4);
  CHECK(starts_with(told[0], "dead: "));
  CHECK(told[0].find("box 'gone'") != std::string::npos);
  CHECK(starts_with(told[1], "full: "));
  CHECK(starts_with(told[2], "dropped: "));
  CHECK(told[3] == "nobody: nobody");
}

TROUPE_PROGRAM_TEST_CASE("in debug mode each dead letter is reported") {
  failure_log log;
  auto body = []() -> coro<> {
    loop::current()->set_debug(true);
    auto gone = spawn<box>({.name = "gone"});
    gone.stop();
    co_await gone.stopped();
    gone.tell(post{});
  };
  testing::run(body(), &log);
  CHECK(log.reports().size() == 1);
  CHECK(log.count("box 'gone', which is dead or stopping") == 1);
  CHECK(log.count("dead letter: ") == 1);
}

TEST_CASE("dead letters of other loops are told there") {
  std::atomic<int> told{0};
  auto body = [&]() -> coro<> {
    on_dead_letter([&told](const dead_letter& letter) {
      if (letter.why == dead_letter::reason::dead) ++told;
    });
    auto there = spawn<box>(place::on(1));
    there.stop();
    co_await there.stopped();
    for (int times = 0; times < 10; ++times) there.tell(post{});
    while (told != 10) co_await sleep(1ms);
    const actor_counts counts = co_await counts_of_runtime();
    CHECK(counts.dead_letters == 10);
  };
  testing::run_on(2, body());
}

TROUPE_PROGRAM_TEST_CASE("messages told to a dead actor are counted as dead letters") {
  journal pages;
  auto body = [](journal& into) -> coro<std::uint64_t> {
    auto writes = spawn<scribe>(std::ref(into));
    writes.stop();
    co_await settle();
    const std::uint64_t before = dead_letters();
    writes.tell(note{"1"});
    writes.tell(wait_and_note{"2"});
    co_return dead_letters() - before;
  };
  CHECK(testing::run(body(pages)) == 2);
}

TROUPE_PROGRAM_TEST_CASE("messages that are queued when an actor stops are dead letters") {
  journal pages;
  auto body = [](journal& into) -> coro<std::uint64_t> {
    auto writes = spawn<scribe>(std::ref(into));
    for (int index = 0; index < 5; ++index) writes.tell(note{"never"});
    writes.stop();
    co_await settle();
    co_return dead_letters();
  };
  CHECK(testing::run(body(pages)) == 5);
  CHECK(pages.empty());
}

TROUPE_PROGRAM_TEST_CASE(
    "a message in the hands of a coroutine handler that a stop cancels is a dead letter") {
  journal pages;
  auto body = [](journal& into) -> coro<std::uint64_t> {
    auto writes = spawn<scribe>(std::ref(into));
    writes.tell(wait_and_note{"half"});
    co_await settle();
    writes.stop();
    co_await settle();
    co_return dead_letters();
  };
  CHECK(testing::run(body(pages)) == 1);
}

TROUPE_PROGRAM_TEST_CASE("an ask of a dead actor is no dead letter: its asker hears") {
  struct question {
    using reply = int;
  };
  struct oracle : actor<protocol<question>> {
    int on(question) { return 42; }
  };
  auto body = []() -> coro<std::uint64_t> {
    auto asked = spawn<oracle>();
    asked.stop();
    co_await settle();
    static_cast<void>(co_await ending(asked.ask(question{})));
    co_return dead_letters();
  };
  CHECK(testing::run(body()) == 0);
}
