// Features of actors that meet: bounds, supervision, drains, processes, delegation, monitors, idle time.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/counts.hpp>
#include <troupe/actors/delegate.hpp>
#include <troupe/actors/process.hpp>

#include "actors/helpers.hpp"
#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct question {
  using reply = int;
};
struct note {
  int number;
};
struct nap {};
struct fall {};
struct settle_down {};
using answering = protocol<question>;
using box = mailbox<question, nap>;

/// Sleeps a second for each `nap`, and answers what came meanwhile.
coro<> sleepy(box& inbox) {
  for (;;) {
    auto got = co_await inbox.receive();
    if (auto* const q = std::get_if<asked<question>>(&got)) {
      q->reply.answer(7);
    } else {
      co_await sleep(1s);
    }
  }
}

/// Has another answer.
class front : public actor<answering> {
 public:
  explicit front(actor_ref<protocol<question, nap>> to) : to_(std::move(to)) {}
  void on(question q, reply_to<int> answer) { delegate(to_, q, std::move(answer)); }

 private:
  actor_ref<protocol<question, nap>> to_;
};

/// Puts all it is asked aside.
class putter : public actor<answering> {
 public:
  putter() { set_stash_capacity(1); }
  void on(question q, reply_to<int> reply) { stash(q, std::move(reply)); }
};

using working = protocol<nap, fall, note>;

/// A child that takes its time.
class worker : public actor<working> {
 public:
  explicit worker(journal& into) : into_(into) {}
  coro<> on(nap) { co_await sleep(1s); }
  void on(fall) { throw std::runtime_error("fell"); }
  void on(note n) { into_.push_back(std::to_string(n.number)); }
  coro<> on_stop() {
    co_await sleep(2s);
    into_.emplace_back("stopped");
  }

 private:
  journal& into_;
};

struct child_of {
  using reply = actor_ref<working>;
};
class boss : public actor<protocol<child_of>> {
 public:
  boss(journal& into, const child_options& options)
      : child_(supervise<worker>(options, std::ref(into))) {}
  actor_ref<working> on(child_of) { return child_; }

 private:
  actor_ref<working> child_;
};

using watching = protocol<down, exited, nap, note>;

/// Is told of ends, though its mailbox is full.
class watcher : public actor<watching> {
 public:
  watcher(journal& into, actor_ref<working> one, actor_ref<working> other) : into_(into) {
    monitor(one);
    link(other);
  }
  coro<> on(nap) { co_await sleep(1s); }
  void on(note n) { into_.push_back(std::to_string(n.number)); }
  void on(down d) { into_.push_back("down, " + d.reason.text()); }
  void on(exited e) { into_.push_back("exited, " + e.reason.text()); }

 private:
  journal& into_;
};

struct call {
  using reply = int;
};
struct meet {
  explicit meet(actor_ref<protocol<call>> given) : whom(std::move(given)) {}
  actor_ref<protocol<call>> whom;
};

/// Calls another, which may call back.
class caller : public actor<protocol<call, meet>> {
 public:
  explicit caller(journal& into) : into_(into) {}
  int on(call) { return 1; }
  coro<> on(meet m) {
    co_await sleep(10ms);
    auto asked = m.whom.ask(call{}, 1s);
    into_.push_back(co_await ending(std::move(asked)));
  }

 private:
  journal& into_;
};

class idler : public actor<protocol<note>> {
 public:
  static constexpr mailbox_options mailbox{.capacity = 1};
  explicit idler(journal& into) : into_(into) { set_idle_timeout(1s); }
  void on(note n) { into_.push_back(std::to_string(n.number)); }
  void on_idle() { into_.emplace_back("idle"); }

 private:
  journal& into_;
};

}  // namespace

TEST_CASE("a delegated request that its asker gave up while a process slept is left out") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto process = spawn(sleepy);
          auto before = spawn<front>(process);
          process.tell(nap{});
          co_await settle();
          auto answer = before.ask(question{}, 100ms);
          into.push_back((co_await ending(std::move(answer))).substr(0, 7));
          co_await sleep(2s);
          auto again = process.ask(question{});
          into.push_back(co_await ending(std::move(again)));
          into.push_back(std::to_string(counts_of_loop().late_replies));
        }) == journal{"timeout", "7", "0"});
}

