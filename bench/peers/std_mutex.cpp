// std::mutex, locked and unlocked by one thread with nobody in the way. Another thread exists, as in
// any program that has use for a mutex: glibc leaves the atomic instructions out while there is none.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "../harness.hpp"

namespace {

double lock(const bench::request& wanted) {
  std::mutex mutex;
  std::condition_variable over;
  bool ending = false;
  std::thread other{[&] {
    std::unique_lock held{mutex};
    over.wait(held, [&] { return ending; });
  }};
  std::mutex measured;
  std::int64_t guarded = 0;
  const double each = bench::per_operation(
      wanted,
      [&](std::int64_t count) {
        const bench::stopwatch watch;
        for (std::int64_t i = 0; i < count; ++i) {
          measured.lock();
          ++guarded;
          measured.unlock();
        }
        return watch.nanoseconds();
      },
      1 << 26);
  {
    const std::lock_guard held{mutex};
    ending = true;
  }
  over.notify_one();
  other.join();
  return guarded > 0 ? each : 0;
}

}  // namespace

int main(int argc, char** argv) {
  return bench::main(argc, argv, {{"lock", "std-mutex", 1, "ns", lock}});
}
