// A million steady_timers with a callback each, on one io_context{1}.
#include <asio.hpp>

#include <chrono>
#include <vector>

#include "../task_cases.hpp"

namespace {

using asio::steady_timer;
using std::chrono::nanoseconds;

double fire(const bench::request&) {
  return bench::per_fired_timer([](const std::vector<std::int64_t>& delays) {
    asio::io_context context{1};
    std::vector<steady_timer> timers;
    timers.reserve(delays.size());
    std::size_t fired = 0;
    const bench::cpu_stopwatch watch;
    for (const std::int64_t delay : delays) {
      timers.emplace_back(context, nanoseconds(delay));
      timers.back().async_wait([&fired](const asio::error_code& failed) { fired += !failed; });
    }
    context.run();
    const double took = watch.nanoseconds();
    if (fired != delays.size()) throw std::runtime_error("a timer has not fired");
    return took;
  });
}

// A cancelled timer still calls its handler, which belongs to what cancelling costs.
double arm(const bench::request& wanted) {
  const std::vector<std::int64_t> delays = bench::random_delays(bench::timers, bench::hour);
  const auto run = [&](std::int64_t) {
    asio::io_context context{1};
    std::vector<steady_timer> timers;
    timers.reserve(delays.size());
    const bench::stopwatch watch;
    for (const std::int64_t delay : delays) {
      timers.emplace_back(context, nanoseconds(bench::hour + delay));
      timers.back().async_wait([](const asio::error_code&) {});
    }
    for (steady_timer& timer : timers) timer.cancel();
    context.run();
    return watch.nanoseconds();
  };
  return bench::per_operation(wanted, run, bench::timers, bench::timers);
}

}  // namespace

int main(int argc, char** argv) {
  return bench::main(argc, argv,
                     {{"timers-fire", "asio-callbacks", 1, "ns", fire},
                      {"timers-arm", "asio-callbacks", 1, "ns", arm}});
}
