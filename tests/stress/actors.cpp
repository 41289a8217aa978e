// Everything that can be done to actors, at random, on two loops and for as long as it is told: `stress-actors SECONDS [SEED]`. Run by
// `./dev check` under ThreadSanitizer, and for half a minute by the tests. Each ask has to end, once, and nothing may be left when a
// round is over. Prints the seed of each round that it begins, so that a finding can be run again.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/counts.hpp>
#include <troupe/actors/process.hpp>
#include <troupe/actors/router.hpp>
#include <troupe/actors/tracer.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/timeout.hpp>

#include "support/random_numbers.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

using namespace troupe;
using troupe::testing::random_numbers;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t loops = 2;
constexpr int families = 4;
constexpr int drivers = 4;
constexpr int steps = 400;

struct poke {
  using reply = int;
  std::uint64_t dice;
};
struct mull {
  using reply = int;
  std::uint64_t dice;
};
struct keep {
  using reply = int;
};
struct disturb {
  std::uint64_t dice;
};
struct tick {};
using chaos = protocol<poke, mull, keep, disturb, tick, down>;
using anyone = actor_ref<chaos>;

/// What the actors and the drivers of a round share.
struct world {
  explicit world(std::uint64_t number) : seed(number) {}
  std::uint64_t seed;
  std::vector<anyone> all;  ///< written before the drivers begin
  std::atomic<int> alive{0};
  std::atomic<std::int64_t> asked{0};
  std::atomic<std::int64_t> ended{0};
  std::atomic<std::uint64_t> serial{0};
};

struct moment_of_life {
  explicit moment_of_life(world& given) : in(given) { ++in.alive; }
  moment_of_life(const moment_of_life&) = delete;
  moment_of_life& operator=(const moment_of_life&) = delete;
  ~moment_of_life() { --in.alive; }
  world& in;
};

template <request M>
coro<> ask_one(world& in, anyone whom, M message, duration limit, bool urgent_first) {
  ++in.asked;
  if (urgent_first) whom.tell(tick{}, urgent);
  try {
    auto answer = whom.ask(message, limit);
    static_cast<void>(co_await answer);
  } catch (const std::exception&) {
  } catch (const cancelled&) {
    ++in.ended;
    throw;
  }
  ++in.ended;
}

/// An actor to which everything happens. `Kind` chooses its mailbox and whether it interleaves.
template <int Kind>
class imp;
template <int Kind>
struct habits {};
template <>
struct habits<1> {
  static constexpr mailbox_options mailbox{.capacity = 8, .when_full = overflow::suspend};
};
template <>
struct habits<2> {
  using interleave = messages<poke, keep>;
  static constexpr mailbox_options mailbox{.capacity = 16, .when_full = overflow::drop_oldest};
};
template <>
struct habits<3> {
  static constexpr message_limit limits[] = {limit<disturb>(4, overflow::drop_newest)};
};

template <int Kind>
class imp : public actor<chaos>, public habits<Kind> {
 public:
  explicit imp(world& in) : in_(in), life_(in), random_(in.seed + ++in.serial) {
    if (random_.below(40) == 0) throw std::runtime_error("stillborn");
  }
  coro<> on_start() {
    if (random_.below(4) == 0) co_await sleep(0s);
  }
  coro<> on_stop() {
    if (random_.below(4) == 0) co_await sleep(10us);
  }
  void on_idle() { set_idle_timeout(infinite); }

  int on(poke p) {
    if (p.dice % 16 == 0) throw std::runtime_error("poked");
    if (p.dice % 16 == 1) throw rejected("do not");
    return static_cast<int>(p.dice % 100);
  }
  coro<int> on(mull m) {
    random_numbers dice(m.dice);
    const auto whom = in_.all[dice.below(in_.all.size())];
    switch (dice.below(4)) {
      case 0:
        co_await sleep(std::chrono::microseconds(dice.below(200)));
        break;
      case 1:
        co_await ask_one(in_, whom, poke{dice.below(1000)}, 20ms, false);
        break;
      case 2:
        co_await ask_one(in_, whom, mull{dice.below(1000)}, infinite, true);
        break;
      default: {
        auto room = whom.send(disturb{dice.below(1000)});
        try {
          co_await timeout(1ms, std::move(room));
        } catch (const std::exception&) {
        }
      }
    }
    if (dice.below(20) == 0) throw std::runtime_error("mulled");
    co_return 1;
  }
  void on(keep k, reply_to<int> answer) {
    if (random_.below(8) == 0) {
      stash(k, std::move(answer));
    } else if (kept_.size() < 4) {
      kept_.push_back(std::move(answer));
    } else {
      kept_.clear();  // dropped: no_reply
      answer.answer(0);
    }
  }
  void on(disturb d) {
    random_numbers dice(d.dice + ++in_.serial);
    const auto other = in_.all[dice.below(in_.all.size())];
    switch (dice.below(12)) {
      case 0:
        throw std::runtime_error("disturbed");
      case 1:
        stop();
        break;
      case 2:
        start_timer("tick", std::chrono::microseconds(dice.below(300)), tick{});
        break;
      case 3:
        start_periodic_timer("beat", 50us, tick{});
        break;
      case 4:
        cancel_all_timers();
        break;
      case 5:
        monitors_.push_back(monitor(other));
        if (monitors_.size() > 3) {
          monitors_.front().cancel();
          monitors_.erase(monitors_.begin());
        }
        break;
      case 6:
        if (dice.below(4) == 0) link(other);
        break;
      case 7:
        unstash_all();
        break;
      case 8:
        if (children_ < 2) {
          ++children_;
          spawn<imp<0>>(place::on(dice.below(loops)), std::ref(in_));
        }
        break;
      case 9:
        create_task(ask_one(in_, other, mull{dice.below(1000)}, 10ms, false));
        break;
      case 10:
        set_idle_timeout(100us);
        break;
      default:
        other.tell(tick{});
    }
  }
  void on(tick) {
    if (!kept_.empty()) {
      kept_.back().answer(2);
      kept_.pop_back();
    }
  }
  void on(const down&) {}

