// The examples of clusters that are several programs, as somebody uses them in terminals.
#include <troupe/runtime/task.hpp>

#include "scenarios/programs.hpp"
#include "scenarios/support.hpp"

#include <csignal>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;

namespace {

std::string example(const char* name) { return std::string(TROUPE_EXAMPLES "/") + name; }

/// Where a program says that it listens, in its first line.
coro<std::string> address_of(real_program& program) {
  co_await program.until("\n");
  const std::string line = program.said().substr(0, program.said().find('\n'));
  co_return line.substr(line.rfind(' ') + 1);
}

coro<> ask_often(real_program& member) {
  for (;;) {
    member.say("/who\n");
    co_await sleep(50ms);
  }
}

std::size_t count_of(const std::string& in, const std::string& what) {
  std::size_t count = 0;
  for (std::size_t at = in.find(what); at != std::string::npos; at = in.find(what, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE(
    "in a chat of several programs each hears the rooms that it is in, once, and goes on when one "
    "is killed") {
  auto body = []() -> coro<> {
    real_program ann({example("cluster_chat"), "ann", "127.0.0.1:0"});
    const std::string where = co_await address_of(ann);
    real_program bob({example("cluster_chat"), "bob", "127.0.0.1:0", where});
    real_program cid({example("cluster_chat"), "cid", "127.0.0.1:0", where});
    real_program* const all[] = {&ann, &bob, &cid};
    for (real_program* const each : all) {
      auto asking = create_task(ask_often(*each));
      co_await each->until("and 2 others");
      asking.cancel();
    }
    ann.say("one\n");
    ann.say("/join garden\nnobody is here\n/leave garden\ntwo\n");
    real_program* const others[] = {&bob, &cid};
    for (real_program* const each : others) {
      co_await each->until("ann says: two\n");
      CHECK(count_of(each->said(), "ann says: one\n") == 1);
      CHECK(count_of(each->said(), "nobody is here") == 0);
    }
    bob.send(SIGKILL);
    co_await ann.until("bob has gone");
    co_await cid.until("bob has gone");
    cid.say("three\n");
    co_await ann.until("cid says: three\n");
    ann.end_input();
    const int status = co_await ann.status();
    CHECK(status == 0);
  };
  run_scenario(body());
}

TEST_CASE(
    "counters of several programs agree, also with one that came later, and when one was killed") {
  auto body = []() -> coro<> {
    real_program a({example("replicated_counter"), "a", "127.0.0.1:0"});
    const std::string where = co_await address_of(a);
    real_program b({example("replicated_counter"), "b", "-", where});
    a.say("5\n");
    b.say("-7\n");
    co_await a.until("a has -2\n");
    co_await b.until("b has -2\n");
    b.send(SIGKILL);
    real_program c({example("replicated_counter"), "c", "-", where});
    co_await c.until("c has -2\n");
    c.say("100\n");
    co_await a.until("a has 98\n");
  };
  run_scenario(body());
}

TEST_CASE("the examples of topics end by themselves, and have said what they are to say") {
  auto body = []() -> coro<> {
    real_program chat({example("cluster_chat")});
    real_program counter({example("replicated_counter")});
    const int talked = co_await chat.status();
    const int counted = co_await counter.status();
    CHECK(talked == 0);
    CHECK(counted == 0);
    CHECK_THAT(chat.said(), Catch::Contains("ann | in the lobby bob says: I am back"));
    for (const char* const each : {"  a has 1124", "  b has 1124", "  c has 1124"})
      CHECK_THAT(counter.said(), Catch::Contains(each));
  };
  run_scenario(body());
}
