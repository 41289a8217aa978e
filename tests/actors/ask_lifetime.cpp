// Asks that are cancelled, dropped, or outlive those who asked or were asked.
#include <troupe/actors/ask.hpp>

#include "actors/calculator.hpp"
#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::calculation;

// --- cancellation ------------------------------------------------------------------------------------------------------

TROUPE_PROGRAM_TEST_CASE("a cancelled ask withdraws a request that has not been begun") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    auto answer = asked.ask(square{2});
    const bool accepted = answer.cancel();
    const bool again = answer.cancel();
    std::string how = co_await ending(std::move(answer));
    const int times = co_await asked.ask(handled{});
    co_return how + (accepted ? " once" : "") + (again ? " twice" : "") + ", handled " +
        std::to_string(times);
  };
  CHECK(testing::run(body()) == "cancelled once, handled 0");
}

TROUPE_PROGRAM_TEST_CASE("cancelling a task that waits for an answer withdraws the request") {
  auto asks = [](actor_ref<calculating> asked) -> coro<> {
    static_cast<void>(co_await asked.ask(square{2}));
  };
  auto body = [](auto ask_square) -> coro<std::string> {
    auto asked = spawn<calculator>();
    asked.tell(square_slowly{1, 1s});
    auto waiting = create_task(ask_square(asked));
    co_await settle();
    waiting.cancel();
    co_await settle();
    const bool was_cancelled = waiting.cancelled();
    co_await sleep(2s);
    const int times = co_await asked.ask(handled{});
    co_return (was_cancelled ? "cancelled, " : "not cancelled, ") + std::to_string(times);
  };
  CHECK(testing::run(body(asks)) == "cancelled, 1");
}

TROUPE_PROGRAM_TEST_CASE("a request whose handler has begun goes on when its ask is cancelled") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    auto answer = asked.ask(flush_slowly{});
    co_await settle();
    answer.cancel();
    co_await sleep(2s);
    const int times = co_await asked.ask(handled{});
    std::string how = co_await ending(std::move(answer));
    co_return how + ", " + std::to_string(times);
  };
  CHECK(testing::run(body()) == "cancelled, 1");
}

// --- lifetimes ---------------------------------------------------------------------------------------------------------

TROUPE_PROGRAM_TEST_CASE("a future may be dropped before its answer comes") {
  auto body = []() -> coro<int> {
    auto asked = spawn<calculator>();
    static_cast<void>(asked.ask(square{2}));
    static_cast<void>(asked.ask(square_slowly{2}));
    const int times = co_await asked.ask(handled{});
    co_return times;
  };
  CHECK(testing::run(body()) == 2);
}

TROUPE_PROGRAM_TEST_CASE("a future keeps its answer after the actor, and after the runtime") {
  std::optional<future<int>> kept;
  std::optional<future<int>> failed;
  auto body = [](std::optional<future<int>>& answer, std::optional<future<int>>& none) -> coro<> {
    auto asked = spawn<calculator>();
    answer.emplace(asked.ask(square{6}));
    co_await settle();
    asked.stop();
    none.emplace(asked.ask(square{6}));
  };
  testing::run(body(kept, failed));
  REQUIRE(kept->done());
  CHECK(kept->result() == 36);
  REQUIRE(failed->done());
  CHECK_THROWS_AS(failed->result(), actor_dead);
}

TEST_CASE("an ask that is pending when the runtime ends fails, and can be kept") {
  std::optional<future<int>> kept;
  auto body = [](std::optional<future<int>>& answer) -> coro<> {
    auto asked = spawn<calculator>();
    answer.emplace(asked.ask(square_slowly{6, 1h}, 1h));
    co_await settle();
  };
  testing::run(body(kept));
  REQUIRE(kept->done());
  CHECK(!kept->cancel());
  CHECK_THROWS_AS(kept->result(), actor_dead);
}

