// Who is told when an actor has ended: monitors, and the future of its end; and kill.
#include <troupe/actors/actor.hpp>
#include <troupe/runtime/timeout.hpp>

#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct fall {};
struct rest {};
struct say {
  std::string text;
};
using working = protocol<fall, rest, say>;

/// Notes in a journal what becomes of it.
class worker : public actor<working> {
 public:
  worker(journal& into, std::string name) : into_(into), name_(std::move(name)) {}
  ~worker() { into_.push_back(name_ + " destroyed"); }
  coro<> on_stop() {
    into_.push_back(name_ + " on_stop");
    co_await sleep(1s);
    into_.push_back(name_ + " cleaned up");
  }
  void on(fall) { throw std::runtime_error("no rope"); }
  coro<> on(rest) { co_await sleep(infinite); }
  void on(say s) { into_.push_back(name_ + ": " + s.text); }

 private:
  journal& into_;
  std::string name_;
};

struct watch {
  any_actor who;
  std::string name;
};
struct forget {};
struct forget_last {};
using watching = protocol<watch, forget, say, down>;

class observer : public actor<watching> {
 public:
  explicit observer(journal& into) : into_(into) {}
  void on(watch w) {
    watched_.emplace_back(w.who, w.name);
    handles_.push_back(monitor(w.who));
  }
  void on(forget) {
    for (const auto& each : handles_) each.cancel();
  }
  void on(say s) { into_.push_back(s.text); }
  void on(down d) {
    for (const auto& [who, name] : watched_) {
      if (who == d.who) {
        into_.push_back(name + " is down: " + d.reason.text());
        return;
      }
    }
    into_.push_back("somebody else is down");
  }

 private:
  journal& into_;
  std::vector<std::pair<any_actor, std::string>> watched_;
  std::vector<monitor_handle> handles_;
};

}  // namespace

TEST_CASE("an actor that monitors another is told when it has stopped") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto one = spawn<worker>(std::ref(into), "a");
          auto by = spawn<observer>(std::ref(into));
          by.tell(watch{one, "a"});
          co_await settle();
          one.stop();
          co_await sleep(2s);
        }) == journal{"a on_stop", "a cleaned up", "a destroyed", "a is down: stopped"});
}

TEST_CASE("the reason of a crash is what was thrown") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto one = spawn<worker>(std::ref(into), "a");
          spawn<observer>(std::ref(into)).tell(watch{one, "a"});
          co_await settle();
          one.tell(fall{});
          co_await sleep(2s);
        }).back() == "a is down: crashed: std::runtime_error: no rope");
}

TEST_CASE("who monitors an actor that is dead is told at once") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto one = spawn<worker>(std::ref(into), "a");
          one.tell(fall{});
          co_await sleep(2s);
          into.clear();
          spawn<observer>(std::ref(into)).tell(watch{one, "a"});
          co_await settle();
          one = {};
        }) == journal{"a is down: crashed: std::runtime_error: no rope"});
}

TEST_CASE("each monitor is told once") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto one = spawn<worker>(std::ref(into), "a");
          auto by = spawn<observer>(std::ref(into));
          by.tell(watch{one, "a"});
          by.tell(watch{one, "a"});
          co_await settle();
          one.kill();
          co_await settle();
          one.stop();
          co_await settle();
        }) == journal{"a destroyed", "a is down: killed", "a is down: killed"});
}

TEST_CASE("a monitor that is cancelled tells nothing, not even what is in the mailbox already") {
  for (const bool at_the_last_moment : {false, true}) {
    journal into;
    auto scene = [&]() -> coro<> {
      auto one = spawn<worker>(std::ref(into), "a");
      auto by = spawn<observer>(std::ref(into));
      by.tell(watch{one, "a"});
      co_await settle();
      if (at_the_last_moment) {
        one.kill();  // its turn comes first
        by.tell(forget{});
        by.tell(say{"and then"});
      } else {
        by.tell(forget{});
        co_await settle();
        one.kill();
      }
      co_await settle();
    };
    testing::run(scene());
    journal expected{"a destroyed"};
    if (at_the_last_moment) expected.push_back("and then");
    CHECK(into == expected);
  }
}

TEST_CASE("the news of an end comes behind all that the one that ended has sent") {
  struct talker : actor<protocol<rest>> {
    explicit talker(actor_ref<watching> given) : to(std::move(given)) {}
    void on(rest) {
      to.tell(say{"first"});
      stop();
      to.tell(say{"last"});
    }
    void on_stop() { to.tell(say{"on_stop"}); }
    actor_ref<watching> to;
  };
  CHECK(journal_of([](journal& into) -> coro<> {
          auto by = spawn<observer>(std::ref(into));
          auto one = spawn<talker>(by);
          by.tell(watch{one, "a"});
          co_await settle();
          one.tell(rest{});
          co_await settle();
        }) == journal{"first", "last", "on_stop", "a is down: stopped"});
}

TEST_CASE("monitors end with the actor that has set them") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto one = spawn<worker>(std::ref(into), "a");
          auto by = spawn<observer>(std::ref(into));
          for (int times = 0; times < 3; ++times) by.tell(watch{one, "a"});
          co_await settle();
          by.stop();
          co_await settle();
          one.kill();
          co_await settle();
        }) == journal{"a destroyed"});
}

TEST_CASE("actors that monitor each other, and themselves, are told and freed") {
  struct pair : actor<protocol<watch, down>> {
    explicit pair(journal& given) : into(given) {}
    void on(watch w) {
      static_cast<void>(monitor(w.who));
      static_cast<void>(monitor(self()));
    }
    void on(down) { into.push_back("down"); }
    journal& into;
  };
  CHECK(journal_of([](journal& into) -> coro<> {
          auto one = spawn<pair>(std::ref(into));
          auto other = spawn<pair>(std::ref(into));
          one.tell(watch{other, ""});
          other.tell(watch{one, ""});
          co_await settle();
          one.stop();
          co_await settle();
        }) == journal{"down"});
}

