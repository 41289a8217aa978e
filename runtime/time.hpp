#pragma once

// The calendar of <chrono> would be a tenth of the time that a user's file takes to compile; libstdc++ keeps durations and clocks
// apart from it. Public headers include this file instead. See docs/decisions/0006-headers-that-compile-fast.md.
#if __has_include(<bits/chrono.h>)
#include <bits/chrono.h>
#else
#include <chrono>
#endif

namespace troupe {

/// The clock that loops keep time by: monotonic, in nanoseconds. A loop on virtual time uses its type, not its value.
using clock = std::chrono::steady_clock;
using duration = clock::duration;
using time_point = clock::time_point;

/// A time-out that never comes.
inline constexpr duration infinite = duration::max();

namespace internal {

/// `limit` from now on the running loop; `time_point::max()` for `infinite`. Errors: `invalid_state` off a loop.
time_point deadline_after(duration limit);
/// Errors: `timeout_error`, always.
[[noreturn]] void throw_timeout();

/// `start + delay`, held at the ends of the clock's range instead of wrapping round.
constexpr time_point saturating_add(time_point start, duration delay) noexcept {
  if (delay > duration::zero() && start > time_point::max() - delay) return time_point::max();
  if (delay < duration::zero() && start < time_point::min() - delay) return time_point::min();
  return start + delay;
}

[[noreturn]] void throw_not_a_duration();

/// `delay` in the clock's unit: rounded up, so that no wait is ever shorter than was said, and held at the clock's range.
/// Errors: std::invalid_argument for what is not a number.
template <class Rep, class Period>
constexpr duration to_duration(std::chrono::duration<Rep, Period> delay) {
  using seconds = std::chrono::duration<long double>;
  const seconds wanted = delay;
  if (wanted.count() != wanted.count()) throw_not_a_duration();
  if (wanted >= seconds(duration::max())) return duration::max();
  if (wanted <= seconds(duration::min())) return duration::min();
  return std::chrono::ceil<duration>(delay);
}

constexpr duration to_duration(duration delay) noexcept { return delay; }

}  // namespace internal
}  // namespace troupe
