#include <troupe/actors/actor.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct note {
  std::string text;
};
struct count {
  using reply = int;
};
struct linger {  // a coroutine handler that waits
  duration time;
};
struct crash {};
struct end {};
using diary_protocol = protocol<note, count, linger, crash, end>;

/// Writes down what happens to it.
class diarist : public actor<diary_protocol> {
 public:
  explicit diarist(journal& pages) : pages_(pages) { pages_.push_back("constructed"); }
  ~diarist() { pages_.push_back("destroyed"); }

  void on_start() { pages_.push_back("on_start"); }
  void on_stop() { pages_.push_back("on_stop"); }
  void on(note n) { pages_.push_back(n.text); }
  int on(count) { return static_cast<int>(pages_.size()); }
  coro<> on(linger l) {
    pages_.push_back("lingers");
    try {
      co_await sleep(l.time);
    } catch (const cancelled&) {
      pages_.push_back("cancelled");
      throw;
    }
    pages_.push_back("lingered");
  }
  void on(crash) { throw std::runtime_error("boom"); }
  void on(end) { stop(); }

 private:
  journal& pages_;
};

}  // namespace

TEST_CASE("an actor is constructed, started, sent messages, stopped and destroyed in this order") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    actor_ref<diary_protocol> writer = spawn<diarist>(std::ref(into));
    writer.tell(note{"first"});
    writer.tell(note{"second"});
    writer.tell(end{});
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"constructed", "on_start", "first", "second", "on_stop", "destroyed"});
}

TEST_CASE("the constructor has run when spawn returns, and on_start has not") {
  journal pages;
  auto body = [](journal& into) -> coro<journal> {
    spawn<diarist>(std::ref(into));
    co_return into;
  };
  CHECK(testing::run(body(pages)) == journal{"constructed"});
}

TEST_CASE("an actor lives on when its last ref is gone") {
  journal pages;
  auto body = [](journal& into) -> coro<journal> {
    spawn<diarist>(std::ref(into)).tell(note{"told"});
    co_await settle();
    co_return into;
  };
  CHECK(testing::run(body(pages)) == journal{"constructed", "on_start", "told"});
}

TEST_CASE("an actor that nobody stops is stopped when the runtime ends") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    spawn<diarist>(std::ref(into));
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"constructed", "on_start", "on_stop", "destroyed"});
}

// --- on_start ----------------------------------------------------------------------------------------------------------

namespace {

class slow_starter : public actor<protocol<note>> {
 public:
  explicit slow_starter(journal& pages) : pages_(pages) {}
  coro<> on_start() {
    pages_.push_back("starts");
    co_await sleep(1s);
    pages_.push_back("started");
  }
  void on(note n) { pages_.push_back(n.text); }

 private:
  journal& pages_;
};

class failing_starter : public actor<protocol<note, count>> {
 public:
  failing_starter(journal& pages, bool at_once) : pages_(pages), at_once_(at_once) {}
  coro<> on_start() {
    if (!at_once_) co_await sleep(1s);
    throw std::runtime_error("cannot start");
  }
  void on(note n) { pages_.push_back(n.text); }
  int on(count) { return 1; }

 private:
  journal& pages_;
  bool at_once_;
};

class throwing_starter : public actor<protocol<note, count>> {
 public:
  void on_start() { throw std::runtime_error("cannot start"); }
  void on(note) {}
  int on(count) { return 1; }
};

class stopping_starter : public actor<protocol<note>> {
 public:
  explicit stopping_starter(journal& pages) : pages_(pages) {}
  void on_start() {
    pages_.push_back("on_start");
    stop();
  }
  void on_stop() { pages_.push_back("on_stop"); }
  void on(note n) { pages_.push_back(n.text); }

 private:
  journal& pages_;
};

}  // namespace

TEST_CASE("messages wait until a coroutine on_start has ended") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto starter = spawn<slow_starter>(std::ref(into));
    starter.tell(note{"told"});
    co_await sleep(2s);
  };
  testing::run(body(pages));
  CHECK(pages == journal{"starts", "started", "told"});
}

TEST_CASE("an on_start that throws crashes the actor before any message") {
  failure_log log;
  auto body = []() -> coro<std::string> {
    auto starter = spawn<throwing_starter>();
    std::string how = co_await ending(starter.ask(count{}));
    co_return how;
  };
  const std::string how = testing::run(body(), &log);
  CHECK(starts_with(how, "dead: "));
  CHECK(log.count("cannot start") == 1);
}

