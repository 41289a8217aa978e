// Actors whose messages cross: what one of them sees of the state of another, and when.
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

/// Who gets no answer in time asks again, and both requests are carried out.
namespace paid_twice {

struct pay {
  using reply = int;  // what has been paid so far
  int order;
  int cents;
};
using paying = protocol<pay>;

class ledger : public actor<paying> {
 public:
  explicit ledger(bool planted) : planted_(planted) {}
  int on(pay p) {
    if (!planted_ && !known_.insert(p.order).second) return paid_;
    return paid_ += p.cents;
  }

 private:
  bool planted_;
  std::set<int> known_;
  int paid_ = 0;
};

class till : public actor<paying> {
 public:
  explicit till(actor_ref<paying> books) : books_(std::move(books)) {}
  void on(pay p, reply_to<int> client) { delegate(books_, p, std::move(client)); }

 private:
  actor_ref<paying> books_;
};

coro<> run(bool planted) {
  auto shop = spawn<till>(spawn<ledger>(planted));
  auto first = shop.ask(pay{1, 100});
  for (int patience = 6; patience > 0 && !first.done(); --patience) co_await give_way(1);
  int paid = 0;
  if (!first.done()) paid = co_await shop.ask(pay{1, 100});
  if (paid == 0) paid = co_await first;
  require(paid == 100, "an order of 100 cents was paid twice");
}

TROUPE_BUG("a retry without the number of its request is carried out twice", run)

}  // namespace paid_twice

/// Who has written and then reads from a replica finds what was there before.
namespace stale_read {

struct write {
  using reply = int;  // its version
  int value;
};
struct copied {
  int value;
  int version;
};
struct read {
  using reply = int;
  int at_least;  // the version that the reader knows of
};
using copying = protocol<copied>;

class replica : public actor<protocol<copied, read>> {
 public:
  explicit replica(bool planted) : planted_(planted) {}
  void on(copied c) {
    value_ = c.value;
    version_ = c.version;
    unstash_all();
  }
  void on(read r, reply_to<int> reader) {
    if (!planted_ && version_ < r.at_least) return stash(r, std::move(reader));
    reader.answer(value_);
  }

 private:
  bool planted_;
  int value_ = 0;
  int version_ = 0;
};

class wire : public actor<copying> {
 public:
  explicit wire(actor_ref<copying> to) : to_(std::move(to)) {}
  void on(copied c) { to_.tell(c); }

 private:
  actor_ref<copying> to_;
};

class primary : public actor<protocol<write>> {
 public:
  explicit primary(actor_ref<copying> to) : to_(std::move(to)) {}
  int on(write w) {
    to_.tell(copied{w.value, ++version_});
    return version_;
  }

 private:
  actor_ref<copying> to_;
  int version_ = 0;
};

coro<> run(bool planted) {
  auto near = spawn<replica>(planted);
  auto far = spawn<primary>(spawn<wire>(near));
  for (const int value : {17, 18}) {
    const int version = co_await far.ask(write{value});
    const int seen = co_await near.ask(read{version});
    require(seen == value, "a write was not seen by who had made it");
  }
}

TROUPE_BUG("a replica does not know yet what its reader has written", run)

}  // namespace stale_read

/// Two look at the sum of two accounts, which must not be overdrawn together, and each takes from another one.
namespace write_skew {

struct balance {
  using reply = int;
};
struct withdraw {
  using reply = int;
  int cents;
};
using banking = protocol<balance, withdraw>;

class account : public actor<banking> {
 public:
  int on(balance) { return cents_; }
  int on(withdraw w) { return cents_ -= w.cents; }

 private:
  int cents_ = 100;
};

coro<> run(bool planted) {
  const auto savings = spawn<account>();
  const auto current = spawn<account>();
  lock guard;
  auto take = [&](const actor_ref<banking>& from, int later) -> coro<> {
    co_await give_way(later);
    if (!planted) co_await guard.acquire();
    const int saved = co_await savings.ask(balance{});
    const int there = co_await current.ask(balance{});
    if (saved + there >= 150) co_await from.ask(withdraw{150});
    if (!planted) guard.release();
  };
  co_await gather(take(savings, 0), take(current, 20));
  const int saved = co_await savings.ask(balance{});
  const int there = co_await current.ask(balance{});
  require(saved + there >= 0, "the accounts are overdrawn together");
}

TROUPE_BUG("two accounts are overdrawn together, by a write skew", run)

}  // namespace write_skew

/// What was read from an actor by one ask is written back by another.
namespace lost_update {

struct get {
  using reply = int;
};
struct set {
  using reply = bool;  // whether it was as expected
  int from;
  int to;
};

class counter : public actor<protocol<get, set>> {
 public:
  explicit counter(bool planted) : planted_(planted) {}
  int on(get) { return count_; }
  bool on(set s) {
    if (!planted_ && s.from != count_) return false;
    count_ = s.to;
    return true;
  }

