// The life of an actor: its order, what a stop does to it, and its end.
#include <troupe/actors/actor.hpp>
#include <troupe/runtime/testing/simulation.hpp>

#include "actors/diarist.hpp"
#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::diary;

TROUPE_PROGRAM_TEST_CASE(
    "an actor is constructed, started, sent messages, stopped and destroyed in this order") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    actor_ref<diary_protocol> writer = spawn<diarist>(std::ref(into));
    writer.tell(note{"first"});
    writer.tell(note{"second"});
    writer.tell(end{});
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"constructed", "on_start", "first", "second", "on_stop", "destroyed"});
}

TROUPE_PROGRAM_TEST_CASE("the constructor has run when spawn returns, and on_start has not") {
  journal pages;
  auto body = [](journal& into) -> coro<journal> {
    spawn<diarist>(std::ref(into));
    co_return into;
  };
  CHECK(testing::run(body(pages)) == journal{"constructed"});
}

TROUPE_PROGRAM_TEST_CASE("an actor lives on when its last ref is gone") {
  journal pages;
  auto body = [](journal& into) -> coro<journal> {
    if (auto* const world = testing::simulation::current())
      world->spare_actors([](const std::string& who) { return who.ends_with("diarist"); });
    spawn<diarist>(std::ref(into)).tell(note{"told"});
    co_await settle();
    co_return into;
  };
  CHECK(testing::run(body(pages)) == journal{"constructed", "on_start", "told"});
}

TEST_CASE("an actor that nobody stops is stopped when the runtime ends") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    spawn<diarist>(std::ref(into));
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"constructed", "on_start", "on_stop", "destroyed"});
}

// --- stop --------------------------------------------------------------------------------------------------------------

TROUPE_PROGRAM_TEST_CASE("a stop drops the messages that are queued") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto writer = spawn<diarist>(std::ref(into));
    co_await settle();
    writer.tell(note{"queued"});
    writer.stop();
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"constructed", "on_start", "on_stop", "destroyed"});
}

TROUPE_PROGRAM_TEST_CASE("an actor that stops itself finishes the handler and leaves the rest") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto writer = spawn<diarist>(std::ref(into));
    writer.tell(end{});
    writer.tell(note{"after the end"});
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"constructed", "on_start", "on_stop", "destroyed"});
}

TROUPE_PROGRAM_TEST_CASE("a second stop does nothing") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto writer = spawn<diarist>(std::ref(into));
    co_await settle();
    writer.stop();
    writer.stop();
    co_await settle();
    writer.stop();
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"constructed", "on_start", "on_stop", "destroyed"});
}

TROUPE_PROGRAM_TEST_CASE("a stop cancels a coroutine handler") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto writer = spawn<diarist>(std::ref(into));
    writer.tell(linger{1h});
    co_await settle();
    writer.stop();
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages ==
        journal{"constructed", "on_start", "lingers", "cancelled", "on_stop", "destroyed"});
}

namespace {

struct persist {
  using reply = int;
};

/// Swallows every cancellation it can.
class stubborn : public actor<protocol<persist>> {
 public:
  explicit stubborn(journal& pages) : pages_(pages) {}
  ~stubborn() { pages_.push_back("destroyed"); }
  coro<int> on(persist) {
    int swallowed = 0;
    for (; swallowed < 3; ++swallowed) {
      try {
        co_await sleep(1h);
      } catch (...) {
        pages_.push_back("swallowed");
      }
    }
    co_return swallowed;
  }

 private:
  journal& pages_;
};

}  // namespace

TROUPE_PROGRAM_TEST_CASE(
    "a coroutine handler that swallows its cancellation is cancelled again at every further "
    "await") {
  journal pages;
  auto body = [](journal& into) -> coro<std::string> {
    auto asked = spawn<stubborn>(std::ref(into));
    auto answer = asked.ask(persist{}, infinite);
    co_await settle();
    asked.stop();
    std::string how = co_await ending(std::move(answer));
    co_return how;
  };
  // What it returns all the same is its answer.
  CHECK(testing::run(body(pages)) == "3");
  CHECK(pages == journal{"swallowed", "swallowed", "swallowed", "destroyed"});
}

namespace {

struct finish_first {
  using reply = int;
};

class stops_in_coroutine : public actor<protocol<finish_first>> {
 public:
  coro<int> on(finish_first) {
    stop();
    co_return 7;
  }
};

class stops_in_plain : public actor<protocol<finish_first>> {
 public:
  int on(finish_first) {
    stop();
    return 7;
  }
};

}  // namespace

TROUPE_PROGRAM_TEST_CASE("a handler that stops its actor still answers") {
  auto body = []() -> coro<std::string> {
    auto plain = spawn<stops_in_plain>();
    auto coroutine = spawn<stops_in_coroutine>();
    const std::string first = co_await ending(plain.ask(finish_first{}));
    const std::string second = co_await ending(coroutine.ask(finish_first{}));
    co_return first + second;
  };
  CHECK(testing::run(body()) == "77");
}

// --- the object's end --------------------------------------------------------------------------------------------------

TROUPE_PROGRAM_TEST_CASE("an actor may keep and pass on refs of itself while it is destroyed") {
  struct lingering : actor<protocol<note>> {
    explicit lingering(std::optional<actor_ref<protocol<note>>>& given) : kept(given) {}
    ~lingering() {
      self().tell(note{"to the dead"});
      stop();
      kept = self();
    }
    void on(note) {}
    std::optional<actor_ref<protocol<note>>>& kept;
  };
  std::optional<actor_ref<protocol<note>>> kept;
  auto body = [](std::optional<actor_ref<protocol<note>>>& into) -> coro<> {
    spawn<lingering>(std::ref(into)).stop();
    co_await settle();
  };
  testing::run(body(kept));
  REQUIRE(kept.has_value());
  kept->tell(note{"later"});
}

namespace {

/// Runs `body` in a process of its own and says whether it ended by `expects`.
template <class Body>
bool ends_the_process(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);
    std::freopen("/dev/null", "w", stderr);
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

template <class A>
coro<> spawn_and_stop() {
  spawn<A>().stop();
  co_await settle();
}

struct spawns_at_its_end : actor<protocol<>> {
  ~spawns_at_its_end() { spawn<stops_in_plain>(); }
};
struct works_at_its_end : actor<protocol<>> {
  ~works_at_its_end() { create_task(settle()); }
};

}  // namespace

TROUPE_PROGRAM_TEST_CASE(
    "spawning a child or creating a task in the destructor of an actor ends the process") {
  CHECK(ends_the_process([] { testing::run(spawn_and_stop<spawns_at_its_end>()); }));
  CHECK(ends_the_process([] { testing::run(spawn_and_stop<works_at_its_end>()); }));
}

TEST_CASE("constructing an actor without spawn ends the process") {
  CHECK(ends_the_process([] { stops_in_plain lonely; }));
}

TROUPE_PROGRAM_TEST_CASE("messages left behind are destroyed with the actor") {
  struct parcel {
    counted content;
  };
  struct keeper : actor<protocol<parcel>> {
    coro<> on(parcel) { co_await sleep(1h); }
  };
  int alive = 0;
  auto body = [](int& count_of) -> coro<int> {
    auto kept = spawn<keeper>();
    for (int index = 0; index < 5; ++index) kept.tell(parcel{counted(count_of)});
    co_await settle();
    const int queued = count_of;
    kept.stop();
    co_await settle();
    co_return queued;
  };
  const int queued = testing::run(body(alive));
  // The one in hand is in its envelope and in the coroutine's frame.
  CHECK(queued == 6);
  CHECK(alive == 0);
}
