#include <troupe/runtime/testing/oracle.hpp>

#include <algorithm>
#include <functional>

namespace troupe::testing {

namespace {

/// Of what is no order: a number as likely as the others, a fault or a delay one time in `rarity`.
std::size_t draw(seeded& random, const choice& open, std::size_t rarity) {
  if (open.what == choice::kind::value) return random.below(open.count);
  if (random.below(rarity) != 0) return 0;
  return 1 + random.below(open.count - 1);
}

}  // namespace

std::size_t random_walk::choose(const choice& open) {
  return open.what == choice::kind::next ? random_.below(open.count) : draw(random_, open, rarity_);
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
  if (open.what != choice::kind::next) return draw(random_, open, rarity_);
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

std::size_t partial_order_sampling::choose(const choice& open) {
  if (open.what != choice::kind::next) return draw(random_, open, rarity_);
  std::size_t best = 0;
  std::uint64_t highest = 0;
  for (std::size_t each = 0; each < open.count; ++each) {
    const auto [found, is_new] = priorities_.try_emplace(open.who[each], 0);
    if (is_new) found->second = random_.next() | 1;
    if (found->second > highest) {
      highest = found->second;
      best = each;
    }
  }
  return best;
}

void partial_order_sampling::stepped(const std::vector<touch>& touched) {
  // Tasks and actors have the numbers by which they wait. Who took the step is one of them.
  for (const touch& each : touched) priorities_.erase(each.what);
}

few_departures::few_departures(std::uint64_t seed, std::size_t count, std::size_t steps)
    : random_(seed) {
  for (std::size_t each = 0; each < count; ++each)
    departures_.push_back(random_.below(std::max<std::size_t>(steps, 1)));
  std::sort(departures_.begin(), departures_.end(), std::greater<>());
}

std::size_t few_departures::choose(const choice& open) {
  const std::size_t step = step_++;
  if (departures_.empty() || departures_.back() > step) return 0;
  departures_.pop_back();
  return 1 + random_.below(open.count - 1);
}

}  // namespace troupe::testing
