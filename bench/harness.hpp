// What the C++ programs of the suite share: the command line, the warm-up, the measured run and the
// line of output. A program fills a table of `entry` and calls `bench::main`. C++17, because the
// CAF peer is compiled as such.
//
//   PROGRAM CASE --loops N [--seconds S] [--impl NAME]     one repetition, one line per figure
//   PROGRAM --list                                         lines CASE IMPL LOOPS
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <string>
#include <vector>

namespace bench {

// A sender goes to the back of the queue after so many messages; spawning does so after so many
// actors. The same in every language of the suite.
inline constexpr std::int64_t chunk = 256;
inline constexpr int ring_size = 1000;
inline constexpr int pipeline_stages = 100;
inline constexpr int pipeline_tokens = 1000;
inline constexpr int idle_actors = 200'000;

// What one repetition was asked for.
struct request {
  const char* name = "";
  int loops = 1;
  double seconds = 0.3;
};

// One row of a program's table: `run` returns the figure in `unit`. An echo case has no `run`: it
// is measured from outside (echo_server.hpp), and stands in the table so that --list names it.
struct entry {
  const char* name;
  const char* impl;
  int loops;
  const char* unit;
  double (*run)(const request&);
};

class stopwatch {
 public:
  double nanoseconds() const {
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start_)
        .count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// The course of one measurement: how many operations the next trial does, and what the trials before
// it took. The count doubles until a trial is long enough to be believed, which is also the warm-up;
// then trials are added up until `seconds` have been measured. The count is a multiple of 8 * chunk,
// so eight senders share it evenly, and at most `limit`, which bounds what can pile up in a mailbox
// without a bound. `first` is the count to begin with; when it is the limit too, all trials do as
// many.
class course {
 public:
  explicit course(const request& wanted, std::int64_t limit = 1 << 20,
                  std::int64_t first = 8 * chunk)
      : budget_(wanted.seconds * 1e9), limit_(limit), count_(first) {}

  bool goes_on() const { return total_ < budget_; }
  std::int64_t count() const { return count_; }
  void took(double nanoseconds) {
    if (!warm_) {
      warm_ = nanoseconds >= budget_ / 8 || count_ * 2 > limit_;
      if (!warm_) count_ *= 2;
      return;
    }
    total_ += nanoseconds;
    operations_ += static_cast<double>(count_);
  }
  double per_operation() const { return total_ / operations_; }

 private:
  double budget_;
  std::int64_t limit_;
  std::int64_t count_;
  bool warm_ = false;
  double total_ = 0;
  double operations_ = 0;
};

// Nanoseconds per operation. `run(n)` does n operations and returns the nanoseconds they took, so
// setting up and tearing down stay outside.
template <class Run>
double per_operation(const request& wanted, Run run, std::int64_t limit = 1 << 20,
                     std::int64_t first = 8 * chunk) {
  course trials(wanted, limit, first);
  while (trials.goes_on()) trials.took(run(trials.count()));
  return trials.per_operation();
}

inline double resident_bytes() {
  std::ifstream statm{"/proc/self/statm"};
  double size = 0;
  double resident = 0;
  if (!(statm >> size >> resident)) {
    std::fprintf(stderr, "bench: /proc/self/statm cannot be read\n");
    std::exit(1);
  }
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

inline int usage(const char* program) {
  std::fprintf(stderr,
               "usage: %s CASE --loops N [--seconds S] [--impl NAME]\n"
               "       %s --list\n",
               program, program);
  return 2;
}

// Measures the one entry that `name`, `impl` (null: any) and the loops select.
inline int run_one(const std::vector<entry>& table, const char* name, const char* impl,
                   const request& wanted) {
  for (const entry& e : table) {
    if (std::strcmp(e.name, name) != 0 || e.loops != wanted.loops || !e.run) continue;
    if (impl != nullptr && std::strcmp(e.impl, impl) != 0) continue;
    std::printf("%s %s %d %s %.2f\n", e.name, e.impl, e.loops, e.unit, e.run(wanted));
    return 0;
  }
  std::fprintf(stderr, "no case %s with %d loops; --list names them\n", name, wanted.loops);
  return 2;
}

inline int main(int argc, char** argv, const std::vector<entry>& table) {
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
    for (const entry& e : table) std::printf("%s %s %d\n", e.name, e.impl, e.loops);
    return 0;
  }
  if (argc < 2 || argv[1][0] == '-') return usage(argv[0]);
  request wanted;
  wanted.name = argv[1];
  const char* impl = nullptr;
  for (int i = 2; i < argc; i += 2) {
    if (i + 1 == argc) return usage(argv[0]);
    const std::string option = argv[i];
    if (option == "--loops") {
      wanted.loops = std::atoi(argv[i + 1]);
    } else if (option == "--seconds") {
      wanted.seconds = std::atof(argv[i + 1]);
    } else if (option == "--impl") {
      impl = argv[i + 1];
    } else {
      return usage(argv[0]);
    }
  }
  if (wanted.seconds <= 0) return usage(argv[0]);
  try {
    return run_one(table, argv[1], impl, wanted);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[1], error.what());
    return 1;
  }
}

}  // namespace bench
