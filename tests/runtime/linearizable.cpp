// Histories of concurrent clients: what the checker says of them, and what it costs.
#include "runtime/histories.hpp"

#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/task_group.hpp>
#include <troupe/runtime/testing/explore.hpp>
#include <troupe/runtime/wait_for.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::histories;
using namespace std::chrono_literals;

namespace {

/// Clients of a real cell, who do `count` operations; the order of events is made at random.
struct busy_clients {
  struct client {
    std::string name;
    std::optional<history<cell>::under_way<put>> putting;
    std::optional<history<cell>::under_way<get>> getting;
    int value = 0;
    bool done = false;
  };

  busy_clients(history<cell>& seen, std::size_t clients, std::size_t values, std::size_t count) {
    seeded random(7);
    std::vector<client> all(clients);
    int real = 0;
    std::size_t begun = 0;
    while (begun < count) {
      const std::size_t who = random.below(clients);
      client& next = all[who];
      if (next.putting && !next.done) {
        real = next.value;
        next.done = true;
      } else if (next.getting && !next.done) {
        next.value = real;
        next.done = true;
      } else if (next.done) {
        if (next.putting) next.putting->returned();
        if (next.getting) next.getting->returned(next.value);
        next = client();
      } else {
        ++begun;
        const std::string name = "client " + std::to_string(who);
        next.value = static_cast<int>(random.below(values));
        if (random.below(2) == 0)
          next.putting.emplace(seen.begin(name, put{next.value}));
        else
          next.getting.emplace(seen.begin(name, get{}));
      }
    }
  }
};

}  // namespace

TEST_CASE("an answer that nothing explains is named, with what the model says and a chart") {
  history<cell> seen;
  seen.begin("ann", put{1}).returned();
  auto putting = seen.begin("bob", put{2});
  seen.begin("cid", get{}).returned(2);
  seen.begin("ann", get{}).returned(1);  // as if it had not been put yet, which cid has seen
  putting.returned();
  seen.begin("cid", get{}).returned(2);
  try {
    seen.check();
    FAIL("it was found to be right");
  } catch (const not_linearizable& error) {
    CHECK(error.kind() == "not linearizable");
    CHECK(error.about().client == "ann");
    CHECK(error.about().possible == std::vector<std::string>{"2"});
    CHECK(std::string(error.what()) ==
          "not linearizable: no order of the operations explains that ann's get gave 1\n"
          "  up to there, this is an order that does for all others:\n"
          "    1. ann: put{1}\n"
          "    2. bob: put{2} ...\n"
          "    3. cid: get = 2\n"
          "  in which the model says 2 instead\n"
          "  ann  put{1}      |-1-|\n"
          "       get = 1                         |-!-|\n"
          "  bob  put{2} ...          |---------2--------->\n"
          "  cid  get = 2                 |-3-|\n");
  }
}

TEST_CASE("the first answer may be the wrong one") {
  history<cell> seen(cell{5});
  seen.begin("ann", get{}).returned(0);
  CHECK_THROWS_WITH(seen.check(),
                    Catch::Contains("it is the first answer, and the model says 5 instead"));
}

TEST_CASE("what has no answer may have happened at any time since, or never") {
  history<cell> seen;
  {
    static_cast<void>(seen.begin("ann", put{1}));
  }
  seen.begin("bob", get{}).returned(0);
  seen.begin("bob", put{2}).returned();
  CHECK(seen.check().unanswered == 1);
  seen.begin("bob", get{}).returned(1);  // now at last
  CHECK(seen.check().operations == 4);
  seen.begin("bob", get{}).returned(2);
  CHECK_THROWS_AS(seen.check(), not_linearizable);
}

TEST_CASE("what was refused has not happened") {
  history<cell> seen;
  seen.begin("ann", put{1}).did_nothing();
  seen.begin("bob", get{}).returned(1);
  CHECK_THROWS_AS(seen.check(), not_linearizable);
}

TEST_CASE("an operation ends once") {
  history<cell> seen;
  auto getting = seen.begin("ann", get{});
  getting.returned(0);
  CHECK_THROWS_AS(getting.returned(1), invalid_state);
  CHECK_THROWS_AS(getting.did_nothing(), invalid_state);
  CHECK(seen.check().operations == 1);
}

namespace {

struct put_at {
  std::string key;
  int value;
};
struct get_at {
  std::string key;
};
/// Of one key, since each is checked by itself.
struct shelf {
  using key = std::string;
  static key key_of(const put_at& p) { return p.key; }
  static key key_of(const get_at& g) { return g.key; }
  int value = 0;
  void apply(const put_at& p) { value = p.value; }
  int apply(const get_at&) const { return value; }
  bool operator==(const shelf&) const = default;
};

/// A key that has no order, and that is shown by its name only.
struct place {
  int row;
  int column;
  friend bool operator==(const place&, const place&) = default;
  friend std::string to_string(const place&) { return "a place"; }
};
struct mark {
  place at;
};
struct board {
  using key = place;
  static key key_of(const mark& m) { return m.at; }
  int marks = 0;
  int apply(mark) { return ++marks; }
};

/// May give any of what it holds.
struct take_any {};
struct bag {
  std::vector<int> all;
  void apply(push p) { all.push_back(p.value); }
  int apply(take_any) { return all.empty() ? -1 : all.back(); }
  bool accepts(take_any, int given) {
    const auto found = std::find(all.begin(), all.end(), given);
    if (found == all.end()) return false;
    all.erase(found);
    return true;
  }
};

}  // namespace

