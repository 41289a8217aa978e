// How a CAF system ends: by itself, when it is told to, and with the runtime.
#include "caf/support.hpp"

#include <troupe/actors/caf/errors.hpp>

#include <troupe/runtime/errors.hpp>

#include <condition_variable>
#include <mutex>
#include <thread>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::caf_actors;

namespace {

using caf::behavior;
using caf::event_based_actor;

behavior patient(event_based_actor*) {
  return {[](int value) { return value; }};
}

TEST_CASE("a CAF system whose actors wait for messages ends with the runtime") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    sys->registry().put(caf::atom("kept"), sys->spawn(patient));
    sys->spawn([](event_based_actor* self) -> behavior {
      self->delayed_send(self, 1440min, 1);
      return {[](int) {}};
    });
    CHECK(sys.running() == 2);
    co_return;
  });
}

TEST_CASE("a CAF system that was shut down can be followed by another") {
  everywhere(+[]() -> coro<> {
    for (int times = 0; times < 3; ++times) {
      caf_system sys;
      const auto one = sys->spawn(patient);
      co_await sys.shutdown();
      CHECK(sys.running() == 0);
    }
  });
}

TEST_CASE("a runtime has one CAF system at a time") {
  testing::run([]() -> coro<> {
    caf_system sys;
    CHECK_THROWS_AS(caf_system(), invalid_state);
    co_return;
  }());
  CHECK_THROWS_AS(caf_system(), invalid_state);  // off a loop
}

struct with_limit : caf::actor_system_config {
  with_limit() { set("scheduler.max-throughput", std::size_t{3}); }
};

TEST_CASE("a CAF system takes the configuration of the program, and the loops for workers") {
  really(
      []() -> coro<> {
        caf_system sys(std::make_unique<with_limit>());
        CHECK(caf::get_or(sys->config(), "scheduler.max-throughput", std::size_t{0}) == 3);
        CHECK(sys->scheduler().num_workers() == 2);
        CHECK(sys->render(make_error(caf_refusal::rejected)) == "rejected");
        co_return;
      }(),
      2);
}

TEST_CASE("a CAF system is shut down with messages under way") {
  everywhere(+[]() -> coro<> {
    caf_system sys;
    std::vector<caf::actor> ring;
    for (int each = 0; each < 50; ++each) {
      ring.push_back(sys->spawn([](event_based_actor* self) -> behavior {
        return {[=](int number, const caf::actor& next) {
          self->send(next, number + 1, caf::actor(self));
          if (number % 100 == 0) self->delayed_send(next, 1ms, number + 1, caf::actor(self));
        }};
      }));
    }
    for (std::size_t each = 0; each < ring.size(); ++each)
      caf::anon_send(ring[each], 0, ring[(each + 1) % ring.size()]);
    for (int turns = 0; turns < 5; ++turns) co_await sleep(0s);
    co_await sys.shutdown();
    CHECK(sys.running() == 0);
  });
}

TEST_CASE("a CAF actor that does not listen is killed when the patience of a shutdown is over") {
  testing::run([]() -> coro<> {
    caf_system sys;
    word<int> deaf;
    sys->registry().put(caf::atom("deaf"), sys->spawn([&](event_based_actor* self) -> behavior {
      self->set_exit_handler([&](const caf::exit_msg&) { deaf.say(1); });
      return {[](int) {}};
    }));
    while (sys.running() != 1) co_await sleep(0s);
    const auto begun = loop::current()->time();
    co_await sys.shutdown(50ms);
    CHECK(loop::current()->time() - begun >= 50ms);
    co_await deaf.heard();
  }());
}

/// A thread's wait that a test ends.
struct gate {
  void pass() {
    std::unique_lock lock(mutex);
    condition.wait(lock, [this] { return open; });
  }
  void let_pass() {
    const std::scoped_lock lock(mutex);
    open = true;
    condition.notify_all();
  }
  std::mutex mutex;
  std::condition_variable condition;
  bool open = false;
};

TEST_CASE("a shutdown names how many CAF actors have not ended, and does not block the loop") {
  gate held;
  really([](gate& closed) -> coro<> {
    caf_system sys;
    sys->spawn([&](caf::blocking_actor*) { closed.pass(); });
    std::size_t left = 0;
    try {
      auto ending = sys.shutdown(10ms);
      co_await std::move(ending);
    } catch (const caf_actors_left& some) {
      left = some.count;
    }
    CHECK(left == 1);
    closed.let_pass();  // the runtime's end waits for the rest
  }(held));
}

TEST_CASE("a runtime that ends leaves CAF actors behind that never end, and says how many") {
  gate held;
  failure_log log;
  word<int>* none = nullptr;
  static_cast<void>(none);
  auto keep = std::make_shared<std::atomic<bool>>(false);
  really(
      [](gate& closed, std::shared_ptr<std::atomic<bool>> passed) -> coro<> {
        caf_system sys;
        sys->spawn([&closed, passed](caf::blocking_actor*) {
          closed.pass();
          *passed = true;
        });
        co_return;
      }(held, keep),
      1, &log, 20ms);
  CHECK(log.count("1 CAF actor") >= 1);
  held.let_pass();
  while (!*keep) std::this_thread::yield();
}

TEST_CASE("a cancelled shutdown of a CAF system goes on") {
  testing::run([]() -> coro<> {
    caf_system sys;
    sys->registry().put(caf::atom("deaf"), sys->spawn([](event_based_actor* self) -> behavior {
      self->set_exit_handler([=](const caf::exit_msg& end) {
        if (end.reason == caf::exit_reason::user_shutdown) self->delayed_send(self, 60min, 1);
      });
      return {[=](int) { self->quit(); }};
    }));
    bool late = false;
    try {
      auto ending = sys.shutdown(24h);
      co_await timeout(1s, std::move(ending));
    } catch (const timeout_error&) {
      late = true;
    }
    CHECK(late);
    co_await sys.shutdown(24h);
    CHECK(sys.running() == 0);
  }());
}

}  // namespace
