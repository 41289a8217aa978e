#include <troupe/runtime/future_watch.hpp>

#include <algorithm>
#include <functional>

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

void repeats::find() noexcept {
  // By target, and then in the order of adding: all but the first of each target are repeated.
  std::sort(given_, given_ + count_, [](const one& a, const one& b) {
    return a.target != b.target ? std::less<>()(a.target, b.target) : a.number < b.number;
  });
  for (std::size_t place = 1; place < count_; ++place)
    given_[place].repeated = given_[place].target == given_[place - 1].target;
  std::sort(given_, given_ + count_,
            [](const one& a, const one& b) { return a.number < b.number; });
}

}  // namespace troupe::internal
