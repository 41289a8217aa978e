// The cases about tasks of the benchmark suite on troupe; those about actors are in troupe_bench.cpp. What each does stands in
// bench/README.md.
#include <troupe/runtime/lock.hpp>
#include <troupe/runtime/on.hpp>
#include <troupe/runtime/queue.hpp>
#include <troupe/runtime/to_thread.hpp>
#include <troupe/troupe.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "actors.hpp"
#include "task_cases.hpp"

namespace {

using std::chrono::nanoseconds;
using troupe::coro;

/// What a case does `count` times, on a loop; setting up is not in it.
using body = coro<void> (*)(std::int64_t count);

template <body Body>
coro<double> per_operation(bench::request wanted) {
  bench::course trials(wanted);
  while (trials.goes_on()) {
    const bench::stopwatch watch;
    co_await Body(trials.count());
    trials.took(watch.nanoseconds());
  }
  co_return trials.per_operation();
}

coro<void> task(std::int64_t count) {
  std::int64_t value = 0;
  while (value != count) value = co_await troupe::create_task(bench::successor(value));
}

coro<void> yield_often(std::int64_t times) {
  for (; times > 0; --times) co_await troupe::sleep(nanoseconds(0));
}

coro<void> yield(std::int64_t count) {
  auto one = troupe::create_task(yield_often(count / 2));
  auto other = troupe::create_task(yield_often(count / 2));
  co_await one;
  co_await other;
}

using queue_of_numbers = troupe::queue<std::int64_t>;

coro<void> serve_all(queue_of_numbers& out, queue_of_numbers& back, std::int64_t count) {
  for (std::int64_t value = 0; value < count;) {
    co_await out.put(value + 1);
    value = co_await back.get();
  }
}

coro<void> return_all(queue_of_numbers& in, queue_of_numbers& back, std::int64_t count) {
  for (std::int64_t value = 0; value < count;) {
    value = 1 + co_await in.get();
    co_await back.put(value);
  }
}

coro<void> queue(std::int64_t count) {
  queue_of_numbers there(1);
  queue_of_numbers back(1);
  auto one = troupe::create_task(serve_all(there, back, count));
  auto other = troupe::create_task(return_all(there, back, count));
  co_await one;
  co_await other;
}

coro<void> put_all(queue_of_numbers& to, std::int64_t count) {
  for (std::int64_t value = 1; value <= count; ++value) co_await to.put(value);
}

coro<void> get_all(queue_of_numbers& from, std::int64_t count) {
  for (; count > 0; --count) static_cast<void>(co_await from.get());
}

coro<void> stream(std::int64_t count) {
  queue_of_numbers items(bench::stream_room);
  auto putting = troupe::create_task(put_all(items, count));
  auto getting = troupe::create_task(get_all(items, count));
  co_await putting;
  co_await getting;
}

coro<void> lock(std::int64_t count) {
  troupe::lock guard;
  for (; count > 0; --count) {
    co_await guard.acquire();
    guard.release();
  }
}

coro<void> to_thread(std::int64_t count) {
  while (count > 0) count -= co_await troupe::to_thread([] { return 1; });
}

// --- timers -----------------------------------------------------------------------------------------------------------

/// Arms a timer for each of the delays and waits for them all; the time of the processor.
coro<double> fire(const std::vector<std::int64_t>& delays) {
  auto& here = *troupe::loop::current();
  troupe::promise<int> done;
  auto over = done.get_future();
  std::size_t left = delays.size();
  const bench::cpu_stopwatch watch;
  for (const std::int64_t delay : delays) {
    here.call_later(nanoseconds(delay), [&left, &done] {
      if (--left == 0) done.set_value(0);
    });
  }
  co_await over;
  co_return watch.nanoseconds();
}

double timers_fire(const bench::request&) {
  return bench::per_fired_timer(
      [](const std::vector<std::int64_t>& delays) { return troupe::run(fire(delays)); });
}

coro<double> timers_arm(bench::request wanted) {
  auto& here = *troupe::loop::current();
  const std::vector<std::int64_t> delays = bench::random_delays(bench::timers, bench::hour);
  std::vector<troupe::timer_handle> handles;
  handles.reserve(delays.size());
  bench::course trials(wanted, bench::timers, bench::timers);
  while (trials.goes_on()) {
    const bench::stopwatch watch;
    for (const std::int64_t delay : delays) {
      handles.push_back(here.call_later(nanoseconds(bench::hour + delay), [] {}));
    }
    for (const troupe::timer_handle& armed : handles) armed.cancel();
    trials.took(watch.nanoseconds());
    handles.clear();
  }
  co_return trials.per_operation();
}

// --- sleeping: resident bytes of a task that sleeps -------------------------------------------------------------------

coro<void> sleep_an_hour() { co_await troupe::sleep(std::chrono::hours(1)); }

coro<double> sleeping(bench::request) {
  const double before = bench::resident_bytes();
  for (int made = 0; made < bench::sleeping_tasks; ++made) troupe::create_task(sleep_an_hour());
  co_await troupe::sleep(nanoseconds(0));
  co_return (bench::resident_bytes() - before) / bench::sleeping_tasks;
}

// --- spread: the work of 64 tasks on one loop or two ------------------------------------------------------------------

coro<std::uint64_t> work_on(std::size_t index, std::uint64_t seed) {
  co_await troupe::on(troupe::runtime::current()->loop_at(index));
  co_return bench::spread_work(seed);
}

coro<double> spread(bench::request wanted) {
  const std::size_t loops = troupe::runtime::current()->size();
  bench::course trials(wanted, bench::spread_tasks, bench::spread_tasks);
  std::uint64_t sum = 0;
  while (trials.goes_on()) {
    std::vector<troupe::task<std::uint64_t>> tasks;
    tasks.reserve(bench::spread_tasks);
    const bench::stopwatch watch;
    for (std::size_t index = 0; index < bench::spread_tasks; ++index) {
      tasks.push_back(troupe::create_task(work_on(index % loops, sum + index)));
    }
    for (auto& each : tasks) sum += co_await each;
    trials.took(watch.nanoseconds());
  }
  co_return trials.per_operation();
}

template <coro<double> (*Body)(bench::request)>
double on_loops(const bench::request& wanted) {
  return troupe::run(Body(wanted), {.threads = static_cast<std::size_t>(wanted.loops)});
}

}  // namespace

int main(int argc, char** argv) {
  return bench::main(argc, argv,
                     {{"task", "troupe", 1, "ns", on_loops<per_operation<task>>},
                      {"yield", "troupe", 1, "ns", on_loops<per_operation<yield>>},
                      {"queue", "troupe", 1, "ns", on_loops<per_operation<queue>>},
                      {"stream", "troupe", 1, "ns", on_loops<per_operation<stream>>},
                      {"lock", "troupe", 1, "ns", on_loops<per_operation<lock>>},
                      {"to_thread", "troupe", 1, "ns", on_loops<per_operation<to_thread>>},
                      {"timers-fire", "troupe", 1, "ns", timers_fire},
                      {"timers-arm", "troupe", 1, "ns", on_loops<timers_arm>},
                      {"sleeping", "troupe", 1, "bytes", on_loops<sleeping>},
                      {"spread", "troupe", 1, "ns", on_loops<spread>},
                      {"spread", "troupe", 2, "ns", on_loops<spread>}});
}
