// What becomes of messages that nobody handles: counted by reason, told, reported in debug mode.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/counts.hpp>
#include <troupe/actors/dead_letter.hpp>
#include <troupe/actors/router.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

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

}  // namespace

TEST_CASE("dead letters are told with their reason and their addressee, and counted") {
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

TEST_CASE("in debug mode each dead letter is reported") {
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
