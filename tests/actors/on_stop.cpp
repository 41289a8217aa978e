#include <troupe/actors/actor.hpp>

#include "actors/diarist.hpp"
#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::diary;

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

TROUPE_PROGRAM_TEST_CASE("the object is destroyed after a coroutine on_stop has ended") {
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

TROUPE_PROGRAM_TEST_CASE("a message that comes during on_stop is not handled") {
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

TROUPE_PROGRAM_TEST_CASE("an on_stop that throws is reported, and the actor ends all the same") {
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

TROUPE_PROGRAM_TEST_CASE(
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

TROUPE_PROGRAM_TEST_CASE("a child spawned in on_stop is stopped before the parent is destroyed") {
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

TROUPE_PROGRAM_TEST_CASE("on_stop may ask another actor") {
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
