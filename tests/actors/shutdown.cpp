// Actors while the runtime ends.
#include <troupe/actors/spawn.hpp>

#include "actors/helpers.hpp"
#include "actors/relative.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <functional>
#include <optional>
#include <thread>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::families;

namespace {

/// Spawns an actor while the runtime ends, for that is what cancels it.
coro<> spawn_when_cancelled(journal& pages) {
  try {
    co_await sleep(1h);
  } catch (const cancelled&) {
    spawn<relative>(std::ref(pages), "late");
  }
}

}  // namespace

// --- the end of the runtime --------------------------------------------------------------------------------------------

TEST_CASE("the runtime stops its actors in the reverse order of their start") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    for (const char* name : {"first", "second", "third"}) spawn<relative>(std::ref(into), name);
    co_return;
  };
  testing::run(body(pages));
  CHECK(pages == journal{"third stops", "third destroyed", "second stops", "second destroyed",
                         "first stops", "first destroyed"});
}

TEST_CASE("an actor spawned while the runtime ends is stopped too") {
  struct late_spawner : actor<protocol<>> {
    explicit late_spawner(journal& given) : pages(given) {}
    void on_stop() { troupe::spawn<relative>(std::ref(pages), "late"); }
    journal& pages;
  };
  journal pages;
  auto body = [](journal& into) -> coro<> {
    spawn<late_spawner>(std::ref(into));
    co_return;
  };
  testing::run(body(pages));
  CHECK(pages == journal{"late stops", "late destroyed"});
}

TEST_CASE("an actor that a cancelled task spawns while the runtime ends is stopped too") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    spawn<relative>(std::ref(into), "early");
    create_task(spawn_when_cancelled(into));
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages.size() == 4);
}

TEST_CASE("the first actor of all may be spawned while the runtime ends") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    create_task(spawn_when_cancelled(into));
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"late stops", "late destroyed"});
}

TEST_CASE(
    "a runtime may be destroyed on another thread than it ran on, and its loops used again there") {
  struct empty : actor<protocol<>> {};
  auto body = []() -> coro<> {
    spawn<empty>();
    co_return;
  };
  std::optional<runtime> made;
  run_options options;
  options.handle_interrupt = false;
  // One thread runs two runtimes, one after the other; this one makes and destroys them.
  std::atomic<int> stage{0};
  std::thread worker([&] {
    for (int turn = 1; turn <= 2; ++turn) {
      stage.wait(2 * turn - 2);
      made->run(body());
      stage = 2 * turn;
      stage.notify_all();
    }
  });
  for (int turn = 1; turn <= 2; ++turn) {
    made.emplace(options);
    stage = 2 * turn - 1;
    stage.notify_all();
    stage.wait(2 * turn - 1);
    made.reset();
  }
  worker.join();
  CHECK(stage == 4);
}
