// What operations cost in memory: how often the system is asked for some, and how many blocks of the pool they take.
#pragma once

#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/memory.hpp>

#include <cstdint>
#include <ostream>

namespace troupe::testing {

/// Whether allocations are counted. The sanitizers have a malloc of their own, and AddressSanitizer no pool; there the tests only run.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
inline constexpr bool counts_allocations = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool counts_allocations = false;
#else
inline constexpr bool counts_allocations = true;
#endif
#else
inline constexpr bool counts_allocations = true;
#endif

/// What all threads together have taken so far.
struct expenses {
  std::uint64_t
      allocations;  ///< calls of malloc and its like, by whomever: operator new, a container, an exception
  std::int64_t held;  ///< bytes of these that have not been freed
  internal::pool_counts pool;

  static expenses so_far() noexcept;
};

/// What one operation costs.
struct cost {
  double system = 0;  ///< allocations and slabs, once the pool is warm
  double blocks = 0;  ///< taken from the pool
  double kept = 0;    ///< and not given back

  friend bool operator==(const cost&, const cost&) = default;
  friend std::ostream& operator<<(std::ostream& out, const cost& c) {
    return out << c.system << " from the system, " << c.blocks << " blocks, " << c.kept << " kept";
  }
};

/// Has the blocks that this thread takes and gives back counted, while it lives.
class counting_blocks {
 public:
  counting_blocks() noexcept { internal::disable_pool(); }
  ~counting_blocks() { internal::enable_pool(); }
  counting_blocks(const counting_blocks&) = delete;
  counting_blocks& operator=(const counting_blocks&) = delete;
};

/// What one of `act`'s operations costs, of which `act(count)` does so many and waits for their end. It is rehearsed before.
/// Pre: `act`, which may be a lambda with captures, outlives this. What it does on other loops is counted as to the system only.
template <class Act>
coro<cost> cost_of(const Act& act, int count = 100) {
  for (int times = 0; times < 3; ++times) co_await act(count);
  const expenses before = expenses::so_far();
  co_await act(count);
  const expenses after = expenses::so_far();

  const counting_blocks counted;
  co_await act(0);
  const expenses start = expenses::so_far();
  co_await act(0);  // what comes about by the way
  const expenses middle = expenses::so_far();
  co_await act(count);
  const expenses end = expenses::so_far();

  const auto each = [count](auto sum) { return static_cast<double>(sum) / count; };
  const auto kept = [](const expenses& at) {
    return static_cast<std::int64_t>(at.pool.taken - at.pool.returned);
  };
  co_return cost{
      .system =
          each((after.allocations - before.allocations) + (after.pool.slabs - before.pool.slabs)),
      .blocks = each((end.pool.taken - middle.pool.taken) - (middle.pool.taken - start.pool.taken)),
      .kept = each((kept(end) - kept(middle)) - (kept(middle) - kept(start)))};
}

/// Whether it is that, or nobody knows.
inline bool costs(const cost& measured, const cost& said) {
  return !counts_allocations || measured == said;
}

}  // namespace troupe::testing