TEST_CASE(
    "a coroutine on_start that throws at once or later crashes the actor before any message") {
  for (const bool at_once : {true, false}) {
    failure_log log;
    journal pages;
    auto body = [](journal& into, bool soon) -> coro<std::string> {
      auto starter = spawn<failing_starter>(std::ref(into), soon);
      starter.tell(note{"told"});
      std::string how = co_await ending(starter.ask(count{}));
      co_return how;
    };
    const std::string how = testing::run(body(pages, at_once), &log);
    CHECK(starts_with(how, "dead: "));
    CHECK(pages.empty());
    CHECK(log.count("cannot start") == 1);
  }
}

TEST_CASE("an actor that stops itself in on_start handles no message") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto starter = spawn<stopping_starter>(std::ref(into));
    starter.tell(note{"told"});
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"on_start", "on_stop"});
}

TEST_CASE("a stop cancels a coroutine on_start") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto starter = spawn<slow_starter>(std::ref(into));
    co_await settle();
    starter.stop();
    co_await sleep(5s);
  };
  testing::run(body(pages));
  CHECK(pages == journal{"starts"});
}

namespace {

class constructed_with_mail : public actor<protocol<note>> {
 public:
  explicit constructed_with_mail(journal& pages) : pages_(pages) {
    self().tell(note{"from the constructor"});
  }
  void on(note n) { pages_.push_back(n.text); }

 private:
  journal& pages_;
};

class started_with_mail : public actor<protocol<note>> {
 public:
  explicit started_with_mail(journal& pages) : pages_(pages) {
    self().tell(note{"from the constructor"});
  }
  void on_start() { self().tell(note{"from on_start"}); }
  void on(note n) { pages_.push_back(n.text); }

 private:
  journal& pages_;
};

class stopped_by_constructor : public actor<protocol<note>> {
 public:
  explicit stopped_by_constructor(journal& pages) : pages_(pages) {
    self().tell(note{"from the constructor"});
    stop();
  }
  void on_start() { pages_.push_back("on_start"); }
  void on(note n) { pages_.push_back(n.text); }

 private:
  journal& pages_;
};

}  // namespace

TEST_CASE("a message that an actor sends itself in its constructor is handled") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    spawn<constructed_with_mail>(std::ref(into));
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"from the constructor"});
}

TEST_CASE("messages that an actor sends itself while it starts come in the order they were sent") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    spawn<started_with_mail>(std::ref(into));
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"from the constructor", "from on_start"});
}

TEST_CASE("an actor that stops itself in its constructor neither starts nor handles a message") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    spawn<stopped_by_constructor>(std::ref(into));
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages.empty());
}

// --- on_stop -----------------------------------------------------------------------------------------------------------

namespace {

class slow_stopper : public actor<protocol<note>> {
 public:
  explicit slow_stopper(journal& pages) : pages_(pages) {}
  ~slow_stopper() { pages_.push_back("destroyed"); }
  void on(note n) { pages_.push_back(n.text); }
  coro<> on_stop() {
    pages_.push_back("stops");
    co_await sleep(1s);
    pages_.push_back("stopped");
  }

 private:
  journal& pages_;
};

class throwing_stopper : public actor<protocol<note>> {
 public:
  throwing_stopper(journal& pages, int how) : pages_(pages), how_(how) {}
  ~throwing_stopper() { pages_.push_back("destroyed"); }
  void on(note) {}
  coro<> on_stop() {
    if (how_ == 1) co_await sleep(1s);
    throw std::runtime_error("cannot stop");
  }

 private:
  journal& pages_;
  int how_;
};

class plainly_throwing_stopper : public actor<protocol<note>> {
 public:
  explicit plainly_throwing_stopper(journal& pages) : pages_(pages) {}
  ~plainly_throwing_stopper() { pages_.push_back("destroyed"); }
  void on(note) {}
  void on_stop() { throw std::runtime_error("cannot stop"); }

 private:
  journal& pages_;
};

class spawning_stopper : public actor<protocol<note>> {
 public:
  explicit spawning_stopper(journal& pages) : pages_(pages) {}
  ~spawning_stopper() { pages_.push_back("parent destroyed"); }
  void on(note) {}
  void on_stop() {
    pages_.push_back("parent on_stop");
    spawn<diarist>(std::ref(pages_)).tell(note{"child told"});
  }

