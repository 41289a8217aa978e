// What spawn is given, and constructors that throw.
#include <troupe/actors/spawn.hpp>

#include "actors/helpers.hpp"
#include "actors/relative.hpp"
#include "support/explored.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::families;

// --- arguments and names -----------------------------------------------------------------------------------------------

TROUPE_PROGRAM_TEST_CASE("spawn passes its arguments to the constructor, move-only ones too") {
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

TROUPE_PROGRAM_TEST_CASE("the name given to spawn may be gone afterwards") {
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

TROUPE_PROGRAM_TEST_CASE("what a constructor throws comes out of spawn, and nothing is reported") {
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

TROUPE_PROGRAM_TEST_CASE("children of an actor whose constructor throws are stopped") {
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

TROUPE_PROGRAM_TEST_CASE("tasks that a constructor created before it threw never run") {
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

TROUPE_PROGRAM_TEST_CASE(
    "a parent goes on after a child's constructor has thrown, and stops with the other children") {
  auto body = []() -> coro<std::size_t> {
    auto parent = spawn<adventurous>();
    co_await parent.ask(where{});
    const std::size_t failures = co_await parent.ask(where{});
    parent.stop();
    co_await settle();
    co_return failures*(parent.cell()->state() == troupe::internal::cell::life::dead ? 10 : 1);
  };
  CHECK(testing::run(body()) == 20);
}

TROUPE_PROGRAM_TEST_CASE(
    "an actor constructed inside the constructor of another gets a life of its own") {
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
