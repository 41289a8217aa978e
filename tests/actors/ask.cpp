#include <troupe/actors/ask.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct square {
  using reply = int;
  int value;
};
struct square_slowly {
  using reply = int;
  int value;
  duration time = 1s;
};
struct greet {
  using reply = std::string;
};
struct make {
  using reply = std::unique_ptr<int>;
};
struct make_slowly {
  using reply = std::unique_ptr<int>;
};
struct flush {
  using reply = void;
};
struct flush_slowly {
  using reply = void;
};
struct refuse {
  using reply = int;
};
struct refuse_slowly {
  using reply = int;
};
struct crash {
  using reply = int;
};
struct crash_slowly {
  using reply = int;
};
struct handled {
  using reply = int;
};
using calculating = protocol<square, square_slowly, greet, make, make_slowly, flush, flush_slowly,
                             refuse, refuse_slowly, crash, crash_slowly, handled>;

class calculator : public actor<calculating> {
 public:
  int on(square s) {
    ++handled_;
    return s.value * s.value;
  }
  coro<int> on(square_slowly s) {
    ++handled_;
    co_await sleep(s.time);
    co_return s.value* s.value;
  }
  const char* on(greet) { return "hello"; }  // converts to the reply
  std::unique_ptr<int> on(make) { return std::make_unique<int>(1); }
  coro<std::unique_ptr<int>> on(make_slowly) {
    co_await sleep(1s);
    co_return std::make_unique<int>(2);
  }
  void on(flush) { ++handled_; }
  coro<> on(flush_slowly) {
    co_await sleep(1s);
    ++handled_;
  }
  int on(refuse) { throw rejected("not today"); }
  coro<int> on(refuse_slowly) {
    co_await sleep(1s);
    throw rejected("not tomorrow");
  }
  int on(crash) { throw std::runtime_error("boom"); }
  coro<int> on(crash_slowly) {
    co_await sleep(1s);
    throw std::runtime_error("late boom");
  }
  int on(handled) { return handled_; }

 private:
  int handled_ = 0;
};

template <class M>
coro<std::string> how_ends(M request) {
  auto asked = spawn<calculator>();
  std::string how = co_await ending(asked.ask(std::move(request)));
  co_return how;
}

}  // namespace

TEST_CASE("an ask gives the value that the handler returns") {
  CHECK(testing::run(how_ends(square{7})) == "49");
  CHECK(testing::run(how_ends(square_slowly{7})) == "49");
}

TEST_CASE("an ask can be awaited in the expression that makes it") {
  auto body = []() -> coro<int> {
    auto asked = spawn<calculator>();
    const int nine = co_await asked.ask(square{3});
    const int sum = co_await asked.ask(square{nine}, 2s) + co_await asked.ask(square_slowly{1}, 2s);
    co_return sum;
  };
  CHECK(testing::run(body()) == 82);
}

TEST_CASE("an ask of a void reply ends when the handler has ended") {
  auto body = []() -> coro<int> {
    auto asked = spawn<calculator>();
    co_await asked.ask(flush{});
    co_await asked.ask(flush_slowly{});
    const int times = co_await asked.ask(handled{});
    co_return times;
  };
  CHECK(testing::run(body()) == 2);
}

TEST_CASE("a reply may be move-only") {
  auto body = []() -> coro<int> {
    auto asked = spawn<calculator>();
    auto first = co_await asked.ask(make{});
    auto second = co_await asked.ask(make_slowly{});
    co_return *first + *second;
  };
  CHECK(testing::run(body()) == 3);
}

TEST_CASE("what a handler returns is converted to the reply") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    std::string hello = co_await asked.ask(greet{});
    co_return hello;
  };
  CHECK(testing::run(body()) == "hello");
}

