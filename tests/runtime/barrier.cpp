#include <troupe/runtime/barrier.hpp>

#include "runtime/brute_force.hpp"
#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Waits, and notes the number that it got, or that the barrier was broken.
coro<> meet(barrier& at, journal& log) {
  std::string got = "broken";
  try {
    got = std::to_string(co_await at.wait());
  } catch (const broken_barrier&) {
  }
  log.push_back(got);
}

/// The same; whoever leaves `behind` of those `inside` there resets the barrier.
coro<> meet_and_reset(barrier& at, journal& log, int& inside, int behind) {
  co_await meet(at, log);
  if (--inside == behind) at.reset();
}

/// A barrier for three, and two parties that will come to it in the next round.
struct two_at_a_barrier {
  barrier b{3};
  journal log;
  task<> first = create_task(meet(b, log));
  task<> second = create_task(meet(b, log));
};

template <class Function, class... Args>
coro<> all_of(int count, Function function, Args&... args) {
  std::vector<coro<>> parties;
  for (int index = 0; index < count; ++index) parties.push_back(function(args...));
  co_await gather(std::move(parties));
}

std::ptrdiff_t count_of(const journal& log, const std::string& text) {
  return std::count(log.begin(), log.end(), text);
}

}  // namespace

TEST_CASE("a barrier is for one party at least", "[barrier-01]") {
  barrier five(5);
  CHECK(five.parties() == 5);
  CHECK(five.n_waiting() == 0);
  CHECK_FALSE(five.broken());
  CHECK_THROWS_AS(barrier(0), std::invalid_argument);
  CHECK_THROWS_AS(barrier(-4), std::invalid_argument);
}

TROUPE_PROGRAM_TEST_CASE("a barrier for one lets everybody through at once", "[barrier-01]") {
  auto body = []() -> coro<> {
    barrier b(1);
    bool suspended = false;
    loop::current()->call_soon([&] { suspended = true; });
    const int first = co_await b.wait();
    const int second = co_await b.wait();
    CHECK((first == 0 && second == 0));
    CHECK(b.n_waiting() == 0);
    CHECK_FALSE(suspended);
    co_await sleep(1ms);
  };
  testing::run(body());
}

