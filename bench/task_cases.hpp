// What the C++ programs share for the cases about tasks: how many timers there are and when they are
// due, the work of `spread`, and the clock of the processor. The numbers are the same in every
// language of the suite.
#pragma once

#include <cstdint>
#include <ctime>
#include <vector>

#include "harness.hpp"

namespace bench {

inline constexpr std::int64_t timers = 1'000'000;
inline constexpr std::int64_t second = 1'000'000'000;
inline constexpr std::int64_t hour = 3600 * second;
inline constexpr int sleeping_tasks = idle_actors;
inline constexpr std::int64_t stream_room = 1024;
inline constexpr std::int64_t spread_tasks = 64;

// Marsaglia's xorshift: the next number is made of the one before, which is not zero.
inline std::uint64_t next_random(std::uint64_t state) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^ (state << 17);
}

inline std::vector<std::int64_t> random_delays(std::int64_t count, std::int64_t below) {
  std::vector<std::int64_t> delays;
  delays.reserve(static_cast<std::size_t>(count));
  std::uint64_t state = 88172645463325252u;
  for (std::int64_t made = 0; made < count; ++made) {
    state = next_random(state);
    delays.push_back(static_cast<std::int64_t>(state % static_cast<std::uint64_t>(below)));
  }
  return delays;
}

// The work of one task of `spread`: a million steps that wait for each other, some two milliseconds.
inline std::uint64_t spread_work(std::uint64_t seed) {
  for (int step = 0; step < 1'000'000; ++step) seed = next_random(seed);
  return seed;
}

// User and system time of the whole process.
class cpu_stopwatch {
 public:
  double nanoseconds() const { return now() - start_; }

 private:
  static double now() {
    timespec spent{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return static_cast<double>(spent.tv_sec) * 1e9 + static_cast<double>(spent.tv_nsec);
  }
  double start_ = now();
};

// `fire(delays)` arms a timer for each of the delays, waits until all have fired, and returns the
// processor's time for it. As many warm up: memory that a process touches for the first time costs what the machine below it
// takes to find some, which has nothing to do with timers and differs tenfold from hour to hour.
template <class Fire>
double per_fired_timer(Fire fire) {
  fire(random_delays(timers, second));
  return fire(random_delays(timers, second)) / static_cast<double>(timers);
}

}  // namespace bench
