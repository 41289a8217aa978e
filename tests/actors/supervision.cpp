// Supervision: which children are restarted, in which order, and what becomes of their messages.
#include <troupe/actors/actor.hpp>

#include "actors/helpers.hpp"
#include "actors/leader.hpp"
#include "support/explored.hpp"

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::teams;

namespace {

enum class end { crashed, killed, stopped_itself, stopped_from_outside };
constexpr end all_ends[] = {end::crashed, end::killed, end::stopped_itself,
                            end::stopped_from_outside};
constexpr restart all_kinds[] = {restart::permanent, restart::transient, restart::temporary};
constexpr strategy all_strategies[] = {strategy::one_for_one, strategy::one_for_all,
                                       strategy::rest_for_one};

void bring_about(end how, const actor_ref<working>& of) {
  switch (how) {
    case end::crashed:
      return of.tell(fall{});
    case end::killed:
      return of.kill();
    case end::stopped_itself:
      return of.tell(leave{});
    case end::stopped_from_outside:
      return of.stop();
  }
}

/// The rules of OTP's `supervisor` as its documentation states them, with our kinds of end for its reasons.
bool is_restarted(restart kind, end how) {
  const bool abnormal = how == end::crashed || how == end::killed;
  return kind == restart::permanent || (kind == restart::transient && abnormal);
}

journal expected_journal(strategy how, restart kind, end ended, restart others) {
  if (!is_restarted(kind, ended)) return {"-b"};
  const bool rejoin = others != restart::temporary;
  switch (how) {
    case strategy::one_for_one:
      return {"-b", "+b"};
    case strategy::one_for_all:
      return rejoin ? journal{"-b", "-c", "-a", "+a", "+b", "+c"} : journal{"-b", "-c", "-a", "+b"};
    case strategy::rest_for_one:
      return rejoin ? journal{"-b", "-c", "+b", "+c"} : journal{"-b", "-c", "+b"};
  }
  return {};
}

child_options kind_of(restart when) { return {.when = when}; }

}  // namespace

TEST_CASE("children restart as Erlang's supervisor restarts them") {
  const strategy how = GENERATE(from_range(std::begin(all_strategies), std::end(all_strategies)));
  const restart kind = GENERATE(from_range(std::begin(all_kinds), std::end(all_kinds)));
  const restart others = GENERATE(from_range(std::begin(all_kinds), std::end(all_kinds)));
  const end ended = GENERATE(from_range(std::begin(all_ends), std::end(all_ends)));
  const bool nested = GENERATE(false, true);
  CAPTURE(int(how), int(kind), int(others), int(ended), nested);
  journal notes;
  failure_log log;

  /// A supervisor of one leader, which is to notice nothing.
  class chief : public actor<protocol<>> {
   public:
    chief(journal& into, const supervision& rules, const std::vector<child_options>& children,
          actor_ref<leading>& out) {
      out = supervise<leader>({}, std::ref(into), rules, children);
    }
  };
  auto body = [&]() -> coro<> {
    const supervision rules{.how = how};
    const std::vector<child_options> children{kind_of(others), kind_of(kind), kind_of(others)};
    actor_ref<leading> boss;
    if (nested) {
      spawn<chief>(std::ref(notes), rules, children, std::ref(boss));
    } else {
      boss = spawn<leader>(std::ref(notes), rules, children);
    }
    const team workers = co_await boss.ask(refs_of{});
    CHECK(notes == journal{"+a", "+b", "+c"});
    notes.clear();
    bring_about(ended, workers[1]);
    co_await settle();
    CHECK(notes == expected_journal(how, kind, ended, others));
    const bool back = is_restarted(kind, ended);
    auto asked = workers[1].ask(count_up{});
    const std::string answer = co_await ending(std::move(asked));
    CHECK((answer == "1") == back);
    CHECK(log.count("is restarted") == (back ? 1U : 0U));
    notes.clear();
  };
  testing::run(body(), &log);
}

TROUPE_PROGRAM_TEST_CASE(
    "a restart keeps the ref and what waits in the mailbox, and forgets the state") {
  journal notes;
  auto body = [&notes]() -> coro<> {
    auto boss = spawn<leader>(std::ref(notes), supervision(), std::vector<child_options>(1));
    const team workers = co_await boss.ask(refs_of{});
    for (int times = 0; times < 3; ++times) workers[0].tell(count_up{});
    auto before = workers[0].ask(count_up{});
    workers[0].tell(fall{});
    auto first = workers[0].ask(count_up{});
    auto second = workers[0].ask(count_up{});
    auto ended = workers[0].stopped();
    const int counts[] = {co_await before, co_await first, co_await second};
    CHECK(counts[0] == 4);
    CHECK(counts[1] == 1);
    CHECK(counts[2] == 2);
    // Who watches hears of the end only.
    CHECK_FALSE(ended.done());
    boss.stop();
    const exit_reason why = co_await ended;
    CHECK(why.what() == exit_reason::kind::parent);
  };
  failure_log log;
  testing::run(body(), &log);
  CHECK(log.reports().size() == 1);
  CHECK(log.count("worker crashed and is restarted (restart 1 within 5 s, 3 are allowed)") == 1);
  CHECK(log.count("no rope") == 1);
}

