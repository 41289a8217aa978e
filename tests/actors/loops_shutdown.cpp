// Actors on several loops while the runtime ends, and their refs after it.
#include <troupe/actors/actor.hpp>

#include "actors/helpers.hpp"
#include "actors/loops.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::loops;

// --- the end of the runtime ----------------------------------------------------------------------------------------------

TEST_CASE("actors on other loops may ask and tell each other while the runtime ends") {
  struct parting : actor<protocol<where, number>> {
    explicit parting(actor_ref<protocol<where, number>> given) : other(std::move(given)) {}
    std::size_t on(where) { return 0; }
    void on(number) {}
    coro<> on_stop() {
      if (!other) co_return;
      other.tell(number{1});
      static_cast<void>(co_await ending(other.ask(where{}, infinite)));
      other.tell(number{2});
      static_cast<void>(other.ask(where{}));
    }
    actor_ref<protocol<where, number>> other;
  };
  auto body = []() -> coro<> {
    actor_ref<protocol<where, number>> last;
    for (std::size_t index = 0; index < 10; ++index)
      last = spawn<parting>(place::on(index % 2), last);
    co_return;
  };
  for (int times = 0; times < 5; ++times) run_on(2, body());
  SUCCEED("it ended");
}

TEST_CASE("an actor spawned on another loop while the runtime ends is stopped too") {
  std::atomic<int> alive{0};
  struct late_spawner : actor<protocol<>> {
    explicit late_spawner(std::atomic<int>& given) : count(given) {}
    void on_stop() {
      for (std::size_t index = 0; index < 3; ++index)
        troupe::spawn<branch>(place::on(index), 0, std::ref(count));
    }
    std::atomic<int>& count;
  };
  auto body = [](std::atomic<int>& count) -> coro<> {
    spawn<late_spawner>(std::ref(count));
    co_return;
  };
  for (int times = 0; times < 10; ++times) run_on(3, body(alive));
  CHECK(alive == 0);
}

TEST_CASE(
    "refs of actors of many loops may be used after the runtime has ended, on other loops too") {
  std::vector<actor_ref<remote_protocol>> kept;
  auto first = [](std::vector<actor_ref<remote_protocol>>& into) -> coro<> {
    for (std::size_t index = 0; index < 6; ++index)
      into.push_back(spawn<collector>(place::on(index % 3)));
    co_return;
  };
  run_on(3, first(kept));
  for (auto& each : kept) {
    each.tell(number{1});
    each.stop();
  }
  auto second = [](std::vector<actor_ref<remote_protocol>>& old) -> coro<int> {
    int dead = 0;
    for (auto& each : old) {
      each.tell(number{1});
      each.stop();
      const std::string how = co_await ending(each.ask(where{}, infinite));
      dead += starts_with(how, "dead: ") ? 1 : 0;
    }
    co_return dead;
  };
  CHECK(run_on(2, second(kept)) == 6);
}

TEST_CASE("a thread without a loop may go on telling while the runtime ends, and after it") {
  std::atomic<bool> enough{false};
  std::vector<actor_ref<remote_protocol>> kept;
  std::mutex mutex;
  std::thread outside([&] {
    while (!enough) {
      std::vector<actor_ref<remote_protocol>> known;
      {
        const std::scoped_lock lock(mutex);
        known = kept;
      }
      for (auto& each : known) each.tell(number{1});
      std::this_thread::yield();
    }
  });
  auto body = [](std::vector<actor_ref<remote_protocol>>& into, std::mutex& guard) -> coro<> {
    for (std::size_t index = 0; index < 2; ++index) {
      auto placed = spawn<collector>(place::on(index));
      static_cast<void>(co_await placed.ask(where{}, infinite));
      const std::scoped_lock lock(guard);
      into.push_back(placed);
    }
  };
  for (int times = 0; times < 10; ++times) run_on(2, body(kept, mutex));
  enough = true;
  outside.join();
  CHECK(kept.size() == 20);
}

TEST_CASE("an actor may be told and asked by another runtime, which may end before it answers") {
  std::atomic<bool> asker_ended{false};
  std::atomic<actor_ref<remote_protocol>*> shared{nullptr};
  auto serve = [](std::atomic<actor_ref<remote_protocol>*>& into,
                  std::atomic<bool>& ended) -> coro<std::vector<int>> {
    actor_ref<remote_protocol> served = spawn<collector>(place::on(1));
    into = &served;
    while (!ended) co_await sleep(100us);
    served.stop();
    auto other = spawn<collector>(place::on(1));
    auto seen = co_await other.ask(collect{}, infinite);
    co_return seen;
  };
  std::thread serving([&] { run_on(2, serve(shared, asker_ended)); });
  while (shared == nullptr) std::this_thread::yield();
  auto ask = [](actor_ref<remote_protocol> served) -> coro<std::vector<int>> {
    for (int index = 0; index < 10; ++index) served.tell(number{index});
    auto seen = co_await served.ask(collect{}, infinite);
    // This one is answered when this runtime has ended.
    static_cast<void>(served.ask(wait_for_ever{}, 1h));
    co_return seen;
  };
  CHECK(in_order(run_on(1, ask(*shared.load())), 10));
  asker_ended = true;
  serving.join();
}

namespace {

class never_stops : public actor<remote_protocol> {
 public:
  void on(number) {}
  void on(parcel) {}
  std::vector<int> on(collect) { return {}; }
  std::size_t on(where) { return 0; }
  int on(wait_for_ever) { return 0; }
  int on(crash) { return 0; }
  int on(refuse) { return 0; }
  coro<> on_stop() {
    // Never freed, and kept reachable: no leak to a checker.
    static task_base* left_behind = nullptr;
    left_behind = task_base::current();
    for (; left_behind != nullptr;) {
      try {
        co_await sleep(infinite);
      } catch (const cancelled&) {
      }
    }
  }
};

}  // namespace

TEST_CASE("actors that a shutdown leaves behind are dead to a later runtime") {
  // The same for the refs.
  static auto* const kept = new std::vector<actor_ref<remote_protocol>>;
  failure_count failures;
  auto first = [](std::vector<actor_ref<remote_protocol>>& into) -> coro<> {
    into.push_back(spawn<collector>());
    into.push_back(spawn<never_stops>({.name = "stuck"}));
    co_return;
  };
  run_options options;
  options.handle_interrupt = false;
  options.shutdown_timeout = 1ms;
  options.on_failure = failures.handler();
  troupe::run(first(*kept), options);
  CHECK(failures.count() == 1);
  CHECK(failures.mentions("never_stops 'stuck'"));
  auto second = [](std::vector<actor_ref<remote_protocol>>& old) -> coro<int> {
    int dead = 0;
    for (auto& each : old) {
      each.tell(number{1});
      const std::string how = co_await ending(each.ask(where{}, infinite));
      dead += starts_with(how, "dead: ") ? 1 : 0;
      each.stop();
    }
    co_return dead;
  };
  CHECK(run_on(1, second(*kept)) == 2);
}