// --- the future of an end ---------------------------------------------------------------------------------------------

TEST_CASE("the end of an actor can be awaited") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto one = spawn<worker>(std::ref(into), "a");
          auto end = one.stopped();
          auto end_of_any = any_actor(one).stopped();
          one.stop();
          const exit_reason why = co_await end;
          into.push_back(why.text());
          const exit_reason again = co_await end_of_any;
          into.push_back(again.text());
          auto late = one.stopped();
          into.push_back(late.done() ? "done" : "not done");
        }) == journal{"a on_stop", "a cleaned up", "a destroyed", "stopped", "stopped", "done"});
}

TEST_CASE("a wait for an end may be given up") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto one = spawn<worker>(std::ref(into), "a");
          for (int times = 0; times < 3; ++times) {
            try {
              auto limited = timeout(1ms, one.stopped());
              static_cast<void>(co_await limited);
            } catch (const timeout_error&) {
              into.push_back("still there");
            }
          }
          one.kill();
          auto end = one.stopped();
          const exit_reason why = co_await end;
          into.push_back(why.text());
        }) == journal{"still there", "still there", "still there", "a destroyed", "killed"});
}

TROUPE_PROGRAM_TEST_CASE(
    "children end with their parent, and all with the runtime, which the reasons say") {
  struct child : actor<protocol<rest>> {
    void on(rest) {}
  };
  struct parent : actor<protocol<rest>> {
    explicit parent(std::optional<any_actor>& out) { out = spawn<child>(); }
    void on(rest) {}
  };
  journal into;
  std::optional<future<exit_reason>> end_of_main;
  auto note = [](journal& to, future<exit_reason> end) -> coro<> {
    try {
      const exit_reason why = co_await end;
      to.push_back(why.text());
    } catch (const cancelled&) {
      to.push_back("cancelled");
    }
  };
  auto scene = [&]() -> coro<> {
    std::optional<any_actor> young;
    auto old = spawn<parent>(std::ref(young));
    auto end = young->stopped();
    old.stop();
    auto noted = note(into, end);
    co_await noted;
    auto last = spawn<child>();
    end_of_main = last.stopped();
  };
  testing::run(scene());
  CHECK(into == journal{"stopped with its parent"});
  REQUIRE(end_of_main->done());
  CHECK(end_of_main->result().text() == "stopped by the end of the runtime");
}

// --- kill --------------------------------------------------------------------------------------------------------------

TEST_CASE("kill ends an actor without on_stop") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto one = spawn<worker>(std::ref(into), "a");
          one.tell(rest{});
          one.tell(say{"never"});
          co_await settle();
          one.kill();
          one.kill();
          co_await settle();
        }) == journal{"a destroyed"});
}

TEST_CASE("kill ends an on_stop that is under way") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto one = spawn<worker>(std::ref(into), "a");
          one.stop();
          co_await settle();
          one.kill();
          co_await settle();
          auto end = one.stopped();
          const exit_reason why = co_await end;
          into.push_back(why.text());
        }) == journal{"a on_stop", "a destroyed", "killed"});
}

TEST_CASE("kill ends children likewise, and the parent last") {
  struct parent : actor<protocol<rest>> {
    explicit parent(journal& given) : into(given) {
      spawn<worker>(std::ref(given), "older");
      spawn<worker>(std::ref(given), "younger");
    }
    ~parent() { into.push_back("parent destroyed"); }
    void on_stop() { into.push_back("parent on_stop"); }
    void on(rest) {}
    journal& into;
  };
  for (const bool stopping : {false, true}) {
    journal into;
    auto scene = [&]() -> coro<> {
      auto one = spawn<parent>(std::ref(into));
      co_await settle();
      if (stopping) one.stop();
      co_await settle();
      one.kill();
      co_await settle();
    };
    testing::run(scene());
    REQUIRE_FALSE(into.empty());
    CHECK(into.back() == "parent destroyed");
    std::sort(into.begin(), into.end());
    journal expected{"older destroyed", "parent destroyed", "younger destroyed"};
    if (stopping) expected.push_back("younger on_stop");
    CHECK(into == expected);
  }
}

TEST_CASE("an observer whose mailbox is full hears of each end all the same, dead before or not") {
  failure_log log;
  journal notes;
  auto body = [&]() -> coro<> {
    const spawn_options narrow{.name = "", .on = place::here, .mailbox = {2, overflow::reject, 0}};
    auto gone = spawn<worker>(std::ref(notes), "gone");
    gone.kill();
    co_await gone.stopped();
    auto first = spawn<worker>(std::ref(notes), "first");
    auto by = spawn<observer>(narrow, std::ref(notes));
    by.tell(watch{first, "first"});
    by.tell(watch{gone, "gone"});
    co_await settle();
    notes.clear();
    first.kill();
    for (int times = 0; times < 4; ++times) by.tell(say{"said"});
    by.tell(watch{gone, "lost"});
    co_await settle();
    CHECK(std::count(notes.begin(), notes.end(), "said") == 2);
    CHECK(std::count(notes.begin(), notes.end(), "first is down: killed") == 1);
    notes.clear();
    // The news comes while it is told to watch, and its mailbox is full again.
    by.tell(watch{gone, "again"});
    by.tell(say{"one"});
    by.tell(say{"two"});
    co_await settle();
    CHECK(notes == journal{"one", "gone is down: killed"});
  };
  testing::run(body(), &log);
}
