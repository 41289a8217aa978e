// Waits for names, and asks of routers and pools, stopped at every place; loops abandoned in the middle of it.
#include <troupe/actors/pool.hpp>
#include <troupe/actors/registry.hpp>
#include <troupe/actors/router.hpp>
#include <troupe/actors/topic.hpp>

#include "actors/adder.hpp"
#include "actors/stopped_at_end.hpp"
#include "runtime/brute_force.hpp"
#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <functional>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::addition;

namespace {

coro<> names_itself_later(actor_ref<adding> who) {
  co_await sleep(1ms);
  try {
    register_name("adder", who);
  } catch (const actor_dead&) {
    // Whom it was for has been stopped meanwhile.
  }
}

coro<> waits_for_a_name(stage& with) {
  const auto who = spawn<adder>(std::ref(with.alive));
  const stopped_at_end end(who);
  const auto naming = create_task(names_itself_later(who));
  auto first = when_registered<adding>("adder");
  auto found = co_await when_registered<protocol<add>>("adder");
  with.wrong |= co_await found.ask(add{1}) != 2;
  auto again = co_await first;
  with.wrong |= again != who;
  unregister_name("adder");
  co_await naming;
}

coro<> asks_a_router(stage& with) {
  const router<adding> front(routing::least_loaded);
  const topic<add> published;
  const auto one = spawn<adder>(std::ref(with.alive));
  const auto other = spawn<adder>(std::ref(with.alive));
  const stopped_at_end end(one);
  const stopped_at_end other_end(other);
  front.add(one);
  front.add(other);
  published.subscribe(one, {.capacity = 1});
  published.publish({1});
  published.publish({2});
  auto slow = front.ask(add_slowly{1});
  with.wrong |= co_await front.ask(add{2}) != 3;
  with.wrong |= co_await slow != 2;
}

coro<> asks_a_pool(stage& with) {
  auto front = spawn<pool<adder>>(pool_options{.least = 0, .most = 2, .idle_time = 5ms},
                                  std::ref(with.alive));
  const stopped_at_end end(front);
  auto first = front.ask(add_slowly{1});
  auto second = front.ask(add_slowly{2});
  auto third = front.ask(add_slowly{3});
  with.wrong |= co_await third != 4;
  with.wrong |= co_await first != 2;
  with.wrong |= co_await second != 3;
}

void stop_everywhere(coro<> (*played)(stage&)) {
  for_each_cancellation<stage>(played, check_what_is_left);
  for_each_cancellation<stage>(played, check_what_is_left, {.for_good = true});
  for_each_abandonment<stage>(played, [](stage& with) { CHECK(with.alive == 0); });
}

}  // namespace

TEST_CASE("waits for names may be stopped everywhere, and their loop abandoned") {
  stop_everywhere(&waits_for_a_name);
}

TEST_CASE("asks of a router may be stopped everywhere, and their loop abandoned") {
  stop_everywhere(&asks_a_router);
}

TEST_CASE("asks of a pool may be stopped everywhere, and their loop abandoned") {
  stop_everywhere(&asks_a_pool);
}