TROUPE_PROGRAM_TEST_CASE(
    "children of a group start one after the other, each when on_start of the last has ended") {
  class slow : public actor<protocol<fall>> {
   public:
    slow(journal& into, std::string name) : into_(into), name_(std::move(name)) {}
    coro<> on_start() {
      into_.push_back(name_ + " starts");
      co_await sleep(1s);
      into_.push_back(name_ + " is up");
    }
    coro<> on_stop() {
      into_.push_back(name_ + " stops");
      co_await sleep(1s);
      into_.push_back(name_ + " is down");
    }
    void on(fall) { throw std::runtime_error("no rope"); }

   private:
    journal& into_;
    std::string name_;
  };
  class boss : public actor<protocol<fall>> {
   public:
    explicit boss(journal& into) {
      supervise_as({.how = strategy::one_for_all});
      first_ = supervise<slow>({}, std::ref(into), "a");
      supervise<slow>({.when = restart::transient}, std::ref(into), "b");
    }
    void on(fall) { first_.tell(fall{}); }

   private:
    actor_ref<protocol<fall>> first_;
  };
  failure_log log;
  journal notes;
  auto body = [&]() -> coro<> {
    auto made = spawn<boss>(std::ref(notes));
    co_await sleep(2s);
    notes.clear();
    made.tell(fall{});
    co_await sleep(10s);
    CHECK(notes == journal{"a stops", "a is down", "b stops", "b is down", "a starts", "a is up",
                           "b starts", "b is up"});
    notes.clear();
    made.stop();
    co_await made.stopped();
    CHECK(notes == journal{"b stops", "b is down", "a stops", "a is down"});
  };
  testing::run(body(), &log);
}

TROUPE_PROGRAM_TEST_CASE(
    "a child that does not stop in time is killed, for a restart and at the end") {
  class stubborn : public actor<protocol<>> {
   public:
    explicit stubborn(journal& into) : into_(into) { into_.push_back("up"); }
    ~stubborn() { into_.push_back("down"); }
    coro<> on_stop() { co_await sleep(infinite); }

   private:
    journal& into_;
  };
  class boss : public actor<protocol<fall>> {
   public:
    explicit boss(journal& into) : child_(supervise<stubborn>({.shutdown = 2s}, std::ref(into))) {}
    void on(fall) { restart_child(child_); }

   private:
    any_actor child_;
  };
  failure_log log;
  journal notes;
  auto body = [&]() -> coro<> {
    auto made = spawn<boss>(std::ref(notes));
    made.tell(fall{});
    co_await sleep(1s);
    CHECK(notes == journal{"up"});
    co_await sleep(2s);
    CHECK(notes == journal{"up", "down", "up"});
    const time_point before = loop::current()->time();
    made.stop();
    co_await made.stopped();
    CHECK(loop::current()->time() - before == 2s);
  };
  testing::run(body(), &log);
  CHECK(log.count("did not stop within its `shutdown` of 2 s and is killed") == 2);
}

TROUPE_PROGRAM_TEST_CASE(
    "a child is stopped for good by its supervisor, and restarted by hand without a count") {
  failure_log log;
  journal notes;
  auto body = [&]() -> coro<> {
    auto boss = spawn<leader>(std::ref(notes), supervision{.max_restarts = 0},
                              std::vector<child_options>(2));
    const team workers = co_await boss.ask(refs_of{});
    notes.clear();
    boss.tell(give{{}, workers[0]});
    co_await settle();
    CHECK(notes == journal{"-a", "+a"});
    boss.tell(give{workers[0], {}});
    const exit_reason why = co_await workers[0].stopped();
    CHECK(why.what() == exit_reason::kind::parent);
    boss.tell(give{workers[0], workers[0]});
    co_await settle();
    CHECK(notes == journal{"-a", "+a", "-a"});
    CHECK(log.reports().empty());
    // With no restart allowed, the first fall is one too many.
    workers[1].tell(fall{});
    co_await boss.stopped();
  };
  testing::run(body(), &log);
}

TEST_CASE("a child that rests is started again after a kill, and after a stop if it is permanent") {
  for (const restart when : {restart::permanent, restart::transient}) {
    for (const bool kill : {false, true}) {
      CAPTURE(static_cast<int>(when), kill);
      failure_log log;
      journal notes;
      auto body = [&]() -> coro<> {
        const supervision rules{.delay = {.first = 10s, .jitter = 0}};
        auto boss =
            spawn<leader>(std::ref(notes), rules, std::vector<child_options>(1, kind_of(when)));
        const team workers = co_await boss.ask(refs_of{});
        workers[0].tell(fall{});
        co_await settle();
        auto asked = workers[0].ask(count_up{}, infinite);
        if (kill) {
          workers[0].kill();
        } else {
          workers[0].stop();
        }
        co_await settle();
        if (kill || when == restart::permanent) {
          const int count = co_await asked;
          CHECK(count == 1);
          CHECK(notes == journal{"+a", "-a", "+a"});
        } else {
          CHECK_THROWS_AS(co_await asked, actor_dead);
          const exit_reason why = co_await workers[0].stopped();
          CHECK(why.what() == exit_reason::kind::crashed);
          co_await sleep(1min);
          CHECK(notes == journal{"+a", "-a"});
        }
      };
      testing::run(body(), &log);
    }
  }
}