TEST_CASE("all parties get numbers in the order they came; the last one does not wait",
          "[barrier-03]") {
  auto body = []() -> coro<> {
    two_at_a_barrier at;
    co_await sleep(0s);
    CHECK(at.b.n_waiting() == 2);
    const int mine = co_await at.b.wait();
    CHECK(mine == 2);
    CHECK(at.log.empty());
    CHECK(at.b.n_waiting() == 0);
    co_await gather(at.first, at.second);
    CHECK(at.log == journal{"0", "1"});
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a barrier is used again and again", "[barrier-03]") {
  auto body = []() -> coro<> {
    barrier b(5);
    journal log;
    auto twice = [](barrier& at, journal& in) -> coro<> {
      co_await at.wait();
      in.push_back("true");
      co_await at.wait();
      in.push_back("false");
    };
    co_await all_of(5, twice, b, log);
    CHECK(log == journal{"true", "true", "true", "true", "true",  //
                         "false", "false", "false", "false", "false"});
    CHECK_FALSE(b.broken());
    CHECK(b.n_waiting() == 0);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("who comes for the next round waits until all have left this one",
                         "[barrier-05]") {
  auto body = []() -> coro<> {
    barrier big(5);
    barrier helper(3);
    journal log;
    int left = 0;
    auto party = [](barrier& at, barrier& detour, journal& in, int& gone) -> coro<> {
      co_await at.wait();
      in.push_back("first");
      if (++gone > 2) {
        co_await detour.wait();
        in.push_back("detour");
      }
      co_await at.wait();
      in.push_back("second");
    };
    co_await all_of(5, party, big, helper, log, left);
    CHECK(count_of(log, "first") == 5);
    CHECK(count_of(log, "detour") == 3);
    CHECK(std::vector<std::string>(log.end() - 5, log.end()) == journal(5, "second"));
    CHECK((big.n_waiting() == 0 && helper.n_waiting() == 0));
  };
  testing::run(body());
}

TEST_CASE("a reset breaks the round for those that have not left it yet", "[barrier-07]") {
  auto body = []() -> coro<> {
    barrier b(5);
    journal log;
    int inside = 5;
    const int behind = 2;
    co_await all_of(5, meet_and_reset, b, log, inside, behind);
    CHECK(count_of(log, "broken") == 2);
    CHECK(log == journal{"4", "0", "1", "broken", "broken"});
    CHECK_FALSE(b.broken());
    CHECK(b.n_waiting() == 0);
    log.clear();
    co_await all_of(5, meet, b, log);
    CHECK(count_of(log, "broken") == 0);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a reset after the last one has left breaks nothing", "[barrier-09]") {
  auto body = []() -> coro<> {
    barrier b(5);
    journal log;
    int inside = 5;
    auto party = [](barrier& at, journal& in, int& left) -> coro<> {
      co_await meet_and_reset(at, in, left, 0);
      co_await meet(at, in);
      co_await meet(at, in);
    };
    co_await all_of(5, party, b, log, inside);
    CHECK(log.size() == 15);
    CHECK(count_of(log, "broken") == 0);
    CHECK(b.n_waiting() == 0);
  };
  testing::run(body());
}

TEST_CASE("an abort breaks the barrier for those inside and those in front of it", "[barrier-11]") {
  auto body = []() -> coro<> {
    barrier b(5);
    journal log;
    int left = 0;
    auto party = [](barrier& at, journal& in, int& gone) -> coro<> {
      co_await meet(at, in);
      ++gone;
      if (gone < 3) co_await meet(at, in);
      if (gone == 3) at.abort();
    };
    co_await all_of(5, party, b, log, left);
    CHECK(log == journal{"4", "0", "1", "broken", "broken", "broken", "broken"});
    CHECK(b.broken());
    co_await meet(b, log);
    CHECK(log.back() == "broken");
    b.reset();
    CHECK_FALSE(b.broken());
    log.clear();
    co_await all_of(5, meet, b, log);
    CHECK(log == journal{"4", "0", "1", "2", "3"});
  };
  testing::run(body());
}

// --- around ------------------------------------------------------------------------------------------------------------

TEST_CASE("a reset or abort while a barrier fills breaks it for those inside") {
  for (const bool abort : {false, true}) {
    auto body = [](bool for_ever) -> coro<> {
      two_at_a_barrier at;
      co_await sleep(0s);
      for_ever ? at.b.abort() : at.b.reset();
      const auto late = create_task(meet(at.b, at.log));
      CHECK(at.b.n_waiting() == 0);
      co_await rounds(3);
      CHECK(count_of(at.log, "broken") == (for_ever ? 3 : 2));
      CHECK(at.b.n_waiting() == (for_ever ? 0 : 1));
      late.cancel();
      co_await rounds(2);
      CHECK(at.b.n_waiting() == 0);
    };
    testing::run(body(abort));
  }
}

TEST_CASE("a cancelled party makes room for another one, and all numbers differ") {
  auto body = []() -> coro<> {
    two_at_a_barrier at;
    co_await sleep(0s);
    at.first.cancel();
    co_await sleep(0s);
    CHECK(at.b.n_waiting() == 1);
    CHECK(at.first.cancelled());
    const auto third = create_task(meet(at.b, at.log));
    co_await sleep(0s);
    CHECK(at.b.n_waiting() == 2);
    co_await meet(at.b, at.log);
    co_await gather(at.second, third);
    CHECK(at.log == journal{"2", "0", "1"});
  };
  testing::run(body());
}

TEST_CASE("a party that is cancelled when the round is complete does not hold up the others") {
  auto body = []() -> coro<> {
    two_at_a_barrier at;
    co_await sleep(0s);
    co_await meet(at.b, at.log);
    at.first.cancel();
    co_await rounds(2);
    CHECK(at.first.cancelled());
    CHECK(at.log == journal{"2", "1"});
    co_await all_of(3, meet, at.b, at.log);
    CHECK(at.log.size() == 5);
  };
  testing::run(body());
}

TEST_CASE("a barrier that goes tells those inside and those in front of it") {
  auto body = []() -> coro<> {
    auto b = std::make_unique<barrier>(2);
    journal log;
    const auto inside = create_task(meet(*b, log));
    co_await sleep(0s);
    co_await meet(*b, log);
    auto front = create_task(meet(*b, log), {.name = "front", .eager = true});
    auto gone = create_task(meet(*b, log), {.name = "gone", .eager = true});
    gone.cancel();
    b.reset();
    std::string how = co_await ending(inside);
    CHECK(how.find("was destroyed") != std::string::npos);
    how = co_await ending(front);
    CHECK(how.find("was destroyed") != std::string::npos);
    how = co_await ending(gone);
    CHECK(how == "cancelled");
    b = std::make_unique<barrier>(2);
    const auto waiting = create_task(meet(*b, log), {.name = "waiting", .eager = true});
    b.reset();
    how = co_await ending(waiting);
    CHECK(how.find("was destroyed") != std::string::npos);
  };
  testing::run(body());
}

TEST_CASE("a barrier serves the tasks of one loop") {
  barrier b(2);
  journal log;
  const auto left = loop::open();
  const auto right = loop::open();
  const auto waiting = create_task(*left, meet(b, log));
  left->run_once();
  const auto stranger = create_task(*right, meet(b, log));
  right->run_once();
  REQUIRE(stranger.done());
  CHECK(describe(stranger.exception()).find("call_soon_threadsafe") != std::string::npos);
  CHECK(b.n_waiting() == 1);
  const auto second = create_task(*left, meet(b, log));
  left->run_once();
  left->run_once();
  CHECK((waiting.done() && second.done()));
}

// --- brute force -------------------------------------------------------------------------------------------------------

namespace {

struct meeting {
  barrier at{3};
  journal log;
  int alive = 0;
};

/// Two rounds; whoever is too few in the end is sent away by an abort.
coro<> attend(meeting& with, counted) {
  for (int turn = 0; turn < 2; ++turn) co_await meet(with.at, with.log);
}

coro<> three_parties(meeting& with) {
  const auto a = create_task(attend(with, counted(with.alive)), {.name = "a"});
  const auto b = create_task(attend(with, counted(with.alive)), {.name = "b"});
  const auto c = create_task(attend(with, counted(with.alive)), {.name = "c"});
  co_await sleep(1s);
  with.at.abort();
  co_await gather(return_exceptions, a, b, c);
  with.at.reset();
  co_await all_of(3, meet, with.at, with.log);
  CHECK(std::vector<std::string>(with.log.end() - 3, with.log.end()) == journal{"2", "0", "1"});
}

}  // namespace

TEST_CASE("a barrier survives that a party is cancelled at any point, or its frame destroyed") {
  auto check = [](meeting& with) {
    CHECK(with.at.n_waiting() == 0);
    CHECK(with.alive == 0);
  };
  for (const char* victim : {"a", "b", "c"}) {
    brute_force_options options;
    options.victim = victim;
    CHECK(for_each_cancellation<meeting>(three_parties, check, options) > 5);
  }
  CHECK(for_each_abandonment<meeting>(three_parties, check) > 5);
}

TEST_CASE("a barrier survives that its frame is destroyed before those of its parties") {
  struct nothing {};
  static constexpr auto attend_often = [](barrier& at) -> coro<> {
    for (int turn = 0; turn < 4; ++turn) co_await at.wait();
  };
  auto owner = [](nothing&) -> coro<> {
    barrier at(3);
    const auto a = create_task(attend_often(at));
    const auto b = create_task(attend_often(at));
    co_await attend_often(at);
    co_await gather(a, b);
  };
  CHECK(for_each_abandonment<nothing>(owner, [](nothing&) {}) > 3);
}
