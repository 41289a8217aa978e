// Classes that interleave, with bounds, urgent messages, timers, a stash, idle time, drains and restarts.
#include <troupe/actors/interleave.hpp>

#include <troupe/actors/actor.hpp>

#include "actors/helpers.hpp"
#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct work_on {
  int number;
};
struct note {
  int number;
};
struct aside {
  int number;
};
struct tick {};
struct beat {};
struct peek {
  using reply = int;
};
struct act {
  std::function<void()> what;
};
using desk_protocol = protocol<work_on, note, aside, tick, beat, peek, act>;

/// Works for a second at a time; does what `act` says meanwhile.
class desk : public actor<desk_protocol> {
 public:
  using interleave = messages<act, beat, peek>;
  desk(journal& into, desk*& it) : into_(into) { it = this; }

  coro<> on(work_on w) {
    into_.push_back("begin " + std::to_string(w.number));
    co_await sleep(1s);
    into_.push_back("end " + std::to_string(w.number));
  }
  void on(note n) { into_.push_back("note " + std::to_string(n.number)); }
  void on(aside a) {
    if (take_all) {
      into_.push_back("aside " + std::to_string(a.number));
    } else {
      stash(a);
    }
  }
  void on(tick) { into_.emplace_back("tick"); }
  void on(beat) { into_.emplace_back("beat"); }
  coro<int> on(peek) {
    co_await sleep(1s);
    into_.emplace_back("peeked");
    co_return 1;
  }
  void on(act a) { a.what(); }
  coro<> on_idle() {
    into_.emplace_back("idle");
    co_await sleep(1s);
    into_.emplace_back("idle no more");
    set_idle_timeout(infinite);
  }

  using actor::cancel_timer;
  using actor::self;
  using actor::set_idle_timeout;
  using actor::start_periodic_timer;
  using actor::start_timer;
  using actor::stashed;
  using actor::timer_active;
  using actor::unstash_all;
  bool take_all = false;

 private:
  journal& into_;
};

template <class Scene>
journal play(Scene scene) {
  journal into;
  desk* it = nullptr;
  auto body = scene(into, it);
  testing::run(std::move(body));
  return into;
}

}  // namespace

TEST_CASE("an interleaved handler may fill a mailbox that drops the oldest") {
  CHECK(play([](journal& into, desk*& it) -> coro<> {
          auto to = spawn<desk>({.mailbox = {.capacity = 2, .when_full = overflow::drop_oldest}},
                                std::ref(into), std::ref(it));
          to.tell(work_on{1});
          co_await settle();
          act fill{[&it] {
            for (int number = 1; number < 4; ++number) it->self().tell(note{number});
          }};
          to.tell(fill);
          to.tell(beat{});  // the last of the turn, and dropped in it
          co_await sleep(2s);
        }) == journal{"begin 1", "end 1", "note 2", "note 3"});
}

TEST_CASE("a timer's message that waits for a handler to end does not come once it is cancelled") {
  CHECK(play([](journal& into, desk*& it) -> coro<> {
          auto to = spawn<desk>(std::ref(into), std::ref(it));
          co_await settle();
          // When the timer has been reached, an urgent message comes before its own.
          auto begin = [&it] {
            it->start_timer("t", 100ms, tick{});
            static_cast<void>(
                loop::current()->call_later(100ms, [&it] { it->self().tell(work_on{1}, urgent); }));
          };
          to.tell(act{begin});
          co_await sleep(500ms);
          to.tell(act{[&it, &into] {
            into.emplace_back(it->timer_active("t") ? "active" : "not active");
            into.emplace_back(it->cancel_timer("t") ? "cancelled" : "too late");
          }});
          co_await sleep(2s);
        }) == journal{"begin 1", "active", "cancelled", "end 1"});
}

