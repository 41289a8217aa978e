#pragma once

#include <troupe/runtime/far_timers.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/runtime/timer_run.hpp>

#include <cstddef>
#include <cstdint>

namespace troupe {

class timer_queue;

/// A deadline that a `timer_queue` watches. Intrusive: it lives in the frame or block that waits.
///
/// Pre: out of the queue (fired or cancelled) before it is destroyed.
/// Threads: its loop's only.
struct timer {
  using function = void (*)(timer&) noexcept;

  explicit timer(function fire_function) noexcept : fire(fire_function) {}
  timer(const timer&) = delete;
  timer& operator=(const timer&) = delete;

  bool armed() const noexcept { return place_ != idle_place; }

  function fire;

 private:
  friend class timer_queue;
  friend class internal::far_timers;
  friend class internal::timer_run;
  static constexpr std::size_t idle_place = static_cast<std::size_t>(-1);
  static constexpr std::size_t lazy_place = static_cast<std::size_t>(-2);
  static constexpr std::size_t endless_place = static_cast<std::size_t>(-3);

  std::size_t place_ =
      idle_place;  ///< index in the heap, place in another part, or one of the three
};

/// One that may also be armed lazily; see `timer_queue`. It is cancelled as what it is, not as a `timer`. Its function is called when
/// it is settled, with armed() true, and when it is due, with armed() false.
struct lazy_timer : timer {
  using timer::timer;

 private:
  friend class timer_queue;

  duration delay_{};
  lazy_timer* previous_ = nullptr;  ///< neighbours in the list, while it has no deadline yet;
  lazy_timer* next_ = nullptr;      ///< later in that of those to look at again, or null
};

/// All timers of one loop: those with a deadline in a four-ary heap, or, when there are many, in `far_timers` until their time
/// comes near and in a `timer_run` from then on; and the lazy ones in a list.
///
/// A *lazy* timer is a guard that will nearly always be cancelled before it matters, such as an ask's time-out. It is only
/// linked into a list; the next time the loop reads its clock it gets its deadline, counted from then. It is therefore
/// never early, late by at most one round of the loop, and costs no clock reading and no heap operation when the answer
/// comes within the round. Settled, it is told so, once, and then again at later settlings while it asks for that
/// (`look_again`): what has not ended within a round is worth a look. One with an infinite delay gets no deadline, and is told all
/// the same.
///
/// Threads: its loop's only.
class timer_queue {
 public:
  timer_queue() noexcept { looked_at_.previous_ = looked_at_.next_ = &looked_at_; }
  ~timer_queue() {
    delete[] heap_;
    delete far_;
  }
  timer_queue(const timer_queue&) = delete;
  timer_queue& operator=(const timer_queue&) = delete;

  /// Pre: `item` is not armed. Cost: O(log n); constant once there are many.
  /// Errors: std::bad_alloc.
  void arm(timer& item, time_point deadline);

  /// Pre: `item` is not armed. Cost: a few instructions. `infinite` is never due.
  void arm_lazily(lazy_timer& item, duration delay) noexcept {
    item.place_ = timer::lazy_place;
    item.delay_ = delay;
    item.previous_ = nullptr;
    item.next_ = lazy_;
    if (lazy_ != nullptr) lazy_->previous_ = &item;
    lazy_ = &item;
  }

  /// Takes `item` out; does nothing when it is not armed. Cost: as of arming; constant for a lazy one.
  void cancel(timer& item) noexcept {
    if (item.place_ == timer::idle_place) return;
    if (internal::far_timers::holds(item.place_)) {
      far_->remove(item.place_);
    } else if (internal::timer_run::holds(item.place_)) {
      run_.remove(item.place_);
    } else {
      remove_at(item.place_);
    }
    item.place_ = timer::idle_place;
  }
  void cancel(lazy_timer& item) noexcept {
    if (item.place_ != timer::lazy_place) return cancel_settled(item);
    unlink_lazy(item);
    item.place_ = timer::idle_place;
  }

