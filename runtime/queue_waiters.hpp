#pragma once

#include <troupe/runtime/ref_count.hpp>
#include <troupe/runtime/suspension.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/runtime/work.hpp>

#include <pthread.h>
#include <coroutine>
#include <cstddef>

namespace troupe::internal {

class queue_waiters;
struct queue_list;
struct queue_port;

/// The lock of a queue: a mutex once the process has had a second thread, and until then nothing.
class queue_lock {
 public:
  /// `always` takes the mutex in any case, for who is going to sleep on it.
  explicit queue_lock(pthread_mutex_t& mutex, bool always = false) noexcept
      : mutex_(mutex), locked_(always || multi_threaded()) {
    if (locked_) pthread_mutex_lock(&mutex_);
  }
  ~queue_lock() {
    if (locked_) pthread_mutex_unlock(&mutex_);
  }
  queue_lock(const queue_lock&) = delete;
  queue_lock& operator=(const queue_lock&) = delete;

 private:
  pthread_mutex_t& mutex_;
  bool locked_;  ///< the answer may be another one by the time it is let go
};

/// One that waits: a task or a blocked thread. Guarded by the queue's lock; only meaningful while it is in a list.
struct queue_link {
  queue_link* previous;
  queue_link* next;
  queue_list* list;
  bool is_thread;
  bool selected;
};

/// Those who wait, in the order they came. Those who have been selected come before those who have not.
struct queue_list {
  void push_back(queue_link& added) noexcept {
    added.list = this;
    added.selected = false;
    added.previous = last;
    added.next = nullptr;
    (last != nullptr ? last->next : first) = &added;
    last = &added;
    if (next_up == nullptr) next_up = &added;
  }
  void remove(queue_link& removed) noexcept {
    (removed.previous != nullptr ? removed.previous->next : first) = removed.next;
    (removed.next != nullptr ? removed.next->previous : last) = removed.previous;
    if (next_up == &removed) next_up = removed.next;
    removed.list = nullptr;
  }
  queue_link* select_next() noexcept {
    queue_link* const chosen = next_up;
    if (chosen != nullptr) {
      next_up = chosen->next;
      chosen->selected = true;
    }
    return chosen;
  }

  queue_link* first = nullptr;
  queue_link* last = nullptr;
  queue_link* next_up = nullptr;  ///< the first that has not been selected
};

/// A task's wait for an item, for a free slot, or for all items to be done.
///
/// Life: a wait that has to be joins its list and parks. Who changes the queue *selects* one of the list, without giving it
/// anything: in its turn the task tries again, and waits on, at the end of the list, when somebody else was quicker.
/// Invariant: `cancel` never comes too late: one that was selected hands that on to the next before it ends. So what a retry has
/// taken is always delivered.
/// Threads: the task's loop. Other threads move it between lists, under the lock, and never touch the task.
class queue_wait : public suspension, public queue_link {
 public:
  bool cancel() noexcept final;

 protected:
  queue_wait() = default;
  queue_wait(queue_wait&& other) noexcept : suspension(std::move(other)) {}
  ~queue_wait() {
    if (joined_) [[unlikely]]
      leave();
  }

  /// Joins `waiting`, a list of `waiters`. Pre: in a task; the lock is held; `park` follows when it has been let go.
  /// Errors: std::bad_alloc.
  void join(queue_waiters& waiters, queue_list& waiting);
  /// In `retry`, under the lock: leaves the list, and joins it again when the wait is not `over`.
  void rejoin(bool over) noexcept {
    list->remove(*this);
    joined_ = !over;
    if (!over) waits_in_->push_back(*this);
  }
  void leave() noexcept;

  queue_waiters* waiters_;  ///< this and the two below: once it has joined

