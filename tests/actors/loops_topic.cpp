// Topics between loops, and threads without one.
#include <troupe/actors/topic.hpp>
#include <troupe/runtime/to_thread.hpp>

#include "actors/helpers.hpp"
#include "actors/loops.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::loops;

namespace {

struct publish_all {
  using reply = int;
  topic<number> to;
  int count;
};
struct come_and_go {
  using reply = void;
  topic<number> to;
};

/// Publishes numbers from the loop it is on.
class publisher : public actor<protocol<publish_all>> {
 public:
  int on(const publish_all& p) {
    for (int each = 0; each < p.count; ++each) p.to.publish({each});
    return p.count;
  }
};

/// Subscribes and unsubscribes while others publish.
class guest : public actor<protocol<number, come_and_go>> {
 public:
  explicit guest(std::atomic<int>& seen) : seen_(seen) {}
  void on(number) { ++seen_; }
  coro<> on(come_and_go c) {
    for (int times = 0; times < 20; ++times) {
      if (!c.to.subscribe(self(),
                          {.capacity = times % 2 == 0 ? 2U : 0U,
                           .when_full = times % 4 == 0 ? lag::drop_oldest : lag::drop_newest}))
        fail("it was there already");
      co_await sleep(0s);
      if (!c.to.unsubscribe(self())) fail("it was not there");
    }
    c.to.subscribe(self());
  }

 private:
  std::atomic<int>& seen_;
};

}  // namespace

TEST_CASE("what one publishes arrives in order on every loop") {
  auto body = []() -> coro<int> {
    const topic<number> numbers;
    std::vector<actor_ref<remote_protocol>> readers;
    for (std::size_t index = 0; index < 4; ++index) {
      readers.push_back(spawn<collector>(place::on(index % 2)));
      numbers.subscribe(readers.back());
    }
    publish_all order{numbers, 500};
    auto done = spawn<publisher>(place::on(1)).ask(std::move(order), infinite);
    co_await done;
    int well = 0;
    for (const auto& each : readers) well += in_order(co_await each.ask(collect{}), 500) ? 1 : 0;
    co_return well;
  };
  CHECK(run_on(2, body()) == 4);
}

TEST_CASE("a thread without a loop publishes like any other") {
  auto body = []() -> coro<bool> {
    const topic<number> numbers;
    auto here = spawn<collector>();
    auto away = spawn<collector>(place::on(1));
    numbers.subscribe(here);
    numbers.subscribe(away);
    const auto publish_some = [numbers] {
      for (int each = 0; each < 100; ++each) numbers.publish({each});
    };
    co_await to_thread(publish_some);
    const bool well = in_order(co_await here.ask(collect{}), 100);
    co_return well&& in_order(co_await away.ask(collect{}), 100);
  };
  CHECK(run_on(2, body()));
}

TEST_CASE("a bound holds between loops, and what was not lost arrives in order") {
  auto body = []() -> coro<bool> {
    const topic<number> numbers;
    auto away = spawn<collector>(place::on(1));
    numbers.subscribe(away, {.capacity = 3});
    std::vector<int> sent;
    for (int each = 0; each < 1000; ++each) {
      if (numbers.publish({each}) == 1) sent.push_back(each);
    }
    const auto seen = co_await away.ask(collect{});
    co_return sent.size() >= 3 && seen == sent;
  };
  CHECK(run_on(2, body()));
}

TEST_CASE(
    "a subscriber on another loop that drops the oldest has the newest, and what it lost is "
    "counted") {
  auto body = []() -> coro<bool> {
    const topic<number> numbers;
    auto away = spawn<collector>(place::on(1));
    numbers.subscribe(away, {.capacity = 3, .when_full = lag::drop_oldest});
    for (int each = 0; each < 1000; ++each) numbers.publish({each});
    const auto seen = co_await away.ask(collect{});
    const std::size_t lost = numbers.lost(away);
    co_return seen.size() + lost == 1000 && std::is_sorted(seen.begin(), seen.end()) &&
        seen.back() == 999;
  };
  CHECK(run_on(2, body()));
}

TEST_CASE("guests of two loops come, go and die while two publish, and none is left behind") {
  std::atomic<int> seen{0};
  auto body = [](std::atomic<int>& count) -> coro<std::size_t> {
    const auto numbers = topic<number>::named("numbers");
    std::vector<future<int>> published;
    for (std::size_t index = 0; index < 2; ++index) {
      publish_all order{numbers, 300};
      published.push_back(spawn<publisher>(place::on(index)).ask(std::move(order), infinite));
    }
    for (int round = 0; round < 20; ++round) {
      std::vector<actor_ref<protocol<number, come_and_go>>> guests;
      std::vector<future<void>> stays;
      for (std::size_t index = 0; index < 4; ++index) {
        guests.push_back(spawn<guest>(place::on(index % 2), std::ref(count)));
        come_and_go order{numbers};
        stays.push_back(guests.back().ask(std::move(order), infinite));
      }
      for (auto& each : stays) co_await each;
      for (const auto& each : guests) {
        each.kill();
        auto end = each.stopped();
        static_cast<void>(co_await end);
      }
    }
    for (auto& each : published) static_cast<void>(co_await each);
    co_return numbers.subscribers();
  };
  CHECK(run_on(2, body(seen)) == 0);
}
