// Messages that overtake each other, or find another actor than they were meant for: full, not ready, between two states.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/delegate.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/lock.hpp>
#include <troupe/runtime/sleep.hpp>

#include "bugs/bug.hpp"

#include <chrono>
#include <deque>
#include <set>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing::bugs;
using namespace std::chrono_literals;

namespace {

/// Two are asked for what they have, and what is under way between them is counted by neither.
namespace torn_snapshot {

struct transfer {
  int cents;
};
struct marker {  // goes the way of the money, behind it
  int cents;     // what its sender had when it was sent
};
using receiving = protocol<transfer, marker>;
struct balance {
  using reply = int;
};
struct total {
  using reply = int;
};

class wire : public actor<receiving> {
 public:
  explicit wire(actor_ref<receiving> to) : to_(std::move(to)) {}
  void on(transfer t) { to_.tell(t); }
  void on(marker m) { to_.tell(m); }

 private:
  actor_ref<receiving> to_;
};

class payer : public actor<protocol<transfer, marker, balance>> {
 public:
  explicit payer(actor_ref<receiving> to) : to_(std::move(to)) {}
  void on(transfer t) {
    cents_ -= t.cents;
    to_.tell(t);
  }
  void on(marker) { to_.tell(marker{cents_}); }
  int on(balance) { return cents_; }

 private:
  actor_ref<receiving> to_;
  int cents_ = 100;
};

class payee : public actor<protocol<transfer, marker, balance, total>> {
 public:
  void on(transfer t) { cents_ += t.cents; }
  void on(marker m) { auditor_.answer(cents_ + m.cents); }
  int on(balance) { return cents_; }
  void on(total, reply_to<int> auditor) { auditor_ = std::move(auditor); }

 private:
  int cents_ = 0;
  reply_to<int> auditor_;
};

coro<> run(bool planted) {
  auto to = spawn<payee>();
  auto from = spawn<payer>(spawn<wire>(to));
  auto pay = [&]() -> coro<> {
    for (int i = 0; i < 2; ++i) {
      from.tell(transfer{10});
      co_await give_way(4);
    }
  };
  int sum = 0;
  auto audit = [&]() -> coro<> {
    co_await give_way(12);
    if (planted) {
      sum = co_await from.ask(balance{});
      sum += co_await to.ask(balance{});
    } else {
      auto all = to.ask(total{});
      from.tell(marker{});
      sum = co_await all;
    }
  };
  co_await gather(pay(), audit());
  require(sum == 100, "a snapshot misses what is under way");
}

TROUPE_BUG("a snapshot of two misses what is under way between them", run)

}  // namespace torn_snapshot

/// The notice of a file takes another way than the file, and is there first.
namespace overtaken {

struct file {
  using reply = bool;  // it is stored
  int number;
};
struct fetch {
  using reply = bool;  // whether it is there
  int number;
};
struct notice {
  int number;
};
struct upload {
  int number;
};
using storing = protocol<file>;
using serving = protocol<file, fetch>;

class store : public actor<serving> {
 public:
  bool on(file f) { return files_.insert(f.number).second; }
  bool on(fetch f) { return files_.contains(f.number); }

 private:
  std::set<int> files_;
};

class uplink : public actor<storing> {
 public:
  explicit uplink(actor_ref<serving> to) : to_(std::move(to)) {}
  void on(file f, reply_to<bool> client) { delegate(to_, f, std::move(client)); }

 private:
  actor_ref<serving> to_;
};

class reader : public actor<protocol<notice>> {
 public:
  explicit reader(actor_ref<serving> from) : from_(std::move(from)) {}
  coro<> on(notice n) {
    const bool there = co_await from_.ask(fetch{n.number});
    require(there, "a file was announced that was not there yet");
  }

 private:
  actor_ref<serving> from_;
};

class author : public actor<protocol<upload>> {
 public:
  author(actor_ref<storing> to, actor_ref<protocol<notice>> says_so, bool planted)
      : to_(std::move(to)), says_so_(std::move(says_so)), planted_(planted) {}
  coro<> on(upload u) {
    if (planted_) {
      to_.tell(file{u.number});
    } else {
      co_await to_.ask(file{u.number});
    }
    says_so_.tell(notice{u.number});
  }

