// What waits for the workers of a pool waits in the pool's mailbox, with its limits.
#include <troupe/actors/pool.hpp>

#include "actors/helpers.hpp"
#include "actors/workshop.hpp"
#include "support/explored.hpp"

#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::workshops;

namespace {

/// Has room for one message.
struct narrow : actor<protocol<job>> {
  static constexpr mailbox_options mailbox{.capacity = 1, .when_full = overflow::drop_oldest};
  int on(job j) { return j.number; }
};

}  // namespace

TEST_CASE("what waits for a worker fills the mailbox of the pool") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front =
        spawn<pool<worker>>({.mailbox = {.capacity = 1}}, pool_options{.most = 1}, std::ref(shop));
    co_await settle();
    auto first = front.ask(job{1});
    co_await settle();
    auto second = front.ask(job{2});  // the pool has it in hand
    co_await settle();
    auto third = front.ask(job{3});
    auto fourth = front.ask(job{4});
    const std::string how = co_await ending(std::move(fourth));
    shop.into.push_back(how.find("has no room for") != std::string::npos ? "full" : how);
    co_await third;
  });
  CHECK(at.into == journal{"job 1", "full", "job 2", "job 3"});
}

TEST_CASE("a pool slows down who sends, down to what its workers can do") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn<pool<worker>>({.mailbox = {.capacity = 2, .when_full = overflow::suspend}},
                                     pool_options{.most = 2}, std::ref(shop));
    co_await settle();
    const time_point begun = loop::current()->time();
    for (int number = 0; number < 9; ++number) co_await front.send(job{number});
    // Two are worked on, one is in the pool's hand, two wait: for the ninth, four had to be done.
    shop.into = {std::to_string((loop::current()->time() - begun) / 1s) + " s"};
    co_await sleep(10s);
  });
  CHECK(at.into == journal{"2 s", "job 6", "job 7", "job 8"});
}

TROUPE_PROGRAM_TEST_CASE("limits of a worker's mailbox pass over what the pool puts there") {
  int sum = 0;
  auto body = [](int& into) -> coro<> {
    auto front = spawn<pool<narrow>>(pool_options{.most = 2});
    std::vector<future<int>> answers;
    for (int number = 0; number < 10; ++number) answers.push_back(front.ask(job{number}));
    for (auto& each : answers) into += co_await each;
  };
  testing::run(body(sum));
  CHECK(sum == 45);
}

TEST_CASE("a pool that is to drain first hands out all that waits") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 1});
    for (int number = 0; number < 3; ++number) front.tell(job{number});
    front.stop_when_drained();
    auto end = front.stopped();
    const exit_reason why = co_await end;
    shop.into.push_back(why.text());
  });
  CHECK(at.into == journal{"job 0", "job 1", "job 2", "stopped"});
}

TEST_CASE("requests that nobody waits for any more are left out") {
  const workshop at = play([](workshop& shop) -> coro<> {
    auto front = spawn_pool(shop, {.most = 1});
    front.tell(job{1});
    auto impatient = front.ask(job{2}, 500ms);
    auto changed_mind = front.ask(job{3});
    auto last = front.ask(job{4});
    co_await settle();
    changed_mind.cancel();
    const std::string how = co_await ending(std::move(impatient));
    shop.into.push_back(first_words(how, ":"));
    co_await last;
  });
  CHECK(at.into == journal{"job 1", "timeout", "job 4"});
}