namespace {

struct go {};

class middleman : public actor<protocol<go, square, square_slowly>> {
 public:
  middleman(actor_ref<calculating> other, journal& pages)
      : other_(std::move(other)), pages_(pages) {}
  coro<> on(go) {
    const std::string how = co_await ending(other_.ask(square_slowly{5}));
    pages_.push_back(how);
  }
  coro<int> on(square s) {
    const int value = co_await other_.ask(s);
    co_return value + 1;
  }
  coro<int> on(square_slowly s) {
    const int value = co_await other_.ask(s, infinite);
    co_return value + 1;
  }

 private:
  actor_ref<calculating> other_;
  journal& pages_;
};

}  // namespace

TROUPE_PROGRAM_TEST_CASE(
    "an asker that stops first withdraws its request, and the actor asked lives on") {
  journal pages;
  auto body = [](journal& into) -> coro<int> {
    auto asked = spawn<calculator>();
    auto asker = spawn<middleman>(asked, std::ref(into));
    asker.tell(go{});
    co_await settle();
    asker.stop();
    co_await sleep(2s);
    const int after = co_await asked.ask(square{2});
    co_return after;
  };
  CHECK(testing::run(body(pages)) == 4);
  CHECK(pages == journal{"cancelled"});
}

TROUPE_PROGRAM_TEST_CASE(
    "an actor asks another in a coroutine handler and answers with what it got") {
  journal pages;
  auto body = [](journal& into) -> coro<int> {
    auto asked = spawn<calculator>();
    auto asker = spawn<middleman>(asked, std::ref(into));
    const int quick = co_await asker.ask(square{3});
    const int slow = co_await asker.ask(square_slowly{4, 1s});
    co_return quick * 100 + slow;
  };
  CHECK(testing::run(body(pages)) == 1017);
}

TROUPE_PROGRAM_TEST_CASE("an error travels through an actor that asks on behalf of another") {
  failure_log log;
  journal pages;
  auto body = [](journal& into) -> coro<std::string> {
    auto asked = spawn<calculator>();
    auto asker = spawn<middleman>(asked, std::ref(into));
    asked.stop();
    std::string how = co_await ending(asker.ask(square{3}));
    co_return how;
  };
  CHECK(starts_with(testing::run(body(pages), &log), "dead: "));
  CHECK(log.count("middleman crashed") == 1);
}

TROUPE_PROGRAM_TEST_CASE("a request is destroyed once, however its ask ends") {
  struct parcel {
    using reply = int;
    counted content;
    int how;
  };
  struct handler : actor<protocol<parcel>> {
    coro<int> on(const parcel& p) {
      if (p.how == 1) throw rejected("no");
      if (p.how >= 2) co_await sleep(1s);
      if (p.how == 3) throw rejected("late no");
      co_return p.how;
    }
  };
  int alive = 0;
  auto body = [](int& count_of) -> coro<std::vector<int>> {
    auto asked = spawn<handler>();
    std::vector<int> left;
    for (int how = 0; how < 4; ++how) {
      auto answer = asked.ask(parcel{counted(count_of), how});
      static_cast<void>(co_await ending<int>(std::move(answer)));
      left.push_back(count_of);
    }
    auto times_out = asked.ask(parcel{counted(count_of), 2}, 100ms);
    static_cast<void>(co_await ending<int>(std::move(times_out)));
    co_await sleep(2s);
    left.push_back(count_of);
    auto cancelled_one = asked.ask(parcel{counted(count_of), 0});
    cancelled_one.cancel();
    co_await settle();
    left.push_back(count_of);
    auto stopped = asked.ask(parcel{counted(count_of), 2});
    auto queued = asked.ask(parcel{counted(count_of), 2});
    co_await settle();
    asked.stop();
    co_await settle();
    left.push_back(count_of);
    auto refused = asked.ask(parcel{counted(count_of), 0});
    left.push_back(count_of);
    co_return left;
  };
  CHECK(testing::run(body(alive)) == std::vector<int>(8, 0));
}