 private:
  actor_ref<storing> to_;
  actor_ref<protocol<notice>> says_so_;
  bool planted_;
};

coro<> run(bool planted) {
  auto disk = spawn<store>();
  auto who = spawn<author>(spawn<uplink>(disk), spawn<reader>(disk), planted);
  for (int number = 1; number <= 2; ++number) who.tell(upload{number});
  co_await all_quiet();
}

TROUPE_BUG("a notice overtakes what it is about", run)

}  // namespace overtaken

/// What counts its users goes when one has let go of it and the next, to whom it was passed, has not said so yet.
namespace freed_early {

struct retain {};
struct release {};
struct use {};
using sharing = protocol<retain, release, use>;
struct take {};
struct work {};

class buffer : public actor<sharing> {
 public:
  void on(retain) { ++users_; }
  void on(release) {
    if (--users_ == 0) freed_ = true;
  }
  void on(use) { require(!freed_, "a buffer was used that had been freed"); }

 private:
  int users_ = 1;
  bool freed_ = false;
};

class second : public actor<protocol<take>> {
 public:
  second(actor_ref<sharing> what, bool planted) : what_(std::move(what)), planted_(planted) {}
  void on(take) {
    if (planted_) what_.tell(retain{});
    what_.tell(use{});
    what_.tell(release{});
  }

 private:
  actor_ref<sharing> what_;
  bool planted_;
};

class first : public actor<protocol<work, release>> {
 public:
  first(actor_ref<sharing> what, bool planted)
      : what_(what), next_(spawn<second>(what, planted)), planted_(planted) {}
  void on(work) {
    if (!planted_) what_.tell(retain{});  // for the one to whom it is passed
    next_.tell(take{});
    what_.tell(use{});
    self().tell(release{});  // with the next turn
  }
  void on(release) { what_.tell(release{}); }

 private:
  actor_ref<sharing> what_;
  actor_ref<protocol<take>> next_;
  bool planted_;
};

coro<> run(bool planted) {
  auto shared = spawn<buffer>();
  spawn<first>(shared, planted).tell(work{});
  co_await all_quiet();
}

TROUPE_BUG("a count of users is zero for a moment, and what it counts is freed", run)

}  // namespace freed_early

/// Several send at their own pace, which a mailbox with a bound takes most of the time.
namespace overflow_of_a_mailbox {

struct sample {};
struct seen {
  using reply = int;
};

class collector : public actor<protocol<sample, seen>> {
 public:
  static constexpr mailbox_options mailbox{.capacity = 3, .when_full = overflow::suspend};
  void on(sample) { ++seen_; }
  int on(seen) { return seen_; }

 private:
  int seen_ = 0;
};

coro<> run(bool planted) {
  auto all = spawn<collector>();
  auto measure = [&]() -> coro<> {
    for (int i = 0; i < 2; ++i) {
      if (planted) {
        all.tell(sample{});
      } else {
        co_await all.send(sample{});
      }
      co_await give_way(2);
    }
  };
  co_await gather(measure(), measure());
  const int count = co_await all.ask(seen{});
  require(count == 4, "a sample was lost for want of room");
}

TROUPE_BUG("a mailbox is full for one order of events, and a message is lost", run)

}  // namespace overflow_of_a_mailbox

/// One is written to while it is being opened.
namespace not_ready {

struct open {};
struct opened {};
struct line {};
struct lines {
  using reply = int;
};

class opener : public actor<protocol<open>> {
 public:
  explicit opener(actor_ref<protocol<opened>> what) : what_(std::move(what)) {}
  void on(open) {
    what_.tell(opened{});
    stop();
  }

 private:
  actor_ref<protocol<opened>> what_;
};

class journal : public actor<protocol<opened, line, lines>> {
 public:
  explicit journal(bool planted) : planted_(planted) {}
  void on(opened) {
    ready_ = true;
    unstash_all();
  }
  void on(line l) {
    if (!ready_ && !planted_) return stash(l);
    require(ready_, "a line was written to a journal that was not open");
    ++lines_;
  }
  int on(lines) { return lines_; }

 private:
  bool planted_;
  bool ready_ = false;
  int lines_ = 0;
};

coro<> run(bool planted) {
  auto book = spawn<journal>(planted);
  spawn<opener>(book).tell(open{});
  co_await give_way(3);
  book.tell(line{});
  co_await all_quiet();
  const int count = co_await book.ask(lines{});
  require(count == 1, "a line was lost");
}

TROUPE_BUG("one is written to before it is ready", run)

}  // namespace not_ready

}  // namespace
