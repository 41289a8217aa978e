#pragma once

#include <troupe/runtime/suspension.hpp>
#include <troupe/runtime/waiters.hpp>

#include <coroutine>
#include <source_location>
#include <string_view>
#include <utility>

namespace troupe {

class lock;

namespace internal {

class condition_wait;

/// One acquire. Its task stands in the lock's line until it is chosen, and owns the lock when it resumes.
class lock_wait : public suspension, public chain_link {
 public:
  explicit lock_wait(lock& wanted) noexcept : lock_(&wanted) {}
  lock_wait(lock_wait&&) noexcept = default;
  ~lock_wait() {
    if (chosen_) [[unlikely]]
      decline();
  }

  bool await_ready() noexcept;
  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current());
  void await_resume() {
    if (suspended()) [[unlikely]]
      settle();
  }
  bool cancel() noexcept override;
  std::string_view what() const noexcept override { return "a lock"; }

 protected:
  friend class troupe::lock;
  /// What the wait ends with. Errors: `cancelled`; `invalid_state` when the lock has gone.
  void settle();
  /// Makes the lock its own. Pre: chosen.
  void take() noexcept;
  /// Passes on a lock that it was chosen for.
  void decline() noexcept;

  lock* lock_;           ///< null when it has gone
  bool chosen_ = false;  ///< the lock is free, and kept for this one, which has been woken
};

}  // namespace internal

/// The ownership of a `lock`, given back when this goes.
///
/// Life: from `co_await a_lock.scoped()`; moved about at will. It ends early by `release`, here or of the lock, and when the
/// lock goes; then it is empty. While its task waits for a condition the lock is not its own, and it has it again afterwards.
/// Threads: the lock's loop.
class [[nodiscard("the lock is released when this goes")]] held_lock {
 public:
  held_lock() noexcept = default;
  held_lock(held_lock&& other) noexcept { move_from(other); }
  held_lock& operator=(held_lock&& other) noexcept {
    if (this != &other) {
      drop();
      move_from(other);
    }
    return *this;
  }
  ~held_lock() { drop(); }

  /// Gives the lock back now. Errors: `invalid_state` when it is empty, or its task waits for a condition.
  void release();
  /// Whether it is not empty.
  explicit operator bool() const noexcept { return place_ != nullptr; }

 private:
  friend class lock;
  friend class internal::condition_wait;
  explicit held_lock(lock& owned) noexcept;

  void drop() noexcept {
    if (place_ != nullptr) give_back();
  }
  void give_back() noexcept;
  void move_from(held_lock& other) noexcept {
    lock_ = other.lock_;
    place_ = std::exchange(other.place_, nullptr);
    if (place_ != nullptr) *place_ = this;
  }
  /// Moves what points here from `from` to `to`.
  static void hand_over(held_lock*& from, held_lock*& to) noexcept {
    to = std::exchange(from, nullptr);
    if (to != nullptr) to->place_ = &to;
  }
  /// Makes empty what `from` points at.
  static void forget(held_lock*& from) noexcept {
    if (held_lock* const left = std::exchange(from, nullptr)) left->place_ = nullptr;
  }

  lock* lock_ = nullptr;
  held_lock** place_ =
      nullptr;  ///< who knows of this: the lock, or a wait for a condition; null when empty
};

/// Mutual exclusion between tasks of one loop, where one of them has to wait while it has things in a state that no other may
/// see; asyncio's `Lock`. Tasks of different loops share nothing: give what is guarded to an actor instead.
///
///     const auto held = co_await files.scoped();
///
/// It is fair: tasks get it in the order in which they asked. Between a release and the moment when the next task in line
/// resumes `locked` is false, but who asks meanwhile queues behind that task. It has no owner, so that any task may release it,
/// and one that acquires it twice waits for itself.
///
/// Life: when it goes, tasks that still wait for it throw `invalid_state`.
/// Threads: one loop's, that of the first task that had to wait.
/// Invariant: when it is free and tasks wait, one of them is chosen.
class lock {
 public:
  lock() noexcept = default;
  lock(const lock&) = delete;
  lock& operator=(const lock&) = delete;
  ~lock();

  /// `co_await` waits until it is free, and takes it.
  /// Errors: `invalid_state` when it serves another loop, or goes meanwhile.
  /// Cancel: leaves the line; a lock that had been handed over already goes to the next one.
  /// Cost: some 5 ns when it is free; no allocation ever.
  [[nodiscard]] auto acquire() noexcept { return internal::lock_wait(*this); }
  /// As `acquire`; `co_await` gives a `held_lock`.
  [[nodiscard]] auto scoped() noexcept { return scoped_wait(*this); }
  /// Takes it if it is free and nobody is about to get it; returns whether.
  [[nodiscard]] bool try_acquire() noexcept {
    if (locked_ || chosen_ != nullptr) return false;
    locked_ = true;
    return true;
  }
  /// Gives it back; the next task in line gets it.
  /// Errors: `invalid_state` when it is not held.
  void release() {
    if (!locked_ || !waiting_.empty()) [[unlikely]]
      check_release();
    give_back();
  }
  bool locked() const noexcept { return locked_; }

 private:
  friend class internal::lock_wait;
  friend class internal::condition_wait;
  friend class held_lock;

  class scoped_wait final : public internal::lock_wait {
   public:
    using lock_wait::lock_wait;
    held_lock await_resume() {
      lock_wait::await_resume();
      return held_lock(*lock_);
    }
  };

  void check_release() const;
  void give_back() noexcept {
    held_lock::forget(held_);
    locked_ = false;
    if (!waiting_.empty()) choose_next();
  }
  void choose_next() noexcept;

  bool locked_ = false;
  internal::lock_wait* chosen_ = nullptr;  ///< has been woken, and takes the lock when it resumes
  held_lock* held_ = nullptr;              ///< owns it, if such an object does
  internal::chain<internal::lock_wait> waiting_;
  internal::served_loop served_;
};

inline bool internal::lock_wait::await_ready() noexcept { return lock_->try_acquire(); }

inline held_lock::held_lock(lock& owned) noexcept : lock_(&owned), place_(&owned.held_) {
  owned.held_ = this;
}

}  // namespace troupe
