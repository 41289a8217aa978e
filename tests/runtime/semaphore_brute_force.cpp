#include <troupe/runtime/semaphore.hpp>

#include "runtime/brute_force.hpp"
#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <optional>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Acquires and keeps.
coro<> take(semaphore& wanted, journal& log, std::string name) {
  co_await wanted.acquire();
  log.push_back(name);
}

int permits_left(semaphore& of) {
  int left = 0;
  while (of.try_acquire()) ++left;
  return left;
}

struct users_of_a_semaphore {
  semaphore shared{2};
  int inside = 0;
  int most = 0;
  int alive = 0;
};

coro<> use_carefully(users_of_a_semaphore& with, counted, int times) {
  for (int turn = 0; turn < times; ++turn) {
    const auto permit = co_await with.shared.scoped();
    with.most = std::max(with.most, ++with.inside);
    struct leave {
      int& inside;
      ~leave() { --inside; }
    } const leaving{with.inside};
    co_await rounds(turn % 3);
  }
}

coro<> four_users(users_of_a_semaphore& with) {
  const auto a = create_task(use_carefully(with, counted(with.alive), 3), {.name = "a"});
  const auto b = create_task(use_carefully(with, counted(with.alive), 4), {.name = "b"});
  const auto c = create_task(use_carefully(with, counted(with.alive), 2), {.name = "c"});
  co_await use_carefully(with, counted(with.alive), 3);
  co_await gather(return_exceptions, a, b, c);
}

void check_users(users_of_a_semaphore& with) {
  CHECK(permits_left(with.shared) == 2);
  CHECK(with.most <= 2);
  CHECK(with.alive == 0);
}

}  // namespace

TEST_CASE("a semaphore survives the cancellation of a user at any point") {
  for (const char* victim : {"", "a", "b", "c"}) {
    for (const bool twice : {false, true}) {
      brute_force_options options;
      options.victim = victim;
      options.twice = twice;
      CHECK(for_each_cancellation<users_of_a_semaphore>(four_users, check_users, options) > 10);
    }
  }
}

TEST_CASE("a semaphore survives that the frames of its users are destroyed, and its own") {
  CHECK(for_each_abandonment<users_of_a_semaphore>(four_users, check_users) > 10);
  struct nothing {};
  auto user = [](semaphore& shared) -> coro<> {
    for (int turn = 0; turn < 3; ++turn) {
      const auto permit = co_await shared.scoped();
      co_await rounds(turn);
    }
  };
  static constexpr auto use = user;
  auto owner = [](nothing&) -> coro<> {
    semaphore shared(2);
    const auto a = create_task(use(shared));
    const auto b = create_task(use(shared));
    const auto c = create_task(use(shared));
    co_await use(shared);
    co_await gather(a, b, c);
  };
  CHECK(for_each_abandonment<nothing>(owner, [](nothing&) {}) > 5);
}

TEST_CASE("at random: permits are never lost, doubled or given out of order") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    auto body = [](std::uint64_t from) -> coro<> {
      random_numbers random(from);
      semaphore s(0);
      std::vector<task<>> users;
      journal log;
      std::size_t released = 0;
      for (int step = 0; step < 200; ++step) {
        switch (random.below(4)) {
          case 0:
            users.push_back(create_task(take(s, log, "got it")));
            break;
          case 1:
            s.release(), ++released;
            break;
          case 2:
            if (!users.empty()) users[random.below(users.size())].cancel();
            break;
          default:
            co_await sleep(0s);
        }
      }
      co_await rounds(3);
      const std::size_t left = static_cast<std::size_t>(permits_left(s));
      CHECK(log.size() + left == released);
      bool gap = false;  // who came first has got it, was cancelled, or nobody behind has got it
      bool fair = true;
      for (const task<>& each : users) {
        if (!each.done()) gap = true;
        if (gap && each.done() && !each.cancelled()) fair = false;
        each.cancel();
      }
      CHECK(fair);
      co_await rounds(2);
    };
    INFO("seed " << seed);
    testing::run(body(seed));
  }
}
