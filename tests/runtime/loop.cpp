#include <troupe/runtime/loop.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

loop::handle open_virtual(failure_log* log = nullptr) {
  loop_options options;
  options.virtual_time = true;
  if (log != nullptr) options.on_failure = log->handler();
  return loop::open(std::move(options));
}

struct noting_work final : work {
  explicit noting_work(int& given)
      : work([](work& self) noexcept { ++static_cast<noting_work&>(self).runs; }), runs(given) {}
  int& runs;
};

struct callback_timer final : lazy_timer {
  explicit callback_timer(std::function<void(callback_timer&)> given)
      : lazy_timer([](timer& self) noexcept {
          auto& mine = static_cast<callback_timer&>(self);
          if (!mine.armed()) mine.then(mine);
        }),
        then(std::move(given)) {}
  std::function<void(callback_timer&)> then;
};

/// A service that takes `rounds_left` questions to wind up.
class slow_service final : public loop_service {
 public:
  void begin_shutdown() override { ++begun; }
  bool finished() const override { return stubborn ? false : begun > 0; }
  std::string unfinished() const override { return "\n  the slow service"; }
  void abandon() noexcept override { stubborn = false; }
  static inline int begun = 0;
  static inline bool stubborn = false;
};

}  // namespace

// --- order -----------------------------------------------------------------------------------------------------------------

TEST_CASE("callbacks run in the order they were made ready") {
  journal log;
  const auto home = open_virtual();
  for (const char* name : {"a", "b", "c"}) home->call_soon([&log, name] { log.push_back(name); });
  CHECK(log.empty());
  home->run_forever();
  CHECK(log == journal{"a", "b", "c"});
}

TEST_CASE("what a round makes ready runs in the next one") {
  journal log;
  const auto home = open_virtual();
  home->call_soon([&] {
    log.push_back("a");
    home->call_soon([&] { log.push_back("c"); });
  });
  home->call_soon([&] { log.push_back("b"); });
  home->run_forever();
  CHECK(log == journal{"a", "b", "c"});
}

TEST_CASE("what is posted from the loop's own thread keeps its order") {
  journal log;
  const auto home = open_virtual();
  for (const char* name : {"a", "b", "c"})
    home->call_soon_threadsafe([&log, name] { log.push_back(name); });
  home->run_forever();
  CHECK(log == journal{"a", "b", "c"});
}

TEST_CASE("a due timer fires after what was ready") {
  journal log;
  const auto home = open_virtual();
  home->call_later(0s, [&] { log.push_back("timer"); });
  home->call_soon([&] { log.push_back("callback"); });
  home->run_forever();
  CHECK(log == journal{"callback", "timer"});
}

TEST_CASE("stop ends the round and leaves the next one for the next run") {
  journal log;
  const auto home = open_virtual();
  home->call_soon([&] {
    log.push_back("a");
    home->stop();
    home->call_soon([&] { log.push_back("c"); });
  });
  home->call_soon([&] { log.push_back("b"); });
  home->run_forever();
  CHECK(log == journal{"a", "b"});
  home->run_forever();
  CHECK(log == journal{"a", "b", "c"});
}

TEST_CASE("the loop that runs is known on its thread only while it runs") {
  const auto home = open_virtual();
  loop* seen = nullptr;
  home->call_soon([&] { seen = loop::current(); });
  CHECK(loop::current() == nullptr);
  home->run_forever();
  CHECK(seen == home.get());
  CHECK(loop::current() == nullptr);
}

TEST_CASE("a loop on virtual time returns when nothing can ever run again") {
  const auto home = open_virtual();
  home->run_forever();
  CHECK(home->stalled());
}

TEST_CASE("virtual time stands still while anything is ready") {
  const auto home = open_virtual();
  journal log;
  int turns = 0;
  std::function<void()> again = [&] {
    if (++turns < 100) {
      home->call_soon(again);
    } else {
      log.push_back("turns");
    }
  };
  callback_timer due([&](callback_timer&) { log.push_back("timer"); });
  home->timers().arm(due, home->time() + 1ns);
  home->call_soon(again);
  home->run_forever();
  CHECK(log == journal{"turns", "timer"});
}

// --- failures --------------------------------------------------------------------------------------------------------------

TEST_CASE("a callback that throws is reported and the loop goes on") {
  failure_log log;
  journal ran;
  const auto home = open_virtual(&log);
  home->call_soon([] { throw std::runtime_error("thrown by a callback"); });
  home->call_soon([&] { ran.push_back("next"); });
  home->call_soon_threadsafe([] { throw 42; });
  home->run_forever();
  CHECK(ran == journal{"next"});
  CHECK(log.count("thrown by a callback") == 1);
  CHECK(log.count("type int") == 1);
}

TEST_CASE("a callback is destroyed once it has run") {
  int alive = 0;
  const auto home = open_virtual();
  home->call_soon([held = counted(alive)] { static_cast<void>(held); });
  CHECK(alive == 1);
  home->run_forever();
  CHECK(alive == 0);
}

