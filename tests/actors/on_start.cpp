// How actors start: on_start, and what a constructor sends and stops.
#include <troupe/actors/actor.hpp>

#include "actors/diarist.hpp"
#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <functional>
#include <stdexcept>
#include <string>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::diary;

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

TROUPE_PROGRAM_TEST_CASE("messages wait until a coroutine on_start has ended") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto starter = spawn<slow_starter>(std::ref(into));
    starter.tell(note{"told"});
    co_await sleep(2s);
  };
  testing::run(body(pages));
  CHECK(pages == journal{"starts", "started", "told"});
}

TROUPE_PROGRAM_TEST_CASE("an on_start that throws crashes the actor before any message") {
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

TROUPE_PROGRAM_TEST_CASE(
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

TROUPE_PROGRAM_TEST_CASE("an actor that stops itself in on_start handles no message") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    auto starter = spawn<stopping_starter>(std::ref(into));
    starter.tell(note{"told"});
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"on_start", "on_stop"});
}

TROUPE_PROGRAM_TEST_CASE("a stop cancels a coroutine on_start") {
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

TROUPE_PROGRAM_TEST_CASE("a message that an actor sends itself in its constructor is handled") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    const auto writer = spawn<constructed_with_mail>(std::ref(into));
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"from the constructor"});
}

TROUPE_PROGRAM_TEST_CASE(
    "messages that an actor sends itself while it starts come in the order they were sent") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    const auto writer = spawn<started_with_mail>(std::ref(into));
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"from the constructor", "from on_start"});
}

TROUPE_PROGRAM_TEST_CASE(
    "an actor that stops itself in its constructor neither starts nor handles a message") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    spawn<stopped_by_constructor>(std::ref(into));
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages.empty());
}