 private:
  journal& pages_;
};

class asking_stopper : public actor<protocol<note>> {
 public:
  asking_stopper(journal& pages, actor_ref<protocol<count>> other)
      : pages_(pages), other_(std::move(other)) {}
  void on(note) {}
  coro<> on_stop() {
    const std::string how = co_await ending(other_.ask(count{}));
    pages_.push_back(how);
  }

 private:
  journal& pages_;
  actor_ref<protocol<count>> other_;
};

class tasking_stopper : public actor<protocol<note>> {
 public:
  explicit tasking_stopper(journal& pages) : pages_(pages) {}
  ~tasking_stopper() { pages_.push_back("destroyed"); }
  void on(note) {}
  coro<> on_stop() {
    create_task(waits());
    co_await sleep(0s);
  }
  coro<> waits() {
    pages_.push_back("task");
    try {
      co_await sleep(1h);
    } catch (const cancelled&) {
      pages_.push_back("task cancelled");
      throw;
    }
  }

 private:
  journal& pages_;
};

}  // namespace

TEST_CASE("the object is destroyed after a coroutine on_stop has ended") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto stopper = spawn<slow_stopper>(std::ref(into));
    stopper.tell(note{"told"});
    co_await settle();
    stopper.stop();
    co_await sleep(5s);
  };
  testing::run(body(pages));
  CHECK(pages == journal{"told", "stops", "stopped", "destroyed"});
}

TEST_CASE("the runtime waits for a coroutine on_stop") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    spawn<slow_stopper>(std::ref(into));
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"stops", "stopped", "destroyed"});
}

TEST_CASE("the runtime cancels an on_stop that takes longer than its shutdown may take") {
  struct endless_stopper : actor<protocol<note>> {
    explicit endless_stopper(journal& given) : pages(given) {}
    ~endless_stopper() { pages.push_back("destroyed"); }
    void on(note) {}
    coro<> on_stop() {
      try {
        co_await sleep(infinite);
      } catch (const cancelled&) {
        pages.push_back("cancelled");
        throw;
      }
    }
    journal& pages;
  };
  struct parent : actor<protocol<note>> {
    explicit parent(journal& pages) { spawn<endless_stopper>(std::ref(pages)); }
    void on(note) {}
  };
  journal pages;
  auto body = [](journal& into) -> coro<> {
    spawn<endless_stopper>(std::ref(into));
    spawn<parent>(std::ref(into));
    co_return;
  };
  testing::run(body(pages));
  CHECK(pages == journal{"cancelled", "destroyed", "cancelled", "destroyed"});
}

TEST_CASE("a message that comes during on_stop is not handled") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto stopper = spawn<slow_stopper>(std::ref(into));
    co_await settle();
    stopper.stop();
    co_await settle();
    stopper.tell(note{"late"});
    co_await sleep(5s);
  };
  testing::run(body(pages));
  CHECK(pages == journal{"stops", "stopped", "destroyed"});
}

TEST_CASE("an on_stop that throws is reported, and the actor ends all the same") {
  failure_log log;
  journal pages;
  auto body = [](journal& into) -> coro<> {
    spawn<plainly_throwing_stopper>(std::ref(into)).stop();
    co_await settle();
  };
  testing::run(body(pages), &log);
  CHECK(pages == journal{"destroyed"});
  CHECK(log.count("cannot stop") == 1);
}

TEST_CASE(
    "a coroutine on_stop that throws at once or later is reported, and the actor ends all the "
    "same") {
  for (const int how : {0, 1}) {
    failure_log log;
    journal pages;
    auto body = [](journal& into, int when) -> coro<> {
      spawn<throwing_stopper>(std::ref(into), when).stop();
      co_await sleep(5s);
    };
    testing::run(body(pages, how), &log);
    CHECK(pages == journal{"destroyed"});
    CHECK(log.count("cannot stop") == 1);
  }
}

TEST_CASE("a child spawned in on_stop is stopped before the parent is destroyed") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    spawn<spawning_stopper>(std::ref(into)).stop();
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages.front() == "parent on_stop");
  CHECK(pages.back() == "parent destroyed");
  CHECK(pages[pages.size() - 2] == "destroyed");
}

TEST_CASE("a task created in on_stop is cancelled before the actor is destroyed") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    spawn<tasking_stopper>(std::ref(into)).stop();
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"task", "task cancelled", "destroyed"});
}

