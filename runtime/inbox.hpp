#pragma once

#include <troupe/runtime/work.hpp>

#include <atomic>
#include <cstdint>

namespace troupe::internal {

/// How other threads hand works to a loop: a lock-free stack that the loop takes whole and turns round (Treiber's stack
/// with a take-all, so there is no ABA problem), and the word that says whether the loop sleeps and who is about to wake it.
///
/// Invariants: works of one thread come out in the order they went in; at most one poster claims the wake of one sleep; a
/// closed inbox takes nothing. A loop may end its sleep, run what was posted and close before the poster that claimed the
/// wake has carried it out: what a wake touches stays until `waking` is false.
class inbox {
 public:
  /// Any thread. Returns false when closed.
  bool push(work& item) noexcept {
    work* head = head_.load(std::memory_order_relaxed);
    do {
      if (head == closed_mark()) return false;
      item.next = head;
    } while (!head_.compare_exchange_weak(head, &item, std::memory_order_seq_cst,
                                          std::memory_order_relaxed));
    return true;
  }

  /// Any thread, after `push`: true when the loop sleeps and this caller is the one to wake it, and to call `wake_done` then.
  bool claim_wake() noexcept {
    std::uint32_t seen = state_.load(std::memory_order_seq_cst);
    while ((seen & sleeping) != 0) [[unlikely]] {
      if (state_.compare_exchange_weak(seen, seen - sleeping + one_waker, std::memory_order_acq_rel,
                                       std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }
  void wake_done() noexcept { state_.fetch_sub(one_waker, std::memory_order_release); }

  /// Loop only, awake: whether somebody is still about to wake it.
  bool waking() const noexcept { return state_.load(std::memory_order_acquire) >= one_waker; }

  /// Loop only.
  bool empty() const noexcept { return head_.load(std::memory_order_seq_cst) == nullptr; }

  /// Loop only: all that was pushed, oldest first.
  work* take_all() noexcept {
    work* const last = head_.load(std::memory_order_relaxed);
    if (last == nullptr || last == closed_mark()) return nullptr;
    return oldest_first(head_.exchange(nullptr, std::memory_order_acquire));
  }

  /// Loop only: refuses what comes from now on; returns what had come.
  work* close() noexcept {
    work* const last = head_.exchange(closed_mark(), std::memory_order_acq_rel);
    return last == closed_mark() ? nullptr : oldest_first(last);
  }
  void open() noexcept { head_.store(nullptr, std::memory_order_release); }

  /// Loop only: announces sleep; false when something has arrived and there is no sleeping now.
  bool begin_sleep() noexcept {
    state_.fetch_or(sleeping, std::memory_order_seq_cst);
    if (empty()) return true;
    state_.fetch_and(~sleeping, std::memory_order_relaxed);
    return false;
  }
  /// Loop only: sleeps, whatever has arrived: for one that is run by hand and wants to be told of each post.
  void sleep_on() noexcept { state_.fetch_or(sleeping, std::memory_order_seq_cst); }
  /// Loop only. True when somebody else ended the sleep.
  bool end_sleep() noexcept {
    return (state_.fetch_and(~sleeping, std::memory_order_acq_rel) & sleeping) == 0;
  }

 private:
  static constexpr std::uint32_t sleeping = 1;
  static constexpr std::uint32_t one_waker = 2;

  static work* closed_mark() noexcept {
    struct mark final : work {
      mark() noexcept : work(nullptr) {}
    };
    static mark closed;
    return &closed;
  }

  static work* oldest_first(work* newest) noexcept {
    work* result = nullptr;
    while (newest != nullptr) {
      work* const older = newest->next;
      newest->next = result;
      result = newest;
      newest = older;
    }
    return result;
  }

  std::atomic<work*> head_{closed_mark()};
  std::atomic<std::uint32_t> state_{0};  ///< `sleeping`, and the number of wakers
};

}  // namespace troupe::internal
