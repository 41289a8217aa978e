#pragma once

#include <troupe/runtime/time.hpp>

#include <cstddef>
#include <cstdint>

namespace troupe {

struct timer;

namespace internal {

class timer_run;

/// A timer that is armed: its deadline, and its number in the order of arming, which settles ties.
struct timer_entry {
  time_point deadline;
  std::uint64_t order = 0;
  timer* item = nullptr;

  bool before(const timer_entry& other) const noexcept {
    return deadline != other.deadline ? deadline < other.deadline : order < other.order;
  }
};

/// Timers whose time is far off, in no order but by slots of time, so that arming and cancelling one costs the same however many
/// there are; a loop with few never makes one. When a slot's time comes near, its timers are sorted: a few
/// hundred, small enough for the cache, which is what makes a million timers cheap (Varghese and Lauck's hierarchical timing wheels,
/// with a sorted run in place of the finest wheel, for the order).
///
/// A level of 4096 slots of a quarter of a millisecond, a second in all; three of 1024 slots, of a second, 18 minutes and 13 days
/// each; and a list of what is beyond that, 36 years on.
/// Invariants: everything here is due at `begin()` or later; a level holds what lies within its number of slots from `begin()`.
/// Threads: its loop's.
class far_timers {
 public:
  /// Keeps timers due at `begin` or later.
  explicit far_timers(time_point begin) noexcept : begin_(slot_start(begin)) {}
  ~far_timers();
  far_timers(const far_timers&) = delete;
  far_timers& operator=(const far_timers&) = delete;

  bool empty() const noexcept { return count_ == 0; }
  std::size_t size() const noexcept { return count_; }
  /// Nothing earlier is kept here.
  time_point begin() const noexcept { return begin_; }
  /// The start of the earliest slot that may hold something: no timer here is due before. Pre: not empty.
  time_point next() const noexcept { return next_; }
  /// Starts anew. Pre: empty.
  void begin_at(time_point begin) noexcept { begin_ = slot_start(begin); }

  /// Pre: due at `begin()` or later. Errors: std::bad_alloc.
  void add(const timer_entry& added);
  /// Takes out the timer that was given `place`.
  void remove(std::size_t place) noexcept;
  /// Moves the earliest slot into `into`, if it begins at `limit` or before; `begin()` is then behind it. Afterwards `next()` is
  /// exact. Pre: not empty; `into` is. Errors: std::bad_alloc.
  void take_next(time_point limit, timer_run& into);
  /// Moves all. Pre, errors: the same.
  void take_all(timer_run& into);

  /// Whether a timer's place is one that `add` gave it.
  static bool holds(std::size_t place) noexcept { return (place >> 61) == 4; }

 private:
  static constexpr int levels = 5;  // the last is the list of what is beyond
  static constexpr int shifts[levels] = {18, 30, 40, 50, 60};  // of the width of a slot, in ns
  static constexpr std::size_t mark = std::size_t{1} << 63;

  /// Entries in blocks of `block_size`, so that a slot grows without moving what it holds.
  class slot {
   public:
    slot() = default;
    slot(const slot&) = delete;
    slot& operator=(const slot&) = delete;
    ~slot() { clear(); }

    std::uint32_t size() const noexcept { return size_; }
    timer_entry& operator[](std::size_t position) const noexcept {
      return blocks_[position / block_size][position % block_size];
    }
    void push(const timer_entry& added);
    /// Pre: not empty.
    timer_entry pop() noexcept;
    void prefetch_behind(std::uint32_t position) const noexcept;
    void clear() noexcept;
    void swap(slot& other) noexcept;

   private:
    static constexpr std::uint32_t block_size = 16;

    timer_entry** blocks_ = nullptr;  ///< owned
    timer_entry* last_ = nullptr;     ///< of the blocks
    std::uint32_t size_ = 0;
    std::uint32_t capacity_ = 0;  ///< how many blocks there is room to name
  };
  struct level {
    explicit level(std::size_t count)
        : slots(count), all(new slot[count]), used(new std::uint64_t[count / 64 + 1]{}) {}
    ~level() {
      delete[] all;
      delete[] used;
    }
    level(const level&) = delete;
    level& operator=(const level&) = delete;
    void mark_empty(std::size_t index) noexcept {
      used[index / 64] &= ~(std::uint64_t{1} << (index % 64));
    }

    std::size_t slots;
    slot* all;            ///< owned
    std::uint64_t* used;  ///< owned: a bit for each slot that holds something
  };

  static std::uint64_t ticks(time_point at) noexcept {
    return static_cast<std::uint64_t>(at.time_since_epoch().count());
  }
  static time_point slot_start(time_point at) noexcept {
    const std::uint64_t start = ticks(at) >> shifts[0] << shifts[0];
    return time_point(duration(static_cast<duration::rep>(start)));
  }
  /// How many slots a level has; one, for the last.
  static constexpr std::size_t slots_of(int number) noexcept {
    return number == levels - 1 ? 1 : std::size_t{1} << (shifts[number + 1] - shifts[number]);
  }
  static std::size_t place_of(int number, std::size_t index, std::size_t position) noexcept {
    return mark | static_cast<std::size_t>(number) << 58 | index << 40 | position;
  }

  slot& slot_at(int number, std::size_t index) { return levels_[number]->all[index]; }
  void put(int number, std::size_t index, const timer_entry& added);
  /// The first slot of a level that holds something, as a distance from the present one; `slots` when there is none.
  std::size_t first_used(int number) const noexcept;
  void find_next() noexcept;
  void spread(int number, std::size_t index);

  time_point begin_;
  time_point next_ = time_point::max();
  std::size_t count_ = 0;
  level* levels_[levels] = {};  ///< owned, each made when it is first needed
};

}  // namespace internal
}  // namespace troupe
