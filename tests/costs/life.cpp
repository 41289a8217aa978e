// What the lives of actors cost: an actor is one block, and what it needs beside that comes from the pool too.
#include <troupe/troupe.hpp>

#include "actors/helpers.hpp"
#include "costs/counting.hpp"
#include "support/catch.hpp"

#include <exception>
#include <stdexcept>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct note {
  int number;
};
struct fall {};
struct rest {};

class plain : public actor<protocol<note, rest>> {
 public:
  void on(note) {}
  coro<> on(rest) { co_await sleep(1ms); }
};

class careful : public actor<protocol<note>> {
 public:
  coro<> on_start() { co_await sleep(1ms); }
  coro<> on_stop() { co_await sleep(1ms); }
  void on(note) {}
};

class bounded : public plain {
 public:
  static constexpr mailbox_options mailbox{.capacity = 2};
};

coro<> take_one(mailbox<note>& inbox) { static_cast<void>(co_await inbox.receive()); }
coro<> listen(mailbox<note>& inbox) {
  for (;;) static_cast<void>(co_await inbox.receive());
}

/// What it costs to begin an actor by `start`, and to end it.
template <class Start>
cost of_a_life(const Start& start) {
  auto body = [](const Start& given) -> coro<cost> {
    const auto live = [&](int count) -> coro<> {
      for (int times = 0; times < count; ++times) {
        const auto made = given();
        co_await sleep(10ms);
        made.stop();
        co_await sleep(10ms);
      }
    };
    co_return co_await cost_of(live);
  };
  return testing::run(body(start));
}

}  // namespace

TEST_CASE("an actor takes one block, and gives it back when it has stopped") {
  const cost each = of_a_life([] { return spawn<plain>(); });
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 1}));
}

TEST_CASE(
    "an actor whose start and stop are coroutines takes two blocks for each, and one for what is "
    "rare") {
  const cost each = of_a_life([] { return spawn<careful>(); });
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 6}));
}

TEST_CASE("an actor with a name takes a second block") {
  const cost each = of_a_life([] { return spawn<plain>({.name = "short"}); });
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 2}));
}

TEST_CASE("an actor with a bound takes a second and a third block") {
  const cost each = of_a_life([] { return spawn<bounded>(); });
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 3}));
}

TEST_CASE(
    "a process takes three blocks beside that of an actor: its frame, its task, what is rare") {
  const cost each = of_a_life([] {
    auto made = spawn(&take_one);
    made.tell(note{1});
    return made;
  });
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 5}));  // the message is one more
}

TEST_CASE(
    "a process that is stopped takes memory of the system for the exception that ends it only") {
  const cost each = of_a_life([] { return spawn(&listen); });
  CAPTURE(each);
  CHECK(costs(each, {.system = 2, .blocks = 4}));
}

TEST_CASE("to await the end of an actor takes a block, and one for what is rare in the actor") {
  auto body = []() -> coro<cost> {
    const auto live = [&](int count) -> coro<> {
      for (int times = 0; times < count; ++times) {
        const auto made = spawn<plain>();
        auto ended = made.stopped();
        made.stop();
        static_cast<void>(co_await ended);
      }
    };
    co_return co_await cost_of(live);
  };
  const cost each = testing::run(body());
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 3}));
}

namespace {
struct watch {
  using reply = void;
  actor_ref<protocol<note, rest>> whom;
};
class witness : public actor<protocol<watch, down>> {
 public:
  void on(watch w) { monitor(w.whom); }
  void on(down) {}
};
class partner : public actor<protocol<watch, exited>> {
 public:
  void on(watch w) { link(w.whom); }
  void on(exited) {}
};
}  // namespace

namespace {
/// An actor that another begins to watch, and that ends then, told to `Observer` by a `watch`.
template <class Observer>
coro<cost> of_being_watched() {
  const auto observer = spawn<Observer>();
  const auto live = [&](int count) -> coro<> {
    for (int times = 0; times < count; ++times) {
      const auto made = spawn<plain>();
      watch order{made};
      auto set = observer.ask(std::move(order));
      co_await set;
      made.stop();
      co_await sleep(1ms);
    }
  };
  co_return co_await cost_of(live);
}
}  // namespace

TEST_CASE("a monitor takes blocks only") {
  const cost each = testing::run(of_being_watched<witness>());
  CAPTURE(each);
  // The actor, what is rare in it, the ask, the monitor, its news.
  CHECK(costs(each, {.blocks = 5}));
}

TEST_CASE("a link takes blocks only") {
  const cost each = testing::run(of_being_watched<partner>());
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 5}));
}

namespace {
struct restart_it {};
using working = protocol<note, fall>;

class worker : public actor<working> {
 public:
  void on(note) {}
  void on(fall) { throw std::runtime_error("no rope"); }
};
struct worker_of {
  using reply = actor_ref<working>;
};
class leader : public actor<protocol<worker_of, restart_it>> {
 public:
  leader() {
    supervise_as({.max_restarts = 1'000'000, .within = 1ms});
    worker_ = supervise<worker>({.name = "w"});
  }
  actor_ref<working> on(worker_of) { return worker_; }
  void on(restart_it) { restart_child(worker_); }

 private:
  actor_ref<working> worker_;
};
}  // namespace

TEST_CASE("a restart that is ordered takes one block, for the time limit of the stop") {
  auto body = []() -> coro<cost> {
    const auto head = spawn<leader>();
    const auto again = [&](int count) -> coro<> {
      for (int times = 0; times < count; ++times) {
        head.tell(restart_it{});
        co_await sleep(1ms);
      }
    };
    co_return co_await cost_of(again);
  };
  const cost each = testing::run(body());
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 2}));
}

TEST_CASE(
    "a restart after a crash takes memory of the system for the exception and its report only") {
  auto body = []() -> coro<cost> {
    const auto head = spawn<leader>();
    const auto fallen = co_await head.ask(worker_of{});
    const auto again = [&](int count) -> coro<> {
      for (int times = 0; times < count; ++times) {
        fallen.tell(fall{});
        co_await sleep(1ms);
      }
    };
    co_return co_await cost_of(again);
  };
  run_options options;
  options.virtual_time = true;
  options.handle_interrupt = false;
  options.on_failure = [](const failure_report&) {};
  const cost each = troupe::run(body(), std::move(options));
  CAPTURE(each);
  // The exception and its text, and the pieces of the report. The block is the tell.
  CHECK(costs(each, {.system = each.system, .blocks = 1}));
  CHECK(each.system <= 8);
}