 private:
  friend class queue_waiters;
  queue_list* waits_in_;
  queue_port* port_;
  bool joined_ = false;  ///< it is in some list; the task's loop only
};

/// What the kinds of queues share: the lock, the counts, and those who wait, who are tasks of any loop and threads.
///
/// A task of another loop is told by way of a *port*, one per queue and loop: the work that is posted belongs to the port and
/// not to the wait, so a wait that is cancelled, or whose frame a closing loop destroys, just leaves the port's list.
/// Life: made by the queue and `retire`d by it; it goes when the last wait has left and no port is on its way.
/// Invariants: while one waits in `getters` there are no more items than there are selected getters, and likewise for
/// `putters` and free slots; hence no item lies there with everybody asleep.
/// Threads: any, under the lock.
class queue_waiters {
 public:
  explicit queue_waiters(std::ptrdiff_t limit) noexcept
      : capacity(limit > 0 ? static_cast<std::size_t>(limit) : static_cast<std::size_t>(-1)) {}
  queue_waiters(const queue_waiters&) = delete;
  queue_waiters& operator=(const queue_waiters&) = delete;

  bool full() const noexcept { return size >= capacity; }

  /// Selects the first of `list`, if there is one.
  void select_one(queue_list& list) noexcept {
    if (list.next_up != nullptr) select_first(list);
  }
  /// After an item has been put, or taken.
  void added() noexcept {
    ++size;
    ++unfinished;
    select_one(getters);
  }
  void removed() noexcept {
    --size;
    select_one(putters);
  }
  /// Selects another one of `list` when there is something to do: one that may have been selected has not done it.
  void pass_on(queue_list& list) noexcept {
    if (&list == &getters && size != 0) select_one(getters);
    if (&list == &putters && !full()) select_one(putters);
  }
  /// Errors: std::invalid_argument when nothing is unfinished.
  void task_done();
  /// Refuses items from now on; `dropped` of them have been taken out.
  void shut(std::size_t dropped) noexcept;

  /// Blocks this thread until it is selected, or returns false at `deadline`. Pre: the mutex is locked.
  bool block(queue_list& list, time_point deadline) noexcept;

  /// Ends all waits as after a shutdown; the queue is not touched any more. Pre: no thread is blocked in it.
  void retire() noexcept;

  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  queue_list getters;
  queue_list putters;
  queue_list joiners;
  std::size_t size = 0;
  std::size_t unfinished = 0;  ///< items that `task_done` has not been called for
  const std::size_t capacity;
  bool shut_down = false;
  bool retired = false;  ///< the queue is gone

 private:
  friend class queue_wait;
  friend struct queue_port;

  ~queue_waiters();
  void select_first(queue_list& list) noexcept;
  void select_elsewhere(queue_list& list) noexcept;
  void select_all(queue_list& list) noexcept;
  bool tell(queue_link& selected) noexcept;
  void tell_here(queue_wait& selected) noexcept;
  queue_port& port_of(loop& home);
  /// Whether nobody will come back to this.
  bool deserted() const noexcept;

  queue_port* ports_ = nullptr;  ///< owned
};

/// Waits until nothing is unfinished. Once it is told so it does not look again.
class [[nodiscard]] queue_join_wait final : public queue_wait {
 public:
  explicit queue_join_wait(queue_waiters& joined) noexcept : joined_queue_(joined) {}

  bool await_ready() noexcept {
    const queue_lock lock(joined_queue_.mutex);
    return joined_queue_.unfinished == 0;
  }
  bool await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current());
  void await_resume();
  std::string_view what() const noexcept override { return "the join of a queue"; }

 private:
  friend class queue_waiters;
  queue_waiters& joined_queue_;
  bool destroyed_ = false;  ///< the queue was, while it waited
};

/// Errors: `invalid_state` on a thread that runs a loop.
void expect_may_block(const char* instead);
[[noreturn]] void throw_queue_empty();
[[noreturn]] void throw_queue_full();
[[noreturn]] void throw_queue_shutdown();

}  // namespace troupe::internal
