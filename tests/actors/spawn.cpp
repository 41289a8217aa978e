#include <troupe/actors/spawn.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct where {
  using reply = std::size_t;
};
struct grow {  // spawns a child
  std::string name;
};
struct crash {};
struct crash_child {
  std::size_t index;
};
struct say {
  std::string text;
};
using family = protocol<where, grow, crash, crash_child, say>;

/// Notes its birth and death under its name, and has children.
class relative : public actor<family> {
 public:
  relative(journal& pages, std::string name) : pages_(pages), name_(std::move(name)) {}
  ~relative() { pages_.push_back(name_ + " destroyed"); }
  void on_stop() { pages_.push_back(name_ + " stops"); }
  std::size_t on(where) { return loop::current()->index(); }
  void on(grow g) { children_.push_back(spawn<relative>(std::ref(pages_), std::move(g.name))); }
  void on(crash) { throw std::runtime_error("boom"); }
  void on(crash_child c) { children_[c.index].tell(crash{}); }
  void on(say s) { pages_.push_back(name_ + " says " + s.text); }

 private:
  journal& pages_;
  std::string name_;
  std::vector<actor_ref<family>> children_;
};

}  // namespace

// --- arguments and names -----------------------------------------------------------------------------------------------

TEST_CASE("spawn passes its arguments to the constructor, move-only ones too") {
  struct holder : actor<protocol<where>> {
    holder(std::unique_ptr<int> given, int& given_sum) : value(std::move(given)), sum(given_sum) {}
    std::size_t on(where) {
      sum += *value;
      return 0;
    }
    std::unique_ptr<int> value;
    int& sum;
  };
  int sum = 1;
  auto body = [](int& into) -> coro<> {
    auto held = spawn<holder>(std::make_unique<int>(2), std::ref(into));
    co_await held.ask(where{});
  };
  testing::run(body(sum));
  CHECK(sum == 3);
}

TEST_CASE("the name given to spawn may be gone afterwards") {
  journal pages;
  auto body = [](journal& into) -> coro<std::string> {
    std::string name = "a name that is longer than what a string keeps in itself";
    auto named = spawn<relative>({.name = name}, std::ref(into), "x");
    name.assign(name.size(), '?');
    co_return named.description();
  };
  CHECK(testing::run(body(pages)).find("'a name that is longer") != std::string::npos);
}

TEST_CASE("spawn where no loop runs is an invalid_state") {
  journal pages;
  CHECK_THROWS_AS(spawn<relative>(std::ref(pages), "x"), invalid_state);
}

TEST_CASE("spawn on a loop that the runtime does not have says how many it has") {
  journal pages;
  auto body = [](journal& into) -> coro<std::string> {
    try {
      spawn<relative>(place::on(3), std::ref(into), "x");
    } catch (const std::out_of_range& error) {
      co_return error.what();
    }
    co_return "";
  };
  CHECK(testing::run(body(pages)).find("the runtime has 1 loops") != std::string::npos);
  CHECK(pages.empty());
}

// --- constructors that throw -------------------------------------------------------------------------------------------

namespace {

class unborn : public actor<protocol<where>> {
 public:
  explicit unborn(bool refuses) {
    if (refuses) throw std::runtime_error("not to be born");
  }
  std::size_t on(where) { return 0; }
};

/// Has a child and a message to itself before its constructor throws.
class unborn_parent : public actor<protocol<where>> {
 public:
  explicit unborn_parent(journal& pages) {
    auto child = spawn<relative>(std::ref(pages), "child");
    child.tell(say{"hello"});
    self().tell(where{});
    throw std::runtime_error("not to be born");
  }
  void on_stop() { throw std::runtime_error("on_stop without an object"); }
  std::size_t on(where) { return 0; }
};

class adventurous : public actor<protocol<where>> {
 public:
  std::size_t on(where) {
    try {
      spawn<unborn>(true);
    } catch (const std::runtime_error&) {
      ++failures_;
    }
    spawn<unborn>(false);
    return failures_;
  }

 private:
  std::size_t failures_ = 0;
};

}  // namespace

