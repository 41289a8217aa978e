// Workers of a pool that crash, are killed or cannot be made: they are replaced, until the pool gives up.
#include <troupe/actors/pool.hpp>

#include "actors/helpers.hpp"
#include "actors/workshop.hpp"
#include "support/catch.hpp"

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::workshops;

TEST_CASE("a worker that crashes is replaced, and only who asked it hears of that") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 1});
    auto failing = front.ask(crash{});
    auto waits = front.ask(job{1});
    auto fails_too = front.ask(crash{});
    for (auto* each : {&failing, &waits, &fails_too}) {
      const std::string how = co_await ending(std::move(*each));
      shop.into.push_back(how);
    }
    co_await settle();
    shop.into.push_back(std::to_string(shop.alive) + " alive");
  });
  CHECK(at.into == journal{"error: broken", "job 1", "1", "error: broken", "1 alive"});
}

TEST_CASE("a worker that is killed while it works fails its ask, and is replaced") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 1});
    auto first = front.ask(job{1});
    auto second = front.ask(job{2});
    co_await settle();
    shop.last->kill();
    const std::string how = co_await ending(std::move(first));
    shop.into.push_back(first_words(how, ":"));
    const int answer = co_await second;
    shop.into.push_back(std::to_string(answer));
    shop.last->kill();  // idle now
    co_await settle();
    shop.into.push_back(std::to_string(shop.alive) + " alive");
  });
  CHECK(at.into == journal{"job 1", "dead", "job 2", "2", "1 alive"});
}

TEST_CASE("a worker that stops itself is replaced as often as it likes") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 1, .failures = 2});
    std::vector<future<int>> answers;
    for (int times = 0; times < 20; ++times) answers.push_back(front.ask(leave{}));
    int answered = 0;
    for (auto& each : answers) answered += co_await each;
    shop.into.push_back(std::to_string(answered));
  });
  CHECK(at.into == journal{"20"});
}

TEST_CASE("a pool whose workers fail too often crashes, and refuses what waits") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 1, .failures = 2, .within = 10s});
    std::vector<future<int>> failing;
    for (int times = 0; times < 3; ++times) failing.push_back(front.ask(crash{}));
    auto waits = front.ask(job{1});
    for (auto& each : failing) {
      const std::string how = co_await ending(std::move(each));
      shop.into.push_back(how);
    }
    const std::string how = co_await ending(std::move(waits));
    shop.into.push_back(first_words(how, ":"));
    auto end = front.stopped();
    const exit_reason why = co_await end;
    const std::string text = why.text();
    shop.into.push_back(text.find("pool_gave_up") != std::string::npos &&
                                text.find("gives up: 3 workers have failed within") !=
                                    std::string::npos
                            ? "gave up"
                            : text);
  });
  CHECK(at.into == journal{"error: broken", "error: broken", "error: broken", "dead", "gave up"});
  CHECK(at.alive == 0);
}

TEST_CASE("failures of long ago are forgotten") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 1, .failures = 1, .within = 10s});
    for (int times = 0; times < 5; ++times) {
      auto failing = front.ask(crash{});
      const std::string how = co_await ending(std::move(failing));
      shop.into.push_back(how);
      co_await sleep(11s);
    }
  });
  CHECK(at.into == journal(5, "error: broken"));
}

TEST_CASE("a pool whose first workers cannot be made is not spawned") {
  const workshop at = play([](workshop& shop) -> coro<> {
    shop.to_throw = 1;
    try {
      spawn_pool(shop, {.least = 2});
    } catch (const std::runtime_error& error) {
      shop.into.push_back(error.what());
    }
    for (const pool_options wrong :
         {pool_options{.least = 0, .most = 0}, {.least = 3, .most = 2}}) {
      try {
        spawn_pool(shop, wrong);
      } catch (const std::invalid_argument&) {
        shop.into.push_back("invalid");
      }
    }
    co_return;
  });
  CHECK(at.into == journal{"no tools", "invalid", "invalid"});
}

TEST_CASE("a worker that cannot be made is tried again a little later") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.least = 0, .most = 2});
    shop.to_throw = 3;
    const time_point begun = loop::current()->time();
    const int answer = co_await front.ask(job{1});
    const bool in_time = loop::current()->time() - begun == 1300ms;
    shop.into.push_back(std::to_string(answer) + (in_time ? " in time" : ""));
    shop.to_throw = 100;
    shop.last->kill();
    auto never = front.ask(job{2}, infinite);
    const std::string how = co_await ending(std::move(never));
    shop.into.push_back(first_words(how, ":"));
  });
  CHECK(at.into == journal{"job 1", "1 in time", "dead"});
}

TEST_CASE("a worker that crashes before it has started takes no message with it") {
  static int starts_to_fail;
  struct late : actor<protocol<job>> {
    coro<> on_start() {
      co_await sleep(1s);
      if (starts_to_fail-- > 0) throw std::runtime_error("late");
    }
    int on(job j) { return j.number; }
  };
  starts_to_fail = 2;
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn<pool<late>>(pool_options{.most = 3});
    const time_point begun = loop::current()->time();
    const int answer = co_await front.ask(job{1}, infinite);
    const duration took = loop::current()->time() - begun;
    shop.into.push_back(std::to_string(answer));
    if (took != 3200ms) shop.into.push_back("another time");
  });
  CHECK(at.into == journal{"1"});
}

TEST_CASE("a pool that is supervised starts again with new workers, and keeps what waits") {
  struct manager : actor<protocol<finish>> {
    manager(workshop& shop, actor_ref<working>& front) {
      front = supervise<pool<worker>>({}, pool_options{.most = 1, .failures = 0}, std::ref(shop));
    }
    void on(finish) {}
  };
  const workshop at = play([](workshop& shop) -> coro<> {
    actor_ref<working> front;
    spawn<manager>(std::ref(shop), std::ref(front));
    auto failing = front.ask(crash{});  // one failure is too many
    const std::string how = co_await ending(std::move(failing));
    shop.into.push_back(how);
    front.tell(job{1});
    const int answer = co_await front.ask(job{2});
    shop.into.push_back(std::to_string(answer) + " by " + std::to_string(shop.alive));
  });
  CHECK(at.into == journal{"error: broken", "job 1", "job 2", "2 by 1"});
}
