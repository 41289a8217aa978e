// Names of actors: given, found, waited for, freed.
#include <troupe/actors/registry.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>
#include <troupe/runtime/timeout.hpp>

#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct hum {};
struct count_hums {
  using reply = int;
};
struct die {};
struct unknown {};
using singing = protocol<hum, count_hums, die>;

class singer : public actor<singing> {
 public:
  void on(hum) { ++hums_; }
  int on(count_hums) { return hums_; }
  void on(die) { throw std::runtime_error("out of breath"); }

 private:
  int hums_ = 0;
};

/// What `body` throws, in words.
template <class Function>
std::string thrown_by(Function body) {
  try {
    body();
  } catch (const name_taken& error) {
    return std::string("taken: ") + error.what();
  } catch (const name_mismatch& error) {
    return std::string("mismatch: ") + error.what();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing";
}

}  // namespace

TROUPE_PROGRAM_TEST_CASE(
    "an actor is found by the name it was given, as one of any part of its protocol") {
  auto body = []() -> coro<int> {
    auto one = spawn<singer>();
    register_name("tenor", one);
    whereis<singing>("tenor").tell(hum{});
    whereis<protocol<hum>>("tenor").tell(hum{});
    if (whereis<protocol<hum>>("tenor") != actor_ref<protocol<hum>>(one)) fail("it is another one");
    auto asked = whereis<protocol<count_hums>>("tenor");
    const int hums = co_await asked.ask(count_hums{});
    co_return hums;
  };
  CHECK(testing::run(body()) == 2);
}

TROUPE_PROGRAM_TEST_CASE("a name that nobody has gives an empty ref") {
  auto body = []() -> coro<bool> {
    register_name("tenor", spawn<singer>());
    co_return static_cast<bool>(whereis<singing>("bass"));
  };
  CHECK_FALSE(testing::run(body()));
}

TROUPE_PROGRAM_TEST_CASE("a name that is taken is refused with the name of who has it") {
  auto body = []() -> coro<std::string> {
    register_name("tenor", spawn<singer>({.name = "Enrico"}));
    auto other = spawn<singer>();
    co_return thrown_by([&] { register_name("tenor", other); });
  };
  const std::string said = testing::run(body());
  CHECK(starts_with(said, "taken: the name \"tenor\" is held by "));
  CHECK(said.find("singer 'Enrico'") != std::string::npos);
}

TROUPE_PROGRAM_TEST_CASE("an actor may be given a name that it has already, and several names") {
  auto body = []() -> coro<std::string> {
    auto one = spawn<singer>();
    register_name("tenor", one);
    register_name("tenor", one);
    register_name("soloist", one);
    std::string listed;
    for (const registered_name& each : registered_names())
      listed += each.name + (each.who == any_actor(one) ? " " : "? ");
    co_return listed;
  };
  CHECK(testing::run(body()) == "soloist tenor ");
}

TROUPE_PROGRAM_TEST_CASE(
    "a look-up by a protocol that the actor was not registered with says what is missing") {
  auto body = []() -> coro<std::string> {
    const actor_ref<protocol<hum>> narrow = spawn<singer>();
    register_name("tenor", narrow);
    std::string how =
        thrown_by([] { static_cast<void>(whereis<protocol<hum, unknown>>("tenor")); });
    how += '\n';
    auto late = when_registered<singing>("tenor");
    try {
      static_cast<void>(co_await late);
    } catch (const name_mismatch& error) {
      how += error.what();
    }
    co_return how;
  };
  const std::string said = testing::run(body());
  CHECK(starts_with(said, "mismatch: \"tenor\" is "));
  CHECK(said.find("singer, registered by a ref that does not understand") != std::string::npos);
  CHECK(said.find("unknown\n") != std::string::npos);
  CHECK(said.find("count_hums") != std::string::npos);
}

TEST_CASE("a name is free when its actor has ended, however it did") {
  failure_log log;
  auto body = []() -> coro<std::string> {
    std::string how;
    for (int way = 0; way < 3; ++way) {
      auto one = spawn<singer>();
      register_name("tenor", one);
      if (way == 0) one.stop();
      if (way == 1) one.kill();
      if (way == 2) one.tell(die{});
      co_await settle();
      how += whereis<singing>("tenor") ? "held " : "free ";
    }
    co_return how + std::to_string(registered_names().size());
  };
  CHECK(testing::run(body(), &log) == "free free free 0");
}

TROUPE_PROGRAM_TEST_CASE(
    "a name can be freed by hand, and its actor's end then frees no successor's") {
  auto body = []() -> coro<std::string> {
    auto one = spawn<singer>();
    register_name("tenor", one);
    std::string how = unregister_name("tenor") ? "freed " : "";
    how += unregister_name("tenor") ? "freed " : "nobody's ";
    auto other = spawn<singer>();
    register_name("tenor", other);
    one.stop();
    co_await settle();
    how += whereis<singing>("tenor") == other ? "other's " : "";
    register_name("alto", other);
    unregister_name("tenor");
    other.stop();
    co_await settle();
    co_return how + std::to_string(registered_names().size());
  };
  CHECK(testing::run(body()) == "freed nobody's other's 0");
}

TROUPE_PROGRAM_TEST_CASE("a dead actor and an empty name are refused") {
  auto body = []() -> coro<std::string> {
    auto one = spawn<singer>();
    std::string how = thrown_by([&] { register_name("", one); });
    one.stop();
    co_await settle();
    try {
      register_name("tenor", one);
    } catch (const actor_dead& error) {
      how += std::string(", ") + error.what();
    }
    co_return how;
  };
  const std::string said = testing::run(body());
  CHECK(starts_with(said,
                    "an actor was registered under an empty name, \"tenor\" was registered for "));
  CHECK(said.find("singer, which is dead") != std::string::npos);
}

