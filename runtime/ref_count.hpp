#pragma once

#include <atomic>
#include <cstdint>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

namespace troupe::internal {

/// Whether another thread may exist. False only while the process has never had a second one.
inline bool multi_threaded() noexcept {
#if __has_include(<sys/single_threaded.h>)
  return __libc_single_threaded == 0;
#else
  return true;
#endif
}

/// A reference count that any thread may change, without the price of an atomic operation while there is one thread only
/// (as libstdc++'s shared_ptr does it).
class ref_count {
 public:
  explicit ref_count(std::uint32_t start) noexcept : count_(start) {}

  void add() noexcept {
    if (multi_threaded()) {
      count_.fetch_add(1, std::memory_order_relaxed);
    } else {
      count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
  }

  /// True when this was the last one.
  [[nodiscard]] bool drop() noexcept {
    if (multi_threaded()) return count_.fetch_sub(1, std::memory_order_acq_rel) == 1;
    const std::uint32_t left = count_.load(std::memory_order_relaxed) - 1;
    count_.store(left, std::memory_order_relaxed);
    return left == 0;
  }

  std::uint32_t value() const noexcept { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> count_;
};

}  // namespace troupe::internal
