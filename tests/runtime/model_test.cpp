// Model tests: what is found, to what it is simplified, and that no command is run where it is not allowed.
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/testing/model_test.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

struct put {
  int value;
};
struct take {};
struct size {};

constexpr std::size_t limit = 3;

/// A queue with a limit: full is an answer.
struct bounded_model {
  std::deque<int> all;
  bool apply(put p) {
    if (all.size() == limit) return false;
    all.push_back(p.value);
    return true;
  }
  int apply(take) {
    const int first = all.front();
    all.pop_front();
    return first;
  }
  std::size_t apply(size) const { return all.size(); }
  bool allows(take) const { return !all.empty(); }
  bool operator==(const bounded_model&) const = default;
};

/// A ring, whose bug is that a full one and an empty one look the same once it has gone around.
class ring {
 public:
  explicit ring(bool planted) : planted_(planted) {}
  bool run(put p) {
    if (count_ == limit + (planted_ && first_ == 1 ? 1 : 0)) return false;
    cells_[(first_ + count_++) % cells_.size()] = p.value;
    return true;
  }
  int run(take) {
    if (count_ == 0) throw std::logic_error("taken from an empty ring");
    --count_;
    const int taken = cells_[first_];
    first_ = (first_ + 1) % cells_.size();
    return taken;
  }
  std::size_t run(size) const { return count_; }

 private:
  bool planted_;
  std::vector<int> cells_ = std::vector<int>(4);
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

struct wrong_ring : ring {
  wrong_ring() : ring(true) {}
};
struct right_ring : ring {
  right_ring() : ring(false) {}
};

template <class Real>
model_test<bounded_model, Real> test_of_queue() {
  model_test<bounded_model, Real> test;
  test.command([](draw& from) { return put{from.between(0, 9)}; }, 2);
  test.command([] { return take{}; });
  test.command([] { return size{}; });
  return test;
}

std::optional<schedule_failed::details> failure_of(const std::function<void()>& test) {
  try {
    test();
  } catch (const schedule_failed& found) {
    std::filesystem::remove(found.about().file);
    return found.about();
  }
  return {};
}

std::vector<std::string> commands_of(const std::optional<schedule_failed::details>& found) {
  REQUIRE(found);
  try {
    std::rethrow_exception(found->cause);
  } catch (const commands_failed& error) {
    return error.commands();
  }
}

}  // namespace

TEST_CASE("a bug is simplified to the fewest commands with the simplest arguments") {
  const auto found = failure_of([] { test_of_queue<wrong_ring>().check(); });
  CHECK(commands_of(found) == std::vector<std::string>{"put{0} = true", "put{0} = true",
                                                       "put{0} = true", "take = 0", "put{0} = true",
                                                       "put{0} = true, and the model says false"});
  CHECK_THAT(found->reason, Catch::StartsWith("troupe::testing::commands_failed: put{0} gave true, "
                                              "and the model says false\n"
                                              "  the commands:\n"
                                              "    1. put{0} = true\n"));
}

TEST_CASE("what does as its model says stands all runs") {
  const model_test_result stood = test_of_queue<right_ring>().check({.runs = {.schedules = 500}});
  CHECK(stood.runs.schedules == 500);
  CHECK(stood.commands > 3'000);
  CHECK(stood.refused > 0);
}

TEST_CASE("any seed leads to the same fewest commands") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto found =
        failure_of([seed] { test_of_queue<wrong_ring>().check({.runs = {.seed = seed}}); });
    CHECK(commands_of(found).size() == 6);
  }
}

