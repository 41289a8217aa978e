#include <troupe/runtime/testing/oracle.hpp>

#include <algorithm>
#include <functional>

namespace troupe::testing {

std::size_t random_walk::choose(const choice& open) {
  if (open.what == choice::kind::fault || open.what == choice::kind::time) {
    if (random_.below(rarity_) != 0) return 0;
    return 1 + random_.below(open.count - 1);
  }
  return random_.below(open.count);
}

by_priority::by_priority(std::uint64_t seed, std::size_t depth, std::size_t steps,
                         std::size_t rarity)
    : random_(seed), rarity_(rarity), fair_after_(steps * 10 + 1000) {
  for (std::size_t change = 1; change < depth; ++change)
    changes_.push_back(random_.below(std::max<std::size_t>(steps, 1)));
  std::sort(changes_.begin(), changes_.end(), std::greater<>());
  last_ = std::uint64_t{1} << 32;
}

std::size_t by_priority::choose(const choice& open) {
  if (open.what == choice::kind::fault || open.what == choice::kind::time) {
    if (random_.below(rarity_) != 0) return 0;
    return 1 + random_.below(open.count - 1);
  }
  if (open.what == choice::kind::value) return random_.below(open.count);
  if (++step_ > fair_after_) return 0;
  std::size_t best = 0;
  std::uint64_t highest = 0;
  for (std::size_t each = 0; each < open.count; ++each) {
    // Priorities at random lie above all that were given by a change.
    const auto [found, is_new] = priorities_.try_emplace(open.who[each], 0);
    if (is_new) found->second = (random_.next() >> 1) | (std::uint64_t{1} << 33);
    if (found->second > highest) {
      highest = found->second;
      best = each;
    }
  }
  if (!changes_.empty() && changes_.back() <= step_) {
    changes_.pop_back();
    priorities_[open.who[best]] = --last_;
  }
  return best;
}

}  // namespace troupe::testing
