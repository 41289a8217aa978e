// Urgent messages, which come before all that waits.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/counts.hpp>

#include "actors/helpers.hpp"
#include "actors/notary.hpp"
#include "support/explored.hpp"

#include <functional>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::notes;

TEST_CASE("urgent messages come before all that waits, in their own order") {
  auto body = []() -> coro<> {
    std::vector<int> noted;
    const bool with_bound = GENERATE(false, true);
    auto bureau = busy_with(noted, with_bound ? bounded(20, overflow::reject) : spawn_options(), 3);
    co_await settle();
    for (int number = 10; number < 13; ++number) bureau.tell(note{number}, urgent);
    co_await sleep(2s);
    CHECK(noted == std::vector<int>{10, 11, 12, 0, 1, 2});
    // To one that rests, and behind one that is told first.
    bureau.tell(note{20}, urgent);
    co_await settle();
    bureau.tell(note{21});
    bureau.tell(note{22}, urgent);
    co_await settle();
    noted.erase(noted.begin(), noted.begin() + 6);
    CHECK(noted == std::vector<int>{20, 22, 21});
  };
  testing::run(body());
}

TEST_CASE("an urgent message for which there is no room is refused, whatever becomes of others") {
  auto body = []() -> coro<> {
    std::vector<int> noted;
    const overflow policy =
        GENERATE(overflow::reject, overflow::drop_newest, overflow::drop_oldest, overflow::suspend);
    auto bureau = spawn<notary>(bounded(2, policy), std::ref(noted));
    bureau.tell(hold{});
    co_await settle();
    bureau.tell(note{0});
    bureau.tell(note{1}, urgent);
    bureau.tell(note{2}, urgent);
    CHECK(counts_of_loop().refused_as_full == 1);
    CHECK(counts_of_loop().dropped == 0);
    co_await sleep(2s);
    CHECK(noted == std::vector<int>{1, 0});
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE(
    "an actor that sends itself urgent messages lets others run, and can be stopped") {
  struct again {};
  class eager : public actor<protocol<again>> {
   public:
    void on(again a) { self().tell(a, urgent); }
  };
  auto body = []() -> coro<> {
    auto made = spawn<eager>();
    made.tell(again{}, urgent);
    for (int round = 0; round < 10; ++round) co_await sleep(0s);
    made.stop();
    co_await made.stopped();
  };
  testing::run(body());
}
