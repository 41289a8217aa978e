// Parents and children: who stops whom, and in which order.
#include <troupe/actors/spawn.hpp>

#include "actors/helpers.hpp"
#include "actors/relative.hpp"
#include "support/explored.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::families;

// --- families ----------------------------------------------------------------------------------------------------------

TROUPE_PROGRAM_TEST_CASE(
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

TROUPE_PROGRAM_TEST_CASE("grandchildren are stopped before their parents") {
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

TROUPE_PROGRAM_TEST_CASE("a parent waits for a child that takes its time to stop") {
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

TROUPE_PROGRAM_TEST_CASE("a child's crash does not touch its parent or its sisters") {
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

TROUPE_PROGRAM_TEST_CASE("a crash of a parent stops its children") {
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

TROUPE_PROGRAM_TEST_CASE("a child that was stopped before its parent is not waited for") {
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
    co_return old.cell()->state() == troupe::internal::cell::life::dead;
  };
  CHECK(testing::run(body()));
}

TROUPE_PROGRAM_TEST_CASE("a child and its parent may be stopped in the same round") {
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
    co_return old.cell()->state() == troupe::internal::cell::life::dead;
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

TROUPE_PROGRAM_TEST_CASE(
    "a child that a coroutine handler spawns after its actor was stopped is stopped too") {
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
