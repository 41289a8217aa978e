#include <troupe/runtime/far_timers.hpp>

#include <troupe/runtime/timer.hpp>

#include <algorithm>
#include <bit>
#include <utility>

namespace troupe::internal {

namespace {
constexpr std::uint32_t first_capacity = 8;
constexpr std::uint32_t kept_capacity = 256;  // of an emptied slot; what is larger is given back
constexpr std::uint32_t prefetched = 8;       // entries ahead of the one that is moved
}  // namespace

far_timers::~far_timers() {
  for (level* const each : levels_) {
    if (each == nullptr) continue;
    for (const slot& one : each->all) delete[] one.entries;
    delete each;
  }
}

void far_timers::put(int number, std::size_t index, const timer_entry& added) {
  if (levels_[number] == nullptr) levels_[number] = new level;
  slot& into = slot_at(number, index);
  if (into.size == into.capacity) {
    const std::uint32_t capacity = into.capacity == 0 ? first_capacity : into.capacity * 2;
    auto* const larger = new timer_entry[capacity];
    std::copy_n(into.entries, into.size, larger);
    delete[] into.entries;
    into.entries = larger;
    into.capacity = capacity;
  }
  levels_[number]->used[index / 64] |= std::uint64_t{1} << (index % 64);
  added.item->place_ = place_of(number, index, into.size);
  into.entries[into.size++] = added;
}

void far_timers::add(const timer_entry& added) {
  const std::uint64_t at = ticks(added.deadline);
  const std::uint64_t from = ticks(begin_);
  int number = 0;
  while (number < levels - 1 && (at >> shift_of(number)) - (from >> shift_of(number)) >= slots)
    ++number;
  const bool beyond = number == levels - 1;
  const std::uint64_t tick = at >> shift_of(number);
  put(number, beyond ? 0 : tick % slots, added);
  const std::uint64_t start = beyond ? at : tick << shift_of(number);
  const time_point starts(duration(static_cast<duration::rep>(start)));
  next_ = count_++ == 0 ? starts : std::min(next_, starts);
}

void far_timers::remove(std::size_t place) noexcept {
  const int number = static_cast<int>(place >> 58 & 7);
  const std::size_t index = place >> 40 & (slots - 1);
  const std::size_t position = place & ((std::size_t{1} << 40) - 1);
  slot& from = slot_at(number, index);
  if (position != --from.size) {
    from.entries[position] = from.entries[from.size];
    from.entries[position].item->place_ = place;
  }
  if (from.size == 0) levels_[number]->used[index / 64] &= ~(std::uint64_t{1} << (index % 64));
  // `next_` may be too early now, which costs one look.
  --count_;
}

std::size_t far_timers::first_used(int number) const noexcept {
  const level* const in = levels_[number];
  if (in == nullptr) return slots;
  const std::size_t start = (ticks(begin_) >> shift_of(number)) % slots;
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
    if (distance >= slots) continue;
    const std::uint64_t tick = (ticks(begin_) >> shift_of(number)) + distance;
    next_ =
        std::min(next_, time_point(duration(static_cast<duration::rep>(tick << shift_of(number)))));
  }
  const level* const beyond = levels_[levels - 1];
  if (beyond == nullptr) return;
  for (std::uint32_t index = 0; index < beyond->all[0].size; ++index)
    next_ = std::min(next_, beyond->all[0].entries[index].deadline);
}

/// Distributes a slot of a coarser level over the finer ones. Pre: `begin_` is at its start, or it is the list of what is beyond.
void far_timers::spread(int number, std::size_t index) {
  slot taken = std::exchange(slot_at(number, index), slot());
  levels_[number]->used[index / 64] &= ~(std::uint64_t{1} << (index % 64));
  count_ -= taken.size;
  for (std::uint32_t position = 0; position < taken.size; ++position) {
    if (position + prefetched < taken.size)
      __builtin_prefetch(&taken.entries[position + prefetched].item->place_, 1);
    add(taken.entries[position]);
  }
  delete[] taken.entries;
}

void far_timers::take_next(void (*take)(void* context, const timer_entry& entry), void* context) {
  for (;;) {
    find_next();
    if (next_ == time_point::max()) {
      take_all(take, context);  // what is due at the end of time
      return;
    }
    begin_ = std::max(begin_, slot_start(next_));
    // The coarsest first: what lies there may be due before what lies in the finer ones.
    bool spread_one = false;
    for (int number = levels - 1; number > 0 && !spread_one; --number) {
      if (levels_[number] == nullptr) continue;
      if (number == levels - 1) {
        const slot& beyond = levels_[number]->all[0];
        const bool near =
            std::any_of(beyond.entries, beyond.entries + beyond.size, [&](const auto& each) {
              return (ticks(each.deadline) >> shift_of(number - 1)) -
                         (ticks(begin_) >> shift_of(number - 1)) <
                     slots;
            });
        if (near) {
          spread(number, 0);
          spread_one = true;
        }
      } else if (first_used(number) == 0) {
        spread(number, (ticks(begin_) >> shift_of(number)) % slots);
        spread_one = true;
      }
    }
    if (!spread_one) break;
  }
  const std::size_t index = (ticks(begin_) >> finest_bits) % slots;
  slot& from = slot_at(0, index);
  for (std::uint32_t position = 0; position < from.size; ++position) {
    if (position + prefetched < from.size)
      __builtin_prefetch(&from.entries[position + prefetched].item->place_, 1);
    take(context, from.entries[position]);
  }
  count_ -= from.size;
  from.size = 0;
  levels_[0]->used[index / 64] &= ~(std::uint64_t{1} << (index % 64));
  if (from.capacity > kept_capacity) {
    delete[] from.entries;
    from = slot();
  }
  begin_ += duration(duration::rep{1} << finest_bits);
  find_next();
}

void far_timers::take_all(void (*take)(void* context, const timer_entry& entry), void* context) {
  for (level* const each : levels_) {
    if (each == nullptr) continue;
    for (slot& one : each->all) {
      for (std::uint32_t position = 0; position < one.size; ++position)
        take(context, one.entries[position]);
      one.size = 0;
    }
    std::fill(std::begin(each->used), std::end(each->used), 0);
  }
  count_ = 0;
  next_ = time_point::max();
}

}  // namespace troupe::internal
