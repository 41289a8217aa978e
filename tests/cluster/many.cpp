// Twenty nodes, to which everything happens.
#include "cluster/crowd.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::clusters;

namespace {

void rages(std::uint64_t first, std::uint64_t count, const crowd_options& how) {
  crowd_report all;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    INFO("seed " << seed);
    const crowd_report one = rage(seed, how);
    all.crashes += one.crashes;
    all.partitions += one.partitions;
    all.received += one.received;
    all.asks_answered += one.asks_answered;
    all.members_lost += one.members_lost;
    all.keys_begun += one.keys_begun;
  }
  CHECK(all.crashes > count);
  CHECK(all.partitions > count);
  CHECK(all.members_lost > count);
  CHECK(all.keys_begun > count);
  CHECK(all.received > count);
  CHECK(all.asks_answered > count);
}

}  // namespace

TEST_CASE("whatever happens to a few nodes, they come to agree, and each ask ends") {
  rages(1, 20, {.nodes = 5, .events = 30});
}

TEST_CASE("whatever happens to twenty nodes, they come to agree, and each ask ends") {
  rages(2, 1, {});
}

/// Minutes: for who has changed something here. `test-cluster "[long]"`
TEST_CASE("whatever happens to twenty nodes, they come to agree, in a thousand runs", "[.][long]") {
  rages(1, 1'000, {});
}