TEST_CASE("what a constructor throws comes out of spawn, and nothing is reported") {
  auto body = []() -> coro<std::string> {
    try {
      spawn<unborn>(true);
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "";
  };
  CHECK(testing::run(body()) == "not to be born");
}

TEST_CASE("children of an actor whose constructor throws are stopped") {
  journal pages;
  auto body = [](journal& into) -> coro<journal> {
    try {
      spawn<unborn_parent>(std::ref(into));
    } catch (const std::runtime_error&) {
      into.push_back("thrown");
    }
    co_await settle();
    co_return into;
  };
  const journal seen = testing::run(body(pages));
  CHECK(seen.front() == "thrown");
  CHECK(seen.back() == "child destroyed");
}

TEST_CASE("tasks that a constructor created before it threw never run") {
  struct unborn_with_task : actor<protocol<where>> {
    explicit unborn_with_task(journal& pages) {
      create_task(works(pages));
      throw std::runtime_error("not to be born");
    }
    std::size_t on(where) { return 0; }
    coro<> works(journal& pages) {
      pages.push_back("works without an object");
      co_return;
    }
  };
  journal pages;
  auto body = [](journal& into) -> coro<> {
    try {
      spawn<unborn_with_task>(std::ref(into));
    } catch (const std::runtime_error&) {
    }
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages.empty());
}

TEST_CASE(
    "a parent goes on after a child's constructor has thrown, and stops with the other children") {
  auto body = []() -> coro<std::size_t> {
    auto parent = spawn<adventurous>();
    co_await parent.ask(where{});
    const std::size_t failures = co_await parent.ask(where{});
    parent.stop();
    co_await settle();
    co_return failures*(parent.cell()->state() == internal::cell::life::dead ? 10 : 1);
  };
  CHECK(testing::run(body()) == 20);
}

TEST_CASE("an actor constructed inside the constructor of another gets a life of its own") {
  struct outer : actor<protocol<where>> {
    explicit outer(journal& pages) {
      inner = spawn<relative>(std::ref(pages), "inner");
      pages.push_back(inner.description() == self().description() ? "same" : "different");
    }
    std::size_t on(where) { return 5; }
    actor_ref<family> inner;
  };
  journal pages;
  auto body = [](journal& into) -> coro<std::size_t> {
    auto both = spawn<outer>(std::ref(into));
    const std::size_t five = co_await both.ask(where{});
    co_return five;
  };
  CHECK(testing::run(body(pages)) == 5);
  CHECK(pages == journal{"different", "inner stops", "inner destroyed"});
}

// --- families ----------------------------------------------------------------------------------------------------------

TEST_CASE(
    "a parent's children are stopped one after the other, the youngest first, and then the "
    "parent") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto parent = spawn<relative>(std::ref(into), "parent");
    for (const char* name : {"first", "second", "third"}) parent.tell(grow{name});
    co_await settle();
    parent.stop();
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"third stops", "third destroyed", "second stops", "second destroyed",
                         "first stops", "first destroyed", "parent stops", "parent destroyed"});
}

TEST_CASE("grandchildren are stopped before their parents") {
  struct line : actor<protocol<>> {
    line(journal& given, int given_depth) : pages(given), depth(given_depth) {
      if (depth < 3) spawn<line>(std::ref(pages), depth + 1);
    }
    ~line() { pages.push_back(std::to_string(depth)); }
    journal& pages;
    int depth;
  };
  journal pages;
  auto body = [](journal& into) -> coro<> {
    spawn<line>(std::ref(into), 0).stop();
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"3", "2", "1", "0"});
}

TEST_CASE("a parent waits for a child that takes its time to stop") {
  struct slow_child : actor<protocol<>> {
    explicit slow_child(journal& given) : pages(given) {}
    coro<> on_stop() {
      co_await sleep(1s);
      pages.push_back("child");
    }
    journal& pages;
  };
  struct parent : actor<protocol<>> {
    explicit parent(journal& given) : pages(given) { spawn<slow_child>(std::ref(pages)); }
    void on_stop() { pages.push_back("parent"); }
    journal& pages;
  };
  journal pages;
  auto body = [](journal& into) -> coro<> {
    spawn<parent>(std::ref(into)).stop();
    co_await sleep(5s);
  };
  testing::run(body(pages));
  CHECK(pages == journal{"child", "parent"});
}

TEST_CASE("a child's crash does not touch its parent or its sisters") {
  failure_log log;
  journal pages;
  auto body = [](journal& into) -> coro<journal> {
    auto parent = spawn<relative>(std::ref(into), "parent");
    parent.tell(grow{"first"});
    parent.tell(grow{"second"});
    parent.tell(crash_child{0});
    co_await settle();
    parent.tell(say{"hello"});
    co_await settle();
    co_return into;
  };
  CHECK(testing::run(body(pages), &log) ==
        journal{"first stops", "first destroyed", "parent says hello"});
  CHECK(log.reports().size() == 1);
  CHECK(pages.back() == "parent destroyed");
}

TEST_CASE("a crash of a parent stops its children") {
  failure_log log;
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto parent = spawn<relative>(std::ref(into), "parent");
    parent.tell(grow{"child"});
    parent.tell(crash{});
    co_await settle();
    into.push_back("end");
  };
  testing::run(body(pages), &log);
  CHECK(pages ==
        journal{"child stops", "child destroyed", "parent stops", "parent destroyed", "end"});
}

