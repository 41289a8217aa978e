// Supervision: which children are restarted, in which order, what becomes of their messages, limits, delays, escalation.
#include <troupe/actors/actor.hpp>
#include <troupe/runtime/timeout.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct fall {};
struct leave {};
struct rest {};
struct count_up {
  using reply = int;
};
using working = protocol<fall, leave, rest, count_up>;

/// Notes in a journal when it comes up and goes down.
class worker : public actor<working> {
 public:
  worker(journal& into, std::string name) : into_(into), name_(std::move(name)) {
    into_.push_back("+" + name_);
  }
  ~worker() { into_.push_back("-" + name_); }
  void on(fall) { throw std::runtime_error("no rope"); }
  void on(leave) { stop(); }
  coro<> on(rest) { co_await sleep(infinite); }
  int on(count_up) { return ++count_; }

 private:
  journal& into_;
  std::string name_;
  int count_ = 0;
};

struct refs_of {
  using reply = std::vector<actor_ref<working>>;
};
struct give {
  any_actor to_stop;
  any_actor to_restart;
};
using leading = protocol<refs_of, give>;

/// Supervises workers a, b, c...
class leader : public actor<leading> {
 public:
  leader(journal& into, const supervision& rules, const std::vector<child_options>& children) {
    supervise_as(rules);
    char name = 'a';
    for (const child_options& each : children)
      refs_.push_back(supervise<worker>(each, std::ref(into), std::string(1, name++)));
  }
  std::vector<actor_ref<working>> on(refs_of) { return refs_; }
  void on(give g) {
    if (g.to_stop) stop_child(g.to_stop);
    if (g.to_restart) restart_child(g.to_restart);
  }

 private:
  std::vector<actor_ref<working>> refs_;
};

using team = std::vector<actor_ref<working>>;

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

