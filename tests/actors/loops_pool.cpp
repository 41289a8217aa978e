// Pools whose workers are on several loops.
#include <troupe/actors/pool.hpp>

#include "actors/helpers.hpp"
#include "actors/loops.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::loops;

namespace {

struct use {
  using reply = int;
  actor_ref<remote_protocol> whom;
  int count;
};

/// Waits for an end of any kind. Does not look at the error: its text may be shared with the actor that crashed, on another loop, and
/// ThreadSanitizer does not see how libstdc++ counts that.
template <class T>
coro<> anyhow(future<T> answer) {
  try {
    static_cast<void>(co_await answer);
  } catch (const std::exception&) {
  }
}

/// Asks a pool from the loop it is on, sometimes for what makes a worker crash; counts the answers
class client : public actor<protocol<use>> {
 public:
  coro<int> on(use order) {
    int ended = 0;
    for (int each = 0; each < order.count; ++each) {
      order.whom.tell(number{each});
      auto answer = order.whom.ask(where{}, infinite);
      auto failing = each % 5 == 0 ? order.whom.ask(crash{}, infinite) : order.whom.ask(refuse{});
      auto given_up = order.whom.ask(where{});
      given_up.cancel();
      co_await anyhow(std::move(answer));
      co_await anyhow(std::move(failing));
      ++ended;
    }
    co_return ended;
  }
};

failure_handler ignored() {
  return [](const failure_report&) {};
}

}  // namespace

TEST_CASE("workers of a pool may be spread over the loops") {
  // Each has to wait for the others, so each is with a worker of its own.
  struct guest : actor<protocol<where>> {
    explicit guest(std::atomic<int>& given) : met(given) {}
    coro<std::size_t> on(where) {
      ++met;
      while (met < 4) co_await sleep(0s);
      co_return loop::current()->index();
    }
    std::atomic<int>& met;
  };
  auto body = [](std::atomic<int>& met) -> coro<std::size_t> {
    auto front = spawn<pool<guest>>(pool_options{.most = 4, .on = place::spread}, std::ref(met));
    std::vector<future<std::size_t>> answers;
    for (int each = 0; each < 4; ++each) answers.push_back(front.ask(where{}, infinite));
    std::size_t sum = 0;
    for (auto& each : answers) sum += co_await each;
    co_return sum;
  };
  std::atomic<int> met{0};
  CHECK(run_on(2, body(met)) == 2);
}

TEST_CASE("a pool of crashing workers on two loops, asked from both, ends every ask") {
  for (const place on : {place::here, place::spread, place::on(1)}) {
    auto body = [](place workers) -> coro<int> {
      auto front = spawn<pool<collector>>(
          pool_options{.least = 1, .most = 4, .on = workers, .failures = 100'000});
      std::vector<future<int>> clients;
      for (std::size_t index = 0; index < 4; ++index) {
        use order{front, 50};
        clients.push_back(spawn<client>(place::on(index % 2)).ask(std::move(order), infinite));
      }
      int ended = 0;
      for (auto& each : clients) ended += co_await each;
      co_return ended;
    };
    CHECK(run_on(2, body(on), ignored()) == 200);
  }
}

TEST_CASE("pools are stopped and killed while they work, and every ask ends") {
  auto body = []() -> coro<int> {
    int ended = 0;
    for (int round = 0; round < 30; ++round) {
      auto front = spawn<pool<collector>>(
          place::on(static_cast<std::size_t>(round) % 2),
          pool_options{.least = 1, .most = 3, .on = place::spread, .failures = 3});
      std::vector<future<int>> clients;
      for (std::size_t index = 0; index < 2; ++index) {
        use order{front, 20};
        clients.push_back(spawn<client>(place::on(index % 2)).ask(std::move(order), infinite));
      }
      if (round % 3 != 0) co_await sleep(0s);
      if (round % 2 == 0) {
        front.stop();
      } else {
        front.kill();
      }
      for (auto& each : clients) ended += co_await each;
    }
    co_return ended;
  };
  CHECK(run_on(2, body(), ignored()) == 30 * 40);
}

TEST_CASE("a run may end while a pool works on several loops") {
  auto body = []() -> coro<> {
    auto front = spawn<pool<collector>>(
        pool_options{.least = 2, .most = 6, .on = place::spread, .failures = 100'000});
    for (std::size_t index = 0; index < 4; ++index) {
      use order{front, 1000};
      spawn<client>(place::on(index % 2)).tell(std::move(order));
    }
    for (int times = 0; times < 20; ++times) static_cast<void>(co_await front.ask(where{}));
  };
  run_on(2, body(), ignored());
  SUCCEED("it has ended");
}