// --- other threads ---------------------------------------------------------------------------------------------------------

TEST_CASE("posts of eight threads all arrive, in the order of each thread") {
  constexpr int threads = 8;
  constexpr int each = 1000;
  const auto home = loop::open();
  std::vector<int> expected(threads, 0);
  bool in_order = true;
  int received = 0;
  std::vector<std::thread> posters;
  for (int sender = 0; sender < threads; ++sender) {
    posters.emplace_back([&, sender] {
      for (int number = 0; number < each; ++number) {
        home->call_soon_threadsafe([&, sender, number] {
          in_order &= expected[static_cast<std::size_t>(sender)]++ == number;
          if (++received == threads * each) home->stop();
        });
      }
    });
  }
  home->run_forever();
  for (std::thread& poster : posters) poster.join();
  CHECK(received == threads * each);
  CHECK(in_order);
}

TEST_CASE("a sleeping loop wakes on a post") {
  constexpr int turns = 500;
  const auto home = loop::open();
  std::atomic<int> answered{0};
  std::thread asker([&] {
    for (int turn = 0; turn < turns; ++turn) {
      home->call_soon_threadsafe([&] {
        ++answered;
        answered.notify_one();
      });
      answered.wait(turn);
    }
    home->call_soon_threadsafe([&] { home->stop(); });
  });
  home->run_forever();
  asker.join();
  CHECK(answered == turns);
}

TEST_CASE("a loop asleep until a far timer wakes on a post") {
  const auto home = loop::open();
  callback_timer far([](callback_timer&) {});
  home->timers().arm(far, home->time() + 1h);
  std::thread poster([&] { home->call_soon_threadsafe([&] { home->stop(); }); });
  home->run_forever();
  poster.join();
  CHECK(far.armed());
  home->timers().cancel(far);
}

TEST_CASE("two loops answer each other") {
  constexpr int turns = 1000;
  const auto left = loop::open();
  const auto right = loop::open();
  int hits = 0;
  std::function<void()> to_left;
  std::function<void()> to_right = [&] {
    if (!right->post_call(to_left)) std::abort();
  };
  to_left = [&] {
    if (!left->post_call([&] {
          if (++hits == turns) {
            right->call_soon_threadsafe([&] { right->stop(); });
            left->stop();
          } else {
            to_right();
          }
        })) {
      std::abort();
    }
  };
  left->call_soon(to_right);
  std::thread other([&] { right->run_forever(); });
  left->run_forever();
  other.join();
  CHECK(hits == turns);
}

TEST_CASE("a busy task starves neither timers nor posts") {
  failure_log log;
  auto body = []() -> coro<int> {
    auto busy = [](const bool& done) -> coro<> {
      while (!done) co_await sleep(0s);
    };
    bool done = false;
    const auto spinning = create_task(busy(done));
    co_await sleep(200us);
    promise<int> kept;
    const auto awaited = kept.get_future();
    std::thread keeper([&kept] { kept.set_value(5); });
    const int value = co_await awaited;
    keeper.join();
    done = true;
    co_await spinning;
    co_return value;
  };
  CHECK(troupe::run(body(), real_time(log)) == 5);
}

TEST_CASE("a callback that makes itself ready for ever starves neither timers nor posts") {
  const auto home = loop::open();
  journal log;
  std::function<void()> again = [&] { home->call_soon(again); };
  home->call_soon(again);
  std::thread poster;
  callback_timer due([&](callback_timer&) {
    log.push_back("timer");
    poster = std::thread([&] {
      home->call_soon_threadsafe([&] {
        log.push_back("post");
        again = [] {};
        home->stop();
      });
    });
  });
  home->timers().arm(due, home->time() + 100us);
  home->run_forever();
  poster.join();
  CHECK(log == journal{"timer", "post"});
}

// --- timers ----------------------------------------------------------------------------------------------------------------

namespace {

/// Runs a loop with a timer due after `delay`, which arms a second one lazily, which ends the run.
journal lazy_timer_behind_a_timer(duration delay) {
  const auto home = loop::open();
  journal log;
  callback_timer second([&](callback_timer&) {
    log.push_back("second");
    home->stop();
  });
  callback_timer first([&](callback_timer&) {
    log.push_back("first");
    home->timers().arm_lazily(second, 100us);
  });
  home->timers().arm(first, home->time() + delay);
  home->run_forever();
  return log;
}

}  // namespace

TEST_CASE("a lazy timer armed by a firing timer wakes the sleeping loop") {
  CHECK(lazy_timer_behind_a_timer(0s) == journal{"first", "second"});
}

TEST_CASE("a lazy timer armed by a timer that ended a sleep wakes the loop again") {
  CHECK(lazy_timer_behind_a_timer(200us) == journal{"first", "second"});
}