  /// Has a settled `item` told again when timers are next settled, or soon after when many are.
  void look_again(lazy_timer& item) noexcept;
  /// Has it told no more. Called by one that is due, too. Pre: it has been settled.
  void look_no_more(lazy_timer& item) noexcept;
  /// Whether any is to be told again.
  bool looking() const noexcept { return looked_at_.next_ != &looked_at_; }
  /// When timers were last settled.
  time_point settled_at() const noexcept { return now_; }

  bool empty() const noexcept { return size() == 0 && lazy_ == nullptr; }
  /// Those with a deadline.
  std::size_t size() const noexcept { return near_count() + far_count(); }
  bool has_lazy() const noexcept { return lazy_ != nullptr; }

  /// Whether one with a deadline is due at `now`.
  bool due(time_point now) {
    bring_near(now);
    return near_count() != 0 && front().deadline <= now;
  }

  /// Gives the lazy timers their deadlines, counted from `now`, and tells them.
  void settle(time_point now);

  /// The earliest deadline. Pre: `settle` was called and `size() != 0`.
  /// Cost: looks as far ahead as that is, and from then on what is armed for before it pays O(log n); for a clock that jumps there.
  time_point earliest() {
    bring_near(time_point::max());
    return front().deadline;
  }
  /// When to look again: the earliest deadline, or somewhat earlier when that is far off. Pre: as of `earliest`.
  time_point next_look() const noexcept {
    const time_point near = near_count() != 0 ? front().deadline : time_point::max();
    return far_count() != 0 && far_->next() < near ? far_->next() : near;
  }

  /// Forgets all timers and tells `forgotten` of each; none of them is armed any more.
  void clear(timer::function forgotten) noexcept;

  /// Fires all that are due at `now`, by deadline and then in the order of arming. Returns how many.
  std::size_t fire_due(time_point now);

 private:
  using entry = internal::timer_entry;

  void unlink_lazy(lazy_timer& item) noexcept {
    if (item.previous_ != nullptr) {
      item.previous_->next_ = item.next_;
    } else {
      lazy_ = item.next_;
    }
    if (item.next_ != nullptr) item.next_->previous_ = item.previous_;
  }

  void cancel_settled(lazy_timer& item) noexcept;
  void take_lazy(time_point now);
  void remove_at(std::size_t place) noexcept;
  void put(std::size_t place, const entry& value) noexcept {
    heap_[place] = value;
    value.item->place_ = place;
  }
  void sift_up(std::size_t place, const entry& value) noexcept;
  void sift_down(std::size_t place, const entry& value) noexcept;

  void grow();
  void arm_far(const entry& value);
  std::size_t far_count() const noexcept { return far_ != nullptr ? far_->size() : 0; }
  std::size_t near_count() const noexcept { return size_ + run_.size(); }
  bool run_is_next() const noexcept {
    return !run_.empty() && (size_ == 0 || run_.front().before(heap_[0]));
  }
  /// The earliest of those that are near. Pre: there is one.
  const entry& front() const noexcept { return run_is_next() ? run_.front() : heap_[0]; }
  /// Takes it out.
  timer& pop() noexcept {
    if (run_is_next()) return run_.pop();
    timer& first = *heap_[0].item;
    remove_at(0);
    return first;
  }
  /// Sees to it that the earliest of those due at `limit` or before is near: in the heap or the run.
  void bring_near(time_point limit) {
    while (far_count() != 0 && far_->next() <= limit &&
           (near_count() == 0 || front().deadline >= far_->next())) [[unlikely]]
      take_next_slot(limit);
  }
  void take_next_slot(time_point limit);
  void into_heap(const entry& value);

  entry* heap_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  internal::far_timers* far_ = nullptr;  ///< owned; made when the heap gets large
  internal::timer_run run_;
  lazy_timer* lazy_ = nullptr;
  lazy_timer looked_at_{nullptr};       ///< the ring of those to look at again, and the end of it
  std::size_t fresh_ = 0;               ///< how many at its beginning have just been settled
  time_point now_ = time_point::min();  ///< when timers were last looked at
  std::uint64_t armed_ = 0;
  time_point firing_at_ =
      time_point::min();  ///< while timers fire: what they arm is due no earlier
};

}  // namespace troupe
