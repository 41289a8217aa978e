// The clocks of the standard library, and the calls that sleep, as whoever links the test kit has them: a step of a simulation that
// uses one is found out. To define them here, in front of the library's, is how a program replaces a function of a shared library.
#include <troupe/runtime/internal/simulator.hpp>

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

namespace {

void met(const char* what) noexcept {
  troupe::internal::simulator* const here = troupe::internal::current_simulator();
  if (here != nullptr && here->stepped() != nullptr) here->met(what);
}

std::chrono::nanoseconds read_clock(clockid_t which) noexcept {
  timespec now{};
  ::clock_gettime(which, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

int sleep_for_real(clockid_t which, int flags, const timespec* time, timespec* left) noexcept {
  met("the scenario blocked its thread by sleeping: co_await troupe::sleep() instead");
  return ::syscall(SYS_clock_nanosleep, which, flags, time, left) == 0 ? 0 : errno;
}

}  // namespace

#ifdef __GLIBCXX__

std::chrono::steady_clock::time_point std::chrono::steady_clock::now() noexcept {
  met("the scenario read the real clock (std::chrono::steady_clock): in there time is that of the "
      "loop, loop::current()->time()");
  return time_point(read_clock(CLOCK_MONOTONIC));
}

std::chrono::system_clock::time_point std::chrono::system_clock::now() noexcept {
  met("the scenario read the real clock (std::chrono::system_clock): give it the time, or a "
      "function that tells it");
  return time_point(read_clock(CLOCK_REALTIME));
}

#endif

extern "C" {

int nanosleep(const timespec* time, timespec* left) {
  const int error = sleep_for_real(CLOCK_MONOTONIC, 0, time, left);
  if (error != 0) errno = error;
  return error == 0 ? 0 : -1;
}

int clock_nanosleep(clockid_t which, int flags, const timespec* time, timespec* left) {
  return sleep_for_real(which, flags, time, left);
}

}  // extern "C"
