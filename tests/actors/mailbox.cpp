// Mailboxes with bounds: what becomes of a message for which there is no room, limits by type, high-water marks.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/bounds.hpp>

#include "actors/helpers.hpp"
#include "actors/notary.hpp"
#include "support/explored.hpp"

#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::notes;

namespace {

/// Only the last tick counts.
class ticker : public notary {
 public:
  using notary::notary;
  static constexpr message_limit limits[] = {limit<tick>(1, overflow::drop_oldest),
                                             limit<total>(2, overflow::suspend)};
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TROUPE_PROGRAM_TEST_CASE("a mailbox that rejects keeps what waits, and refuses the rest") {
  auto body = []() -> coro<> {
    std::vector<int> noted;
    // The message in hand waits no more: the capacity is for those behind it.
    auto bureau = spawn<notary>(bounded(10, overflow::reject), std::ref(noted));
    bureau.tell(hold{});
    co_await settle();
    for (int number = 0; number < 100; ++number) bureau.tell(note{number});
    CHECK(counts().refused_as_full == 90);
    CHECK(counts().dead_letters == 90);
    auto asked = bureau.ask(total{});
    const std::string end = co_await ending(std::move(asked));
    CHECK(contains(end, "notary has no room for "));
    CHECK(contains(end, "total: 10 messages wait"));
    auto sent = bureau.send(note{100});
    CHECK_THROWS_AS(co_await sent, mailbox_full);
    co_await sleep(2s);
    CHECK(noted == numbers(0, 9));
    const int after = co_await bureau.ask(total{});
    CHECK(after == 10);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE(
    "a mailbox that drops the newest loses them, and a sender is none the wiser") {
  auto body = []() -> coro<> {
    std::vector<int> noted;
    auto bureau = busy_with(noted, bounded(3, overflow::drop_newest), 30);
    CHECK(counts().dropped == 28);  // the hold waited as well
    co_await bureau.send(note{100});
    CHECK(counts().dropped == 29);
    auto asked = bureau.ask(total{});
    CHECK_THROWS_AS(co_await asked, mailbox_full);
    co_await sleep(2s);
    CHECK(noted == numbers(0, 1));
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE(
    "a mailbox that drops the oldest keeps the newest, and an ask that was dropped fails") {
  auto body = []() -> coro<> {
    std::vector<int> noted;
    auto bureau = spawn<notary>(bounded(3, overflow::drop_oldest), std::ref(noted));
    bureau.tell(hold{});
    co_await settle();
    auto asked = bureau.ask(total{});
    for (int number = 0; number < 30; ++number) bureau.tell(note{number});
    const std::string end = co_await ending(std::move(asked));
    CHECK(contains(end, "total: 2 messages wait, and its place was given away"));
    CHECK(counts().dropped == 27);
    co_await sleep(2s);
    CHECK(noted == numbers(27, 29));
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a limit of one type leaves the others alone") {
  auto body = []() -> coro<> {
    std::vector<int> noted;
    auto bureau = spawn<ticker>(std::ref(noted));
    bureau.tell(hold{});
    co_await settle();
    for (int number = 0; number < 3; ++number) {
      bureau.tell(note{number});
      bureau.tell(tick{});
    }
    CHECK(counts().dropped == 2);
    std::vector<future<int>> asked;
    for (int number = 0; number < 4; ++number) asked.push_back(bureau.ask(total{}));
    // Those that wait do not keep others from coming in.
    bureau.tell(note{3});
    int sum = 0;
    for (const auto& each : asked) sum += co_await each;
    CHECK(noted == std::vector<int>{0, 1, 2, -1, 3});
    CHECK(sum == 4 + 4 + 5 + 5);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE(
    "a high-water mark is reported once, and again when the messages had been half as many") {
  failure_log log;
  auto body = []() -> coro<> {
    std::vector<int> noted;
    auto bureau = spawn<notary>(bounded(0, overflow::reject, 10), std::ref(noted));
    for (int round = 0; round < 2; ++round) {
      bureau.tell(hold{});
      for (int number = 0; number < 100; ++number) bureau.tell(note{number});
      co_await sleep(2s);
    }
    CHECK(noted.size() == 200);
  };
  testing::run(body(), &log);
  CHECK(log.reports().size() == 2);
  CHECK(log.count("notary has 10 messages waiting, which is its high-water mark") == 2);
}

TEST_CASE("a mailbox without bound reports when very many wait, at each doubling") {
  failure_log log;
  auto body = []() -> coro<> {
    std::vector<int> noted;
    auto bureau = spawn<notary>(std::ref(noted));
    bureau.tell(hold{});
    co_await settle();
    for (int number = 0; number < 300'000; ++number) bureau.tell(tick{});
    co_await sleep(2s);
    CHECK(noted.size() == 300'000);
  };
  testing::run(body(), &log);
  CHECK(log.reports().size() == 3);
  CHECK(
      log.count(
          "notary has 65536 messages waiting and no bound: give it a mailbox_options::capacity") ==
      1);
}
