// Asks, stopped at every place: who asks, what is asked, and a handler that asks on.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/ask.hpp>
#include <troupe/actors/spawn.hpp>

#include "actors/adder.hpp"
#include "actors/stopped_at_end.hpp"
#include "runtime/brute_force.hpp"
#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <utility>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::addition;

namespace {

struct add_twice {
  using reply = int;
  int value;
};
using adding_twice = protocol<add_twice>;

class relay : public actor<adding_twice> {
 public:
  relay(int& alive, actor_ref<adding> to) : alive_(alive), here_(alive), to_(std::move(to)) {}
  coro<int> on(add_twice m) {
    const counted frame(alive_);
    const int once = co_await to_.ask(add{m.value});
    co_return co_await to_.ask(add_slowly{once});
  }

 private:
  int& alive_;
  counted here_;
  actor_ref<adding> to_;
};

coro<> asks(stage& with) {
  const stopped_at_end<adding> to(spawn<adder>(with.alive));
  with.wrong |= co_await (*to).ask(add{1}) != 2;
  with.wrong |= co_await (*to).ask(add_slowly{2}) != 3;
  auto early = (*to).ask(add_slowly{3});
  auto late = (*to).ask(add{4});
  auto both = gather(early, late);
  auto [first, second] = co_await both;
  with.wrong |= first != 4 || second != 5;
}

coro<> asks_a_relay(stage& with) {
  const stopped_at_end<adding> to(spawn<adder>(with.alive));
  const stopped_at_end<adding_twice> by(spawn<relay>(with.alive, *to));
  with.wrong |= co_await (*by).ask(add_twice{1}) != 3;
}

void stop_everywhere(coro<> (*played)(stage&)) {
  for_each_cancellation<stage>(played, check_what_is_left);
  for_each_cancellation<stage>(played, check_what_is_left, {.for_good = true});
  for_each_cancellation<stage>(played, check_what_is_left, {.twice = true});
}

}  // namespace

TEST_CASE("asks may be stopped everywhere") { stop_everywhere(&asks); }

TEST_CASE("asks of a handler that asks on may be stopped everywhere") {
  stop_everywhere(&asks_a_relay);
}

TEST_CASE("a loop that is abandoned while an ask is under way leaves nothing of it") {
  for_each_abandonment<stage>(&asks_a_relay, [](stage& with) { CHECK(with.alive == 0); });
}
