#include <troupe/runtime/timer.hpp>

#include <algorithm>

namespace troupe {

namespace {
constexpr std::size_t arity = 4;  // shallower than a binary heap, and four children share a cache line or two
}

void timer_queue::arm(timer& item, time_point deadline) {
  const entry value{deadline, armed_++, &item};
  heap_.push_back(value);
  sift_up(heap_.size() - 1, value);
}

void timer_queue::settle(time_point now) {
  // The list holds the newest first; ties must fire in the order of arming.
  timer* oldest_first = nullptr;
  while (timer* item = lazy_) {
    lazy_ = item->next_;
    item->next_ = oldest_first;
    oldest_first = item;
  }
  while (timer* item = oldest_first) {
    oldest_first = item->next_;
    item->previous_ = item->next_ = nullptr;
    arm(*item, internal::saturating_add(now, item->delay_));
  }
}

std::size_t timer_queue::fire_due(time_point now) {
  std::size_t fired = 0;
  // What a fired timer arms belongs to a later round, even when it is due at once.
  const std::uint64_t last = armed_;
  while (!heap_.empty() && heap_.front().deadline <= now && heap_.front().order < last) {
    timer& item = *heap_.front().item;
    remove_at(0);
    item.place_ = timer::idle_place;
    item.fire(item);
    ++fired;
  }
  return fired;
}

void timer_queue::remove_at(std::size_t place) noexcept {
  const entry last = heap_.back();
  heap_.pop_back();
  if (place == heap_.size()) return;
  if (place != 0 && last.before(heap_[(place - 1) / arity])) {
    sift_up(place, last);
  } else {
    sift_down(place, last);
  }
}

void timer_queue::sift_up(std::size_t place, const entry& value) noexcept {
  while (place != 0) {
    const std::size_t parent = (place - 1) / arity;
    if (!value.before(heap_[parent])) break;
    put(place, heap_[parent]);
    place = parent;
  }
  put(place, value);
}

void timer_queue::sift_down(std::size_t place, const entry& value) noexcept {
  const std::size_t count = heap_.size();
  for (;;) {
    const std::size_t first = place * arity + 1;
    if (first >= count) break;
    std::size_t least = first;
    const std::size_t end = std::min(first + arity, count);
    for (std::size_t child = first + 1; child < end; ++child) {
      if (heap_[child].before(heap_[least])) least = child;
    }
    if (!heap_[least].before(value)) break;
    put(place, heap_[least]);
    place = least;
  }
  put(place, value);
}

}  // namespace troupe
