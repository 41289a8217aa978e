// Who waits for an actor to be ready.
#include <troupe/actors/actor.hpp>
#include <troupe/runtime/task.hpp>

#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <stdexcept>
#include <string>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct tick {};
using ticking = protocol<tick>;

class slow_to_start : public actor<ticking> {
 public:
  coro<> on_start() { co_await sleep(1s); }
  void on(tick) { throw std::runtime_error("tock"); }
};
class plain : public actor<ticking> {
 public:
  void on(tick) {}
};
class quick_to_start : public actor<ticking> {
 public:
  void on_start() { self().tell(tick{}); }
  void on(tick) {}
};
class starts_slowly_there : public actor<ticking> {
 public:
  coro<> on_start() { co_await sleep(0s); }
  void on(tick) {}
};
class fails_to_start : public actor<ticking> {
 public:
  coro<> on_start() {
    co_await sleep(1s);
    throw std::runtime_error("no fuel");
  }
  void on(tick) {}
};
/// Fails to start the first two times.
class starts_at_last : public actor<ticking> {
 public:
  explicit starts_at_last(int& times) : times_(times) {}
  void on_start() {
    if (++times_ < 3) throw std::runtime_error("no spark");
  }
  void on(tick) {}

 private:
  int& times_;
};

duration now() { return loop::current()->time().time_since_epoch(); }

}  // namespace

TROUPE_PROGRAM_TEST_CASE("started is done when a coroutine on_start has ended") {
  auto body = []() -> coro<> {
    const duration begin = now();
    const auto one = spawn<slow_to_start>();
    co_await one.started();
    CHECK(now() - begin == 1s);
    co_await one.started();  // for ever
    CHECK(now() - begin == 1s);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE(
    "started is done at once for an actor without on_start, and after a plain one") {
  auto body = []() -> coro<> {
    auto first = spawn<plain>().started();
    CHECK(first.done());
    const auto quick = spawn<quick_to_start>();
    auto second = quick.started();
    CHECK_FALSE(second.done());
    co_await second;
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE(
    "what the constructor of an actor without on_start asks of itself is attended to") {
  struct waits_for_itself : actor<ticking> {
    explicit waits_for_itself(int& given) : ticks(given), ready(self().started()) {
      self().tell(tick{}, urgent);
    }
    void on(tick) { ++ticks; }
    int& ticks;
    future<void> ready;
  };
  struct ends_at_once : actor<ticking> {
    ends_at_once() { self().stop_when_drained(); }
    void on(tick) {}
  };
  int ticked = 0;
  auto body = [](int& ticks) -> coro<> {
    const auto one = spawn<waits_for_itself>(std::ref(ticks));
    co_await settle();
    CHECK(ticks == 1);
    const auto two = spawn<ends_at_once>();
    co_await two.stopped();
  };
  testing::run(body(ticked));
}

TROUPE_PROGRAM_TEST_CASE("started throws what on_start has thrown") {
  failure_log log;
  auto body = []() -> coro<> {
    const auto one = spawn<fails_to_start>();
    const std::string end = co_await ending(one.started());
    CHECK(end == "error: no fuel");
    const std::string later = co_await ending(one.started());
    CHECK(later == "error: no fuel");
  };
  testing::run(body(), &log);
  CHECK(log.count("no fuel") == 1);
}

TEST_CASE("started throws actor_dead when the actor is stopped or killed before it is ready") {
  auto body = []() -> coro<> {
    const auto one = spawn<slow_to_start>({.name = "one"});
    auto up = one.started();
    one.stop();
    const std::string end = co_await ending(std::move(up));
    CHECK(end.ends_with("slow_to_start 'one' was to be ready, but has ended: stopped"));
    const auto two = spawn<slow_to_start>();
    up = two.started();
    co_await settle();
    two.kill();
    const std::string killed = co_await ending(std::move(up));
    CHECK(killed.ends_with("has ended: killed"));
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("to cancel a wait for started leaves the actor alone") {
  auto body = []() -> coro<> {
    const auto one = spawn<slow_to_start>();
    auto up = one.started();
    auto same = one.started();
    up.cancel();
    co_await same;
    CHECK(up.cancelled());
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("to cancel a wait for started leaves those alone who wait for the end") {
  auto body = []() -> coro<> {
    const auto one = spawn<slow_to_start>();
    auto first = one.stopped();
    auto up = one.started();
    auto second = one.stopped();
    co_await settle();
    up.cancel();
    co_await settle();
    one.stop();
    co_await first;
    co_await second;
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("started waits through the restarts of a child that fails to start") {
  failure_log log;
  struct parent : actor<ticking> {
    explicit parent(int& times) { child = supervise<starts_at_last>({}, std::ref(times)); }
    coro<> on(tick) {
      co_await child.started();
      stop();
    }
    actor_ref<ticking> child;
  };
  int tried = 0;
  auto body = [](int& times) -> coro<> {
    const auto one = spawn<parent>(std::ref(times));
    one.tell(tick{});
    co_await one.stopped();
  };
  testing::run(body(tried), &log);
  CHECK(tried == 3);
}

TROUPE_PROGRAM_TEST_CASE("started waits while a child is down to be restarted") {
  failure_log log;
  struct parent : actor<ticking> {
    parent() {
      supervise_as({.delay = {.first = 1s, .jitter = 0}});
      child = supervise<slow_to_start>({});
    }
    coro<> on(tick) {
      co_await child.started();
      child.tell(tick{});  // crashes
      const auto up = child.started();
      CHECK(up.done());
      co_await sleep(500ms);
      const duration begin = now();
      co_await child.started();
      CHECK(now() - begin == 1500ms);  // half a second of delay, and its on_start
      stop();
    }
    actor_ref<ticking> child;
  };
  auto body = []() -> coro<> {
    const auto one = spawn<parent>();
    one.tell(tick{});
    co_await one.stopped();
  };
  testing::run(body(), &log);
}

TEST_CASE("started of an actor on another loop tells how it began") {
  failure_log log;
  auto body = []() -> coro<> {
    for (int round = 0; round < 50; ++round) {
      const auto one = spawn<plain>(place::on(1));
      co_await one.started();
      const auto two = spawn<starts_slowly_there>(place::on(1));
      auto up = two.started();
      if (round % 3 == 0) two.stop();
      const std::string end = co_await ending(std::move(up));
      CHECK((end == "answered" || starts_with(end, "dead: ")));
      CHECK((round % 3 == 0 || end == "answered"));
    }
  };
  run_on(2, body());
}
