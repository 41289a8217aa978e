// libcoro: a task that runs by itself is one handed to a thread_pool, here of one thread; a queue with
// a limit is a ring_buffer, which resumes who waits there and then, inside produce and consume.
#include <coro/mutex.hpp>
#include <coro/ring_buffer.hpp>
#include <coro/sync_wait.hpp>
#include <coro/task.hpp>
#include <coro/thread_pool.hpp>
#include <coro/when_all.hpp>

#include <memory>

#include "../task_cases.hpp"

namespace {

using pool = std::unique_ptr<coro::thread_pool>;

pool one_thread() { return coro::thread_pool::make_unique({.thread_count = 1}); }

coro::task<std::int64_t> successor(std::int64_t value) { co_return value + 1; }

coro::task<double> await_all(pool& threads, std::int64_t count) {
  co_await threads->schedule();
  const bench::stopwatch watch;
  for (std::int64_t value = 0; value != count;) {
    value = co_await threads->schedule(successor(value));
  }
  co_return watch.nanoseconds();
}

double task(const bench::request& wanted) {
  return bench::per_operation(wanted, [](std::int64_t count) {
    pool threads = one_thread();
    return coro::sync_wait(await_all(threads, count));
  });
}

coro::task<void> yield_often(pool& threads, std::int64_t times) {
  for (; times > 0; --times) co_await threads->yield();
}

coro::task<double> yield_both(pool& threads, std::int64_t count) {
  co_await threads->schedule();
  const bench::stopwatch watch;
  co_await coro::when_all(yield_often(threads, count / 2), yield_often(threads, count / 2));
  co_return watch.nanoseconds();
}

double yield(const bench::request& wanted) {
  return bench::per_operation(wanted, [](std::int64_t count) {
    pool threads = one_thread();
    return coro::sync_wait(yield_both(threads, count));
  });
}

using cell = coro::ring_buffer<std::int64_t, 1>;

coro::task<void> serve_all(cell& out, cell& back, std::int64_t count) {
  for (std::int64_t value = 0; value < count;) {
    co_await out.produce(value + 1);
    value = *co_await back.consume();
  }
}

coro::task<void> return_all(cell& in, cell& back, std::int64_t count) {
  for (std::int64_t value = 0; value < count;) {
    value = 1 + *co_await in.consume();
    co_await back.produce(value);
  }
}

double queue(const bench::request& wanted) {
  return bench::per_operation(wanted, [](std::int64_t count) {
    cell there;
    cell back;
    const bench::stopwatch watch;
    coro::sync_wait(coro::when_all(serve_all(there, back, count), return_all(there, back, count)));
    return watch.nanoseconds();
  });
}

using ring = coro::ring_buffer<std::int64_t, bench::stream_room>;

coro::task<void> put_all(ring& to, std::int64_t count) {
  for (std::int64_t i = 1; i <= count; ++i) co_await to.produce(i);
}

coro::task<void> get_all(ring& from, std::int64_t count) {
  for (; count > 0; --count) static_cast<void>(*co_await from.consume());
}

double stream(const bench::request& wanted) {
  return bench::per_operation(wanted, [](std::int64_t count) {
    ring items;
    const bench::stopwatch watch;
    coro::sync_wait(coro::when_all(put_all(items, count), get_all(items, count)));
    return watch.nanoseconds();
  });
}

coro::task<void> lock_often(coro::mutex& mutex, std::int64_t times) {
  for (; times > 0; --times) {
    co_await mutex.lock();
    mutex.unlock();
  }
}

double lock(const bench::request& wanted) {
  return bench::per_operation(wanted, [](std::int64_t count) {
    coro::mutex mutex;
    const bench::stopwatch watch;
    coro::sync_wait(lock_often(mutex, count));
    return watch.nanoseconds();
  });
}

}  // namespace

int main(int argc, char** argv) {
  return bench::main(argc, argv,
                     {{"task", "libcoro", 1, "ns", task},
                      {"yield", "libcoro", 1, "ns", yield},
                      {"queue", "libcoro", 1, "ns", queue},
                      {"stream", "libcoro", 1, "ns", stream},
                      {"lock", "libcoro", 1, "ns", lock}});
}
