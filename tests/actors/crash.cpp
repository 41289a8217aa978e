#include <troupe/actors/actor.hpp>

#include "actors/diarist.hpp"
#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <functional>
#include <string>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::diary;

// --- crash -------------------------------------------------------------------------------------------------------------

TROUPE_PROGRAM_TEST_CASE(
    "an exception in a handler stops the actor, on_stop included, and is reported with its name") {
  failure_log log;
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto writer = spawn<diarist>({.name = "secret"}, std::ref(into));
    writer.tell(crash{});
    writer.tell(note{"after the crash"});
    co_await settle();
  };
  testing::run(body(pages), &log);
  CHECK(pages == journal{"constructed", "on_start", "on_stop", "destroyed"});
  REQUIRE(log.reports().size() == 1);
  CHECK(log.count("diarist 'secret' crashed") == 1);
  CHECK(log.count("boom") == 1);
}

TROUPE_PROGRAM_TEST_CASE("a crash does not touch other actors") {
  failure_log log;
  journal pages;
  journal other_pages;
  auto body = [](journal& into, journal& other) -> coro<> {
    auto first = spawn<diarist>(std::ref(into));
    auto second = spawn<diarist>(std::ref(other));
    first.tell(crash{});
    second.tell(note{"told"});
    co_await settle();
    second.tell(note{"told later"});
    co_await settle();
    other.push_back("end");
  };
  testing::run(body(pages, other_pages), &log);
  CHECK(other_pages ==
        journal{"constructed", "on_start", "told", "told later", "end", "on_stop", "destroyed"});
}

TROUPE_PROGRAM_TEST_CASE("an actor that throws something else than an exception crashes as well") {
  struct thrower : actor<protocol<note>> {
    void on(note) { throw 42; }
  };
  failure_log log;
  auto body = []() -> coro<> {
    auto wild = spawn<thrower>();
    wild.tell(note{"go"});
    co_await settle();
  };
  testing::run(body(), &log);
  CHECK(log.count("crashed") == 1);
}

namespace {

struct leak_cancellation {
  using reply = int;
};

class leaks_plainly : public actor<protocol<leak_cancellation>> {
 public:
  int on(leak_cancellation) { throw cancelled{}; }
};
class leaks_in_coroutine : public actor<protocol<leak_cancellation>> {
 public:
  coro<int> on(leak_cancellation) {
    co_await sleep(1s);
    throw cancelled{};
  }
};

template <class A>
coro<std::string> leaked() {
  auto asked = spawn<A>();
  std::string how = co_await ending(asked.ask(leak_cancellation{}));
  co_return how;
}

}  // namespace

TROUPE_PROGRAM_TEST_CASE(
    "a cancellation that escapes from a handler is a crash and no cancellation of the asker") {
  for (const bool plain : {true, false}) {
    failure_log log;
    const std::string how =
        testing::run(plain ? leaked<leaks_plainly>() : leaked<leaks_in_coroutine>(), &log);
    CHECK(starts_with(how, "error: "));
    CHECK(how.find("cancelled") != std::string::npos);
    CHECK(log.count("crashed") == 1);
  }
}
