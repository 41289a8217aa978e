// Actors that start, stop and begin again, and others that do not know it yet.
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

coro<> pauses(int turns) {
  for (int turn = 0; turn < turns; ++turn) co_await sleep(0s);
}

/// Time stands still while anything is ready, so after this nothing is.
coro<> settled() { co_await sleep(1s); }

/// A shop closes, and those who wait in it are never told.
namespace never_answered {

struct order {
  using reply = bool;  // whether it was served
};
struct goods {};
struct close {};
using selling = protocol<order, goods, close>;

class shop : public actor<selling> {
 public:
  explicit shop(bool planted) : planted_(planted) {}
  void on(order, reply_to<bool> client) { waiting_.push_back(std::move(client)); }
  void on(goods) {
    if (waiting_.empty()) return;
    waiting_.front().answer(true);
    waiting_.erase(waiting_.begin());
  }
  void on(close) {
    if (!planted_)
      for (auto& each : waiting_) each.answer(false);
    stop();
  }

 private:
  bool planted_;
  std::vector<reply_to<bool>> waiting_;
};

coro<> run(bool planted) {
  auto corner = spawn<shop>(planted);
  auto first = corner.ask(order{});
  auto second = corner.ask(order{});
  auto supply = [&]() -> coro<> {
    for (int i = 0; i < 2; ++i) {
      co_await pauses(2);
      corner.tell(goods{});
    }
  };
  auto evening = [&]() -> coro<> {
    co_await pauses(9);
    corner.tell(close{});
  };
  co_await gather(supply(), evening());
  co_await first;  // throws when nobody answers any more
  co_await second;
}

TROUPE_BUG("one stops with answers that it owes", run)

}  // namespace never_answered

/// What is queued for a writer goes with it.
namespace lost_at_the_end {

struct line {};

class writer : public actor<protocol<line>> {
 public:
  explicit writer(int& file) : file_(file) {}
  void on(line) { ++file_; }

 private:
  int& file_;
};

coro<> run(bool planted) {
  int file = 0;
  auto log = spawn<writer>(std::ref(file));
  auto work = [&]() -> coro<> {
    for (int i = 0; i < 2; ++i) {
      log.tell(line{});
      co_await pauses(2);
    }
  };
  co_await gather(work(), work());
  if (planted) {
    log.stop();
  } else {
    log.stop_when_drained(1s);
  }
  co_await log.stopped();
  require(file == 4, "what was queued for a writer was not written when it was stopped");
}

TROUPE_BUG("what is queued is lost at a shutdown", run)

}  // namespace lost_at_the_end

/// A name that is looked up twice may mean two different actors.
namespace name_taken_over {

struct opened {
  int store;
  int number;
};
struct open {
  using reply = opened;
};
struct write {
  using reply = bool;  // whether it was written
  opened to;
  int owner;
};
using storing = protocol<open, write>;

/// The files of all stores: who has written to each.
using files = std::vector<std::set<int>>;

class store : public actor<storing> {
 public:
  store(files& all, bool planted) : all_(all), planted_(planted), here_(all.size()) {
    all.emplace_back();
  }
  opened on(open) { return {static_cast<int>(here_), ++last_}; }
  bool on(write w) {
    if (!planted_ && w.to.store != static_cast<int>(here_)) return false;
    if (w.to.number == 1) all_[here_].insert(w.owner);
    return true;
  }

 private:
  files& all_;
  bool planted_;
  std::size_t here_;
  int last_ = 0;
};

coro<> run(bool planted) {
  files all;
  register_name("store", spawn<store>(std::ref(all), planted));
  auto use = [&](int owner, int later) -> coro<> {
    co_await pauses(later);
    auto pending = when_registered<storing>("store");
    auto found = co_await pending;
    try {
      const opened mine = co_await found.ask(open{});
      co_await pauses(2);
      if ((found = whereis<storing>("store"))) co_await found.ask(write{mine, owner});
    } catch (const actor_dead&) {  // then nothing was written
    }
  };
  auto replace = [&]() -> coro<> {
    co_await pauses(12);
    auto old = whereis<storing>("store");
    old.stop();
    co_await old.stopped();
    register_name("store", spawn<store>(std::ref(all), planted));
  };
  co_await gather(use(1, 0), use(2, 20), replace());
  for (const auto& owners : all) require(owners.size() < 2, "two wrote to the same file");
}

TROUPE_BUG("a name means another actor than before, with the same numbers", run)

}  // namespace name_taken_over