TEST_CASE("the arguments become as simple as can be, each by itself") {
  struct pair_of {
    int first;
    int second;
    std::string name;
  };
  struct model {
    int apply(const pair_of& p) const { return p.first + p.second; }
  };
  struct real {
    int run(const pair_of& p) {
      return p.first + p.second + (p.first > 17 && p.second < -5 && p.name.size() > 1 ? 1 : 0);
    }
  };
  model_test<model, real> test;
  test.command([](draw& from) {
    return pair_of{from.between(0, 1'000), from.between(-100, 100), from.text(6)};
  });
  const auto found = failure_of([&] { test.check(); });
  CHECK(commands_of(found) ==
        std::vector<std::string>{"pair_of{18, -6, \"aa\"} = 13, and the model says 12"});
}

TEST_CASE("numbers are drawn in the order of their simplicity, and all of a range") {
  const auto drawn = [](auto least, auto most) {
    std::vector<int> all;
    for (std::uint32_t answer = 0; answer <= static_cast<std::uint32_t>(most - least); ++answer) {
      replay given({answer});
      simulation world(given);
      all.push_back(draw(world).between(least, most));
    }
    return all;
  };
  CHECK(drawn(0, 3) == std::vector<int>{0, 1, 2, 3});
  CHECK(drawn(5, 7) == std::vector<int>{5, 6, 7});
  CHECK(drawn(-7, -5) == std::vector<int>{-5, -6, -7});
  CHECK(drawn(-2, 4) == std::vector<int>{0, 1, -1, 2, -2, 3, 4});
  CHECK(drawn(-4, 1) == std::vector<int>{0, 1, -1, -2, -3, -4});
  first_come natural;
  simulation world(natural);
  CHECK_THROWS_AS(draw(world).between(1, 0), std::invalid_argument);
  CHECK_THROWS_AS(draw(world).below(0), std::invalid_argument);
  CHECK_THROWS_AS(draw(world).between(std::int64_t{0}, std::int64_t{1} << 40),
                  std::invalid_argument);
}

TEST_CASE("a file or a seed in the environment runs the same commands again") {
  const auto run = [] { test_of_queue<wrong_ring>().check(); };
  std::optional<schedule_failed::details> found;
  try {
    run();
  } catch (const schedule_failed& error) {
    found = error.about();
  }
  const std::vector<std::string> commands = commands_of(found);
  ::setenv("TROUPE_REPLAY", found->file.c_str(), 1);
  const auto replayed = failure_of(run);
  ::unsetenv("TROUPE_REPLAY");
  CHECK(commands_of(replayed) == commands);
  ::setenv("TROUPE_SEED", std::to_string(found->seed).c_str(), 1);
  const auto seeded_again = failure_of(run);
  ::unsetenv("TROUPE_SEED");
  CHECK(commands_of(seeded_again) == commands);
  std::filesystem::remove(found->file);
}

TEST_CASE("all lists of a few commands can be tried") {
  model_test<bounded_model, right_ring> two;
  two.command([] { return put{1}; });
  two.command([] { return size{}; });
  // 1 of none, 2 of one, 4 of two, 8 of three commands.
  const model_test_result lists = two.check({.commands = 3, .runs = {.how = search::exhaustive}});
  CHECK(lists.runs.complete);
  CHECK(lists.runs.different == 15);
}

TEST_CASE("a test whose commands are never allowed, or that has none, is a mistake") {
  model_test<bounded_model, right_ring> test;
  CHECK_THROWS_AS(test.check(), std::logic_error);
  CHECK_THROWS_AS(test.command([] { return take{}; }, 0), std::invalid_argument);
  test.command([] { return take{}; });
  CHECK_THROWS_WITH(test.check({.runs = {.schedules = 50}}),
                    Catch::Contains("the model allowed none of the"));
}

namespace {

/// Has a life, and looks at itself.
struct looked_at : right_ring {
  explicit looked_at(std::vector<std::string>& told, std::size_t wrong_from = 100)
      : told_(told), wrong_from_(wrong_from) {}
  coro<> start() {
    co_await sleep(1s);
    told_.push_back("start");
  }
  void check(const bounded_model& model) {
    if (model.all.size() >= wrong_from_) throw std::runtime_error("looked wrong");
  }
  coro<> stop() {
    co_await sleep(1s);
    told_.push_back("stop");
  }

 private:
  std::vector<std::string>& told_;
  std::size_t wrong_from_;
};

}  // namespace

TEST_CASE("the real thing is started and stopped, and looked at after each command") {
  std::vector<std::string> told;
  const auto test_of = [&told](std::size_t wrong_from) {
    model_test<bounded_model, looked_at> test(bounded_model(), [&told, wrong_from] {
      told.clear();
      return std::make_unique<looked_at>(told, wrong_from);
    });
    test.command([] { return put{1}; });
    return test;
  };
  test_of(100).check({.runs = {.schedules = 10}});
  CHECK(told == std::vector<std::string>{"start", "stop"});
  const auto found = failure_of([&] { test_of(2).check(); });
  CHECK(commands_of(found) == std::vector<std::string>{"put{1} = true", "put{1} = true"});
  CHECK_THAT(found->reason, Catch::Contains("std::runtime_error: looked wrong\n  the commands:"));
}

TEST_CASE("a command that never ends is shown with the others") {
  struct stuck {
    coro<bool> run(put p) {
      if (p.value == 3) co_await sleep(infinite);
      co_return true;
    }
  };
  struct model {
    bool apply(put) const { return true; }
  };
  model_test<model, stuck> test;
  test.command([](draw& from) { return put{from.between(0, 9)}; });
  const auto found = failure_of([&] { test.check(); });
  CHECK(commands_of(found) == std::vector<std::string>{"put{3}"});
  CHECK_THAT(found->reason, Catch::Contains("deadlock_error"));
}

// --- side by side -----------------------------------------------------------------------------------------------------

namespace {

struct add {
  int amount;
};
struct get {};
struct counter_model {
  int value = 0;
  void apply(add a) { value += a.amount; }
  int apply(get) const { return value; }
  bool operator==(const counter_model&) const = default;
};

struct counter {
  explicit counter(bool wrong) : planted(wrong) {}
  coro<> run(add a) {
    const int before = value;
    if (planted) co_await sleep(0s);
    value = before + a.amount;
  }
  int run(get) const { return value; }
  bool planted;
  int value = 0;
};
struct wrong_counter : counter {
  wrong_counter() : counter(true) {}
};
struct right_counter : counter {
  right_counter() : counter(false) {}
};

template <class Real>
model_test<counter_model, Real> test_of_counter() {
  model_test<counter_model, Real> test;
  test.command([](draw& from) { return add{from.between(1, 9)}; });
  test.command([] { return get{}; });
  return test;
}

}  // namespace

TEST_CASE("what is right for one client is found to be wrong for two, with the fewest commands") {
  CHECK(test_of_counter<wrong_counter>().check().runs.schedules == 1'000);
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const auto found = failure_of(
        [seed] { test_of_counter<wrong_counter>().check_parallel({.runs = {.seed = seed}}); });
    const std::vector<std::string> commands = commands_of(found);
    INFO(found->reason << " " << found->turns_left);
    CHECK(commands.size() == 3);
    CHECK(std::count(commands.begin(), commands.end(), "branch 1: add{1}") == 1);
    CHECK(std::count(commands.begin(), commands.end(), "branch 2: add{1}") == 1);
    CHECK_THAT(found->reason, Catch::Contains("not linearizable"));
  }
  CHECK(test_of_counter<right_counter>().check_parallel().runs.schedules == 1'000);
}

TEST_CASE("all small tests side by side, in all orders, are complete") {
  const parallel_test_options small{.before = 0,
                                    .branches = 2,
                                    .each = 1,
                                    .after = 1,
                                    .runs = {.schedules = 100'000, .how = search::exhaustive}};
  model_test<counter_model, right_counter> right;
  right.command([] { return add{1}; });
  right.command([] { return get{}; });
  CHECK(right.check_parallel(small).runs.complete);
  model_test<counter_model, wrong_counter> wrong;
  wrong.command([] { return add{1}; });
  wrong.command([] { return get{}; });
  const auto found = failure_of([&] { wrong.check_parallel(small); });
  CHECK(commands_of(found) ==
        std::vector<std::string>{"branch 1: add{1}", "branch 2: add{1}", "after: get = 1"});
}

TEST_CASE("no branch runs a command that another one may have made impossible") {
  // Takes from an empty ring throw.
  const model_test_result stood =
      test_of_queue<right_ring>().check_parallel({.branches = 3, .runs = {.schedules = 2'000}});
  CHECK(stood.commands > 5'000);
}

TEST_CASE("a command of which nobody knows whether it took effect is left open side by side") {
  struct unsure {
    void run(add a) {
      ++calls;
      if (calls % 2 == 0) value += a.amount;
      if (a.amount > 5) throw no_answer("lost");
      if (calls % 2 != 0) value += a.amount;
    }
    int run(get) const { return value; }
    int value = 0;
    int calls = 0;
  };
  const model_test_result stood =
      test_of_counter<unsure>().check_parallel({.runs = {.schedules = 500}});
  CHECK(stood.commands > 1'000);
}
