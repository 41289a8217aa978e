// Actors that are made, replaced, or ended for being idle, while others hold on to how it was.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/delegate.hpp>
#include <troupe/actors/registry.hpp>
#include <troupe/actors/supervise.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/sleep.hpp>

#include "bugs/bug.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing::bugs;
using namespace std::chrono_literals;

namespace {

/// Two look for a service, find none, and each starts it.
namespace two_of_one {

using empty = protocol<>;

class service : public actor<empty> {
 public:
  explicit service(int& made) { ++made; }
};

coro<> run(bool planted) {
  int made = 0;
  auto need = [&](int later) -> coro<> {
    co_await give_way(later);
    auto found = whereis<empty>("service");
    if (found) co_return;
    co_await give_way(1);  // reads what the service is to be like
    if (!planted && whereis<empty>("service")) co_return;
    found = spawn<service>(std::ref(made));
    if (!whereis<empty>("service")) register_name("service", found);
  };
  co_await gather(need(0), need(4));
  require(made == 1, "what there is to be one of was started twice");
}

TROUPE_BUG("two start what there is to be one of", run)

}  // namespace two_of_one

/// A worker says that it has nothing to do while a job is on its way to it, and is stopped.
namespace idle_too_soon {

struct job {};
using working = protocol<job>;
struct idle {
  int done;  // jobs, since it was started
};
using managing = protocol<job, idle>;

class worker : public actor<working> {
 public:
  worker(actor_ref<managing> boss, int& done) : boss_(std::move(boss)), all_(done) {}
  void on(job) {
    ++all_;
    boss_.tell(idle{++done_});
  }

 private:
  actor_ref<managing> boss_;
  int& all_;
  int done_ = 0;
};

class manager : public actor<managing> {
 public:
  manager(int& done, bool planted) : done_(done), planted_(planted) {}
  void on(job j) {
    if (!worker_) {
      worker_ = spawn<worker>(self(), std::ref(done_));
      given_ = 0;
    }
    ++given_;
    worker_.tell(j);
  }
  void on(idle i) {
    if (!worker_ || (!planted_ && i.done != given_)) return;
    worker_.stop();
    worker_ = {};
  }

 private:
  int& done_;
  bool planted_;
  actor_ref<working> worker_;
  int given_ = 0;
};

coro<> run(bool planted) {
  int done = 0;
  auto boss = spawn<manager>(std::ref(done), planted);
  for (int i = 0; i < 3; ++i) {
    boss.tell(job{});
    co_await give_way(4);
  }
  co_await all_quiet();
  require(done == 3, "a job went to a worker that was stopped as idle");
}

TROUPE_BUG("one is stopped as idle while something is on its way to it", run)

}  // namespace idle_too_soon

/// A time-out was cancelled too late: its message is in the mailbox by then.
namespace cancelled_timer {

struct touch {
  using reply = bool;  // whether the session was open
};
struct expired {
  int generation;
};

class session : public actor<protocol<touch, expired>> {
 public:
  explicit session(bool planted) : planted_(planted) {}
  bool on(touch) {
    if (!open_) return false;
    if (timer_) timer_->cancel();
    touched_ = loop::current()->time();
    timer_.emplace(create_task(expire(++generation_)));
    return true;
  }
  void on(expired e) {
    if (!planted_ && e.generation != generation_) return;
    const duration unused = loop::current()->time() - touched_;
    require(unused >= 10ms, "a session was closed that had just been used");
    open_ = false;
  }

 private:
  coro<> expire(int generation) {
    co_await sleep(10ms);
    self().tell(expired{generation});
  }
  bool planted_;
  bool open_ = true;
  int generation_ = 0;
  time_point touched_{};
  std::optional<task<>> timer_;
};

coro<> run(bool planted) {
  auto one = spawn<session>(planted);
  for (int i = 0; i < 3; ++i) {
    co_await one.ask(touch{});
    co_await sleep(10ms);
  }
  co_await all_quiet();
}

TROUPE_BUG("the message of a timer that was cancelled is handled", run)

}  // namespace cancelled_timer

/// One is replaced by another, and a ref of the first is still used.
namespace old_ref {

struct job {
  using reply = void;
};
using working = protocol<job>;
struct present {
  using reply = actor_ref<working>;
};
struct replace {};

class worker : public actor<working> {
 public:
  explicit worker(int& done) : done_(done) {}
  void on(job) { ++done_; }

 private:
  int& done_;
};

class agency : public actor<protocol<present, replace>> {
 public:
  explicit agency(int& done) : done_(done), worker_(spawn<worker>(std::ref(done))) {}
  actor_ref<working> on(present) { return worker_; }
  void on(replace) {
    worker_.stop_when_drained(1s);
    worker_ = spawn<worker>(std::ref(done_));
  }

 private:
  int& done_;
  actor_ref<working> worker_;
};

coro<> run(bool planted) {
  int done = 0;
  auto office = spawn<agency>(std::ref(done));
  auto work = [&]() -> coro<> {
    for (bool taken = false; !taken;) {
      const auto who = co_await office.ask(present{});
      co_await give_way(1);
      if (planted) {
        who.tell(job{});
        co_return;
      }
      try {
        co_await who.ask(job{});
        taken = true;
      } catch (const actor_dead&) {  // the next one then
      }
    }
  };
  auto renew = [&]() -> coro<> {
    co_await give_way(8);
    office.tell(replace{});
  };
  co_await gather(work(), renew());
  co_await all_quiet();
  require(done == 1, "a job went to one that had been replaced");
}

TROUPE_BUG("the ref of one that was replaced is used", run)

}  // namespace old_ref

}  // namespace
