// Everything that crosses threads, at once and for as long as it is told: `stress-threads SECONDS [SEED]`. Built with
// ThreadSanitizer and run for a minute by `./dev check`; not a test of its own, for it takes real time. Ends with 0 when nothing was
// lost; prints the seed of each round that it begins, so that a finding can be run again.
#include <troupe/runtime/any_task.hpp>
#include <troupe/runtime/on.hpp>
#include <troupe/runtime/queue.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task_group.hpp>
#include <troupe/runtime/threadsafe.hpp>
#include <troupe/runtime/timeout.hpp>
#include <troupe/runtime/to_thread.hpp>

#include "support/random_numbers.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

using namespace troupe;
using troupe::testing::random_numbers;
using namespace std::chrono_literals;

namespace {

constexpr int loops = 3;
constexpr int threads = 2;
constexpr int items_each = 300;

struct round {
  explicit round(std::uint64_t number) : seed(number) {}
  std::uint64_t seed;
  queue<int> items{16};
  std::atomic<int> put{0};
  std::atomic<int> got{0};
  std::atomic<int> jobs{0};
  std::atomic<int> failures{0};
};

loop& any_loop(random_numbers& random) { return runtime::current()->loop_at(random.below(loops)); }

/// Puts items from a loop, and moves to another one now and then.
coro<> produce(round& now, std::uint64_t mine) {
  random_numbers random(now.seed * 31 + mine);
  for (int item = 0; item < items_each; ++item) {
    if (random.below(20) == 0) co_await on(any_loop(random));
    co_await now.items.put(item);
    ++now.put;
  }
}

/// Takes items until the queue is shut down; gives up on some waits.
coro<> consume(round& now, std::uint64_t mine) {
  random_numbers random(now.seed * 37 + mine);
  for (;;) {
    try {
      if (random.below(4) == 0) {
        const auto limit = std::chrono::microseconds(random.below(50));
        static_cast<void>(co_await timeout(limit, now.items.get()));
      } else {
        static_cast<void>(co_await now.items.get());
      }
      ++now.got;
    } catch (const timeout_error&) {
    } catch (const queue_shutdown&) {
      co_return;
    }
    if (random.below(20) == 0) co_await on(any_loop(random));
  }
}

/// Cancels tasks that are away, or on the way, or in a thread job.
coro<> cancel_wanderers(round& now, std::uint64_t mine) {
  random_numbers random(now.seed * 41 + mine);
  auto wander = [](round& of, std::uint64_t seed) -> coro<int> {
    random_numbers own(seed);
    int steps = 0;
    for (; steps < 20; ++steps) {
      co_await on(any_loop(own));
      co_await sleep(std::chrono::microseconds(own.below(30)));
      if (own.below(4) == 0) co_await to_thread([&of] { ++of.jobs; });
    }
    co_return steps;
  };
  for (int each = 0; each < 10; ++each) {
    const auto wandering = create_task(wander(now, random.below(1'000'000)));
    co_await sleep(std::chrono::microseconds(random.below(300)));
    wandering.cancel("enough");
    try {
      if (co_await wandering != 20) ++now.failures;
    } catch (const cancelled&) {
    }
  }
}

/// What threads that run no loop do: put, take, ask loops for coroutines and cancel some of those.
void outside(round& now, loop& home, std::uint64_t mine) {
  random_numbers random(now.seed * 43 + mine);
  for (int item = 0; item < items_each; ++item) {
    now.items.put_blocking(item);
    ++now.put;
    if (random.below(10) != 0) continue;
    auto answer = [](int value) -> coro<int> {
      co_await sleep(std::chrono::microseconds(value % 100));
      co_return value;
    };
    auto asked = run_coroutine_threadsafe(answer(item), home);
    if (random.below(3) == 0) asked.cancel();
    try {
      if (asked.get() != item) ++now.failures;
    } catch (const cancelled&) {
    }
    home.call_soon_threadsafe([&now] { ++now.jobs; });
  }
}

coro<> play(round& now) {
  std::vector<task<>> consumers;
  std::vector<std::thread> others;
  loop& here = *loop::current();
  for (std::uint64_t each = 0; each < loops; ++each) {
    auto there = [](round& of, std::uint64_t mine) -> coro<> {
      co_await on(runtime::current()->loop_at(mine % loops));
      co_await consume(of, mine);
    };
    consumers.push_back(create_task(there(now, each)));
  }
  for (std::uint64_t each = 0; each < threads; ++each)
    others.emplace_back([&now, &here, each] { outside(now, here, each); });
  task_group group;
  auto body = [&]() -> coro<> {
    for (std::uint64_t each = 0; each < loops; ++each) group.create_task(produce(now, each));
    group.create_task(cancel_wanderers(now, 1));
    group.create_task(cancel_wanderers(now, 2));
    co_return;
  };
  co_await group.run(body);
  for (std::thread& each : others) co_await to_thread([&each] { each.join(); });
  now.items.shutdown();
  for (task<>& each : consumers) co_await each;
}

}  // namespace

int main(int argc, char** argv) {
  const auto seconds = std::chrono::seconds(argc > 1 ? std::atoi(argv[1]) : 1);
  std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  const auto end = std::chrono::steady_clock::now() + seconds;
  do {
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    std::fflush(stdout);
    round now(seed++);
    troupe::run(play(now), {.threads = loops});
    const int wanted = (loops + threads) * items_each;
    if (now.put != wanted || now.got != wanted || now.failures != 0) {
      std::printf("lost something: %d put, %d taken of %d; %d wrong\n", now.put.load(),
                  now.got.load(), wanted, now.failures.load());
      return 1;
    }
  } while (std::chrono::steady_clock::now() < end);
  std::puts("nothing was lost");
}
