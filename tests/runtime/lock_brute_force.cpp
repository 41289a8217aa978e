#include <troupe/runtime/lock.hpp>

#include "runtime/brute_force.hpp"
#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <optional>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct users_of_a_lock {
  lock shared;
  int inside = 0;
  int most = 0;
  int alive = 0;
};

coro<> use_carefully(users_of_a_lock& with, counted, int times) {
  for (int turn = 0; turn < times; ++turn) {
    const auto held = co_await with.shared.scoped();
    with.most = std::max(with.most, ++with.inside);
    struct leave {
      int& inside;
      ~leave() { --inside; }
    } const leaving{with.inside};
    co_await rounds(turn % 2);
  }
}

coro<> three_users(users_of_a_lock& with) {
  const auto a = create_task(use_carefully(with, counted(with.alive), 3), {.name = "a"});
  const auto b = create_task(use_carefully(with, counted(with.alive), 3), {.name = "b"});
  const auto c = create_task(use_carefully(with, counted(with.alive), 2), {.name = "c"});
  co_await use_carefully(with, counted(with.alive), 2);
  co_await gather(return_exceptions, a, b, c);
}

void check_users(users_of_a_lock& with) {
  CHECK_FALSE(with.shared.locked());
  CHECK(with.shared.try_acquire());
  CHECK(with.most <= 1);
  CHECK(with.inside == 0);
  CHECK(with.alive == 0);
}

}  // namespace

TEST_CASE("a lock survives the cancellation of a user at any point") {
  for (const char* victim : {"", "a", "b", "c"}) {
    for (const bool for_good : {false, true}) {
      brute_force_options options;
      options.victim = victim;
      options.for_good = for_good;
      CHECK(for_each_cancellation<users_of_a_lock>(three_users, check_users, options) > 10);
    }
  }
}

TEST_CASE("a lock survives two cancellations of a user at any points") {
  brute_force_options options;
  options.twice = true;
  options.victim = "b";
  CHECK(for_each_cancellation<users_of_a_lock>(three_users, check_users, options) > 50);
}

TEST_CASE("a lock survives that the frames of its users are destroyed") {
  CHECK(for_each_abandonment<users_of_a_lock>(three_users, [](users_of_a_lock& with) {
          CHECK_FALSE(with.shared.locked());
          CHECK(with.alive == 0);
        }) > 10);
}

namespace {

coro<> use_some_times(lock& shared, int times) {
  for (int turn = 0; turn < times; ++turn) {
    const auto held = co_await shared.scoped();
    co_await rounds(turn % 2);
  }
}

coro<> use_later(std::optional<lock>& shared) {
  co_await sleep(0s);
  co_await use_some_times(*shared, 4);
}

}  // namespace

TEST_CASE("users of a lock survive that its frame is destroyed before theirs, or after") {
  struct nothing {};
  auto owner_first = [](nothing&) -> coro<> {
    lock shared;
    const auto a = create_task(use_some_times(shared, 3));
    const auto b = create_task(use_some_times(shared, 3));
    co_await use_some_times(shared, 3);
    co_await gather(a, b);
  };
  auto owner_between = [](nothing&) -> coro<> {
    std::optional<lock> shared;
    const auto a = create_task(use_later(shared));
    auto owner = [](std::optional<lock>& made) -> coro<> {
      made.emplace();
      co_await use_some_times(*made, 6);
      co_await rounds(10);
    };
    const auto b = create_task(owner(shared));
    co_await use_later(shared);
    co_await gather(a, b);
  };
  CHECK(for_each_abandonment<nothing>(owner_first, [](nothing&) {}) > 5);
  CHECK(for_each_abandonment<nothing>(owner_between, [](nothing&) {}) > 5);
}
