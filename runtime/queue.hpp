#pragma once

#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/outcome.hpp>
#include <troupe/runtime/queue_items.hpp>
#include <troupe/runtime/queue_waiters.hpp>
#include <troupe/runtime/time.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <source_location>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

namespace troupe {

/// `get_nowait` of an empty queue.
struct queue_empty : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// `put_nowait` into a full queue.
struct queue_full : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The queue was shut down: it takes nothing more, and has nothing more to give.
struct queue_shutdown : std::runtime_error {
  using std::runtime_error::runtime_error;
};

namespace internal {

/// A queue between tasks of any loops, and plain threads: what `queue`, `priority_queue` and `lifo_queue` are, with
/// `Items` to keep the items in order.
///
/// A put wakes the getter that has waited longest, but keeps nothing for it: whoever comes first takes the item, and a getter
/// that finds nothing waits on behind the others. Puts of a full queue wait likewise.
///
/// Life: destroying it ends the waits of tasks with `queue_shutdown`; no thread may be blocked in it then.
/// Threads: any; a task is woken on its own loop. While the process has a single thread no lock is taken. What the items do
/// when they are moved, compared or copied happens under the lock and must not use the queue.
template <class T, class Items>
class basic_queue {
 public:
  using value_type = T;

  class get_wait;
  class put_wait;

  basic_queue(const basic_queue&) = delete;
  basic_queue& operator=(const basic_queue&) = delete;

  /// Takes the next item, waiting for one while there is none.
  /// Errors: `queue_shutdown` once it is shut down and empty; what moving the item throws, which leaves it there.
  /// Cancel: no item is lost; one that had already woken this wait wakes the next.
  /// Cost: some 5 ns when there is one, with a wait about twice a bare turn of a task; no allocation.
  [[nodiscard]] get_wait get() noexcept { return get_wait(*this); }

  /// Adds `item`, waiting for room while it is full. g++ 12 destroys an aggregate that is made inside the co_await expression
  /// twice: name it first, and move it in.
  /// Errors: `queue_shutdown` once it is shut down; std::bad_alloc; what moving the item throws.
  /// Cancel: the item has not been added; room that had already woken this wait wakes the next.
  /// Cost: as `get`.
  [[nodiscard]] put_wait put(T item) { return put_wait(*this, std::move(item)); }

  /// The next item, or nothing.
  std::optional<T> try_get() {
    std::optional<T> taken;
    const queue_lock lock(waiters_.mutex);
    if (waiters_.size != 0) take([&](T&& item) { taken.emplace(std::move(item)); });
    return taken;
  }
  /// Adds `item`; false, with the item left alone, when it is full or shut down.
  bool try_put(T&& item) {
    const queue_lock lock(waiters_.mutex);
    if (waiters_.shut_down || waiters_.full()) return false;
    add(std::move(item));
    return true;
  }
  bool try_put(const T& item)
    requires std::copy_constructible<T>
  {
    return try_put(T(item));
  }

  /// The next item. Errors: `queue_empty`; `queue_shutdown`.
  T get_nowait() {
    outcome<T> taken;
    {
      const queue_lock lock(waiters_.mutex);
      if (!may_take()) throw_queue_empty();
      take_into(taken);
    }
    return taken_from(taken);
  }
  /// Adds `item`. Errors: `queue_full`; `queue_shutdown`.
  void put_nowait(T item) {
    const queue_lock lock(waiters_.mutex);
    if (waiters_.shut_down) throw_queue_shutdown();
    if (waiters_.full()) throw_queue_full();
    add(std::move(item));
  }

  /// `get` for a thread that runs no loop: blocks it. Errors: as `get`; `invalid_state` on a loop's thread.
  T get_blocking() {
    outcome<T> taken;
    static_cast<void>(block_for(taken, time_point::max()));
    return taken_from(taken);
  }
  /// The same for at most `timeout`; nothing when that has passed.
  template <class Rep, class Period>
  std::optional<T> get_blocking(std::chrono::duration<Rep, Period> timeout) {
    outcome<T> taken;
    if (!block_for(taken, deadline("get()", timeout))) return std::nullopt;
    return taken_from(taken);
  }

  /// `put` for a thread that runs no loop: blocks it. Errors: as `put`; `invalid_state` on a loop's thread.
  void put_blocking(T item) { static_cast<void>(block_to_put(item, time_point::max())); }
  /// The same for at most `timeout`; false, with the item left alone, when that has passed.
  template <class Rep, class Period>
  bool put_blocking(T&& item, std::chrono::duration<Rep, Period> timeout) {
    return block_to_put(item, deadline("put()", timeout));
  }
  template <class Rep, class Period>
  bool put_blocking(const T& item, std::chrono::duration<Rep, Period> timeout)
    requires std::copy_constructible<T>
  {
    T copy(item);
    return block_to_put(copy, deadline("put()", timeout));
  }