TEST_CASE("a timer earlier than the one the loop sleeps for ends the sleep") {
  const auto home = loop::open();
  callback_timer late([](callback_timer&) {});
  callback_timer early([&](callback_timer&) { home->stop(); });
  home->timers().arm(late, home->time() + 1h);
  std::thread poster([&] {
    home->call_soon_threadsafe([&] { home->timers().arm(early, home->time() + 100us); });
  });
  home->run_forever();
  poster.join();
  CHECK(late.armed());
  home->timers().cancel(late);
}

TEST_CASE("a timer cancelled before its time does not end the sleep of a later one") {
  const auto home = loop::open();
  journal log;
  callback_timer cancelled_one([&](callback_timer&) { log.push_back("cancelled"); });
  callback_timer later([&](callback_timer&) {
    log.push_back("later");
    home->stop();
  });
  home->timers().arm(cancelled_one, home->time() + 300us);
  home->timers().arm(later, home->time() + 600us);
  callback_timer canceller([&](callback_timer&) { home->timers().cancel(cancelled_one); });
  home->timers().arm(canceller, home->time() + 100us);
  home->run_forever();
  CHECK(log == journal{"later"});
}

// --- the end ---------------------------------------------------------------------------------------------------------------

TEST_CASE("a closed loop refuses what is posted") {
  int runs = 0;
  int alive = 0;
  auto home = open_virtual();
  loop* const closed = home.get();
  home = {};
  noting_work item(runs);
  CHECK_FALSE(closed->post(item));
  CHECK_FALSE(closed->post_call([held = counted(alive)] { static_cast<void>(held); }));
  CHECK(runs == 0);
  CHECK(alive == 0);
}

TEST_CASE("what was posted before the loop closed is run by its closing") {
  int runs = 0;
  auto home = open_virtual();
  noting_work item(runs);
  CHECK(home->post(item));
  home = {};
  CHECK(runs == 1);
}

TEST_CASE("a loop with much to do when it closes does all of it") {
  constexpr int count = 1000;
  int runs = 0;
  auto home = open_virtual();
  for (int index = 0; index < count; ++index) {
    home->call_soon_threadsafe([&] { loop::current()->call_soon([&] { ++runs; }); });
  }
  home = {};
  CHECK(runs == count);
}

TEST_CASE("a callback run by the closing of its loop may make a task") {
  int alive = 0;
  journal log;
  auto home = open_virtual();
  auto body = [&](counted) -> coro<> {
    log.push_back("started");
    co_await sleep(infinite);
  };
  home->call_soon_threadsafe([&] { create_task(body(counted(alive))); });
  home = {};
  CHECK(alive == 0);
}

TEST_CASE("a task that never ends does not keep its loop from closing, and is destroyed") {
  failure_log log;
  auto body = []() -> coro<> {
    for (;;) {
      try {
        co_await sleep(0s);
      } catch (...) {
      }
    }
  };
  auto home = open_virtual();
  home->set_failure_handler(log.handler());
  std::optional<task<>> made;
  home->call_soon_threadsafe([&] { made = create_task(body(), {.name = "endless"}); });
  home = {};
  CHECK(made->cancelled());
  CHECK(log.count("destroyed while still pending") == 1);
  CHECK(log.count("endless") == 1);
}

TEST_CASE("a timer still armed when its loop closes never fires") {
  int fired = 0;
  callback_timer forgotten([&](callback_timer&) { ++fired; });
  {
    const auto home = open_virtual();
    home->timers().arm(forgotten, home->time() + 1h);
  }
  CHECK_FALSE(forgotten.armed());
  // The next loop uses the memory of the closed one.
  const auto next = open_virtual();
  next->run_forever();
  CHECK(fired == 0);
}

TEST_CASE("a loop may close as soon as it has received the post of another thread") {
  for (int repeat = 0; repeat < 20; ++repeat) {
    auto home = loop::open();
    std::atomic<bool> first_posted{false};
    std::thread poster([&, posting = home.get()] {
      posting->post_call([] {});
      first_posted = true;
      posting->post_call([posting] { posting->stop(); });
    });
    callback_timer soon(
        [&](callback_timer& self) { home->timers().arm(self, home->time() + 10us); });
    home->timers().arm(soon, home->time());
    home->run_forever();
    home = {};
    poster.join();
  }
}

TROUPE_PROGRAM_TEST_CASE("a service is wound up once, and named when it does not end") {
  slow_service::begun = 0;
  for (const bool stubborn : {false, true}) {
    slow_service::stubborn = stubborn;
    failure_log log;
    auto body = []() -> coro<> {
      static_cast<void>(loop::current()->service<slow_service>());
      co_return;
    };
    testing::run(body(), &log);
    CHECK(slow_service::begun == 1 + static_cast<int>(stubborn));
    CHECK(log.count("the slow service") == (stubborn ? 1 : 0));
  }
}

TEST_CASE("a loop has one service of each type") {
  const auto home = open_virtual();
  CHECK(&home->service<slow_service>() == &home->service<slow_service>());
}
