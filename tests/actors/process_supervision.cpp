// Processes that are restarted in place: the mailbox is kept, the code begins anew.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/process.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct note {
  std::string text;
};
struct fall {
  using reply = int;
};
struct kept {};
using noting = protocol<note, fall, kept>;

/// Falls when it is asked to; keeps what it is to keep for who comes after it.
coro<> falling(mailbox<note, fall, kept>& inbox, journal& into) {
  int count = 0;
  try {
    for (;;) {
      auto got = co_await inbox.receive<note, fall>();
      if (auto* const n = std::get_if<note>(&got))
        into.push_back(n->text + " " + std::to_string(++count));
      if (std::get_if<asked<fall>>(&got) != nullptr) throw std::runtime_error("no rope");
    }
  } catch (const cancelled&) {
    into.push_back("cancelled");
  }
  try {
    static_cast<void>(co_await inbox.receive());  // nothing is for this one any more
  } catch (const cancelled&) {
    into.push_back("and again");
  }
  co_await sleep(1ms);
}

struct begin {};
struct again {};
struct parent : actor<protocol<begin, again>> {
  parent(journal& given, actor_ref<noting>& out) : into(given), child(out) {}
  void on(begin) { child = supervise({.name = "falls"}, falling, std::ref(into)); }
  void on(again) { restart_child(child); }
  journal& into;
  actor_ref<noting>& child;
};

}  // namespace

TEST_CASE("a process that falls is restarted in place, with the messages that wait") {
  journal into;
  failure_log log;
  auto body = [&]() -> coro<> {
    actor_ref<noting> child;
    auto of = spawn<parent>(std::ref(into), std::ref(child));
    of.tell(begin{});
    co_await settle();
    child.tell(kept{});
    child.tell(note{"a"});
    child.tell(note{"b"});
    auto fallen = child.ask(fall{});
    child.tell(note{"c"});
    into.push_back(co_await ending(std::move(fallen)));
    co_await sleep(1min);
    child.tell(note{"d"});
    co_await settle();
  };
  testing::run(body(), &log);
  CHECK(into == journal{"a 1", "b 2", "error: no rope", "c 1", "d 2", "cancelled", "and again"});
}

TEST_CASE("a process that its supervisor takes down receives nothing while it cleans up") {
  journal into;
  failure_log log;
  auto body = [&]() -> coro<> {
    actor_ref<noting> child;
    auto of = spawn<parent>(std::ref(into), std::ref(child));
    of.tell(begin{});
    co_await settle();
    child.tell(note{"a"});
    co_await settle();
    of.tell(again{});
    child.tell(note{"b"});
    co_await sleep(1min);
    child.tell(note{"c"});
    co_await settle();
    child.kill();
    child.tell(note{"d"});
    co_await sleep(1min);
    child.stop();
    co_await sleep(1min);
  };
  testing::run(body(), &log);
  INFO(log.text());
  const journal down{"cancelled",
                     "and again"};  // by a restart, a kill, a stop, and the end of the runtime
  journal expected{"a 1"};
  expected.insert(expected.end(), down.begin(), down.end());
  for (const char* each : {"b 1", "c 2"}) expected.emplace_back(each);
  expected.insert(expected.end(), down.begin(), down.end());
  expected.emplace_back("d 1");
  for (int times = 0; times < 2; ++times) expected.insert(expected.end(), down.begin(), down.end());
  CHECK(into == expected);
}