TEST_CASE("several asks may be on their way at once, and are answered in their order") {
  auto body = []() -> coro<std::vector<int>> {
    auto asked = spawn<calculator>();
    auto first = asked.ask(square_slowly{1});
    auto second = asked.ask(square{2});
    auto third = asked.ask(square_slowly{3});
    std::vector<int> answers;
    answers.push_back(co_await third);
    const bool earlier_ones_done = first.done() && second.done();
    answers.push_back(co_await first);
    answers.push_back(co_await second);
    answers.push_back(earlier_ones_done ? 1 : 0);
    co_return answers;
  };
  CHECK(testing::run(body()) == std::vector<int>{9, 1, 4, 1});
}

// --- errors ------------------------------------------------------------------------------------------------------------

TEST_CASE("a rejected request leaves the actor alive and reports nothing") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    std::string how = co_await ending(asked.ask(refuse{}));
    how += " / " + co_await ending(asked.ask(refuse_slowly{}));
    how += " / " + co_await ending(asked.ask(square{2}));
    co_return how;
  };
  CHECK(testing::run(body()) == "rejected: not today / rejected: not tomorrow / 4");
}

TEST_CASE("a rejection of a request that was told is reported, and the actor lives on") {
  failure_log log;
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    asked.tell(refuse{});
    asked.tell(refuse_slowly{});
    std::string how = co_await ending(asked.ask(square{2}));
    co_return how;
  };
  CHECK(testing::run(body(), &log) == "4");
  CHECK(log.reports().size() == 2);
  CHECK(log.count("not today") == 1);
  CHECK(log.count("not tomorrow") == 1);
}

TEST_CASE("the asker gets the exception of a handler, and the actor has crashed") {
  failure_log log;
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    std::string how = co_await ending(asked.ask(crash{}));
    how += " / " + co_await ending(asked.ask(square{2}));
    co_return how;
  };
  const std::string how = testing::run(body(), &log);
  CHECK(starts_with(how, "error: boom / dead: "));
  CHECK(log.count("crashed") == 1);
}

TEST_CASE("the asker gets the exception of a coroutine handler, and the actor has crashed") {
  failure_log log;
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    std::string how = co_await ending(asked.ask(crash_slowly{}));
    how += " / " + co_await ending(asked.ask(square{2}));
    co_return how;
  };
  const std::string how = testing::run(body(), &log);
  CHECK(starts_with(how, "error: late boom / dead: "));
  CHECK(log.count("crashed") == 1);
}

TEST_CASE("asks that were queued at a crash fail at once") {
  failure_log log;
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>({.name = "c"});
    auto crashes = asked.ask(crash{}, infinite);
    auto queued = asked.ask(square{2}, infinite);
    std::string how = co_await ending(std::move(crashes));
    how += " / " + co_await ending(std::move(queued));
    co_return how;
  };
  const std::string how = testing::run(body(), &log);
  CHECK(starts_with(how, "error: boom / dead: "));
  CHECK(how.find("calculator 'c' was asked") != std::string::npos);
  CHECK(how.find("square") != std::string::npos);
}

TEST_CASE("asks that were queued at a stop, or in the hands of a coroutine handler, fail at once") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    auto in_hand = asked.ask(square_slowly{1, 1h}, infinite);
    auto queued = asked.ask(square{2}, infinite);
    co_await settle();
    asked.stop();
    std::string how = co_await ending(std::move(in_hand));
    how += " / " + co_await ending(std::move(queued));
    co_return how;
  };
  const std::string how = testing::run(body());
  CHECK(starts_with(how, "dead: "));
  CHECK(how.find(" / dead: ") != std::string::npos);
}

TEST_CASE("an ask of a dead actor fails at once") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    asked.stop();
    co_await settle();
    auto answer = asked.ask(square{2}, infinite);
    const bool at_once = answer.done();
    std::string how = co_await ending(std::move(answer));
    co_return how + (at_once ? " at once" : " later");
  };
  const std::string how = testing::run(body());
  CHECK(starts_with(how, "dead: "));
  CHECK(how.find(" at once") != std::string::npos);
}

