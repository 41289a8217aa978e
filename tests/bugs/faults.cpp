// Messages that are lost, late or doubled, and actors that crash: what a protocol between machines has to bear.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/errors.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/actors/testing/interception.hpp>
#include <troupe/runtime/sleep.hpp>

#include "bugs/bug.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <set>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::bugs;
using namespace std::chrono_literals;

namespace {

/// Asks until it is answered.
template <class P, class M>
coro<> insist(actor_ref<P> whom, M request) {
  for (;;) {
    bool again = false;
    try {
      auto answer = whom.ask(request, 100ms);
      co_await answer;
    } catch (const ask_timeout&) {
      again = true;
    } catch (const actor_dead&) {
      again = true;
    }
    if (!again) co_return;
    co_await sleep(10ms);
  }
}

/// A payment is asked for again when no answer comes: the answer may have been lost, and not the request.
namespace lost_answer {

struct pay {
  using reply = void;
  int number;
};
class bank : public actor<protocol<pay>> {
 public:
  bank(int& paid, bool planted) : paid_(paid), planted_(planted) {}
  void on(pay p) {
    if (!planted_ && !done_.insert(p.number).second) return;
    ++paid_;
  }

 private:
  int& paid_;
  bool planted_;
  std::set<int> done_;
};

coro<> run(bool planted) {
  interception network;
  int paid = 0;
  auto to = spawn<bank>(std::ref(paid), planted);
  static_cast<void>(network.each<pay>().maybe().drop());
  static_cast<void>(network.each<pay>().maybe().drop_answer());
  for (const int number : {1, 2, 3}) co_await insist(to, pay{number});
  require(paid == 3, "a payment was made more than once");
}
TROUPE_BUG("a payment is made again when its answer was lost", run)

}  // namespace lost_answer

/// A queue between machines: a job is gone when it has been sent, not when it has arrived.
namespace sent_is_not_arrived {

struct job {
  int number;
};
struct arrived {
  int number;
};
struct look {};

class worker : public actor<protocol<job>> {
 public:
  worker(std::set<int>& done, std::function<void(int)> tell)
      : done_(done), tell_(std::move(tell)) {}
  void on(job j) {
    done_.insert(j.number);
    tell_(j.number);
  }

 private:
  std::set<int>& done_;
  std::function<void(int)> tell_;
};

class source : public actor<protocol<arrived, look>> {
 public:
  source(std::set<int>& done, bool planted) : planted_(planted) {
    to_ =
        spawn<worker>(std::ref(done), [back = self()](int number) { back.tell(arrived{number}); });
  }
  void on(look) {
    for (const int each : left_) to_.tell(job{each});
    if (planted_) left_.clear();
  }
  void on(arrived a) { left_.erase(a.number); }

 private:
  actor_ref<protocol<job>> to_;
  bool planted_;
  std::set<int> left_ = {1, 2, 3};
};

coro<> run(bool planted) {
  interception network;
  std::set<int> done;
  auto from = spawn<source>(std::ref(done), planted);
  static_cast<void>(network.any().from(from).times(4).maybe().drop());
  for (int turn = 0; turn < 6; ++turn) {
    from.tell(look{});
    co_await sleep(1s);
  }
  require(done.size() == 3, "a job was lost");
}
TROUPE_BUG("a job is forgotten when it is sent, and lost on its way", run)

}  // namespace sent_is_not_arrived

/// Deltas instead of states: one that comes twice, or behind a later one, is believed.
namespace doubled_delta {

struct change {
  int number;
  int by;
};
class replica : public actor<protocol<change>> {
 public:
  replica(int& value, bool planted) : value_(value), planted_(planted) {}
  void on(change c) {
    if (!planted_ && !seen_.insert(c.number).second) return;
    value_ += c.by;
  }

 private:
  int& value_;
  bool planted_;
  std::set<int> seen_;
};

coro<> run(bool planted) {
  interception network;
  int value = 0;
  auto to = spawn<replica>(std::ref(value), planted);
  static_cast<void>(network.each<change>().maybe().duplicate());
  for (int number = 0; number < 5; ++number) to.tell(change{number, 10});
  co_await all_quiet();
  require(value == 50, "a change was applied twice");
}
TROUPE_BUG("a change that comes twice is applied twice", run)

}  // namespace doubled_delta

/// A sender numbers what it sends, and a receiver believes that what comes is in order.
namespace out_of_order {

struct setting {
  int version;
  int value;
};
class replica : public actor<protocol<setting>> {
 public:
  replica(int& value, bool planted) : value_(value), planted_(planted) {}
  void on(setting s) {
    if (!planted_ && s.version < version_) return;
    version_ = s.version;
    value_ = s.value;
  }

