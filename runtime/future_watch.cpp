#include <troupe/runtime/future_watch.hpp>

#include <algorithm>
#include <numeric>

namespace troupe::internal {

void future_watch::start() noexcept {
  for (std::size_t number = 0; number < count_; ++number) {
    member& one = members_[number];
    if (one.target->done()) continue;
    one.all = this;
    one.target->add_observer(one);
    ++left_;
  }
}

void future_watch::stop() noexcept {
  for (std::size_t number = 0; number < count_ && left_ != 0; ++number) {
    member& one = members_[number];
    if (std::exchange(one.all, nullptr) == nullptr) continue;
    one.target->remove_observer(one);
    --left_;
  }
}

void future_watch::member::on_done(observer& self) noexcept {
  auto& one = static_cast<member&>(self);
  future_watch& all = *std::exchange(one.all, nullptr);
  --all.left_;
  all.told(static_cast<std::size_t>(&one - all.members_));
}

std::vector<std::size_t> places_of_first(const std::vector<future_base*>& targets) {
  std::vector<std::size_t> places(targets.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  std::stable_sort(places.begin(), places.end(),
                   [&](std::size_t a, std::size_t b) { return targets[a] < targets[b]; });
  const auto repeated =
      std::unique(places.begin(), places.end(),
                  [&](std::size_t a, std::size_t b) { return targets[a] == targets[b]; });
  places.erase(repeated, places.end());
  std::sort(places.begin(), places.end());
  return places;
}

}  // namespace troupe::internal
