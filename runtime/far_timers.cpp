#include <troupe/runtime/far_timers.hpp>

#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/timer.hpp>
#include <troupe/runtime/timer_run.hpp>

#include <algorithm>
#include <bit>
#include <utility>

namespace troupe::internal {

namespace {
constexpr std::uint32_t first_capacity = 4;
constexpr std::uint32_t prefetched = 8;  // entries ahead of the one that is moved
}  // namespace

void far_timers::slot::push(const timer_entry& added) {
  const std::uint32_t block = size_ / block_size;
  if (size_ % block_size == 0) {
    if (block == capacity_) {
      const std::uint32_t capacity = capacity_ == 0 ? first_capacity : capacity_ * 2;
      auto* const more = new timer_entry*[capacity];
      std::copy_n(blocks_, block, more);
      delete[] blocks_;
      blocks_ = more;
      capacity_ = capacity;
    }
    last_ = static_cast<timer_entry*>(allocate(block_size * sizeof(timer_entry)));
    blocks_[block] = last_;
  }
  ::new (static_cast<void*>(&last_[size_++ % block_size])) timer_entry(added);
}

timer_entry far_timers::slot::pop() noexcept {
  const timer_entry last = last_[--size_ % block_size];
  if (size_ % block_size == 0) {
    deallocate(last_, block_size * sizeof(timer_entry));
    last_ = size_ != 0 ? blocks_[size_ / block_size - 1] : nullptr;
  }
  return last;
}

/// Fetches the block behind the one that begins at `position`, if one does.
void far_timers::slot::prefetch_behind(std::uint32_t position) const noexcept {
  constexpr std::size_t cache_line = 64;
  if (position % block_size != 0 || position + block_size >= size_) return;
  const auto* const block = reinterpret_cast<const char*>(blocks_[position / block_size + 1]);
  for (std::size_t at = 0; at < block_size * sizeof(timer_entry); at += cache_line)
    __builtin_prefetch(block + at);
}

void far_timers::slot::clear() noexcept {
  for (std::uint32_t first = 0; first < size_; first += block_size)
    deallocate(blocks_[first / block_size], block_size * sizeof(timer_entry));
  delete[] std::exchange(blocks_, nullptr);
  last_ = nullptr;
  size_ = capacity_ = 0;
}

void far_timers::slot::swap(slot& other) noexcept {
  std::swap(blocks_, other.blocks_);
  std::swap(last_, other.last_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
}

far_timers::~far_timers() {
  for (level* const each : levels_) delete each;
}

void far_timers::put(int number, std::size_t index, const timer_entry& added) {
  if (levels_[number] == nullptr) levels_[number] = new level(slots_of(number));
  slot& into = slot_at(number, index);
  into.push(added);
  levels_[number]->used[index / 64] |= std::uint64_t{1} << (index % 64);
  added.item->place_ = place_of(number, index, into.size() - 1);
}

void far_timers::add(const timer_entry& added) {
  const std::uint64_t at = ticks(added.deadline);
  const std::uint64_t from = ticks(begin_);
  int number = 0;
  while (number < levels - 1 &&
         (at >> shifts[number]) - (from >> shifts[number]) >= slots_of(number))
    ++number;
  const bool beyond = number == levels - 1;
  const std::uint64_t tick = at >> shifts[number];
  put(number, tick % slots_of(number), added);
  const std::uint64_t start = beyond ? at : tick << shifts[number];
  const time_point starts(duration(static_cast<duration::rep>(start)));
  next_ = count_++ == 0 ? starts : std::min(next_, starts);
}

void far_timers::remove(std::size_t place) noexcept {
  const int number = static_cast<int>(place >> 58 & 7);
  const std::size_t index = place >> 40 & (slots_of(0) - 1);
  const std::size_t position = place & ((std::size_t{1} << 40) - 1);
  slot& from = slot_at(number, index);
  const timer_entry last = from.pop();
  if (position != from.size()) {
    from[position] = last;
    last.item->place_ = place;
  }
  if (from.size() == 0) levels_[number]->mark_empty(index);
  // `next_` may be too early now, which costs one look of `take_next`.
  --count_;
}

std::size_t far_timers::first_used(int number) const noexcept {
  const level* const in = levels_[number];
  const std::size_t slots = slots_of(number);
  if (in == nullptr) return slots;
  const std::size_t start = (ticks(begin_) >> shifts[number]) % slots;
  for (std::size_t distance = 0; distance < slots;) {
    const std::size_t index = (start + distance) % slots;
    const std::uint64_t rest = in->used[index / 64] >> (index % 64);
    if (rest != 0) return distance + static_cast<std::size_t>(std::countr_zero(rest));
    distance += 64 - index % 64;
  }
  return slots;
}

void far_timers::find_next() noexcept {
  next_ = time_point::max();
  for (int number = 0; number < levels - 1; ++number) {
    const std::size_t distance = first_used(number);
    if (distance >= slots_of(number)) continue;
    const std::uint64_t tick = (ticks(begin_) >> shifts[number]) + distance;
    next_ =
        std::min(next_, time_point(duration(static_cast<duration::rep>(tick << shifts[number]))));
  }
  const level* const beyond = levels_[levels - 1];
  if (beyond == nullptr) return;
  for (std::uint32_t index = 0; index < beyond->all[0].size(); ++index)
    next_ = std::min(next_, beyond->all[0][index].deadline);
}

/// Distributes a slot of a coarser level over the finer ones. Pre: `begin_` is at its start, or it is the list of what is beyond.
void far_timers::spread(int number, std::size_t index) {
  slot taken;
  taken.swap(slot_at(number, index));
  levels_[number]->mark_empty(index);
  count_ -= taken.size();
  for (std::uint32_t position = 0; position < taken.size(); ++position) {
    if (position + prefetched < taken.size())
      __builtin_prefetch(&taken[position + prefetched].item->place_, 1);
    add(taken[position]);
  }
}

void far_timers::take_next(time_point limit, timer_run& into) {
  for (;;) {
    find_next();
    if (next_ > limit) return;  // what was to come first has been cancelled, or is in a coarse slot
    if (next_ == time_point::max()) {
      take_all(into);  // what is due at the end of time
      return;
    }
    begin_ = std::max(begin_, slot_start(next_));
    // The coarsest first: what lies there may be due before what lies in the finer ones.
    bool spread_one = false;
    for (int number = levels - 1; number > 0 && !spread_one; --number) {
      if (levels_[number] == nullptr) continue;
      if (number == levels - 1) {
        const slot& beyond = levels_[number]->all[0];
        const auto near = [&](const timer_entry& each) {
          return (ticks(each.deadline) >> shifts[number - 1]) -
                     (ticks(begin_) >> shifts[number - 1]) <
                 slots_of(number - 1);
        };
        bool any_near = false;
        for (std::uint32_t position = 0; position < beyond.size() && !any_near; ++position)
          any_near = near(beyond[position]);
        if (any_near) {
          spread(number, 0);
          spread_one = true;
        }
      } else if (first_used(number) == 0) {
        spread(number, (ticks(begin_) >> shifts[number]) % slots_of(number));
        spread_one = true;
      }
    }
    if (!spread_one) break;
  }
  const std::size_t index = (ticks(begin_) >> shifts[0]) % slots_of(0);
  slot& from = slot_at(0, index);
  for (std::uint32_t position = 0; position < from.size(); ++position) {
    from.prefetch_behind(position);
    if (position + prefetched < from.size()) {
      // The timer, and what it is part of, which mostly goes on behind it.
      const timer* const ahead = from[position + prefetched].item;
      __builtin_prefetch(ahead, 1);
      __builtin_prefetch(ahead + 3, 1);
    }
    into.add(from[position]);
  }
  into.sort();
  count_ -= from.size();
  from.clear();
  levels_[0]->mark_empty(index);
  begin_ += duration(duration::rep{1} << shifts[0]);
  find_next();
}

void far_timers::take_all(timer_run& into) {
  for (level* const each : levels_) {
    if (each == nullptr) continue;
    for (std::size_t index = 0; index < each->slots; ++index) {
      slot& one = each->all[index];
      for (std::uint32_t position = 0; position < one.size(); ++position) into.add(one[position]);
      one.clear();
      each->mark_empty(index);
    }
  }
  into.sort();
  count_ = 0;
  next_ = time_point::max();
}

}  // namespace troupe::internal
