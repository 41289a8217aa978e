#pragma once

#include <troupe/runtime/suspension.hpp>
#include <troupe/runtime/waiters.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string_view>
#include <utility>

namespace troupe {

class semaphore;

namespace internal {

/// One acquire. Its task stands in the semaphore's line until a permit is put aside for it.
class semaphore_wait : public suspension, public chain_link {
 public:
  explicit semaphore_wait(semaphore& wanted) noexcept : semaphore_(&wanted) {}
  semaphore_wait(semaphore_wait&&) noexcept = default;
  ~semaphore_wait() {
    if (granted_) [[unlikely]]
      accept(false);
  }

  bool await_ready() noexcept;
  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current());
  void await_resume() {
    if (suspended()) [[unlikely]]
      settle();
  }
  bool cancel() noexcept override;
  std::string_view what() const noexcept override { return "a semaphore"; }

 protected:
  semaphore* semaphore_;  ///< null when it has gone

 private:
  friend class troupe::semaphore;
  void settle();
  /// Takes the permit that was put aside, or puts it back. Pre: granted.
  void accept(bool wanted) noexcept;

  bool granted_ = false;  ///< a permit is put aside for this one, which has been woken
};

}  // namespace internal

/// A permit of a `semaphore`, given back when this goes.
///
/// Life: from `co_await a_semaphore.scoped()`; moved about at will. Empty after `release`, and when the semaphore has gone.
/// Threads: the semaphore's loop.
class [[nodiscard("the permit is given back when this goes")]] held_permit
    : private internal::chain_link {
 public:
  held_permit() noexcept = default;
  held_permit(held_permit&& other) noexcept : chain_link() { move_from(other); }
  held_permit& operator=(held_permit&& other) noexcept {
    if (this != &other) {
      drop();
      move_from(other);
    }
    return *this;
  }
  ~held_permit() { drop(); }

  /// Gives the permit back now. Errors: `invalid_state` when it is empty.
  void release();
  /// Whether it is not empty.
  explicit operator bool() const noexcept { return linked(); }

 private:
  friend class semaphore;
  explicit held_permit(semaphore& from) noexcept;

  void drop() noexcept {
    if (linked()) give_back();
  }
  void give_back() noexcept;
  void move_from(held_permit& other) noexcept;

  semaphore* from_ = nullptr;
};

/// So many permits, which tasks of one loop take and give back: at most eight downloads at a time; asyncio's `Semaphore`.
///
///     const auto permit = co_await downloads.scoped();
///
/// It is fair: permits go to tasks in the order in which they asked. One that is put aside for a task is no longer free, and
/// who asks before that task has resumed queues behind it. Anybody may release, also more than was acquired.
///
/// Life: when it goes, tasks that still wait for it throw `invalid_state`.
/// Threads: one loop's, that of the first task that had to wait.
/// Invariant: when permits are free and tasks wait, a permit is put aside for one that has not resumed yet.
class semaphore {
 public:
  /// Errors: std::invalid_argument for a negative `value`.
  explicit semaphore(std::ptrdiff_t value = 1) : semaphore(value, PTRDIFF_MAX) {}
  semaphore(const semaphore&) = delete;
  semaphore& operator=(const semaphore&) = delete;
  ~semaphore();

  /// `co_await` waits for a permit, and takes it.
  /// Errors: `invalid_state` when it serves another loop, or goes meanwhile.
  /// Cancel: leaves the line; a permit that was put aside already goes to the next one.
  /// Cost: some 5 ns when there is a permit; no allocation ever.
  [[nodiscard]] auto acquire() noexcept { return internal::semaphore_wait(*this); }
  /// As `acquire`; `co_await` gives a `held_permit`.
  [[nodiscard]] auto scoped() noexcept { return scoped_wait(*this); }
  /// Takes a permit if there is one and nobody waits; returns whether.
  [[nodiscard]] bool try_acquire() noexcept {
    if (locked()) return false;
    --value_;
    return true;
  }
  /// Gives a permit back, or adds one; the next task in line gets it.
  /// Errors: `invalid_state` when a `bounded_semaphore` has all its permits.
  void release() {
    if (value_ >= limit_ || !waiting_.empty()) [[unlikely]]
      check_release();
    give_back();
  }
  /// Whether an `acquire` would wait now.
  bool locked() const noexcept { return value_ == 0 || !waiting_.empty() || !granted_.empty(); }

 protected:
  /// At most `limit` permits. Errors: std::invalid_argument for a negative `value`.
  semaphore(std::ptrdiff_t value, std::ptrdiff_t limit);

 private:
  friend class internal::semaphore_wait;
  friend class held_permit;

  class scoped_wait final : public internal::semaphore_wait {
   public:
    using semaphore_wait::semaphore_wait;
    held_permit await_resume() {
      semaphore_wait::await_resume();
      return held_permit(*semaphore_);
    }
  };

  void check_release() const;
  void give_back() noexcept {
    // A bounded one may have all: somebody released by hand what an object held.
    if (value_ < limit_) ++value_;
    if (!waiting_.empty()) grant();
  }
  void grant() noexcept;

  std::ptrdiff_t value_;
  std::ptrdiff_t limit_;
  internal::chain<internal::semaphore_wait> waiting_;
  internal::chain<internal::semaphore_wait> granted_;  ///< they have been woken
  internal::chain_base held_;                          ///< the permits that are objects
  internal::served_loop served_;
};

/// A semaphore that finds the mistake of releasing what was not acquired: more permits than it began with are an error.
class bounded_semaphore : public semaphore {
 public:
  /// Errors: std::invalid_argument for a negative `value`.
  explicit bounded_semaphore(std::ptrdiff_t value = 1) : semaphore(value, value) {}
};

inline bool internal::semaphore_wait::await_ready() noexcept { return semaphore_->try_acquire(); }

inline held_permit::held_permit(semaphore& from) noexcept : from_(&from) { from.held_.push(*this); }

inline void held_permit::give_back() noexcept {
  leave();
  from_->give_back();
}

}  // namespace troupe