 private:
  bool planted_;
  int count_ = 0;
};

coro<> run(bool planted) {
  auto shared = spawn<counter>(planted);
  auto add = [&](int later) -> coro<> {
    co_await give_way(later);
    for (bool done = false; !done;) {
      const int before = co_await shared.ask(get{});
      done = co_await shared.ask(set{before, before + 1});
    }
  };
  co_await gather(add(0), add(16));
  const int count = co_await shared.ask(get{});
  require(count == 2, "an update was lost between two asks");
}

TROUPE_BUG("a value is set without a look at what it is by now", run)

}  // namespace lost_update

/// Two workers answer at their own pace, and answers are matched to questions by their order.
namespace by_order {

struct answered {
  int question;
  int square;
};
struct asked_for {
  int question;
  actor_ref<protocol<answered>> to;
};
struct question {
  using reply = int;
  int number;
};

class worker : public actor<protocol<asked_for>> {
 public:
  void on(asked_for a) { a.to.tell(answered{a.question, a.question * a.question}); }
};

class desk : public actor<protocol<question, answered>> {
 public:
  explicit desk(bool planted) : planted_(planted) {
    for (auto& each : workers_) each = spawn<worker>();
  }
  void on(question q, reply_to<int> client) {
    waiting_.push_back({q.number, std::move(client)});
    workers_[next_++ % 2].tell(asked_for{q.number, self()});
  }
  void on(answered a) {
    auto its = waiting_.begin();
    if (!planted_)
      while (its->number != a.question) ++its;
    its->client.answer(a.square);
    waiting_.erase(its);
  }

 private:
  struct open_question {
    int number;
    reply_to<int> client;
  };
  bool planted_;
  actor_ref<protocol<asked_for>> workers_[2];
  std::size_t next_ = 0;
  std::deque<open_question> waiting_;
};

coro<> run(bool planted) {
  auto office = spawn<desk>(planted);
  bool right = true;
  auto ask_for = [&](int number) -> coro<> {
    const int square = co_await office.ask(question{number});
    right = right && square == number * number;
  };
  co_await gather(ask_for(2), ask_for(3), ask_for(4));
  require(right, "somebody was given the answer to another question");
}

TROUPE_BUG("answers are matched to questions by their order", run)

}  // namespace by_order

/// One subscribes when what it was to hear has been said.
namespace subscribed_late {

struct news {
  int number;
};
using listening = protocol<news>;
struct subscribe {
  actor_ref<listening> who;
};
struct post {
  int number;
};
using posting = protocol<subscribe, post>;
struct go {};
struct heard {
  using reply = int;
};

class board : public actor<posting> {
 public:
  explicit board(bool planted) : planted_(planted) {}
  void on(subscribe s) {
    if (!planted_ && last_ != 0) s.who.tell(news{last_});
    all_.push_back(std::move(s.who));
  }
  void on(post p) {
    last_ = p.number;
    for (const auto& each : all_) each.tell(news{p.number});
  }

 private:
  bool planted_;
  int last_ = 0;
  std::vector<actor_ref<listening>> all_;
};

class listener : public actor<protocol<go, news, heard>> {
 public:
  explicit listener(actor_ref<posting> at) : at_(std::move(at)) {}
  void on(go) { at_.tell(subscribe{self()}); }
  void on(news n) { last_ = n.number; }
  int on(heard) { return last_; }

 private:
  actor_ref<posting> at_;
  int last_ = 0;
};

class speaker : public actor<protocol<go>> {
 public:
  explicit speaker(actor_ref<posting> at) : at_(std::move(at)) {}
  void on(go) { at_.tell(post{7}); }

 private:
  actor_ref<posting> at_;
};

coro<> run(bool planted) {
  auto wall = spawn<board>(planted);
  auto ear = spawn<listener>(wall);
  auto mouth = spawn<speaker>(wall);
  ear.tell(go{});
  mouth.tell(go{});
  co_await all_quiet();
  const int last = co_await ear.ask(heard{});
  require(last == 7, "what was posted before the subscription was never heard");
}

TROUPE_BUG("one subscribes after what it waits for was published", run)

}  // namespace subscribed_late

/// Two pass on a new value each, and the one that comes last wins, be it the older one.
namespace last_wins {

struct value {
  int number;
  int version;
};
using taking = protocol<value>;
struct current {
  using reply = int;
};

class editor : public actor<taking> {
 public:
  explicit editor(actor_ref<taking> to) : to_(std::move(to)) {}
  void on(value v) { to_.tell(v); }

 private:
  actor_ref<taking> to_;
};

class settings : public actor<protocol<value, current>> {
 public:
  explicit settings(bool planted) : planted_(planted) {}
  void on(value v) {
    if (!planted_ && v.version < now_.version) return;
    now_ = v;
  }
  int on(current) { return now_.number; }

 private:
  bool planted_;
  value now_{};
};

coro<> run(bool planted) {
  auto kept = spawn<settings>(planted);
  auto one = spawn<editor>(kept);
  auto other = spawn<editor>(spawn<editor>(kept));  // by a longer way
  one.tell(value{10, 1});
  other.tell(value{20, 2});
  co_await all_quiet();
  const int number = co_await kept.ask(current{});
  require(number == 20, "an older value replaced a newer one");
}

TROUPE_BUG("of two updates the one that comes last wins, not the newer one", run)

}  // namespace last_wins

}  // namespace
