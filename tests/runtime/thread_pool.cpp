#include <troupe/runtime/thread_pool.hpp>

#include <troupe/runtime/errors.hpp>

#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct job : internal::thread_job {
  explicit job(std::vector<int>& given, int id)
      : thread_job([](thread_job& self) noexcept {
          auto& mine = static_cast<job&>(self);
          while (mine.blocked) std::this_thread::yield();
          mine.order.push_back(mine.number);
          mine.ran = true;
        }),
        order(given),
        number(id) {}
  std::vector<int>& order;
  int number;
  std::atomic<bool> blocked{false};
  std::atomic<bool> ran{false};
};

}  // namespace

TEST_CASE("a pool of one thread runs its jobs one after another, in the order of submitting") {
  std::vector<int> order;
  std::vector<std::unique_ptr<job>> jobs;
  {
    thread_pool pool(1);
    for (int index = 0; index < 100; ++index) {
      jobs.push_back(std::make_unique<job>(order, index));
      pool.submit(*jobs.back());
    }
    CHECK(pool.shut_down());
    CHECK(pool.closed());
  }
  REQUIRE(order.size() == 100);
  for (int index = 0; index < 100; ++index) CHECK(order[static_cast<std::size_t>(index)] == index);
}

TEST_CASE("a job is withdrawn until it has begun") {
  std::vector<int> order;
  job first(order, 1);
  job second(order, 2);
  job third(order, 3);
  first.blocked = true;
  thread_pool pool(1);
  for (job* each : {&first, &second, &third}) pool.submit(*each);
  CHECK(thread_pool::hold(pool).withdraw(second));
  CHECK_FALSE(thread_pool::hold(pool).withdraw(second));
  first.blocked = false;
  pool.shut_down();
  CHECK_FALSE(thread_pool::hold(pool).withdraw(third));
  CHECK(order == std::vector{1, 3});
}

TEST_CASE("a pool starts a further thread while all it has are busy, up to its limit") {
  std::vector<int> order;
  job first(order, 1);
  std::vector<int> of_second;
  job second(of_second, 2);
  std::vector<int> of_third;
  job third(of_third, 3);
  first.blocked = true;
  second.blocked = true;
  thread_pool pool(2);
  pool.submit(first);
  pool.submit(second);
  pool.submit(third);
  second.blocked = false;  // on a thread of its own, since the first still runs
  while (!third.ran) std::this_thread::yield();
  CHECK(second.ran);
  CHECK_FALSE(first.ran);
  first.blocked = false;
  CHECK(pool.shut_down());
}

TEST_CASE("a pool that is shut down refuses jobs, and says when one still runs") {
  std::vector<int> order;
  job busy(order, 1);
  job late(order, 2);
  busy.blocked = true;
  thread_pool pool(1);
  pool.submit(busy);
  CHECK_FALSE(pool.shut_down(1us));
  CHECK_THROWS_AS(pool.submit(late), invalid_state);
  busy.blocked = false;
  CHECK(pool.shut_down());
  CHECK(pool.shut_down());
  CHECK(order == std::vector{1});
}

TEST_CASE("a pool that was never used ends at once") {
  const thread_pool pool;
  CHECK_FALSE(pool.closed());
}