  /// These are true when they are asked; other threads may change it before the answer is used.
  std::size_t size() const noexcept {
    const queue_lock lock(waiters_.mutex);
    return waiters_.size;
  }
  bool empty() const noexcept { return size() == 0; }
  bool full() const noexcept {
    const queue_lock lock(waiters_.mutex);
    return waiters_.full();
  }
  bool is_shutdown() const noexcept {
    const queue_lock lock(waiters_.mutex);
    return waiters_.shut_down;
  }
  /// How many items it takes; without bound when zero or less.
  std::ptrdiff_t maxsize() const noexcept { return maxsize_; }

  /// Says that the work on one item that was taken is done. Errors: std::invalid_argument when called more often than items were put.
  void task_done() { waiters_.task_done(); }
  /// Waits until `task_done` has been called for every item. Those put after the wait has ended, before the task runs, are not waited for.
  /// Errors: `queue_shutdown` when the queue is destroyed meanwhile.
  [[nodiscard]] queue_join_wait join() noexcept { return queue_join_wait(waiters_); }

  /// Lets it take no more items, and ends the waits of those who put; those who get have the items that are left, and then
  /// `queue_shutdown`. `immediate` drops these items, which count as done.
  void shutdown(bool immediate = false) noexcept {
    typename Items::storage dropped;  // destroyed without the lock
    const queue_lock lock(waiters_.mutex);
    if (immediate) items_.swap(dropped);
    waiters_.shut(immediate ? waiters_.size : 0);
  }

 protected:
  explicit basic_queue(std::ptrdiff_t maxsize, Items items = Items())
      : waiters_(*new queue_waiters(maxsize)), maxsize_(maxsize), items_(std::move(items)) {}
  ~basic_queue() { waiters_.retire(); }

 private:
  /// All below: under the lock. Gives the next item to `receive`. Pre: there is one.
  template <class Receive>
  void take(Receive receive) {
    try {
      items_.take(receive);
    } catch (...) {
      waiters_.pass_on(waiters_.getters);
      throw;
    }
    waiters_.removed();
  }
  /// Whether there is something to take, or never will be.
  bool may_take() const noexcept { return waiters_.size != 0 || waiters_.shut_down; }
  /// The next item, or what it threw, or nothing when there will be none. Pre: `may_take`.
  void take_into(outcome<T>& taken) noexcept {
    if (waiters_.size == 0) [[unlikely]]
      return;
    try {
      take([&](T&& item) { taken.set_value(std::move(item)); });
    } catch (...) {
      taken.set_error(std::current_exception());
    }
  }
  static T taken_from(outcome<T>& taken) {
    if (taken.has_value()) [[likely]]
      return taken.take();
    if (taken.empty()) throw_queue_shutdown();
    return taken.take();
  }
  bool may_put() const noexcept { return !waiters_.full() || waiters_.shut_down; }
  void add(T&& item) {
    try {
      items_.put(std::move(item));
    } catch (...) {
      waiters_.pass_on(waiters_.putters);
      throw;
    }
    waiters_.added();
  }

  template <class Rep, class Period>
  static time_point deadline(const char* instead, std::chrono::duration<Rep, Period> timeout) {
    expect_may_block(instead);
    return saturating_add(clock::now(), to_duration(timeout));
  }
  bool block_for(outcome<T>& taken, time_point deadline) {
    expect_may_block("get()");
    const queue_lock lock(waiters_.mutex, true);
    while (!may_take()) {
      if (!waiters_.block(waiters_.getters, deadline)) return false;
    }
    take_into(taken);
    return true;
  }
  bool block_to_put(T& item, time_point deadline) {
    expect_may_block("put()");
    const queue_lock lock(waiters_.mutex, true);
    while (!may_put()) {
      if (!waiters_.block(waiters_.putters, deadline)) return false;
    }
    if (waiters_.shut_down) throw_queue_shutdown();
    add(std::move(item));
    return true;
  }

  queue_waiters& waiters_;  ///< may outlive this
  const std::ptrdiff_t maxsize_;
  Items items_;
};

template <class T, class Items>
class [[nodiscard]] basic_queue<T, Items>::get_wait final : public queue_wait {
 public:
  explicit get_wait(basic_queue& queue) noexcept : queue_(queue) {}
  get_wait(get_wait&& other) noexcept : queue_wait(std::move(other)), queue_(other.queue_) {}

