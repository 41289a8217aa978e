#include <troupe/runtime/timer_run.hpp>

#include <troupe/runtime/timer.hpp>

#include <algorithm>

namespace troupe::internal {

namespace {
constexpr std::size_t first_capacity = 256;
constexpr std::size_t prefetched = 4;  // timers ahead of the one that is taken
}  // namespace

void timer_run::add(const timer_entry& added) {
  if (end_ == capacity_) {
    const std::size_t capacity = capacity_ == 0 ? first_capacity : capacity_ * 2;
    auto* const larger = new timer_entry[capacity];
    std::copy_n(entries_, end_, larger);
    delete[] entries_;
    entries_ = larger;
    capacity_ = capacity;
  }
  entries_[end_++] = added;
  ++left_;
}

void timer_run::sort() noexcept {
  std::sort(entries_, entries_ + end_,
            [](const timer_entry& one, const timer_entry& other) { return one.before(other); });
  for (std::size_t place = 0; place < end_; ++place) entries_[place].item->place_ = mark | place;
}

timer& timer_run::pop() noexcept {
  timer& taken = *entries_[first_].item;
  if (first_ + prefetched < end_) __builtin_prefetch(entries_[first_ + prefetched].item, 1);
  ++first_;
  shrink();
  return taken;
}

void timer_run::remove(std::size_t place) noexcept {
  entries_[place & ~mark].item = nullptr;
  shrink();
}

void timer_run::shrink() noexcept {
  if (--left_ == 0) {
    first_ = end_ = 0;
  } else {
    while (entries_[first_].item == nullptr) ++first_;
  }
}

}  // namespace troupe::internal