TEST_CASE("a restart keeps the ref and what waits in the mailbox, and forgets the state") {
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

TEST_CASE("too many falls are a crash of the supervisor, and its own supervisor decides") {
  class chief : public actor<protocol<>> {
   public:
    chief(journal& into, actor_ref<leading>& out) {
      supervise_as({.max_restarts = 1});
      out = supervise<leader>({.name = "shift"}, std::ref(into),
                              supervision{.max_restarts = 2, .within = 10s},
                              std::vector<child_options>(2));
    }
  };
  failure_log log;
  journal notes;
  auto body = [&notes]() -> coro<> {
    actor_ref<leading> boss;
    auto top = spawn<chief>(std::ref(notes), std::ref(boss));
    auto top_ended = top.stopped();
    team workers = co_await boss.ask(refs_of{});
    // Two in the ten seconds are allowed; falls that lie further back do not count.
    for (int times = 0; times < 6; ++times) {
      workers[0].tell(fall{});
      co_await sleep(6s);
    }
    notes.clear();
    for (int times = 0; times < 3; ++times) {
      workers[1].tell(fall{});
      co_await settle();
    }
    CHECK(notes == journal{"-b", "+b", "-b", "-a", "+a", "+b"});
    // The workers are new ones, children of a new leader at the old ref.
    auto gone = workers[1].stopped();
    const exit_reason why = co_await gone;
    CHECK(why.what() == exit_reason::kind::crashed);
    workers = co_await boss.ask(refs_of{});
    const int first = co_await workers[1].ask(count_up{});
    CHECK(first == 1);
    CHECK_FALSE(top_ended.done());
    for (int times = 0; times < 3; ++times) {
      workers[1].tell(fall{});
      co_await settle();
    }
    const exit_reason end_of_top = co_await top_ended;
    CHECK(end_of_top.what() == exit_reason::kind::crashed);
    CHECK_THROWS_AS(std::rethrow_exception(end_of_top.error()), restarts_exhausted);
  };
  testing::run(body(), &log);
  CHECK(log.count("leader 'shift' gives up: the last of 3 falls within 10 s, where 2 are allowed, "
                  "is that of ") == 2);
  CHECK(log.count("leader 'shift' crashed and is restarted") == 1);
  CHECK(log.count("chief crashed and is stopped") == 1);
}

TEST_CASE("delays grow with each fall, up to a limit, and begin anew after a quiet time") {
  journal notes;
  failure_log log;
  auto body = [&]() -> coro<> {
    const supervision rules{.max_restarts = 100,
                            .within = 1s,
                            .delay = {.first = 1s, .most = 5s, .factor = 2, .jitter = 0}};
    auto boss = spawn<leader>(std::ref(notes), rules, std::vector<child_options>(2));
    const team workers = co_await boss.ask(refs_of{});
    const auto downtime = [&]() -> coro<duration> {
      workers[0].tell(fall{});
      const time_point before = loop::current()->time();
      co_await workers[0].ask(count_up{}, infinite);
      co_return loop::current()->time() - before;
    };
    for (const duration each : {1s, 2s, 4s, 5s, 5s}) {
      const duration took = co_await downtime();
      CHECK(took == each);
      // The others go on meanwhile.
      co_await workers[1].ask(count_up{});
    }
    co_await sleep(6s);
    const duration took = co_await downtime();
    CHECK(took == 1s);
    // Stopped while it waits for its restart.
    workers[0].tell(fall{});
    co_await settle();
    auto asked = workers[0].ask(count_up{});
    boss.tell(give{workers[0], {}});
    CHECK_THROWS_AS(co_await asked, actor_dead);
    const exit_reason why = co_await workers[0].stopped();
    CHECK(why.what() == exit_reason::kind::crashed);
  };
  testing::run(body(), &log);
  CHECK(log.count("is restarted in 4 s") == 1);
}

TEST_CASE("jitter spreads the delays") {
  failure_log log;
  journal notes;
  auto body = [&notes]() -> coro<> {
    const supervision rules{.max_restarts = 100,
                            .within = 1s,
                            .delay = {.first = 1s, .most = 1s, .factor = 1, .jitter = 0.5}};
    auto boss = spawn<leader>(std::ref(notes), rules, std::vector<child_options>(1));
    const team workers = co_await boss.ask(refs_of{});
    duration least = 1h;
    duration most{};
    for (int times = 0; times < 20; ++times) {
      const time_point before = loop::current()->time();
      workers[0].tell(fall{});
      co_await workers[0].ask(count_up{});
      const duration took = loop::current()->time() - before;
      least = std::min(least, took);
      most = std::max(most, took);
    }
    CHECK(least >= 500ms);
    CHECK(least < 800ms);
    CHECK(most > 1200ms);
    CHECK(most <= 1500ms);
  };
  testing::run(body(), &log);
}

TEST_CASE("a child that cannot be constructed again falls again, until its supervisor gives up") {
  struct fuse {
    int starts = 0;
    int good = 1;
  };
  class fragile : public actor<protocol<fall>> {
   public:
    explicit fragile(fuse& of) {
      if (++of.starts > of.good) throw std::runtime_error("blown");
    }
    void on(fall) { throw std::runtime_error("no rope"); }
  };
  class boss : public actor<protocol<fall>> {
   public:
    explicit boss(fuse& of) : child_(supervise<fragile>({}, std::ref(of))) {}
    void on(fall) { child_.tell(fall{}); }

   private:
    actor_ref<protocol<fall>> child_;
  };
  failure_log log;
  fuse wire;
  auto body = [&]() -> coro<> {
    auto made = spawn<boss>(std::ref(wire));
    made.tell(fall{});
    const exit_reason why = co_await made.stopped();
    CHECK(why.what() == exit_reason::kind::crashed);
    CHECK(wire.starts == 4);  // and three attempts to start it again
    // At the very first start it is the spawner's error, as ever.
    CHECK_THROWS_AS(spawn<boss>(std::ref(wire)), std::runtime_error);
  };
  testing::run(body(), &log);
  CHECK(log.count("blown") == 3);
}

TEST_CASE(
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

TEST_CASE("a child that does not stop in time is killed, for a restart and at the end") {
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

TEST_CASE("a coroutine is supervised like an actor") {
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

TEST_CASE("an actor whose task fails can crash by it") {
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

TEST_CASE("a child is stopped for good by its supervisor, and restarted by hand without a count") {
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
