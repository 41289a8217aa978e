#include <troupe/runtime/timer.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace troupe {

namespace {
constexpr std::size_t large_heap = 128;
constexpr std::size_t looks_again =
    32;  // old ones told at each settling: more would delay the rest
constexpr duration near_enough = std::chrono::milliseconds(1);
constexpr std::size_t arity =
    4;  // shallower than a binary heap, and four children share a cache line or two
}  // namespace

void internal::throw_not_a_duration() {
  throw std::invalid_argument("a duration that is not a number");
}

void timer_queue::arm(timer& item, time_point deadline) {
  const entry value{std::max(deadline, firing_at_), armed_++, &item};
  if (size_ >= large_heap) [[unlikely]] {
    arm_far(value);
    return;
  }
  into_heap(value);
}

void timer_queue::into_heap(const entry& value) {
  if (size_ == capacity_) grow();
  sift_up(size_++, value);
}

/// The heap is large: what is not near stays out of it.
void timer_queue::arm_far(const entry& value) {
  if (far_count() == 0) {
    const time_point near =
        now_ != time_point::min() ? now_ : std::min(heap_[0].deadline, value.deadline);
    const time_point begin = std::max(near, time_point{}) + near_enough;
    if (far_ == nullptr) {
      far_ = new internal::far_timers(begin);
    } else {
      far_->begin_at(begin);
    }
  }
  if (value.deadline < far_->begin()) {
    into_heap(value);
  } else {
    far_->add(value);
  }
}

void timer_queue::take_next_slot(time_point limit) {
  // Of a run that was looked at long before its time, the rest is due behind what has been armed since.
  while (!run_.empty()) {
    const entry first = run_.front();
    run_.pop();
    into_heap(first);
  }
  // Not beyond the one that is known to come first: what is armed from then on may be due before.
  const time_point first = size_ != 0 ? std::min(limit, heap_[0].deadline) : limit;
  far_->take_next(first, run_);
}

void timer_queue::grow() {
  const std::size_t capacity = capacity_ == 0 ? 64 : capacity_ * 2;
  auto* const larger = new entry[capacity];
  std::copy_n(heap_, size_, larger);
  delete[] heap_;
  heap_ = larger;
  capacity_ = capacity;
}

void timer_queue::settle(time_point now) {
  take_lazy(now);
  if (!looking()) return;
  // Those that ask to be told again go behind the last of now. When that is cancelled by another, some are told twice.
  const lazy_timer* const last = looked_at_.previous_;
  for (std::size_t left = std::exchange(fresh_, 0) + looks_again; left != 0 && looking(); --left) {
    lazy_timer& item = *looked_at_.next_;
    look_no_more(item);
    item.fire(item);
    if (&item == last) break;
  }
}

void timer_queue::take_lazy(time_point now) {
  now_ = now;
  // The list holds the newest first; ties must fire in the order of arming.
  lazy_timer* oldest_first = nullptr;
  while (lazy_timer* item = lazy_) {
    lazy_ = item->next_;
    item->next_ = oldest_first;
    oldest_first = item;
  }
  lazy_timer* newest = &looked_at_;
  while (lazy_timer* item = oldest_first) {
    oldest_first = item->next_;
    item->previous_ = item->next_ = nullptr;
    if (item->delay_ == infinite) {
      item->place_ = timer::endless_place;
    } else {
      arm(*item, internal::saturating_add(now, item->delay_));
    }
    // Behind those that are fresh, before those that have been told.
    item->previous_ = newest;
    item->next_ = newest->next_;
    newest->next_->previous_ = item;
    newest->next_ = item;
    newest = item;
    ++fresh_;
  }
}

void timer_queue::look_again(lazy_timer& item) noexcept {
  look_no_more(item);
  item.next_ = &looked_at_;
  item.previous_ = std::exchange(looked_at_.previous_, &item);
  item.previous_->next_ = &item;
}

void timer_queue::look_no_more(lazy_timer& item) noexcept {
  if (item.next_ == nullptr) return;
  item.previous_->next_ = item.next_;
  item.next_->previous_ = item.previous_;
  item.previous_ = item.next_ = nullptr;
}

void timer_queue::cancel_settled(lazy_timer& item) noexcept {
  if (item.place_ == timer::idle_place) return;
  look_no_more(item);
  if (item.place_ == timer::endless_place) {
    item.place_ = timer::idle_place;
  } else {
    cancel(static_cast<timer&>(item));
  }
}

std::size_t timer_queue::fire_due(time_point now) {
  std::size_t fired = 0;
  // What a fired timer arms belongs to a later round, even when it is due at once, and comes behind all that are due now.
  const std::uint64_t last = armed_;
  firing_at_ = now;
  while (due(now) && front().order < last) {
    timer& item = pop();
    item.place_ = timer::idle_place;
    item.fire(item);
    ++fired;
  }
  firing_at_ = time_point::min();
  return fired;
}

void timer_queue::clear(timer::function forgotten) noexcept {
  take_lazy(time_point::min());
  fresh_ = 0;
  while (looking()) {
    lazy_timer& item = *looked_at_.next_;
    look_no_more(item);
    if (item.place_ == timer::endless_place) item.place_ = timer::idle_place;
  }
  while (near_count() != 0 || far_count() != 0) {
    if (near_count() == 0) far_->take_all(run_);
    timer& item = pop();
    item.place_ = timer::idle_place;
    forgotten(item);
  }
  delete std::exchange(far_, nullptr);
}

void timer_queue::remove_at(std::size_t place) noexcept {
  const entry last = heap_[--size_];
  if (place == size_) return;
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
  const std::size_t count = size_;
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
