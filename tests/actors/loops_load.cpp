// How much there is on each loop, and actors that are placed where there is least.
#include <troupe/actors/actor.hpp>

#include "actors/helpers.hpp"
#include "actors/loops.hpp"
#include "support/catch.hpp"

#include <cstddef>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::loops;

TEST_CASE("actors are placed on the loop that has the fewest, and loads count them") {
  auto body = []() -> coro<> {
    runtime& all = *runtime::current();
    std::vector<actor_ref<remote_protocol>> made;
    for (int times = 0; times < 6; ++times) made.push_back(spawn<collector>(place::on(1)));
    for (int times = 0; times < 10; ++times) made.push_back(spawn<collector>(place::least_loaded));
    const auto loads = all.loads();
    REQUIRE(loads.size() == 2);
    CHECK(loads[0].actors == 8);
    CHECK(loads[1].actors == 8);
    CHECK(loads[1].index == 1);
    std::size_t there = 0;
    for (const auto& each : made) there += co_await each.ask(where{});
    CHECK(there == 8);
    for (const auto& each : made) each.stop();
    for (const auto& each : made) co_await each.stopped();
    const auto after = all.loads();
    CHECK(after[0].actors == 0);
    CHECK(after[1].actors == 0);
    // What a loop has done is counted when it looks at its inbox again: that comes.
    while (all.loads()[1].works < 8) co_await sleep(0s);
  };
  testing::run_on(2, body());
}