TEST_CASE("an actor cannot ask itself once it stops") {
  struct self_asker : actor<protocol<square>> {
    explicit self_asker(journal& given) : pages(given) {}
    int on(square s) { return s.value; }
    coro<> on_stop() {
      std::string how = co_await ending(self().ask(square{1}, infinite));
      pages.push_back(std::move(how));
    }
    journal& pages;
  };
  journal pages;
  auto body = [](journal& into) -> coro<> {
    spawn<self_asker>(std::ref(into)).stop();
    co_await settle();
  };
  testing::run(body(pages));
  REQUIRE(pages.size() == 1);
  CHECK(starts_with(pages[0], "dead: "));
}

// --- time-outs ---------------------------------------------------------------------------------------------------------

TEST_CASE("an ask times out after the time it was given, and no sooner") {
  auto body = []() -> coro<duration> {
    auto asked = spawn<calculator>();
    const time_point before = loop::current()->time();
    const std::string how = co_await ending(asked.ask(square_slowly{1, 1h}, 250ms));
    co_return starts_with(how, "timeout: ") ? loop::current()->time() - before : duration::zero();
  };
  CHECK(testing::run(body()) == 250ms);
}

TEST_CASE("an ask times out after five seconds unless it is told otherwise") {
  auto body = []() -> coro<duration> {
    auto asked = spawn<calculator>();
    const time_point before = loop::current()->time();
    const std::string how = co_await ending(asked.ask(square_slowly{1, 1h}));
    co_return starts_with(how, "timeout: ") ? loop::current()->time() - before : duration::zero();
  };
  CHECK(testing::run(body()) == 5s);
}

TEST_CASE("an infinite ask waits as long as it takes") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    std::string how = co_await ending(asked.ask(square_slowly{3, 100h}, infinite));
    co_return how;
  };
  CHECK(testing::run(body()) == "9");
}

TEST_CASE(
    "an ask without time left times out unless it is answered before the loop looks at its clock") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    std::string how = co_await ending(asked.ask(square_slowly{1}, 0s));
    how += co_await ending(asked.ask(square_slowly{1}, -1s));
    co_return how;
  };
  const std::string how = testing::run(body());
  CHECK(starts_with(how, "timeout: "));
  CHECK(how.rfind("timeout: ") > 0);
}

TEST_CASE("a time-out says who was asked what, for how long, and what the actor is doing") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>({.name = "slow"});
    asked.tell(square_slowly{1, 1h});
    asked.tell(square{1});
    std::string how = co_await ending(asked.ask(flush{}, 1500ms));
    co_return how;
  };
  const std::string how = testing::run(body());
  CHECK(how.find("calculator 'slow' did not answer") != std::string::npos);
  CHECK(how.find("flush within 1.5 s") != std::string::npos);
  CHECK(how.find("alive, 2 messages queued, handling") != std::string::npos);
  CHECK(how.find("square_slowly)") != std::string::npos);
}

TEST_CASE("a time-out tells an actor that is stopping from one that is alive") {
  struct slow_stopper : actor<protocol<square_slowly>> {
    coro<int> on(square_slowly) {
      try {
        co_await sleep(1h);
      } catch (const cancelled&) {
      }
      co_return 1;
    }
    void on_start() { spawn<slow_end>(); }
    struct slow_end : actor<protocol<>> {
      coro<> on_stop() { co_await sleep(1h); }
    };
  };
  auto body = []() -> coro<std::string> {
    auto asked = spawn<slow_stopper>();
    co_await settle();
    asked.stop();
    co_await settle();
    std::string how = asked.cell()->condition();
    co_await sleep(2h);
    how += ", " + asked.cell()->condition();
    co_return how;
  };
  CHECK(testing::run(body()) == "stopping, dead");
}

TEST_CASE("a late answer is dropped, and the next ask gets its own") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    std::string how = co_await ending(asked.ask(square_slowly{2, 2s}, 1s));
    how = how.substr(0, 7);
    how += " / " + co_await ending(asked.ask(square_slowly{3, 1s}, 5s));
    co_return how;
  };
  CHECK(testing::run(body()) == "timeout / 9");
}