/// What others have told an actor is gone when it begins again, and nobody tells it anew.
namespace forgotten {

struct note {
  int number;
};
using listening = protocol<note>;
struct join {
  using reply = void;
  actor_ref<listening> who;
};
struct spread {
  int number;
};
struct renew {};
using listing = protocol<join, spread>;
using members = std::vector<actor_ref<listening>>;

class directory : public actor<listing> {
 public:
  directory(members& kept, bool planted) : kept_(kept), planted_(planted) {}
  void on(join j) { (planted_ ? own_ : kept_).push_back(std::move(j.who)); }
  void on(spread s) {
    for (const auto& each : planted_ ? own_ : kept_) each.tell(note{s.number});
  }

 private:
  members own_;
  members& kept_;  // by its parent, which stays
  bool planted_;
};

class club : public actor<protocol<join, spread, renew>> {
 public:
  explicit club(bool planted) : list_(supervise<directory>({}, std::ref(kept_), planted)) {}
  void on(join j, reply_to<void> who) { delegate(list_, std::move(j), std::move(who)); }
  void on(spread s) { list_.tell(s); }
  void on(renew) { restart_child(list_); }

 private:
  members kept_;
  actor_ref<listing> list_;
};

class listener : public actor<listening> {
 public:
  explicit listener(int& heard) : heard_(heard) {}
  void on(note n) { heard_ += n.number; }

 private:
  int& heard_;
};

coro<> run(bool planted) {
  int heard = 0;
  auto all = spawn<club>(planted);
  auto take_part = [&]() -> coro<> {
    const auto me = spawn<listener>(std::ref(heard));
    join mine{me};
    auto joined = all.ask(std::move(mine));
    co_await joined;
    co_await pauses(2);
    all.tell(spread{7});
  };
  auto renewed = [&]() -> coro<> {
    co_await pauses(16);
    all.tell(renew{});
  };
  co_await gather(take_part(), renewed());
  co_await settled();
  require(heard == 7, "who had joined before a restart heard nothing");
}

TROUPE_BUG("what others rely on is gone with a restart", run)

}  // namespace forgotten

/// One that needs another is started before it, and finds the one that is about to go.
namespace order_of_restarts {

struct attach {
  using reply = int;  // the incarnation it is attached to
};
struct renew {};
struct renew_rest {};
using serving = protocol<attach>;

class base : public actor<serving> {
 public:
  explicit base(int& incarnation) : mine_(++incarnation) {}
  int on(attach) { return mine_; }

 private:
  int mine_;
};

class layer : public actor<protocol<>> {
 public:
  layer(actor_ref<serving> on_top_of, int& attached)
      : below_(std::move(on_top_of)), attached_(attached) {}
  coro<> on_start() { attached_ = co_await below_.ask(attach{}); }

 private:
  actor_ref<serving> below_;
  int& attached_;
};

class house : public actor<protocol<renew, renew_rest>> {
 public:
  house(int& incarnation, int& attached, bool planted)
      : base_(supervise<base>({}, std::ref(incarnation))),
        layer_(supervise<layer>({}, base_, std::ref(attached))),
        planted_(planted) {}
  void on(renew) {
    again(!planted_);
    self().tell(renew_rest{});
  }
  void on(renew_rest) { again(planted_); }

 private:
  void again(bool the_base) {
    if (the_base) {
      restart_child(base_);
    } else {
      restart_child(layer_);
    }
  }
  actor_ref<serving> base_;
  actor_ref<protocol<>> layer_;
  bool planted_;
};

coro<> run(bool planted) {
  int incarnation = 0;
  int attached = 0;
  auto all = spawn<house>(std::ref(incarnation), std::ref(attached), planted);
  co_await settled();
  all.tell(renew{});
  co_await settled();
  require(attached == incarnation, "one is attached to what has gone");
}

TROUPE_BUG("two that depend on each other begin again in the wrong order", run)

}  // namespace order_of_restarts

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
    co_await pauses(later);
    auto found = whereis<empty>("service");
    if (found) co_return;
    co_await pauses(1);  // reads what the service is to be like
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
    co_await pauses(4);
  }
  co_await settled();
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
  co_await settled();
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
      co_await pauses(1);
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
    co_await pauses(8);
    office.tell(replace{});
  };
  co_await gather(work(), renew());
  co_await settled();
  require(done == 1, "a job went to one that had been replaced");
}

TROUPE_BUG("the ref of one that was replaced is used", run)

}  // namespace old_ref

}  // namespace