TEST_CASE("a child that was stopped before its parent is not waited for") {
  struct child : actor<protocol<>> {};
  struct parent : actor<protocol<where>> {
    std::size_t on(where) {
      auto first = spawn<child>();
      auto second = spawn<child>();
      auto third = spawn<child>();
      second.stop();
      third.stop();
      return 3;
    }
  };
  auto body = []() -> coro<bool> {
    auto old = spawn<parent>();
    co_await old.ask(where{});
    co_await settle();
    old.stop();
    co_await settle();
    co_return old.cell()->state() == internal::cell::life::dead;
  };
  CHECK(testing::run(body()));
}

TEST_CASE("a child and its parent may be stopped in the same round") {
  struct child : actor<protocol<>> {};
  struct parent : actor<protocol<where>> {
    std::size_t on(where) {
      for (int index = 0; index < 3; ++index) {
        auto each = spawn<child>();
        if (index != 1) each.stop();
      }
      stop();
      return 3;
    }
  };
  auto body = []() -> coro<bool> {
    auto old = spawn<parent>();
    co_await old.ask(where{});
    co_await settle();
    co_return old.cell()->state() == internal::cell::life::dead;
  };
  CHECK(testing::run(body()));
}

namespace {

/// A chain of actors, each the child of the one before.
struct generation : actor<protocol<where>> {
  generation(int given_left, int& given_alive) : alive(given_alive), left(given_left) { ++alive; }
  ~generation() { --alive; }
  void on_start() {
    if (left > 0) spawn<generation>(left - 1, std::ref(alive));
  }
  std::size_t on(where) { return static_cast<std::size_t>(alive); }
  int& alive;
  int left;
};

}  // namespace

TEST_CASE("a chain of ten thousand generations stops without growing the stack") {
  int alive = 0;
  auto body = [](int& count_of) -> coro<std::size_t> {
    auto first = spawn<generation>(9'999, std::ref(count_of));
    co_await settle();
    const std::size_t all = co_await first.ask(where{});
    first.stop();
    co_await settle();
    co_return all;
  };
  CHECK(testing::run(body(alive)) == 10'000);
  CHECK(alive == 0);
}

TEST_CASE("a hundred thousand actors are spawned and stopped") {
  struct small : actor<protocol<where>> {
    explicit small(int& given) : alive(given) { ++alive; }
    ~small() { --alive; }
    std::size_t on(where) { return 0; }
    int& alive;
  };
  int alive = 0;
  auto body = [](int& count_of) -> coro<int> {
    std::vector<actor_ref<protocol<where>>> all;
    for (int index = 0; index < 50'000; ++index) all.push_back(spawn<small>(std::ref(count_of)));
    for (int index = 0; index < 50'000; ++index) spawn<small>(std::ref(count_of));
    const int most = count_of;
    for (auto& each : all) each.stop();
    co_await settle();
    co_return most - count_of;
  };
  CHECK(testing::run(body(alive)) == 50'000);
  CHECK(alive == 0);
}

TEST_CASE("a child that a coroutine handler spawns after its actor was stopped is stopped too") {
  struct parent : actor<protocol<grow>> {
    explicit parent(journal& given) : pages(given) {}
    coro<> on(grow g) {
      try {
        co_await sleep(1h);
      } catch (const cancelled&) {
        spawn<relative>(std::ref(pages), g.name);
      }
    }
    journal& pages;
  };
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto old = spawn<parent>(std::ref(into));
    old.tell(grow{"late"});
    co_await settle();
    old.stop();
    co_await settle();
    into.push_back("end");
  };
  testing::run(body(pages));
  CHECK(pages == journal{"late stops", "late destroyed", "end"});
}

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
  auto late = [](journal& into) -> coro<> {
    try {
      co_await sleep(1h);
    } catch (const cancelled&) {
      spawn<relative>(std::ref(into), "late");
    }
  };
  auto body = [](journal& into, auto spawns_late) -> coro<> {
    spawn<relative>(std::ref(into), "early");
    create_task(spawns_late(into));
    co_await settle();
  };
  testing::run(body(pages, late));
  CHECK(pages.size() == 4);
}

TEST_CASE("the first actor of all may be spawned while the runtime ends") {
  journal pages;
  auto late = [](journal& into) -> coro<> {
    try {
      co_await sleep(1h);
    } catch (const cancelled&) {
      spawn<relative>(std::ref(into), "late");
    }
  };
  auto body = [](journal& into, auto spawns_late) -> coro<> {
    create_task(spawns_late(into));
    co_await settle();
  };
  testing::run(body(pages, late));
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
