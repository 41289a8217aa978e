#include <troupe/runtime/testing/order_search.hpp>

#include <troupe/runtime/testing/oracle.hpp>

#include <algorithm>
#include <limits>
#include <tuple>

namespace troupe::testing::internal {

order_search::order_search(std::vector<interval> all, const any_state& initial, std::size_t most)
    : all_(std::move(all)), initial_(initial.copy()), most_(most) {
  seeded random(1);
  const auto head = static_cast<std::uint32_t>(all_.size());
  for (std::uint32_t place = 0; place <= head; ++place) {
    after_.push_back(place == head ? 0 : place + 1);
    before_.push_back(place == 0 ? head : place - 1);
    if (place == head) break;
    const std::uint64_t low = random.next();
    marks_.push_back({low, random.next()});
    left_ += all_[place].seen ? 1 : 0;
  }
}

order_search::verdict order_search::run() {
  enter(initial_, static_cast<std::uint32_t>(all_.size()));
  while (left_ > 0) {
    frame& top = frames_.back();
    if (top.tried == top.next.size()) {
      if (frames_.size() == 1) return verdict::none;
      put_back(top.taken);
      frames_.pop_back();
      continue;
    }
    candidate& next = top.next[top.tried++];
    state then = next.then != nullptr ? std::move(next.then) : after(*top.now, next.place);
    const bool in_vain = !all_[next.place].seen && then->comparable() && then->same(*top.now);
    if (in_vain) continue;
    const std::uint32_t place = next.place;
    take(place);
    if (!is_new(then)) {
      put_back(place);
      continue;
    }
    if (++configurations_ > most_) return verdict::undecided;
    enter(std::move(then), place);
  }
  return verdict::found;
}

std::vector<std::size_t> order_search::order() const {
  std::vector<std::size_t> places;
  for (std::size_t depth = 1; depth < frames_.size(); ++depth)
    places.push_back(frames_[depth].taken);
  return places;
}

/// Those that may be next: first the answered ones, of which the first answer comes first.
std::vector<std::uint32_t> order_search::open_places() const {
  std::vector<std::uint32_t> places;
  std::uint64_t first_answer = std::numeric_limits<std::uint64_t>::max();
  const auto head = static_cast<std::uint32_t>(all_.size());
  for (std::uint32_t place = after_[head]; place != head; place = after_[place]) {
    const interval& each = all_[place];
    if (each.begin > first_answer) break;
    places.push_back(place);
    if (each.seen) first_answer = std::min(first_answer, each.end);
  }
  std::sort(places.begin(), places.end(), [this](std::uint32_t a, std::uint32_t b) {
    return std::tuple(!all_[a].seen, all_[a].end, a) < std::tuple(!all_[b].seen, all_[b].end, b);
  });
  return places;
}

void order_search::enter(state now, std::uint32_t taken) {
  frame made{std::move(now), taken, {}};
  for (const std::uint32_t place : open_places()) {
    if (!all_[place].seen) {
      if (!all_[place].call->only_reads()) made.next.push_back({place, nullptr});
      continue;
    }
    state then = after(*made.now, place);
    if (then == nullptr) continue;
    if (all_[place].call->only_reads()) {
      made.next.clear();
      made.next.push_back({place, std::move(then)});
      break;
    }
    made.next.push_back({place, std::move(then)});
  }
  frames_.push_back(std::move(made));
}

/// Null when it cannot be.
order_search::state order_search::after(const any_state& now, std::uint32_t place) const {
  std::unique_ptr<any_state> then = now.copy();
  const interval& next = all_[place];
  if (!next.seen) {
    next.call->happens_unseen(*then);
  } else if (!next.call->happens(*then)) {
    return nullptr;
  }
  return then;
}

bool order_search::is_new(const state& reached) {
  if (!reached->comparable()) return true;
  std::vector<remembered>& same =
      seen_[set_.low ^ (static_cast<std::uint64_t>(reached->hash()) * 0x9e3779b97f4a7c15)];
  for (const remembered& each : same) {
    if (each.set == set_.high && each.reached->same(*reached)) return false;
  }
  same.push_back({set_.high, reached});
  return true;
}

void order_search::flip(std::uint32_t place) noexcept {
  set_.low ^= marks_[place].low;
  set_.high ^= marks_[place].high;
}

void order_search::take(std::uint32_t place) noexcept {
  after_[before_[place]] = after_[place];
  before_[after_[place]] = before_[place];
  left_ -= all_[place].seen ? 1 : 0;
  flip(place);
}

void order_search::put_back(std::uint32_t place) noexcept {
  after_[before_[place]] = place;
  before_[after_[place]] = place;
  left_ += all_[place].seen ? 1 : 0;
  flip(place);
}

}  // namespace troupe::testing::internal