TEST_CASE("names need a loop") {
  CHECK(thrown_by([] { static_cast<void>(whereis<singing>("tenor")); }) ==
        "whereis needs a running loop, and none runs on this thread");
  CHECK(thrown_by([] { static_cast<void>(when_registered<singing>("tenor")); }) ==
        "when_registered needs a running loop, and none runs on this thread");
}

TEST_CASE("who is told that an actor is down may give its name to a successor at once") {
  struct begin {};
  struct keeper : actor<protocol<begin, down>> {
    explicit keeper(journal& given) : into(given) {}
    void on(begin) {
      auto one = spawn<singer>();
      static_cast<void>(monitor(one));  // before it has its name
      register_name("tenor", one);
      one.kill();
    }
    void on(down d) {
      into.push_back(d.reason.text());
      register_name("tenor", spawn<singer>());
    }
    journal& into;
  };
  journal pages;
  auto body = [](journal& into) -> coro<bool> {
    spawn<keeper>(std::ref(into)).tell(begin{});
    co_await settle();
    co_return static_cast<bool>(whereis<singing>("tenor"));
  };
  CHECK(testing::run(body(pages)));
  CHECK(pages == journal{"killed"});
}

TEST_CASE("all who wait for a name are told when an actor gets it") {
  auto body = []() -> coro<int> {
    auto waiter = [](std::string name) -> coro<int> {
      auto named = co_await when_registered<singing>(name);
      named.tell(hum{});
      auto again = co_await when_registered<protocol<count_hums>>(name);
      const int hums = co_await again.ask(count_hums{});
      co_return hums;
    };
    auto first = create_task(waiter("tenor"));
    auto second = create_task(waiter("tenor"));
    auto never = create_task(waiter("bass"));
    co_await settle();
    register_name("tenor", spawn<singer>());
    co_await settle();
    const int hums = first.done() && second.done() ? second.result() : -1;
    never.cancel();
    co_return never.done() ? -1 : hums;
  };
  CHECK(testing::run(body()) == 2);
}

TROUPE_PROGRAM_TEST_CASE(
    "a wait for a name ends with an error when the actor that gets it understands too little") {
  auto body = []() -> coro<std::string> {
    auto wide = when_registered<singing>("tenor");
    auto narrow = when_registered<protocol<hum>>("tenor");
    const actor_ref<protocol<hum>> one = spawn<singer>();
    register_name("tenor", one);
    std::string how = wide.exception() ? "mismatch" : "found";
    how += narrow.result() == one ? " found" : " another";
    co_return how;
  };
  CHECK(testing::run(body()) == "mismatch found");
}

TROUPE_PROGRAM_TEST_CASE("a wait for a name may be cancelled and time out, and is gone") {
  auto body = []() -> coro<std::string> {
    std::string how;
    auto wait = when_registered<singing>("tenor");
    wait.cancel();
    how += wait.cancelled() ? "cancelled " : "";
    try {
      auto limited = timeout(1s, when_registered<singing>("tenor"));
      static_cast<void>(co_await limited);
    } catch (const timeout_error&) {
      how += "timed out ";
    }
    auto other = when_registered<singing>("tenor");
    register_name("tenor", spawn<singer>());
    how += other.cancel() ? "" : "too late";
    co_return how;
  };
  CHECK(testing::run(body()) == "cancelled timed out too late");
}

TEST_CASE("waits that are never answered end with their loop") {
  std::optional<future<actor_ref<singing>>> outlives;
  {
    manual_loop driven;
    auto waiting = [](std::optional<future<actor_ref<singing>>>& out) -> coro<> {
      out = when_registered<singing>("tenor");
      static_cast<void>(when_registered<singing>("bass"));
      register_name("alto", spawn<singer>());
      static_cast<void>(co_await when_registered<singing>("soprano"));
    };
    auto left = driven.create_task(waiting(outlives));
    driven.run_until_idle();
    CHECK_FALSE(left.done());
  }
  CHECK_FALSE(outlives->done());
}

TEST_CASE("each run has names of its own, and so has a loop without a runtime") {
  auto body = []() -> coro<std::size_t> {
    register_name("tenor", spawn<singer>());
    co_return registered_names().size();
  };
  CHECK(testing::run(body()) == 1);
  CHECK(testing::run(body()) == 1);
  manual_loop one;
  manual_loop other;
  auto first = one.create_task(body());
  auto second = other.create_task(body());
  one.run_until_idle();
  other.run_until_idle();
  CHECK(first.result() == 1);
  CHECK(second.result() == 1);
}

TROUPE_PROGRAM_TEST_CASE(
    "an actor that is restarted in place keeps its name, and may take it in each on_start") {
  struct baritone : actor<singing> {
    void on_start() { register_name("baritone", self()); }
    void on(hum) { ++hums_; }
    int on(count_hums) { return hums_; }
    void on(die) { throw std::runtime_error("out of breath"); }
    int hums_ = 0;
  };
  struct choir : actor<protocol<hum>> {
    choir() { supervise<baritone>({}); }
    void on(hum) {}
  };
  failure_log log;
  auto body = []() -> coro<int> {
    auto all = spawn<choir>();
    co_await settle();
    auto one = whereis<singing>("baritone");
    one.tell(hum{});
    one.tell(die{});
    co_await settle();
    if (whereis<singing>("baritone") != one) fail("another one has the name");
    const int hums = co_await one.ask(count_hums{});
    co_return hums;
  };
  CHECK(testing::run(body(), &log) == 0);
}