TEST_CASE("a request whose ask has timed out is not handled any more") {
  auto body = []() -> coro<int> {
    auto asked = spawn<calculator>();
    asked.tell(square_slowly{1, 1min});
    const std::string how = co_await ending(asked.ask(square{2}, 1s));
    co_await sleep(2min);
    const int times = co_await asked.ask(handled{});
    co_return times;
  };
  CHECK(testing::run(body()) == 1);
}

TEST_CASE("many asks that time out together cost no more than their number") {
  auto body = []() -> coro<std::string> {
    auto asked = spawn<calculator>();
    asked.tell(square_slowly{1, 1h});
    std::vector<future<int>> answers;
    for (int index = 0; index < 5000; ++index) answers.push_back(asked.ask(square{index}, 1s));
    co_await sleep(2s);
    std::string how = co_await ending(std::move(answers.back()));
    co_return how;
  };
  CHECK(testing::run(body()).find("alive, over 1000 messages queued") != std::string::npos);
}

TEST_CASE("an actor that asks itself in a coroutine handler times out") {
  struct narcissus : actor<protocol<square, greet>> {
    int on(square s) { return s.value; }
    coro<std::string> on(greet) {
      std::string how = co_await ending(self().ask(square{1}, 1s));
      co_return how;
    }
  };
  auto body = []() -> coro<std::string> {
    auto asked = spawn<narcissus>();
    std::string how = co_await asked.ask(greet{}, infinite);
    const std::string after = co_await ending(asked.ask(square{5}));
    co_return how + " / " + after;
  };
  const std::string how = testing::run(body());
  CHECK(starts_with(how, "timeout: "));
  CHECK(how.find("handling") != std::string::npos);
  CHECK(how.find(" / 5") != std::string::npos);
}

TEST_CASE("an ask that waits for itself for ever is found out on virtual time") {
  struct narcissus : actor<protocol<square>> {
    coro<int> on(square s) {
      const int same = co_await self().ask(s, infinite);
      co_return same;
    }
  };
  auto body = []() -> coro<int> {
    auto asked = spawn<narcissus>();
    const int never = co_await asked.ask(square{1}, infinite);
    co_return never;
  };
  CHECK_THROWS_AS(testing::run(body()), deadlock_error);
}

TEST_CASE("an ask whose future was dropped may time out, and be answered after that") {
  auto body = []() -> coro<int> {
    auto asked = spawn<calculator>();
    static_cast<void>(asked.ask(square_slowly{1, 2s}, 1s));
    static_cast<void>(asked.ask(square_slowly{1, 2s}, 3s));
    co_await sleep(10s);
    const int times = co_await asked.ask(handled{});
    co_return times;
  };
  CHECK(testing::run(body()) == 2);
}

// --- cancellation ------------------------------------------------------------------------------------------------------

TEST_CASE("a cancelled ask withdraws a request that has not been begun") {
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

TEST_CASE("cancelling a task that waits for an answer withdraws the request") {
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

TEST_CASE("a request whose handler has begun goes on when its ask is cancelled") {
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

TEST_CASE("a future may be dropped before its answer comes") {
  auto body = []() -> coro<int> {
    auto asked = spawn<calculator>();
    static_cast<void>(asked.ask(square{2}));
    static_cast<void>(asked.ask(square_slowly{2}));
    const int times = co_await asked.ask(handled{});
    co_return times;
  };
  CHECK(testing::run(body()) == 2);
}

TEST_CASE("a future keeps its answer after the actor, and after the runtime") {
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

TEST_CASE("an asker that stops first withdraws its request, and the actor asked lives on") {
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

TEST_CASE("an actor asks another in a coroutine handler and answers with what it got") {
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

TEST_CASE("an error travels through an actor that asks on behalf of another") {
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

TEST_CASE("a request is destroyed once, however its ask ends") {
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