TEST_CASE("a handler beside another brings back what was put aside before all that waits") {
  CHECK(play([](journal& into, desk*& it) -> coro<> {
          auto to = spawn<desk>(std::ref(into), std::ref(it));
          to.tell(aside{1});
          to.tell(aside{2});
          to.tell(work_on{1});
          to.tell(note{1});
          co_await settle();
          to.tell(act{[&it] {
            it->take_all = true;
            it->unstash_all();
          }});
          to.tell(note{2});
          co_await sleep(2s);
        }) == journal{"begin 1", "end 1", "aside 1", "aside 2", "note 1", "note 2"});
}

TEST_CASE("an urgent message that is interleaved waits for no handler, another one does") {
  CHECK(play([](journal& into, desk*& it) -> coro<> {
          auto to = spawn<desk>(std::ref(into), std::ref(it));
          to.tell(work_on{1});
          to.tell(note{1});
          co_await settle();
          to.tell(note{2}, urgent);
          to.tell(beat{}, urgent);
          co_await sleep(2s);
        }) == journal{"begin 1", "beat", "end 1", "note 2", "note 1"});
}

TEST_CASE("urgent interleaved messages leave their room in the mailbox") {
  CHECK(play([](journal& into, desk*& it) -> coro<> {
          auto to = spawn<desk>({.mailbox = {.capacity = 1}}, std::ref(into), std::ref(it));
          to.tell(work_on{1});
          co_await settle();
          for (int times = 0; times < 3; ++times) {
            to.tell(beat{}, urgent);
            co_await settle();
          }
          to.tell(note{1});
          co_await sleep(2s);
        }) == journal{"begin 1", "beat", "beat", "beat", "end 1", "note 1"});
}

TEST_CASE("the message of a timer is handled beside a handler when it is interleaved") {
  CHECK(play([](journal& into, desk*& it) -> coro<> {
          auto to = spawn<desk>(std::ref(into), std::ref(it));
          co_await settle();
          to.tell(act{[&it] {
            it->start_periodic_timer("b", 400ms, beat{});
            it->start_timer("t", 100ms, tick{});
          }});
          to.tell(work_on{1});
          co_await sleep(1300ms);
        }) == journal{"begin 1", "beat", "beat", "end 1", "tick", "beat"});
}

TEST_CASE("an actor that drains lets interleaved handlers end") {
  CHECK(play([](journal& into, desk*& it) -> coro<> {
          auto to = spawn<desk>(std::ref(into), std::ref(it));
          auto asked = to.ask(peek{});
          co_await settle();
          to.stop_when_drained();
          into.push_back(co_await ending(std::move(asked)));
          auto end = to.stopped();
          into.push_back((co_await end).text());
        }) == journal{"peeked", "1", "stopped"});
}

TEST_CASE(
    "a restarted actor has first what the one before had put aside, then what waited for it") {
  journal into;
  desk* it = nullptr;
  class keeping : public actor<protocol<>> {
   public:
    keeping(journal& notes, desk*& child) {
      supervise<desk>({.name = {}}, std::ref(notes), std::ref(child));
    }
  };
  failure_log log;
  auto body = [&]() -> coro<> {
    auto parent = spawn<keeping>(std::ref(into), std::ref(it));
    auto to = it->self();
    to.tell(aside{1});
    to.tell(act{[&it] { it->start_timer("t", 100ms, tick{}); }});
    to.tell(work_on{1});
    to.tell(note{1});
    co_await sleep(500ms);
    to.kill();
    to.tell(act{[&it] { it->take_all = true; }}, urgent);
    co_await sleep(1s);
  };
  testing::run(body(), &log);
  CHECK(into == journal{"begin 1", "aside 1", "note 1"});
}

TEST_CASE("an on_idle that is a coroutine is a handler beside which others run") {
  CHECK(play([](journal& into, desk*& it) -> coro<> {
          auto to = spawn<desk>(std::ref(into), std::ref(it));
          to.tell(act{[&it] { it->set_idle_timeout(1s); }});
          co_await sleep(1500ms);
          to.tell(beat{});
          to.tell(note{1});
          co_await sleep(500ms);  // on_idle has ended in this very round
          to.tell(note{2});
          to.tell(note{3});
          co_await settle();
        }) == journal{"idle", "beat", "idle no more", "note 1", "note 2", "note 3"});
}
