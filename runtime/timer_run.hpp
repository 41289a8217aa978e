#pragma once

#include <troupe/runtime/far_timers.hpp>

#include <cstddef>

namespace troupe::internal {

/// The timers of one slot of `far_timers` whose time has come near, sorted: taking the next is a step on, which a heap would pay a
/// descent for, and a visit to each timer that it moves. A cancelled one leaves a gap.
/// Invariant: the first, if there is one, is no gap. Threads: its loop's.
class timer_run {
 public:
  timer_run() = default;
  ~timer_run() { delete[] entries_; }
  timer_run(const timer_run&) = delete;
  timer_run& operator=(const timer_run&) = delete;

  bool empty() const noexcept { return left_ == 0; }
  std::size_t size() const noexcept { return left_; }
  /// Pre: not empty.
  const timer_entry& front() const noexcept { return entries_[first_]; }

  /// Adds one behind the others; `sort` has to be called before it is used. Pre: nothing has been taken out since it was empty.
  /// Errors: std::bad_alloc.
  void add(const timer_entry& added);
  /// Puts them in order, and gives the timers their places.
  void sort() noexcept;
  /// Takes out the first. Pre: not empty.
  timer& pop() noexcept;
  /// Takes out the timer that was given `place`.
  void remove(std::size_t place) noexcept;

  /// Whether a timer's place is one that `sort` gave it.
  static bool holds(std::size_t place) noexcept { return (place >> 61) == 5; }

 private:
  static constexpr std::size_t mark = std::size_t{5} << 61;

  /// One less.
  void shrink() noexcept;

  timer_entry* entries_ = nullptr;  ///< owned
  std::size_t first_ = 0;
  std::size_t end_ = 0;
  std::size_t capacity_ = 0;
  std::size_t left_ = 0;  ///< those that are no gaps
};

}  // namespace troupe::internal
