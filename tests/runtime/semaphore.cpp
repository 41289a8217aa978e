#include <troupe/runtime/semaphore.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <optional>
#include <stdexcept>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Acquires and keeps.
coro<> take(semaphore& wanted, journal& log, std::string name) {
  co_await wanted.acquire();
  log.push_back(name);
}

coro<> take_scoped(semaphore& wanted, journal& log, std::string name) {
  const auto permit = co_await wanted.scoped();
  log.push_back(name);
}

int permits_left(semaphore& of) {
  int left = 0;
  while (of.try_acquire()) ++left;
  return left;
}

}  // namespace

TEST_CASE("a semaphore lets as many through as it has permits, in the order they asked",
          "[sem-01]") {
  auto body = []() -> coro<> {
    semaphore s(3);
    journal log;
    co_await s.acquire();
    co_await s.acquire();
    const auto t1 = create_task(take(s, log, "1"));
    const auto t2 = create_task(take(s, log, "2"));
    const auto t3 = create_task(take(s, log, "3"));
    co_await sleep(0s);
    const auto t4 = create_task(take(s, log, "4"));
    CHECK(log == journal{"1"});
    CHECK(s.locked());
    s.release();
    s.release();
    co_await sleep(0s);
    CHECK(log == journal{"1", "2", "3"});
    CHECK(s.locked());
    CHECK_FALSE(t4.done());
    s.release();
    co_await t4;
    CHECK(permits_left(s) == 0);
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("a cancelled task takes no permit with it", "[sem-03]") {
  auto body = []() -> coro<> {
    semaphore s(0);
    journal log;
    const auto waiting = create_task(take(s, log, "1"));
    co_await sleep(0s);
    waiting.cancel();
    std::string how = co_await ending(waiting);
    CHECK(how == "cancelled");
    CHECK(s.locked());
    s.release();
    CHECK_FALSE(s.locked());
    CHECK(permits_left(s) == 1);
  };
  testing::run(body());
}

TEST_CASE("a permit that was put aside for a task that is cancelled then goes to the next",
          "[sem-05]") {
  auto body = []() -> coro<> {
    semaphore s(0);
    journal log;
    const auto t1 = create_task(take(s, log, "1"));
    const auto t2 = create_task(take(s, log, "2"));
    co_await sleep(0s);
    s.release();
    t1.cancel();
    CHECK(s.locked());
    co_await rounds(3);
    CHECK(t1.cancelled());
    CHECK(t2.done());
    CHECK(log == journal{"2"});
    CHECK(s.locked());
    s.release();
    CHECK(permits_left(s) == 1);
  };
  testing::run(body());
}

TEST_CASE("a permit is put back when the only one it was put aside for is cancelled", "[sem-05]") {
  auto body = []() -> coro<> {
    semaphore s(0);
    journal log;
    const auto t1 = create_task(take(s, log, "1"));
    co_await sleep(0s);
    s.release();
    t1.cancel();
    t1.cancel();
    co_await rounds(2);
    CHECK_FALSE(s.locked());
    CHECK(permits_left(s) == 1);
  };
  testing::run(body());
}

TEST_CASE("who releases a permit and wants it again goes to the end of the line", "[sem-07]") {
  auto body = []() -> coro<> {
    semaphore s(1);
    journal log;
    auto user = [](semaphore& shared, journal& in, std::string name) -> coro<> {
      for (const char* turn : {"_1", "_2"}) {
        co_await shared.acquire();
        in.push_back(name + turn);
        co_await sleep(10ms);
        shared.release();
      }
    };
    co_await gather(user(s, log, "c1"), user(s, log, "c2"), user(s, log, "c3"));
    CHECK(log == journal{"c1_1", "c2_1", "c3_1", "c1_2", "c2_2", "c3_2"});
    CHECK(permits_left(s) == 1);
  };
  testing::run(body());
}

TEST_CASE("who is left after a cancellation keeps the order", "[sem-09]") {
  auto body = []() -> coro<> {
    semaphore s(0);
    journal log;
    const auto first = create_task(take(s, log, "1"));
    create_task(take(s, log, "2"));
    create_task(take(s, log, "3"));
    co_await sleep(0s);
    first.cancel();
    co_await sleep(0s);
    s.release();
    s.release();
    co_await rounds(2);
    CHECK(log == journal{"2", "3"});
  };
  testing::run(body());
}

TEST_CASE("a semaphore is locked while somebody is about to get a permit", "[sem-11]") {
  auto body = []() -> coro<> {
    semaphore s(0);
    journal log;
    create_task(take(s, log, "1"));
    co_await sleep(0s);
    s.release();
    s.release();
    CHECK(s.locked());
    CHECK_FALSE(s.try_acquire());
    co_await s.acquire();
    log.push_back("new");
    CHECK(log == journal{"1", "new"});
    CHECK(s.locked());
  };
  testing::run(body());
}

TEST_CASE("a new task queues behind one that has its permit already, and both are through soon",
          "[sem-11]") {
  auto body = []() -> coro<> {
    semaphore s(0);
    journal log;
    create_task(take(s, log, "1"));
    co_await sleep(0s);
    create_task(take(s, log, "2"));  // asks in the next round, before the first resumes
    s.release();
    s.release();
    co_await rounds(2);
    CHECK(log == journal{"1", "2"});
    CHECK(permits_left(s) == 0);
  };
  testing::run(body());
}

TEST_CASE("a permit goes on to the line when the task in front is cancelled with others to spare",
          "[sem-11]") {
  auto body = []() -> coro<> {
    semaphore s(0);
    journal log;
    const auto first = create_task(take(s, log, "1"));
    co_await sleep(0s);
    create_task(take(s, log, "2"));
    create_task(take(s, log, "3"));
    s.release();
    s.release();
    first.cancel();
    co_await rounds(3);
    CHECK(log == journal{"2", "3"});
    CHECK(permits_left(s) == 0);
  };
  testing::run(body());
}

// --- permits as objects ------------------------------------------------------------------------------------------------

TROUPE_PROGRAM_TEST_CASE("a permit that is an object is given back when it goes") {
  auto body = []() -> coro<> {
    semaphore s(2);
    {
      auto one = co_await s.scoped();
      auto two = co_await s.scoped();
      CHECK(s.locked());
      held_permit moved(std::move(one));
      one = std::move(two);
      CHECK(s.locked());
      CHECK_FALSE(static_cast<bool>(two));
      one = held_permit();
      CHECK_FALSE(s.locked());
      CHECK_THROWS_AS(one.release(), invalid_state);
      moved.release();
      CHECK_FALSE(static_cast<bool>(moved));
    }
    CHECK(permits_left(s) == 2);
  };
  testing::run(body());
}

TEST_CASE("a semaphore that goes leaves the permits that are objects empty, and tells who waits") {
  auto body = []() -> coro<> {
    std::optional<semaphore> s(std::in_place, 1);
    journal log;
    auto permit = co_await s->scoped();
    const auto granted = create_task(take_scoped(*s, log, "1"));
    const auto waiting = create_task(take_scoped(*s, log, "2"));
    co_await sleep(0s);
    s->release();
    s.reset();
    CHECK_FALSE(static_cast<bool>(permit));
    std::string how = co_await ending(granted);
    CHECK(how.find("was destroyed") != std::string::npos);
    how = co_await ending(waiting);
    CHECK(how.find("was destroyed") != std::string::npos);
    CHECK(log.empty());
  };
  testing::run(body());
}

// --- misuse ------------------------------------------------------------------------------------------------------------

TEST_CASE("a semaphore cannot have a negative number of permits") {
  CHECK_THROWS_AS(semaphore(-1), std::invalid_argument);
  CHECK_THROWS_AS(bounded_semaphore(-1), std::invalid_argument);
}

TEST_CASE("a semaphore may be released more often than acquired") {
  semaphore s;
  s.release();
  s.release();
  CHECK(permits_left(s) == 3);
}

TROUPE_PROGRAM_TEST_CASE("a bounded semaphore may not be released more often than acquired") {
  auto body = []() -> coro<> {
    bounded_semaphore s(2);
    CHECK_THROWS_AS(s.release(), invalid_state);
    co_await s.acquire();
    s.release();
    CHECK_THROWS_AS(s.release(), invalid_state);
    {
      auto permit = co_await s.scoped();
      s.release();  // by mistake: the permit's
    }
    CHECK(permits_left(s) == 2);
    bounded_semaphore none(0);
    CHECK_THROWS_AS(none.release(), invalid_state);
  };
  testing::run(body());
}

TEST_CASE("a semaphore serves the tasks of one loop") {
  semaphore s(0);
  journal log;
  const auto left = loop::open();
  const auto right = loop::open();
  const auto waiting = create_task(*left, take(s, log, "left"));
  left->run_once();
  const auto stranger = create_task(*right, take(s, log, "right"));
  right->run_once();
  REQUIRE(stranger.done());
  CHECK(describe(stranger.exception()).find("between loops use a queue") != std::string::npos);
  auto release = [](semaphore& other) -> coro<> {
    other.release();
    co_return;
  };
  const auto releasing = create_task(*right, release(s));
  right->run_once();
  CHECK(describe(releasing.exception()).find("call_soon_threadsafe") != std::string::npos);
  s.release();
  left->run_once();
  CHECK(waiting.done());
  CHECK(s.locked());
}