TEST_CASE("on_stop may ask another actor") {
  journal pages;
  journal other_pages;
  auto body = [](journal& into, journal& other) -> coro<> {
    auto asked = spawn<diarist>(std::ref(other));
    spawn<asking_stopper>(std::ref(into), asked).stop();
    co_await settle();
  };
  testing::run(body(pages, other_pages));
  CHECK(pages == journal{"2"});
}

TEST_CASE("on_stop may ask an actor that was started before it, while the runtime ends") {
  journal pages;
  journal other_pages;
  auto body = [](journal& into, journal& other) -> coro<> {
    auto asked = spawn<diarist>(std::ref(other));
    spawn<asking_stopper>(std::ref(into), asked);
    co_await settle();
  };
  testing::run(body(pages, other_pages));
  CHECK(pages == journal{"2"});
}

// --- stop --------------------------------------------------------------------------------------------------------------

TEST_CASE("a stop drops the messages that are queued") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto writer = spawn<diarist>(std::ref(into));
    co_await settle();
    writer.tell(note{"queued"});
    writer.stop();
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"constructed", "on_start", "on_stop", "destroyed"});
}

TEST_CASE("an actor that stops itself finishes the handler and leaves the rest") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto writer = spawn<diarist>(std::ref(into));
    writer.tell(end{});
    writer.tell(note{"after the end"});
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"constructed", "on_start", "on_stop", "destroyed"});
}

TEST_CASE("a second stop does nothing") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto writer = spawn<diarist>(std::ref(into));
    co_await settle();
    writer.stop();
    writer.stop();
    co_await settle();
    writer.stop();
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"constructed", "on_start", "on_stop", "destroyed"});
}

TEST_CASE("a stop cancels a coroutine handler") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto writer = spawn<diarist>(std::ref(into));
    writer.tell(linger{1h});
    co_await settle();
    writer.stop();
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages ==
        journal{"constructed", "on_start", "lingers", "cancelled", "on_stop", "destroyed"});
}

namespace {

struct persist {
  using reply = int;
};

/// Swallows every cancellation it can.
class stubborn : public actor<protocol<persist>> {
 public:
  explicit stubborn(journal& pages) : pages_(pages) {}
  ~stubborn() { pages_.push_back("destroyed"); }
  coro<int> on(persist) {
    int swallowed = 0;
    for (; swallowed < 3; ++swallowed) {
      try {
        co_await sleep(1h);
      } catch (...) {
        pages_.push_back("swallowed");
      }
    }
    co_return swallowed;
  }

 private:
  journal& pages_;
};

}  // namespace

TEST_CASE(
    "a coroutine handler that swallows its cancellation is cancelled again at every further "
    "await") {
  journal pages;
  auto body = [](journal& into) -> coro<std::string> {
    auto asked = spawn<stubborn>(std::ref(into));
    auto answer = asked.ask(persist{}, infinite);
    co_await settle();
    asked.stop();
    std::string how = co_await ending(std::move(answer));
    co_return how;
  };
  // What it returns all the same is its answer.
  CHECK(testing::run(body(pages)) == "3");
  CHECK(pages == journal{"swallowed", "swallowed", "swallowed", "destroyed"});
}

namespace {

struct finish_first {
  using reply = int;
};

class stops_in_coroutine : public actor<protocol<finish_first>> {
 public:
  coro<int> on(finish_first) {
    stop();
    co_return 7;
  }
};

class stops_in_plain : public actor<protocol<finish_first>> {
 public:
  int on(finish_first) {
    stop();
    return 7;
  }
};

}  // namespace

TEST_CASE("a handler that stops its actor still answers") {
  auto body = []() -> coro<std::string> {
    auto plain = spawn<stops_in_plain>();
    auto coroutine = spawn<stops_in_coroutine>();
    const std::string first = co_await ending(plain.ask(finish_first{}));
    const std::string second = co_await ending(coroutine.ask(finish_first{}));
    co_return first + second;
  };
  CHECK(testing::run(body()) == "77");
}

// --- crash -------------------------------------------------------------------------------------------------------------

