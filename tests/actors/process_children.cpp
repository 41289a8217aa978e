// Processes that supervise: the same rules as for classes of actors.
#include <troupe/actors/process.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace households {

struct fall {};
struct count_up {
  using reply = int;
};
using working = protocol<fall, count_up>;

class worker : public actor<working> {
 public:
  worker(journal& into, std::string name) : into_(into), name_(std::move(name)) {
    into_.push_back("+" + name_);
  }
  ~worker() { into_.push_back("-" + name_); }
  void on(fall) { throw std::runtime_error("no rope"); }
  int on(count_up) { return ++count_; }

 private:
  journal& into_;
  std::string name_;
  int count_ = 0;
};

struct stop_it {};
struct restart_it {};
struct crash {};
using leading = protocol<stop_it, restart_it, crash>;
using leading_box = mailbox<stop_it, restart_it, crash>;

coro<> working_process(mailbox<fall>& inbox, journal& into) {
  into.push_back("+process");
  static_cast<void>(co_await inbox.receive());
  into.push_back("-process");
  throw std::runtime_error("no rope");
}

/// Supervises an actor, a process and a task.
coro<> leader(leading_box& inbox, journal& into, supervision rules, actor_ref<working>& first,
              actor_ref<protocol<fall>>& second) {
  inbox.supervise_as(rules);
  first = inbox.supervise<worker>({.name = "a"}, std::ref(into), std::string("a"));
  second = inbox.supervise({}, working_process, std::ref(into));
  int runs = 0;
  const any_actor third = inbox.supervise_task({}, [&into, &runs]() -> coro<> {
    into.push_back("+task " + std::to_string(++runs));
    co_await sleep(infinite);
  });
  try {
    for (;;) {
      auto got = co_await inbox.receive();
      if (std::get_if<stop_it>(&got) != nullptr) inbox.stop_child(first);
      if (std::get_if<restart_it>(&got) != nullptr) inbox.restart_child(third);
      if (std::get_if<crash>(&got) != nullptr) throw std::runtime_error("enough");
    }
  } catch (const cancelled&) {
    into.push_back("cancelled");
    throw;
  }
}

struct house {
  journal into;
  failure_log log;
  actor_ref<working> first;
  actor_ref<protocol<fall>> second;
};

template <class Scene>
void play(house& in, const supervision& rules, Scene scene) {
  auto body = [&]() -> coro<> {
    auto boss = spawn(leader, std::ref(in.into), rules, std::ref(in.first), std::ref(in.second));
    co_await settle();
    auto played = scene(boss);
    co_await std::move(played);
  };
  testing::run(body(), &in.log);
}

}  // namespace households

using namespace households;

TEST_CASE("a process supervises actors, processes and tasks") {
  house in;
  play(in, {.max_restarts = 10}, [&in](actor_ref<leading> boss) -> coro<> {
    CHECK(in.into == journal{"+a", "+process", "+task 1"});
    in.into.clear();
    in.first.tell(fall{});
    co_await settle();
    const int count = co_await in.first.ask(count_up{});
    CHECK(count == 1);
    in.second.tell(fall{});
    co_await settle();
    boss.tell(restart_it{});
    co_await settle();
    CHECK(in.into == journal{"-a", "+a", "-process", "+process", "+task 2"});
    in.into.clear();
    boss.tell(stop_it{});
    const exit_reason why = co_await in.first.stopped();
    CHECK(why.what() == exit_reason::kind::parent);
    boss.stop();
    co_await boss.stopped();
    CHECK(in.into == journal{"-a", "cancelled"});
  });
  CHECK(in.log.reports().size() == 2);
  CHECK(in.log.count("and is restarted") == 2);
}

TEST_CASE("a process restarts all of its children together where its rules say so") {
  house in;
  play(in, {.how = strategy::one_for_all}, [&in](actor_ref<leading>) -> coro<> {
    in.into.clear();
    in.second.tell(fall{});
    co_await settle();
    CHECK(in.into == journal{"-process", "-a", "+a", "+process", "+task 2"});
  });
}

TEST_CASE("a process whose children fall too often is cancelled and has crashed") {
  house in;
  play(in, {.max_restarts = 0}, [&in](actor_ref<leading> boss) -> coro<> {
    in.into.clear();
    auto ended = boss.stopped();
    in.first.tell(fall{});
    const exit_reason why = co_await ended;
    CHECK(why.what() == exit_reason::kind::crashed);
    CHECK_THROWS_AS(std::rethrow_exception(why.error()), restarts_exhausted);
    CHECK(in.into == journal{"-a", "cancelled"});
  });
}

TEST_CASE("a process that is restarted begins with new children") {
  class top : public actor<protocol<>> {
   public:
    explicit top(house& in) {
      supervise({}, leader, std::ref(in.into), supervision(), std::ref(in.first),
                std::ref(in.second));
    }
  };
  house in;
  auto body = [&]() -> coro<> {
    auto above = spawn<top>(std::ref(in));
    co_await settle();
    in.into.clear();
    const actor_ref<working> old = in.first;
    old.cell()->parent()->crash(std::make_exception_ptr(std::runtime_error("enough")));
    co_await sleep(1min);
    CHECK(in.into == journal{"cancelled", "-a", "+a", "+process", "+task 1"});
    CHECK(in.first != old);
    const exit_reason why = co_await old.stopped();
    CHECK(why.what() == exit_reason::kind::parent);
    const int count = co_await in.first.ask(count_up{});
    CHECK(count == 1);
  };
  testing::run(body(), &in.log);
}

TEST_CASE("a process supervises children on another loop") {
  std::atomic<int> restarts{0};
  auto body = [](std::atomic<int>& count) -> coro<> {
    struct falls : actor<protocol<fall>> {
      explicit falls(std::atomic<int>& given) { ++given; }
      void on(fall) { throw std::runtime_error("no rope"); }
    };
    auto boss = spawn(
        [](mailbox<fall>& inbox, std::atomic<int>& constructed) -> coro<> {
          inbox.supervise_as({.max_restarts = 100});
          auto child = inbox.supervise<falls>({.on = place::on(1)}, std::ref(constructed));
          for (;;) {
            const fall f = co_await inbox.receive();
            child.tell(f);
          }
        },
        std::ref(count));
    for (int times = 1; times < 20; ++times) {
      while (count != times) co_await sleep(0s);
      boss.tell(fall{});
    }
    while (count != 20) co_await sleep(0s);
    boss.stop();
    co_await boss.stopped();
  };
  run_on(2, body(restarts), [](const failure_report&) {});
  CHECK(restarts == 20);
}
