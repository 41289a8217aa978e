// Actors that nobody can reach any more, and that have not stopped: a simulation finds them.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/monitor.hpp>
#include <troupe/actors/registry.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/actors/timers.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/testing/explore.hpp>
#include <troupe/runtime/testing/simulation.hpp>

#include "support/catch.hpp"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

struct work_on {};
struct tick {};
using clerk_protocol = protocol<work_on, tick>;

class clerk : public actor<clerk_protocol> {
 public:
  void on(work_on) {}
  void on(tick) {}
};

class ticking : public actor<clerk_protocol> {
 public:
  ticking() { start_periodic_timer("tick", 1s, tick{}); }
  void on(work_on) {}
  void on(tick) {
    if (++ticks_ == 5) stop();
  }

 private:
  int ticks_ = 0;
};

/// Has a clerk as a child, whose ref it does not keep, or none.
class office : public actor<clerk_protocol> {
 public:
  explicit office(bool has_child) {
    if (has_child) spawn<clerk>();
  }
  void on(work_on) {}
  void on(tick) {}
};

class slow : public actor<clerk_protocol> {
 public:
  coro<> on(work_on) { co_await sleep(5s); }
  void on(tick) {}
};

template <class Scenario>
std::string found(Scenario scenario) {
  first_come natural;
  simulation world(natural, {.leaks = true});
  try {
    world.run(scenario(world));
  } catch (const leak_error& left) {
    return left.what();
  }
  return "";
}

}  // namespace

TEST_CASE("an actor that nobody has a ref of any more, and that has not stopped, is found") {
  const std::string text = found([](simulation&) -> coro<> {
    {
      auto nobody = spawn<clerk>();
    }
    auto held = spawn<clerk>();
    co_await sleep(1s);
    held.tell(work_on{});
  });
  CHECK(text.starts_with(
      "actors are left behind: they have not stopped, and nobody has a ref of them any more:\n"
      "  actor "));
  CHECK(text.ends_with("clerk"));
}

TEST_CASE("an actor is found that is left behind in the midst of a long run") {
  const std::string text = found([](simulation&) -> coro<> {
    std::vector<actor_ref<clerk_protocol>> many;
    for (int each = 0; each < 100; ++each) many.push_back(spawn<clerk>());
    for (int step = 0; step < 200; ++step) {
      co_await sleep(1s);
      if (step == 50) many.pop_back();
    }
  });
  CHECK(text.find("clerk") != std::string::npos);
}

TEST_CASE("actors that something can still come to are not left behind") {
  const std::string text = found([](simulation&) -> coro<> {
    {
      auto by_its_timer = spawn<ticking>();
    }
    {
      auto by_its_name = spawn<clerk>();
      register_name("clerk", by_its_name);
    }
    {
      auto a_parent = spawn<office>(true);
    }
    {
      auto at_work = spawn<slow>();
      at_work.tell(work_on{});
    }
    {
      auto stopped = spawn<clerk>();
      stopped.stop();
    }
    auto linked = spawn<clerk>();
    for (int step = 0; step < 20; ++step) {
      co_await sleep(500ms);
      if (step == 8) break;  // the slow one is left behind when it has done its work
    }
    linked.stop();
  });
  CHECK(text == "");
}

TEST_CASE("an actor whose work goes on is left behind when that has ended") {
  const std::string text = found([](simulation&) -> coro<> {
    {
      auto at_work = spawn<slow>();
      at_work.tell(work_on{});
    }
    co_await sleep(4s);
    co_await sleep(4s);
  });
  CHECK(text.find("slow") != std::string::npos);
}

TEST_CASE("an actor that is there for what its object holds can be spared") {
  const std::string text = found([](simulation& world) -> coro<> {
    world.spare_actors([](const std::string& who) { return who.ends_with("office"); });
    {
      auto nobody = spawn<office>(false);
    }
    co_await sleep(1s);
  });
  CHECK(text == "");
}

TEST_CASE("an actor that is left behind is found by an exploration, on any loop") {
  const auto leaving = [](simulation&) -> coro<> {
    {
      auto nobody = spawn<clerk>({.on = place::on(1)});
      co_await nobody.started();
    }
    co_await sleep(1s);
  };
  try {
    explore({.schedules = 10, .threads = 2}, leaving);
    FAIL("nothing was found");
  } catch (const schedule_failed& error) {
    CHECK(error.about().reason.find("clerk") != std::string::npos);
    std::filesystem::remove(error.about().file);
  }
}
