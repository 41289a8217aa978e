// Pools: workers that share the messages of one actor.
#include <troupe/actors/pool.hpp>

#include "actors/helpers.hpp"
#include "actors/workshop.hpp"
#include "support/catch.hpp"

#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::workshops;

TEST_CASE("a pool has as many messages handled at a time as it may have workers") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 3});
    std::vector<future<int>> answers;
    for (int number = 0; number < 10; ++number) answers.push_back(front.ask(job{number}, infinite));
    const time_point begun = loop::current()->time();
    int sum = 0;
    for (auto& each : answers) sum += co_await each;
    if (sum != 45) shop.into.push_back("wrong answers");
    if (loop::current()->time() - begun != 4s) shop.into.push_back("another time");
  });
  CHECK(at.most_active == 3);
  CHECK(at.into == journal{"job 0", "job 1", "job 2", "job 3", "job 4", "job 5", "job 6", "job 7",
                           "job 8", "job 9"});
}

TEST_CASE("a pool grows while messages wait, and shrinks when workers have nothing to do") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.least = 1, .most = 4, .idle_time = 10s});
    const auto count = [&] { shop.into.push_back(std::to_string(shop.alive) + " alive"); };
    count();
    for (int number = 0; number < 3; ++number) front.tell(job{number});
    co_await settle();
    count();
    co_await sleep(6s);
    front.tell(job{3});  // one of them has not been idle for that long
    co_await sleep(6s);
    count();
    co_await sleep(20s);
    count();
  });
  CHECK(at.into ==
        journal{"1 alive", "job 0", "job 1", "job 2", "3 alive", "job 3", "1 alive", "1 alive"});
}

TEST_CASE("a pool may have no worker until there is something to do") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.least = 0, .most = 2, .idle_time = 1s});
    shop.into.push_back(std::to_string(shop.alive));
    const int answer = co_await front.ask(job{5});
    shop.into.push_back(std::to_string(answer) + " by " + std::to_string(shop.alive));
    co_await sleep(2s);
    shop.into.push_back(std::to_string(shop.alive));
  });
  CHECK(at.into == journal{"0", "job 5", "5 by 1", "0"});
}

TEST_CASE("messages of a pool that has one worker are handled in order, told or asked") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 1});
    front.tell(errand{1});
    front.tell(job{2});
    front.tell(errand{3});
    const int last = co_await front.ask(job{4});
    shop.into.push_back(std::to_string(last));
  });
  CHECK(at.into == journal{"errand 1", "job 2", "errand 3", "job 4", "4"});
}

TEST_CASE("a pool that stops lets its workers end, and refuses what waits") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 1});
    auto in_hand = front.ask(job{1});
    auto waits = front.ask(job{2});
    front.tell(errand{3});
    co_await settle();
    front.stop();
    for (auto* each : {&in_hand, &waits}) {
      const std::string how = co_await ending(std::move(*each));
      shop.into.push_back(first_words(how, ":"));
    }
    co_await settle();
    shop.into.push_back(std::to_string(shop.alive));
  });
  CHECK(at.into == journal{"job 1", "dead", "dead", "0"});
}

TEST_CASE("a pool may be killed, and left to the end of the run, with messages that wait") {
  for (const bool kill : {true, false}) {
    workshop at;
    auto body = [](workshop& shop, bool killed) -> coro<> {
      auto front = spawn_pool(shop, {.least = 2, .most = 2});
      for (int number = 0; number < 5; ++number) {
        front.tell(job{number});
        static_cast<void>(front.ask(job{number}));
      }
      co_await settle();
      if (killed) front.kill();
    };
    testing::run(body(at, kill));
    CHECK(at.into == journal{"job 0", "job 0"});
    CHECK(at.alive == 0);
  }
}

TEST_CASE("a worker that puts off its answer gets more messages meanwhile") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 1});
    auto first = front.ask(put_off{});
    auto second = front.ask(put_off{});
    front.tell(finish{});
    const int one = co_await first;
    const int other = co_await second;
    shop.into.push_back(std::to_string(one + other));
  });
  CHECK(at.into == journal{"14"});
}

TEST_CASE("a pool is a child like any other") {
  struct go {
    using reply = int;
  };
  struct manager : actor<protocol<go>> {
    explicit manager(workshop& shop)
        : front(spawn<pool<worker>>({.name = "team"}, pool_options{.most = 2}, std::ref(shop))) {}
    coro<int> on(go) {
      const int answer = co_await front.ask(job{3});
      co_return answer;
    }
    actor_ref<working> front;
  };
  const workshop at = play([](workshop& shop) -> coro<> {
    auto top = spawn<manager>(std::ref(shop));
    const int answer = co_await top.ask(go{});
    shop.into.push_back(std::to_string(answer));
    top.stop();
    co_await settle();
    shop.into.push_back(std::to_string(shop.alive));
  });
  CHECK(at.into == journal{"job 3", "3", "0"});
}