 private:
  int& value_;
  bool planted_;
  int version_ = 0;
};

coro<> run(bool planted) {
  interception network;
  int value = 0;
  auto to = spawn<replica>(std::ref(value), planted);
  static_cast<void>(network.each<setting>().maybe().reorder());
  for (int version = 1; version <= 4; ++version) to.tell(setting{version, version * 100});
  co_await sleep(5s);
  require(value == 400, "an older setting stands");
}
TROUPE_BUG("a setting is overwritten by an older one that was late", run)

}  // namespace out_of_order

/// Money is moved in two steps, with a wait between them, and what the crash leaves is not looked for.
namespace half_done {

struct bank_state {
  int one = 100;
  int other = 0;
  int under_way = 0;  ///< the journal: taken, and not yet given
};
struct move {
  using reply = void;
  int cents;
};
class teller : public actor<protocol<move>> {
 public:
  teller(bank_state& disk, bool planted) : disk_(disk) {
    // What the last life has left.
    if (!planted) disk_.other += std::exchange(disk_.under_way, 0);
  }
  coro<> on(move m) {
    if (disk_.one < m.cents) co_return;
    disk_.one -= m.cents;
    disk_.under_way = m.cents;
    co_await sleep(1ms);
    disk_.other += m.cents;
    disk_.under_way = 0;
  }

 private:
  bank_state& disk_;
};
struct whom {
  using reply = actor_ref<protocol<move>>;
};
class boss : public actor<protocol<whom>> {
 public:
  boss(bank_state& disk, bool planted) {
    supervise_as({.within = 1min, .delay = {.first = 1ms}});
    teller_ = supervise<teller>({.name = "teller"}, std::ref(disk), planted);
  }
  actor_ref<protocol<move>> on(whom) { return teller_; }

 private:
  actor_ref<protocol<move>> teller_;
};

coro<> run(bool planted) {
  bank_state disk;
  auto over = spawn<boss>(std::ref(disk), planted);
  auto to = co_await over.ask(whom{});
  interception faults;
  static_cast<void>(faults.crash_at_any_step(to));
  co_await insist(to, move{10});
  co_await sleep(1s);
  const int sum = disk.one + disk.other;
  require(sum == 100, "money was lost in a crash: " + std::to_string(sum));
}
TROUPE_BUG("money is lost by a crash between taking and giving", run)

}  // namespace half_done

/// A lease by heartbeats: who does not hear of its successor goes on to write.
namespace split_brain {

struct beat {
  int term;
};
struct write {
  int term;
};
struct tick {};

class disk : public actor<protocol<write>> {
 public:
  disk(std::vector<int>& terms, bool planted) : terms_(terms), planted_(planted) {}
  void on(write w) {
    if (!planted_ && w.term < newest_) return;  // fenced off
    newest_ = std::max(newest_, w.term);
    terms_.push_back(w.term);
  }

 private:
  std::vector<int>& terms_;
  bool planted_;
  int newest_ = 0;
};

class leader : public actor<protocol<tick>> {
 public:
  leader(int term, actor_ref<protocol<write>> to) : term_(term), to_(std::move(to)) {}
  void tell_of(actor_ref<protocol<beat>> standby) { standby_ = std::move(standby); }
  void on(tick) {
    if (standby_) standby_.tell(beat{term_});
    to_.tell(write{term_});
  }

 private:
  int term_;
  actor_ref<protocol<write>> to_;
  actor_ref<protocol<beat>> standby_;
};

/// Leads when it has heard nothing for two looks.
class standby : public actor<protocol<beat, tick>> {
 public:
  explicit standby(actor_ref<protocol<write>> to) : to_(std::move(to)) {}
  void on(beat) { silent_ = 0; }
  void on(tick) {
    if (++silent_ > 2) to_.tell(write{2});
  }

 private:
  int silent_ = 0;
  actor_ref<protocol<write>> to_;
};

/// The leader of before, with the beats it sends.
class first : public leader {
 public:
  first(actor_ref<protocol<write>> to, actor_ref<protocol<beat>> other) : leader(1, std::move(to)) {
    tell_of(std::move(other));
  }
};

coro<> run(bool planted) {
  interception network;
  std::vector<int> terms;
  auto store = spawn<disk>(std::ref(terms), planted);
  auto other = spawn<standby>(store);
  auto one = spawn<first>(store, actor_ref<protocol<beat>>(other));
  static_cast<void>(network.each<beat>().maybe().drop());
  for (int turn = 0; turn < 8; ++turn) {
    one.tell(tick{});
    co_await sleep(100ms);
    other.tell(tick{});
    co_await sleep(100ms);
  }
  int newest = 0;
  for (const int each : terms) {
    require(each >= newest, "who leads no more has written");
    newest = each;
  }
}
TROUPE_BUG("two write at once when the beats of one are lost", run)

}  // namespace split_brain

}  // namespace
