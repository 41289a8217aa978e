#pragma once

#include <troupe/runtime/work.hpp>

#include <atomic>

namespace troupe::internal {

/// How other threads hand works to a loop: a lock-free stack that the loop takes whole and turns round (Treiber's stack
/// with a take-all, so there is no ABA problem), and the flag that says whether the loop sleeps.
///
/// Invariants: works of one thread come out in the order they went in; at most one poster claims the wake of one sleep; a
/// closed inbox takes nothing.
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

  /// Any thread, after `push`: true when the loop sleeps and this caller is the one to wake it.
  bool claim_wake() noexcept {
    return sleeping_.load(std::memory_order_seq_cst) &&
           sleeping_.exchange(false, std::memory_order_acq_rel);
  }

  /// Loop only.
  bool empty() const noexcept { return head_.load(std::memory_order_seq_cst) == nullptr; }

  /// Loop only: all that was pushed, oldest first.
  work* take_all() noexcept {
    if (head_.load(std::memory_order_relaxed) == nullptr) return nullptr;
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
    sleeping_.store(true, std::memory_order_seq_cst);
    if (empty()) return true;
    sleeping_.store(false, std::memory_order_relaxed);
    return false;
  }
  /// Loop only. True when somebody else ended the sleep.
  bool end_sleep() noexcept { return !sleeping_.exchange(false, std::memory_order_acq_rel); }

 private:
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
  std::atomic<bool> sleeping_{false};
};

}  // namespace troupe::internal
