// Coroutines that are supervised, and tasks whose failure is that of their actor.
#include <troupe/actors/actor.hpp>

#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <exception>
#include <functional>
#include <stdexcept>

using namespace troupe;
using namespace troupe::testing;

TROUPE_PROGRAM_TEST_CASE("a coroutine is supervised like an actor") {
  class boss : public actor<protocol<>> {
   public:
    explicit boss(journal& into) {
      supervise_task({.name = "job", .when = restart::transient}, [&into] { return job(into); });
      supervise_task({.name = "round", .when = restart::permanent},
                     [&into] { return round(into); });
    }

   private:
    static coro<> job(journal& into) {
      into.push_back("tries");
      co_await sleep(1s);
      if (into.size() < 4) throw std::runtime_error("not yet");
      into.push_back("done");
    }
    // One that returns is begun again, if it is permanent; that counts as well.
    static coro<> round(journal& into) {
      co_await sleep(10s);
      into.push_back("round");
    }
  };
  failure_log log;
  journal notes;
  auto body = [&]() -> coro<> {
    auto made = spawn<boss>(std::ref(notes));
    co_await sleep(35s);
    made.stop();
    co_await made.stopped();
  };
  testing::run(body(), &log);
  CHECK(notes == journal{"tries", "tries", "tries", "tries", "done", "round", "round", "round"});
  CHECK(log.count("not yet") == 3);
  CHECK(log.count("'round' stopped and is restarted") == 3);
}

TROUPE_PROGRAM_TEST_CASE("an actor whose task fails can crash by it") {
  class host : public actor<protocol<>> {
   public:
    void on_start() { create_task(work()); }

   private:
    coro<> work() {
      std::exception_ptr failed;
      try {
        co_await sleep(1s);
        throw std::runtime_error("spilt");
      } catch (const std::runtime_error&) {
        failed = std::current_exception();
      }
      crash_with(failed);
      co_await sleep(1s);
    }
  };
  failure_log log;
  auto body = []() -> coro<> {
    auto made = spawn<host>();
    const exit_reason why = co_await made.stopped();
    CHECK(why.what() == exit_reason::kind::crashed);
    CHECK(why.text() == "crashed: std::runtime_error: spilt");
  };
  testing::run(body(), &log);
}