  bool await_ready() noexcept {
    const queue_lock lock(queue_.waiters_.mutex);
    if (!queue_.may_take()) return false;
    queue_.take_into(taken_);
    return true;
  }
  bool await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current()) {
    {
      const queue_lock lock(queue_.waiters_.mutex);
      if (queue_.may_take()) [[unlikely]] {  // since another thread has put one
        queue_.take_into(taken_);
        return false;
      }
      join(queue_.waiters_, queue_.waiters_.getters);
    }
    park(handle, here);
    return true;
  }
  bool retry() noexcept override {
    {
      const queue_lock lock(waiters_->mutex);
      if (!waiters_->retired) [[likely]] {
        const bool over = queue_.may_take();
        rejoin(over);
        if (over) queue_.take_into(taken_);
        return over;
      }
    }
    leave();
    return true;
  }
  T await_resume() {
    if (taken_.empty() && suspended()) [[unlikely]]
      finish();
    return taken_from(taken_);
  }
  std::string_view what() const noexcept override { return "the get of a queue"; }

 private:
  basic_queue& queue_;
  outcome<T> taken_;
};

template <class T, class Items>
class [[nodiscard]] basic_queue<T, Items>::put_wait final : public queue_wait {
 public:
  put_wait(basic_queue& queue, T&& item) : queue_(queue), item_(std::move(item)) {}
  put_wait(put_wait&& other)
      : queue_wait(std::move(other)), queue_(other.queue_), item_(std::move(other.item_)) {}

  bool await_ready() noexcept {
    const queue_lock lock(queue_.waiters_.mutex);
    if (!queue_.may_put()) return false;
    put();
    return true;
  }
  bool await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current()) {
    {
      const queue_lock lock(queue_.waiters_.mutex);
      if (queue_.may_put()) [[unlikely]] {  // since another thread has taken one
        put();
        return false;
      }
      join(queue_.waiters_, queue_.waiters_.putters);
    }
    park(handle, here);
    return true;
  }
  bool retry() noexcept override {
    {
      const queue_lock lock(waiters_->mutex);
      if (!waiters_->retired) [[likely]] {
        const bool over = queue_.may_put();
        rejoin(over);
        if (over) put();
        return over;
      }
    }
    leave();
    return true;
  }
  void await_resume() {
    if (added_.has_value()) [[likely]]
      return;
    if (added_.has_error()) std::rethrow_exception(added_.error());
    if (suspended()) finish();
    throw_queue_shutdown();
  }
  std::string_view what() const noexcept override { return "the put of a queue"; }

 private:
  void put() noexcept {
    if (queue_.waiters_.shut_down) [[unlikely]]
      return;
    try {
      queue_.add(std::move(item_));
      added_.set_value();
    } catch (...) {
      added_.set_error(std::current_exception());
    }
  }

  basic_queue& queue_;
  T item_;
  outcome<nothing> added_;
};

/// What `priority_queue` orders by unless it is told otherwise.
struct smaller_first {
  template <class T>
  bool operator()(const T& a, const T& b) const {
    return a < b;
  }
};

}  // namespace internal

/// First in, first out, for at most `maxsize` items; for any number when that is zero or less. See `internal::basic_queue` for
/// what it does.
template <class T>
class queue final : public internal::basic_queue<T, internal::fifo_items<T>> {
 public:
  explicit queue(std::ptrdiff_t maxsize = 0)
      : internal::basic_queue<T, internal::fifo_items<T>>(maxsize) {}
};

/// A queue that gives the smallest item first, by `Less`, and equal ones in the order they were put.
/// Cost: O(log n) for each put and each get.
template <class T, class Less = internal::smaller_first>
class priority_queue final : public internal::basic_queue<T, internal::heap_items<T, Less>> {
 public:
  explicit priority_queue(std::ptrdiff_t maxsize = 0, Less less = {})
      : internal::basic_queue<T, internal::heap_items<T, Less>>(
            maxsize, internal::heap_items<T, Less>(std::move(less))) {}
};

/// A queue that gives the youngest item first.
template <class T>
class lifo_queue final : public internal::basic_queue<T, internal::lifo_items<T>> {
 public:
  explicit lifo_queue(std::ptrdiff_t maxsize = 0)
      : internal::basic_queue<T, internal::lifo_items<T>>(maxsize) {}
};

}  // namespace troupe