TEST_CASE("a request that is withdrawn before a process receives it is no late reply") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto process = spawn(sleepy);
          process.tell(nap{});
          auto answer = process.ask(question{}, 100ms);
          into.push_back((co_await ending(std::move(answer))).substr(0, 7));
          co_await sleep(2s);
          into.push_back(std::to_string(counts_of_loop().late_replies));
        }) == journal{"timeout", "0"});
}

TEST_CASE("a delegated request that is put aside and given up leaves its room to the next") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto aside = spawn<putter>();
          class passer : public actor<answering> {
           public:
            explicit passer(actor_ref<answering> to) : to_(std::move(to)) {}
            void on(question q, reply_to<int> answer) { delegate(to_, q, std::move(answer)); }

           private:
            actor_ref<answering> to_;
          };
          auto before = spawn<passer>(aside);
          for (int times = 0; times < 3; ++times) {
            auto answer = before.ask(question{}, 100ms);
            into.push_back((co_await ending(std::move(answer))).substr(0, 7));
          }
          into.push_back(std::to_string(counts_of_loop().late_replies));
        }) == journal{"timeout", "timeout", "timeout", "0"});
}

TEST_CASE("a supervised child that drains ends with its parent all the same") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto parent = spawn<boss>(std::ref(into), child_options{.mailbox = {.drain_for = 10s}});
          auto child = co_await parent.ask(child_of{});
          child.tell(nap{});
          child.tell(note{1});
          co_await settle();
          child.stop();  // by itself it would be restarted
          co_await settle();
          parent.stop();
          auto end = parent.stopped();
          co_await sleep(60s);
          into.emplace_back(end.done() ? "ended" : "hangs");
        }) == journal{"1", "stopped", "ended"});
}

TEST_CASE("the time limit of a drain does not keep a child from being restarted that has crashed") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto parent = spawn<boss>(std::ref(into), child_options{});
          auto child = co_await parent.ask(child_of{});
          child.tell(nap{});
          child.tell(fall{});
          co_await settle();
          child.stop_when_drained(2s);  // over while on_stop goes on
          co_await sleep(5s);
          child.tell(note{1});
          co_await settle();
          into.emplace_back("up");
          parent.stop();
          auto end = parent.stopped();
          static_cast<void>(co_await end);
        }) == journal{"stopped", "1", "up", "stopped"});
}

TEST_CASE("news of ends come to a full mailbox, and are not dropped from it") {
  for (const overflow how :
       {overflow::reject, overflow::drop_newest, overflow::drop_oldest, overflow::suspend}) {
    CAPTURE(static_cast<int>(how));
    CHECK(journal_of([how](journal& into) -> coro<> {
            auto one = spawn<worker>(std::ref(into));
            auto other = spawn<worker>(std::ref(into));
            auto to = spawn<watcher>({.mailbox = {.capacity = 1, .when_full = how}}, std::ref(into),
                                     one, other);
            to.tell(nap{});
            co_await settle();
            to.tell(note{1});
            one.kill();
            other.kill();
            co_await settle();
            to.tell(note{1});
            to.tell(note{1});
            co_await sleep(2s);
          }) == (how == overflow::drop_oldest ? journal{"down, killed", "exited, killed", "1"}
                                              : journal{"1", "down, killed", "exited, killed"}));
  }
}

TEST_CASE("a circle is found that goes through a request which waits for room") {
  const journal ends = journal_of([](journal& into) -> coro<> {
    auto one = spawn<caller>({.name = "one"}, std::ref(into));
    auto other =
        spawn<caller>({.name = "other", .mailbox = {.capacity = 1, .when_full = overflow::suspend}},
                      std::ref(into));
    other.tell(meet(one));
    co_await settle();
    other.tell(meet(one));  // fills its mailbox
    one.tell(meet(other));
    co_await sleep(5s);
  });
  REQUIRE(ends.size() == 3);
  CHECK(starts_with(ends[0], "deadlock: "));
}

TEST_CASE("an idle time-out that lies in a bounded mailbox takes nobody's room") {
  CHECK(journal_of([](journal& into) -> coro<> {
          actor_ref<protocol<note>> to;
          auto at = loop::current()->call_later(1s, [&to] { to.tell(note{1}); });
          to = spawn<idler>(std::ref(into));
          co_await sleep(1500ms);
        }) == journal{"1"});
}
