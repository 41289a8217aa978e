// Two processes for the cases of many machines: a program starts itself once more, as `PROGRAM serve`, which prints "port N" and
// serves until it is ended. C++17, because the CAF peer is compiled as such.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace bench {

// 64 bytes, and how many asks go on at a time in each case.
using payload = std::array<std::uint64_t, 8>;
inline constexpr std::size_t window_small = 256;
inline constexpr std::size_t mebibyte = std::size_t{1} << 20;
inline constexpr std::size_t window_large = 16;
// One way: the sender waits until all have arrived after so many, so that no queue of either end grows for ever.
inline constexpr std::int64_t most_on_the_way = std::int64_t{1} << 16;

// The other process. Life: it is killed when this goes, or this process does.
class other_end {
 public:
  other_end() {
    int from[2];
    if (::pipe2(from, O_CLOEXEC) != 0) fail("pipe");
    id_ = ::fork();
    if (id_ < 0) fail("fork");
    if (id_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(from[1], STDOUT_FILENO);
      ::execl("/proc/self/exe", "other-end", "serve", static_cast<char*>(nullptr));
      ::_exit(127);
    }
    ::close(from[1]);
    std::FILE* const said = ::fdopen(from[0], "r");
    const int found = std::fscanf(said, "port %d", &port_);
    std::fclose(said);
    if (found != 1) {
      end();
      throw std::runtime_error("the other end ended before it printed its port");
    }
  }
  ~other_end() { end(); }
  other_end(const other_end&) = delete;
  other_end& operator=(const other_end&) = delete;

  std::uint16_t port() const noexcept { return static_cast<std::uint16_t>(port_); }
  // The processor time that it has taken, in nanoseconds.
  double processor_time() const {
    clockid_t clock;
    if (::clock_getcpuclockid(id_, &clock) != 0) fail("the clock of the other end");
    return time_of(clock);
  }
  static double own_processor_time() { return time_of(CLOCK_PROCESS_CPUTIME_ID); }

  static bool is_wanted(int argc, char** argv) {
    return argc == 2 && std::strcmp(argv[1], "serve") == 0;
  }
  static void announce(std::uint16_t port) {
    std::printf("port %d\n", port);
    std::fflush(stdout);
  }

 private:
  static double time_of(clockid_t clock) {
    timespec at;
    if (::clock_gettime(clock, &at) != 0) fail("clock_gettime");
    return static_cast<double>(at.tv_sec) * 1e9 + static_cast<double>(at.tv_nsec);
  }
  [[noreturn]] static void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
  }
  void end() noexcept {
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
  pid_t id_ = -1;
  int port_ = 0;
};

// The processor time of both ends for an operation, warming up included: prints the figure CASE-cpu. On a busy machine it is the
// steadier one.
class processor_watch {
 public:
  explicit processor_watch(const other_end& other) : other_(other), begin_(now()) {}
  void done(std::int64_t operations) noexcept { operations_ += operations; }
  void print(const char* name, const char* impl) const {
    std::printf("%s-cpu %s 1 ns %.2f\n", name, impl,
                (now() - begin_) / static_cast<double>(operations_));
  }

 private:
  double now() const { return other_.processor_time() + other_end::own_processor_time(); }

  const other_end& other_;
  double begin_;
  std::int64_t operations_ = 0;
};

}  // namespace bench
