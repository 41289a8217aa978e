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
      co_await give_way(2);
      corner.tell(goods{});
    }
  };
  auto evening = [&]() -> coro<> {
    co_await give_way(9);
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
      co_await give_way(2);
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
    co_await give_way(later);
    auto pending = when_registered<storing>("store");
    auto found = co_await pending;
    try {
      const opened mine = co_await found.ask(open{});
      co_await give_way(2);
      if ((found = whereis<storing>("store"))) co_await found.ask(write{mine, owner});
    } catch (const actor_dead&) {  // then nothing was written
    }
  };
  auto replace = [&]() -> coro<> {
    co_await give_way(12);
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
  actor_ref<listening> me;  // until the end: it is there whether it is told of anything or not
  auto take_part = [&]() -> coro<> {
    me = spawn<listener>(std::ref(heard));
    join mine{me};
    auto joined = all.ask(std::move(mine));
    co_await joined;
    co_await give_way(2);
    all.tell(spread{7});
  };
  auto renewed = [&]() -> coro<> {
    co_await give_way(16);
    all.tell(renew{});
  };
  co_await gather(take_part(), renewed());
  co_await all_quiet();
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
  co_await all_quiet();
  all.tell(renew{});
  co_await all_quiet();
  require(attached == incarnation, "one is attached to what has gone");
}

TROUPE_BUG("two that depend on each other begin again in the wrong order", run)

}  // namespace order_of_restarts

}  // namespace