TEST_CASE("keys are checked each by itself, and a wrong one is named") {
  history<shelf> seen;
  for (const std::string key : {"x", "y", "z"}) {
    seen.begin("ann", put_at{key, 1}).returned();
    seen.begin("bob", get_at{key}).returned(1);
  }
  CHECK(seen.check().keys == 3);
  seen.begin("bob", get_at{"y"}).returned(7);
  try {
    seen.check();
    FAIL("it was found to be right");
  } catch (const not_linearizable& error) {
    CHECK(error.about().key == "\"y\"");
    CHECK(error.about().order.size() == 2);
  }
}

TEST_CASE("keys are the same when they are equal, and not when they look so") {
  history<board> seen;
  seen.begin("ann", mark{{1, 2}}).returned(1);
  seen.begin("ann", mark{{2, 1}}).returned(1);
  seen.begin("ann", mark{{1, 2}}).returned(2);
  CHECK(seen.check().keys == 2);
}

TEST_CASE("a model may accept several answers") {
  history<bag> seen;
  seen.begin("ann", push{1}).returned();
  seen.begin("ann", push{2}).returned();
  seen.begin("bob", take_any{}).returned(1);
  CHECK(seen.check().operations == 3);
  seen.begin("bob", take_any{}).returned(1);
  CHECK_THROWS_AS(seen.check(), not_linearizable);
}

TEST_CASE(
    "a thousand operations of eight clients take hardly more configurations than operations") {
  for (const std::size_t values : {2, 5, 1'000}) {
    history<cell> seen;
    const busy_clients made(seen, 8, values, 1'000);
    const linearization found = seen.check();
    CHECK(found.operations == 1'000);
    CHECK(found.configurations < 10'000);
    seen.begin("late", get{}).returned(-1);
    CHECK_THROWS_AS(seen.check(), not_linearizable);
  }
}

TEST_CASE("what takes too long is not decided, and says what would help") {
  history<plain_cell> seen;
  std::vector<history<plain_cell>::under_way<put>> all;
  for (int each = 0; each < 12; ++each) all.push_back(seen.begin("client", put{each}));
  for (auto& each : all) each.returned();
  seen.begin("late", get{}).returned(-1);
  CHECK_THROWS_AS(seen.check({.most_configurations = 10'000}), linearizability_undecided);
}

TEST_CASE("a call notes what was answered, and leaves open what was not") {
  history<cell> seen;
  cell real;
  const auto slowly = [&real](auto operation) -> coro<int> {
    co_await sleep(1s);
    if constexpr (std::is_same_v<decltype(operation), swap_if>) {
      co_return real.apply(operation) ? 1 : 0;
    } else {
      co_return real.apply(operation);
    }
  };
  const auto scenario = [&]() -> coro<> {
    co_await seen.call("ann", put{1}, [&](put p) {
      real.apply(p);
      return sleep(1s);
    });
    const int first = co_await seen.call("ann", get{}, slowly);
    CHECK(first == 1);
    bool late = false;
    try {
      auto asked = seen.call("ann", swap_if{1, 2}, slowly);
      co_await wait_for(std::move(asked), 500ms);
    } catch (const timeout_error&) {
      late = true;
    }
    CHECK(late);
    const int second = co_await seen.call("bob", get{}, slowly);
    CHECK(second == 1);
    const int third = co_await seen.call("bob", get{}, [&] { return real.value; });
    CHECK(third == 1);
    const auto in_a_task = [&](get g) { return create_task(slowly(g)); };
    const int fourth = co_await seen.call("bob", get{}, in_a_task);
    CHECK(fourth == 1);
  };
  first_come natural;
  simulation world(natural);
  world.run(scenario());
  CHECK(seen.check().operations == 6);
  CHECK(seen.check().unanswered == 1);
}

TEST_CASE("clients may be threads") {
  history<cell> seen;
  std::atomic<int> real = 0;
  std::vector<std::thread> clients;
  for (int each = 0; each < 3; ++each) {
    clients.emplace_back([&seen, &real, each] {
      for (int time = 0; time < 50; ++time) {
        auto putting = seen.begin(std::to_string(each), put{10 * time + each});
        real = 10 * time + each;
        putting.returned();
        auto getting = seen.begin(std::to_string(each), get{});
        getting.returned(real);
      }
    });
  }
  for (std::thread& each : clients) each.join();
  CHECK(seen.check().operations == 300);
}

TEST_CASE(
    "a history that is wrong in few orders is found by exploring, and simplified as one kind of "
    "failure") {
  // Two copies, of which a reader asks the one and then the other: puts are seen, and then not any more.
  const auto scenario = []() -> coro<> {
    int copies[2] = {};
    history<cell> seen;
    const auto write_both = [&copies](put p) -> coro<> {
      for (int& copy : copies) {
        co_await sleep(0s);
        copy = p.value;
      }
    };
    const auto read_one = [&copies](int which) {
      return [&copies, which](get) -> coro<int> {
        co_await sleep(0s);
        co_return copies[which];
      };
    };
    const auto writer = [&]() -> coro<> { co_await seen.call("writer", put{1}, write_both); };
    const auto reader = [&]() -> coro<> {
      for (int turn = 0; turn < 4; ++turn) co_await sleep(0s);
      co_await seen.call("reader", get{}, read_one(0));
      co_await seen.call("reader", get{}, read_one(1));
    };
    task_group group;
    const auto both = [&]() -> coro<> {
      group.create_task(writer());
      group.create_task(reader());
      co_return;
    };
    co_await group.run(both);
    seen.check();
  };
  try {
    explore({}, scenario);
    FAIL("nothing was found");
  } catch (const schedule_failed& found) {
    std::filesystem::remove(found.about().file);
    CHECK(found.about().turns_left <= found.about().turns_found);
    CHECK_THROWS_AS(std::rethrow_exception(found.about().cause), not_linearizable);
    CHECK_THAT(found.about().reason, Catch::Contains("reader's get gave 0"));
  }
}