TEST_CASE(
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

TEST_CASE("a crash does not touch other actors") {
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

TEST_CASE("an actor that throws something else than an exception crashes as well") {
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

TEST_CASE(
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

// --- tasks of an actor -------------------------------------------------------------------------------------------------

namespace {

struct begin_task {};

class worker : public actor<protocol<begin_task, note>> {
 public:
  explicit worker(journal& pages) : pages_(pages) {}
  void on(begin_task) { create_task(works()); }
  void on(note n) { pages_.push_back(n.text); }
  void on_stop() { pages_.push_back("on_stop"); }

 private:
  coro<> works() {
    pages_.push_back("works");
    try {
      co_await sleep(1h);
    } catch (const cancelled&) {
      pages_.push_back("interrupted");
      throw;
    }
  }
  journal& pages_;
};

}  // namespace

TEST_CASE("messages are handled while a task of the actor waits") {
  journal pages;
  auto body = [](journal& into) -> coro<journal> {
    auto busy = spawn<worker>(std::ref(into));
    busy.tell(begin_task{});
    co_await settle();
    busy.tell(note{"told"});
    co_await settle();
    co_return into;
  };
  CHECK(testing::run(body(pages)) == journal{"works", "told"});
}

TEST_CASE("a stop cancels the actor's tasks before on_stop") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto busy = spawn<worker>(std::ref(into));
    busy.tell(begin_task{});
    busy.tell(begin_task{});
    co_await settle();
    busy.stop();
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"works", "works", "interrupted", "interrupted", "on_stop"});
}

TEST_CASE("a task of an actor that fails is reported, and the actor lives on") {
  struct careless : actor<protocol<count>> {
    int on(count) {
      create_task(fails(), {.name = "careless task"});
      return 1;
    }
    coro<> fails() {
      co_await sleep(0s);
      throw std::runtime_error("dropped");
    }
  };
  failure_log log;
  auto body = []() -> coro<int> {
    auto lives = spawn<careless>();
    co_await lives.ask(count{});
    co_await settle();
    const int one = co_await lives.ask(count{});
    co_await settle();
    co_return one;
  };
  CHECK(testing::run(body(), &log) == 1);
  CHECK(log.count("task 'careless task' failed") == 2);
}

// --- the object's end --------------------------------------------------------------------------------------------------

TEST_CASE("an actor may keep and pass on refs of itself while it is destroyed") {
  struct lingering : actor<protocol<note>> {
    explicit lingering(std::optional<actor_ref<protocol<note>>>& given) : kept(given) {}
    ~lingering() {
      self().tell(note{"to the dead"});
      stop();
      kept = self();
    }
    void on(note) {}
    std::optional<actor_ref<protocol<note>>>& kept;
  };
  std::optional<actor_ref<protocol<note>>> kept;
  auto body = [](std::optional<actor_ref<protocol<note>>>& into) -> coro<> {
    spawn<lingering>(std::ref(into)).stop();
    co_await settle();
  };
  testing::run(body(kept));
  REQUIRE(kept.has_value());
  kept->tell(note{"later"});
}

namespace {

/// Runs `body` in a process of its own and says whether it ended by `expects`.
template <class Body>
bool ends_the_process(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);
    std::freopen("/dev/null", "w", stderr);
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

template <class A>
coro<> spawn_and_stop() {
  spawn<A>().stop();
  co_await settle();
}

struct spawns_at_its_end : actor<protocol<>> {
  ~spawns_at_its_end() { spawn<stops_in_plain>(); }
};
struct works_at_its_end : actor<protocol<>> {
  ~works_at_its_end() { create_task(settle()); }
};

}  // namespace

TEST_CASE("spawning a child or creating a task in the destructor of an actor ends the process") {
  CHECK(ends_the_process([] { testing::run(spawn_and_stop<spawns_at_its_end>()); }));
  CHECK(ends_the_process([] { testing::run(spawn_and_stop<works_at_its_end>()); }));
}

TEST_CASE("constructing an actor without spawn ends the process") {
  CHECK(ends_the_process([] { stops_in_plain lonely; }));
}

TEST_CASE("messages left behind are destroyed with the actor") {
  struct parcel {
    counted content;
  };
  struct keeper : actor<protocol<parcel>> {
    coro<> on(parcel) { co_await sleep(1h); }
  };
  int alive = 0;
  auto body = [](int& count_of) -> coro<int> {
    auto kept = spawn<keeper>();
    for (int index = 0; index < 5; ++index) kept.tell(parcel{counted(count_of)});
    co_await settle();
    const int queued = count_of;
    kept.stop();
    co_await settle();
    co_return queued;
  };
  const int queued = testing::run(body(alive));
  // The one in hand is in its envelope and in the coroutine's frame.
  CHECK(queued == 6);
  CHECK(alive == 0);
}