 private:
  world& in_;
  moment_of_life life_;
  random_numbers random_;
  std::vector<reply_to<int>> kept_;
  std::vector<monitor_handle> monitors_;
  int children_ = 0;
};

coro<> sprite(mailbox<poke, mull, keep, disturb, tick, down>& inbox, world* in) {
  const moment_of_life life(*in);
  for (;;) {
    auto first = co_await inbox.receive<poke>(after(50us));
    if (first) first->reply.answer(3);
    auto any = co_await inbox.receive(after(200us));
    if (!any) continue;
    if (auto* const pondered = std::get_if<asked<mull>>(&*any)) {
      co_await sleep(10us);
      if (pondered->message.dice % 10 == 0) throw std::runtime_error("sprite");
      pondered->reply.answer(4);
    }
    if (auto* const d = std::get_if<disturb>(&*any); d != nullptr && d->dice % 16 == 0) co_return;
  }
}

/// Sees every second round: there each ask comes to one end, and no message is handled or lost twice.
class inspector final : public tracer {
 public:
  void see(const trace_event& seen) noexcept override {
    using enum trace_event::kind;
    const std::scoped_lock guard(lock_);
    if (seen.what == sent) {
      (seen.ask ? asked_ : told_).insert(seen.message);
    } else if (seen.what == replied || seen.what == failed) {
      if (asked_.erase(seen.message) == 0) ++twice_;
    } else if (!seen.ask && (seen.what == delivered || seen.what == lost)) {
      if (told_.erase(seen.message) == 0) ++twice_;
    }
  }
  bool satisfied() {
    const std::scoped_lock guard(lock_);
    if (asked_.empty() && twice_ == 0) return true;
    std::fprintf(stderr, "stress-actors: a trace has %zu asks without an end, %d surplus events\n",
                 asked_.size(), twice_);
    return false;
  }

 private:
  std::mutex lock_;
  std::unordered_set<std::uint64_t> told_;
  std::unordered_set<std::uint64_t> asked_;
  int twice_ = 0;
};

struct members {
  using reply = std::vector<anyone>;
};

class family : public actor<protocol<members>> {
 public:
  family(world& in, std::uint64_t number) {
    constexpr strategy all[] = {strategy::one_for_one, strategy::one_for_all,
                                strategy::rest_for_one};
    supervise_as({.how = all[number % 3],
                  .max_restarts = 60,
                  .within = 1ms,
                  .delay = {.first = number % 2 == 0 ? 0us : 20us, .most = 1ms}});
    const auto raise = [&](auto kind, restart when) {
      for (;;) {
        try {
          const child_options how{.when = when,
                                  .shutdown = 2s,
                                  .message = number % 2 == 0 ? in_hand::drop : in_hand::retry_once,
                                  .on = place::on(number % loops)};
          members_.push_back(supervise<imp<decltype(kind)::value>>(how, std::ref(in)));
          return;
        } catch (const std::runtime_error&) {  // stillborn
        }
      }
    };
    raise(std::integral_constant<int, 0>(), restart::permanent);
    raise(std::integral_constant<int, 1>(), restart::transient);
    raise(std::integral_constant<int, 2>(), restart::permanent);
    raise(std::integral_constant<int, 3>(), restart::temporary);
    members_.push_back(supervise({.when = restart::permanent, .shutdown = 2s}, sprite, &in));
  }
  std::vector<anyone> on(members) { return members_; }

 private:
  std::vector<anyone> members_;
};

