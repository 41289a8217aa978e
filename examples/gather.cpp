// Three tasks at the same time: the time they take together is that of the slowest.
// Run: gather        Prints: each result, and how long all of it took
#include <troupe/troupe.hpp>

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

troupe::coro<std::string> fetch(std::string what, std::chrono::milliseconds takes) {
  co_await troupe::sleep(takes);
  co_return what + " after " + std::to_string(takes.count()) + " ms";
}

troupe::coro<int> fail(std::chrono::milliseconds takes) {
  co_await troupe::sleep(takes);
  throw std::runtime_error("the third one failed");
}

troupe::coro<int> amain() {
  const auto start = std::chrono::steady_clock::now();
  // [gather]
  const auto [news, weather, traffic] =
      co_await troupe::gather(fetch("news", 30ms), fetch("weather", 20ms), fetch("traffic", 10ms));
  // [/gather]
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - start);
  std::printf("%s\n%s\n%s\n", news.c_str(), weather.c_str(), traffic.c_str());
  std::printf("all three together: %lld ms\n", static_cast<long long>(took.count()));

  try {  // a failure comes out at once; the others run on
    co_await troupe::gather(fetch("news", 1h), fail(5ms));
  } catch (const std::runtime_error& error) {
    std::printf("gather threw: %s\n", error.what());
  }
  co_return 0;  // and what still runs is cancelled now
}

int main() { return troupe::run_main(amain()); }
