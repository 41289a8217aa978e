// Parents and children on several loops, and constructors that throw on another one.
#include <troupe/actors/actor.hpp>

#include "actors/helpers.hpp"
#include "actors/loops.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::loops;

// --- families ----------------------------------------------------------------------------------------------------------

TEST_CASE("a parent waits for its children on other loops") {
  std::vector<std::atomic<int>> alive(50);
  struct waits : actor<protocol<where>> {
    explicit waits(std::atomic<int>& given) : count(given) {
      for (std::size_t index = 0; index < 4; ++index)
        spawn<branch>(place::on(index % 2), 0, std::ref(count));
    }
    ~waits() {
      if (count != 0) fail("children outlived their parent");
    }
    std::size_t on(where) { return 0; }
    std::atomic<int>& count;
  };
  auto body = [](std::vector<std::atomic<int>>& counts) -> coro<> {
    for (std::size_t times = 0; times < counts.size(); ++times) {
      auto parent = spawn<waits>(place::spread, std::ref(counts[times]));
      if (times % 4 < 2) co_await parent.ask(where{}, infinite);
      parent.stop();
    }
  };
  run_on(2, body(alive));
  SUCCEED("no parent died before its children");
}

TEST_CASE("a tree of actors over two loops ends with the runtime") {
  std::atomic<int> alive{0};
  auto body = [](std::atomic<int>& count) -> coro<int> {
    auto root = spawn<branch>(4, std::ref(count));
    while (count != 121) co_await sleep(0s);
    co_return count;
  };
  CHECK(run_on(2, body(alive)) == 121);
  CHECK(alive == 0);
}

TEST_CASE("a tree of actors over two loops may be stopped while it grows") {
  std::atomic<int> alive{0};
  auto body = [](std::atomic<int>& count) -> coro<> {
    for (int times = 0; times < 20; ++times) spawn<branch>(3, std::ref(count)).stop();
    co_return;
  };
  run_on(2, body(alive));
  CHECK(alive == 0);
}

TEST_CASE("a stop from several loops and threads at once stops an actor once") {
  struct stoppable : actor<protocol<where>> {
    explicit stoppable(std::atomic<int>& given) : stops(given) {}
    void on_stop() { ++stops; }
    std::size_t on(where) { return 0; }
    std::atomic<int>& stops;
  };
  std::atomic<int> stops{0};
  auto body = [](std::atomic<int>& count) -> coro<> {
    for (int times = 0; times < 20; ++times) {
      auto both = spawn<stoppable>(place::on(1), std::ref(count));
      std::thread outside([both] { both.stop(); });
      both.stop();
      both.stop();
      outside.join();
    }
    co_return;
  };
  run_on(2, body(stops));
  CHECK(stops == 20);
}

// --- constructors on another loop ----------------------------------------------------------------------------------------

namespace {

class unborn : public actor<protocol<where>> {
 public:
  explicit unborn(std::atomic<int>& alive) {
    spawn<branch>(1, std::ref(alive));
    throw std::runtime_error("not to be born");
  }
  std::size_t on(where) { return 0; }
};

/// An argument that cannot be copied after all.
struct uncopyable_argument {
  uncopyable_argument() = default;
  uncopyable_argument(const uncopyable_argument&) { throw std::runtime_error("no copy"); }
};

class takes_argument : public actor<protocol<where>> {
 public:
  explicit takes_argument(const uncopyable_argument&) {}
  std::size_t on(where) { return 0; }
};

class parent_of_takes_argument : public actor<protocol<where>> {
 public:
  std::size_t on(where) {
    const uncopyable_argument argument;
    try {
      spawn<takes_argument>(place::on(1), argument);
    } catch (const std::runtime_error&) {
      return 1;
    }
    return 0;
  }
};

}  // namespace

TEST_CASE(
    "a constructor that throws on another loop is reported, asks fail, and its children are "
    "stopped") {
  failure_count failures;
  std::atomic<int> alive{0};
  auto body = [](std::atomic<int>& count) -> coro<std::string> {
    auto far = spawn<unborn>({.name = "far", .on = place::on(1)}, std::ref(count));
    std::string how = co_await ending(far.ask(where{}, infinite));
    co_return how;
  };
  CHECK(starts_with(run_on(2, body(alive), failures.handler()), "dead: "));
  CHECK(failures.count() == 1);
  CHECK(failures.mentions("unborn 'far' threw: "));
  CHECK(alive == 0);
}

TEST_CASE("a child whose constructor throws on another loop does not keep its parent from ending") {
  failure_count failures;
  std::atomic<int> alive{0};
  struct parent : actor<protocol<>> {
    explicit parent(std::atomic<int>& count) {
      for (int index = 0; index < 3; ++index) spawn<unborn>(place::on(1), std::ref(count));
    }
  };
  auto body = [](std::atomic<int>& count) -> coro<> {
    spawn<parent>(std::ref(count));
    co_return;
  };
  run_on(2, body(alive), failures.handler());
  CHECK(failures.count() == 3);
  CHECK(alive == 0);
}

TEST_CASE("an argument that throws when it is copied for another loop leaves no child behind") {
  auto body = []() -> coro<std::size_t> {
    auto parent = spawn<parent_of_takes_argument>();
    const std::size_t thrown = co_await parent.ask(where{}, infinite);
    co_return thrown;
  };
  CHECK(run_on(2, body()) == 1);
}