/// Does something to somebody, many times.
coro<> drive(world& in, std::uint64_t mine) {
  random_numbers dice(in.seed * 31 + mine);
  router<chaos> routed(routing::round_robin);
  for (const anyone& each : in.all) routed.add(each);
  for (int step = 0; step < steps; ++step) {
    const anyone whom = in.all[dice.below(in.all.size())];
    const auto limit = std::chrono::microseconds(1 + dice.below(5000));
    switch (dice.below(11)) {
      case 0:
      case 1:
        co_await ask_one(in, whom, poke{dice.below(1000)}, limit, false);
        break;
      case 2:
        co_await ask_one(in, whom, mull{dice.below(1000)}, limit, dice.below(2) == 0);
        break;
      case 3:
        co_await ask_one(in, whom, keep{}, limit, false);
        break;
      case 4: {
        auto given_up = create_task(ask_one(in, whom, mull{dice.below(1000)}, infinite, false));
        co_await sleep(std::chrono::microseconds(dice.below(100)));
        given_up.cancel();
        try {
          co_await given_up;
        } catch (const cancelled&) {
        }
        break;
      }
      case 5: {
        auto room = whom.send(disturb{dice.below(1000)});
        try {
          co_await timeout(limit, std::move(room));
        } catch (const std::exception&) {
        }
        break;
      }
      case 6:
        if (dice.below(8) == 0) whom.kill();
        if (dice.below(8) == 0) whom.stop_when_drained(1ms);
        break;
      case 7:
        static_cast<void>(routed.tell(tick{}));
        break;
      case 8: {
        auto up = whom.started();
        try {
          co_await timeout(limit, std::move(up));
        } catch (const std::exception&) {
        }
        break;
      }
      default:
        whom.tell(disturb{dice.below(1000)});
    }
    if (dice.below(8) == 0) co_await sleep(0s);
  }
}

coro<bool> play(world& in) {
  inspector whole, part;
  if (in.seed % 2 == 0) co_await trace_actors(whole);
  std::vector<actor_ref<protocol<members>>> parents;
  for (std::uint64_t number = 0; number < families; ++number) {
    parents.push_back(spawn<family>(place::on(number % loops), std::ref(in), in.seed + number));
    const auto theirs = co_await parents.back().ask(members{}, infinite);
    in.all.insert(in.all.end(), theirs.begin(), theirs.end());
  }
  std::vector<task<void>> driving;
  for (std::uint64_t number = 0; number < drivers; ++number)
    driving.push_back(create_task(drive(in, number)));
  if (in.seed % 4 == 1) {
    co_await trace_actors(part);
    co_await sleep(1ms);
    co_await stop_tracing();
  }
  for (auto& each : driving) co_await each;
  for (const auto& each : parents) each.stop();
  for (const auto& each : parents) co_await each.stopped();
  // Tasks of actors that have ended are over; what they asked has ended with them.
  if (in.alive != 0) std::fprintf(stderr, "stress-actors: %d objects are left\n", in.alive.load());
  if (in.asked != in.ended)
    std::fprintf(stderr, "stress-actors: %lld asks, %lld outcomes\n",
                 static_cast<long long>(in.asked.load()), static_cast<long long>(in.ended.load()));
  if (in.seed % 2 == 0) co_await stop_tracing();
  co_return in.alive == 0 && in.asked == in.ended&& whole.satisfied();
}

/// Ends the process when a round takes too long: something hangs.
class watchdog {
 public:
  watchdog() : thread_([this] { watch(); }) {}
  ~watchdog() {
    round_begins(0, true);
    thread_.join();
  }
  void round_begins(std::uint64_t seed, bool over = false) {
    const std::scoped_lock guard(lock_);
    seed_ = seed;
    ++round_;
    over_ = over;
    changed_.notify_one();
  }

 private:
  void watch() {
    std::unique_lock guard(lock_);
    while (!over_) {
      const int round = round_;
      if (changed_.wait_for(guard, 2min, [&] { return round_ != round; })) continue;
      std::fprintf(stderr, "stress-actors: the round of seed %llu hangs\n",
                   static_cast<unsigned long long>(seed_));
      std::_Exit(1);
    }
  }
  std::mutex lock_;
  std::condition_variable changed_;
  bool over_ = false;
  int round_ = 0;
  std::uint64_t seed_ = 0;
  std::thread thread_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s SECONDS [SEED]\n", argv[0]);
    return 2;
  }
  const auto until = clock::now() + std::chrono::seconds(std::atoi(argv[1]));
  std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  watchdog dog;
  std::int64_t asks = 0;
  do {
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    std::fflush(stdout);
    dog.round_begins(seed);
    world in(seed++);
    run_options options;
    options.threads = loops;
    options.handle_interrupt = false;
    options.on_failure = [](const failure_report&) {};
    if (!run(play(in), options)) return 1;
    asks += in.asked;
  } while (clock::now() < until);
  std::printf("%lld asks, each with one outcome\n", static_cast<long long>(asks));
  return 0;
}
