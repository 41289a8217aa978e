// Several actors that have to agree: on a leader, a value, a lease, a token, or on the end of their work.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/interleave.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/sleep.hpp>

#include "bugs/bug.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <set>
#include <type_traits>
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

/// A leader has its writes acknowledged by a majority, and counts an acknowledgement of the write before.
namespace earlier_round {

struct write {
  using reply = void;  // a majority has it
  int value;
};
struct stored {
  int value;
};
struct copy {
  int value;
  actor_ref<protocol<stored>> to;
};
using following = protocol<copy>;

class follower : public actor<following> {
 public:
  explicit follower(int& disk) : disk_(disk) {}
  void on(copy c) {
    disk_ = c.value;
    c.to.tell(stored{c.value});
  }

 private:
  int& disk_;
};

class leader : public actor<protocol<write, stored>> {
 public:
  leader(std::vector<actor_ref<following>> all, bool planted)
      : all_(std::move(all)), planted_(planted) {}
  void on(write w, reply_to<void> client) {
    value_ = w.value;
    missing_ = all_.size() / 2 + 1;
    client_ = std::move(client);
    for (const auto& each : all_) each.tell(copy{value_, self()});
  }
  void on(stored s) {
    if (!planted_ && s.value != value_) return;
    if (missing_ != 0 && --missing_ == 0) client_.answer();
  }

 private:
  std::vector<actor_ref<following>> all_;
  bool planted_;
  int value_ = 0;
  std::size_t missing_ = 0;
  reply_to<void> client_;
};

coro<> run(bool planted) {
  int disks[3] = {};
  std::vector<actor_ref<following>> all;
  for (int& each : disks) all.push_back(spawn<follower>(std::ref(each)));
  auto first = spawn<leader>(all, planted);
  bool right = true;
  for (const int value : {1, 2}) {
    co_await first.ask(write{value});
    int have = 0;
    for (const int each : disks) have += each == value ? 1 : 0;
    right = right && have >= 2;
  }
  co_await settled();  // the followers have written
  require(right, "a write was confirmed that no majority has");
}

TROUPE_BUG("an acknowledgement of the write before is counted", run)

}  // namespace earlier_round

/// A vote that was sent twice, since nobody seemed to have heard the first, is counted twice.
namespace counted_twice {

struct vote {
  int from;
  bool yes;
};
struct propose {
  actor_ref<protocol<vote>> to;
};
using voting = protocol<propose>;
struct again {};
struct passed {
  using reply = bool;
};

class voter : public actor<voting> {
 public:
  explicit voter(int number) : number_(number) {}
  void on(propose p) { p.to.tell(vote{number_, number_ == 0}); }

 private:
  int number_;
};

class chair : public actor<protocol<vote, again, passed>> {
 public:
  explicit chair(bool planted) : planted_(planted) {
    for (int number = 0; number < 3; ++number) all_.push_back(spawn<voter>(number));
  }
  void on(again) {
    if (voted_ == all_.size()) return;
    for (const auto& each : all_) each.tell(propose{self()});
  }
  void on(vote v) {
    if (!planted_ && !known_.insert(v.from).second) return;
    ++voted_;
    if (v.yes) ++yes_;
  }
  bool on(passed) { return yes_ >= 2; }

 private:
  bool planted_;
  std::vector<actor_ref<voting>> all_;
  std::set<int> known_;
  std::size_t voted_ = 0;
  int yes_ = 0;
};

coro<> run(bool planted) {
  auto house = spawn<chair>(planted);
  house.tell(again{});
  co_await pauses(5);  // as long as its patience
  house.tell(again{});
  co_await settled();
  const bool yes = co_await house.ask(passed{});
  require(!yes, "a motion was passed by one of three voters");
}

TROUPE_BUG("a vote that was sent twice is counted twice", run)

}  // namespace counted_twice

/// A node votes for more than one candidate of a term.
namespace split_brain {

struct campaign {};
struct request_vote;
struct vote {
  int term;
};
struct leads {
  int term;
};
using electing = protocol<campaign, request_vote, vote, leads>;
struct request_vote {
  int term;
  actor_ref<electing> candidate;
};
struct peers {
  std::vector<actor_ref<electing>> all;
};
using leaders = std::multiset<int>;  // their terms

class node : public actor<protocol<campaign, request_vote, vote, leads, peers>> {
 public:
  node(leaders& all, bool planted) : leaders_(all), planted_(planted) {}
  void on(peers p) { others_ = std::move(p.all); }
  void on(campaign) {
    if (led_) return;
    voted_in_ = ++term_;
    votes_ = 1;  // its own
    for (const auto& each : others_) each.tell(request_vote{term_, self()});
  }
  void on(request_vote r) {
    if (r.term < term_ || (!planted_ && r.term == voted_in_)) return;
    term_ = voted_in_ = r.term;
    r.candidate.tell(vote{r.term});
  }
  void on(vote v) {
    if (v.term != term_ || ++votes_ != 2) return;
    leaders_.insert(term_);
    for (const auto& each : others_) each.tell(leads{term_});
  }
  void on(leads l) { led_ = l.term >= term_; }

 private:
  leaders& leaders_;
  bool planted_;
  std::vector<actor_ref<electing>> others_;
  int term_ = 0;
  int voted_in_ = 0;
  int votes_ = 0;
  bool led_ = false;
};

coro<> run(bool planted) {
  leaders all;
  std::vector<actor_ref<node::protocol_type>> nodes;
  for (int i = 0; i < 3; ++i) nodes.push_back(spawn<node>(std::ref(all), planted));
  for (std::size_t each = 0; each < 3; ++each)
    nodes[each].tell(peers{{nodes[(each + 1) % 3], nodes[(each + 2) % 3]}});
  nodes[0].tell(campaign{});
  co_await pauses(4);
  nodes[1].tell(campaign{});
  co_await settled();
  for (const int term : all) require(all.count(term) == 1, "two lead in one term");
}

TROUPE_BUG("two lead in one term", run)

}  // namespace split_brain

/// Who was late with its release frees the lease that somebody else has by now.
namespace late_release {

struct acquire {
  using reply = int;  // the number of the lease
};
struct release {
  int lease;
};
struct expire {  // from a watch, which knows what it watches
  int lease;
};

class locker : public actor<protocol<acquire, release, expire>> {
 public:
  explicit locker(bool planted) : planted_(planted) {}
  void on(acquire, reply_to<int> client) {
    waiting_.push_back(std::move(client));
    if (!held_) next();
  }
  void on(release r) {
    if (held_ && (planted_ || r.lease == lease_)) next();
  }
  void on(expire e) {
    if (held_ && e.lease == lease_) next();
  }

 private:
  void next() {
    held_ = !waiting_.empty();
    if (!held_) return;
    waiting_.front().answer(++lease_);
    waiting_.pop_front();
  }
  bool planted_;
  bool held_ = false;
  int lease_ = 0;
  std::deque<reply_to<int>> waiting_;
};

coro<> run(bool planted) {
  auto locks = spawn<locker>(planted);
  int inside = 0;
  bool alone = true;
  auto slow = [&](int lease) -> coro<> {
    co_await pauses(3);
    locks.tell(release{lease});
  };
  auto watch = [&](int lease) -> coro<> {
    co_await pauses(8);
    locks.tell(expire{lease});
  };
  auto quick = [&]() -> coro<> {
    const int lease = co_await locks.ask(acquire{});
    alone = ++inside == 1 && alone;
    co_await pauses(2);
    --inside;
    locks.tell(release{lease});
  };
  const int first = co_await locks.ask(acquire{});
  co_await gather(slow(first), watch(first), quick(), quick());
  require(alone, "two have the lease");
}

TROUPE_BUG("a late release frees the lease of another", run)

}  // namespace late_release

/// One that was replaced as leader writes what it had begun to write.
namespace deposed {

struct claim {
  using reply = int;  // the epoch
};
struct write {
  using reply = bool;  // whether it was taken
  int epoch;
  int value;
};
struct value {
  using reply = int;
};

class arbiter : public actor<protocol<claim>> {
 public:
  int on(claim) { return ++epoch_; }

 private:
  int epoch_ = 0;
};

class storage : public actor<protocol<write, value>> {
 public:
  explicit storage(bool planted) : planted_(planted) {}
  bool on(write w) {
    if (!planted_ && w.epoch < epoch_) return false;
    epoch_ = w.epoch;
    value_ = w.value;
    return true;
  }
  int on(value) { return value_; }

 private:
  bool planted_;
  int epoch_ = 0;
  int value_ = 0;
};

coro<> run(bool planted) {
  auto who = spawn<arbiter>();
  auto disk = spawn<storage>(planted);
  auto lead = [&](int later) -> coro<> {
    co_await pauses(later);
    const int epoch = co_await who.ask(claim{});
    co_await pauses(2);
    co_await disk.ask(write{epoch, epoch * 100});
  };
  co_await gather(lead(0), lead(9), lead(18));
  const int last = co_await disk.ask(value{});
  require(last == 300, "a deposed leader wrote over its successor");
}

TROUPE_BUG("a deposed leader writes over its successor", run)

}  // namespace deposed

/// Three who need something of each other for their work wait for each other.
namespace circle {

struct part {
  using reply = int;
};
struct work {
  using reply = int;
};
struct meet {
  actor_ref<protocol<part>> next;
};
using making = protocol<part, work, meet>;

template <bool Planted>
class maker : public actor<making> {
 public:
  using interleave = std::conditional_t<Planted, messages<>, messages<part>>;
  void on(meet m) { next_ = std::move(m.next); }
  int on(part) { return 1; }
  coro<int> on(work) { co_return 1 + co_await next_.ask(part{}); }

 private:
  actor_ref<protocol<part>> next_;
};

coro<> run(bool planted) {
  std::vector<actor_ref<making>> all;
  for (int i = 0; i < 3; ++i) {
    if (planted) {
      all.push_back(spawn<maker<true>>());
    } else {
      all.push_back(spawn<maker<false>>());
    }
  }
  for (std::size_t each = 0; each < 3; ++each) all[each].tell(meet{all[(each + 1) % 3]});
  auto order = [](actor_ref<making> from, int later) -> coro<> {
    co_await pauses(later);
    const int parts = co_await from.ask(work{});
    require(parts == 2, "a part is missing");
  };
  co_await gather(order(all[0], 0), order(all[1], 8), order(all[2], 16));
}

TROUPE_BUG("three ask each other in a circle", run)

}  // namespace circle

/// One leaves a ring while the token is on its way to it.
namespace lost_token {

struct token {
  int hops;
};
struct node_left;
struct skipped {};  // nothing more comes from the one before
struct leave {};
struct next_is;
using ring = protocol<token, node_left, skipped, leave, next_is>;
struct next_is {
  actor_ref<ring> next;
};
struct node_left {
  actor_ref<ring> who;
  actor_ref<ring> next;
};

class node : public actor<ring> {
 public:
  node(int& home, bool planted) : home_(home), planted_(planted) {}
  void on(next_is n) { next_ = std::move(n.next); }
  void on(token t) {
    if (t.hops == 0) {
      ++home_;
    } else {
      next_.tell(token{t.hops - 1});
    }
  }
  void on(leave) {
    // All the way round, to the one before.
    next_.tell(node_left{self(), next_});
    if (planted_) stop();
  }
  void on(node_left l) {
    if (next_ != l.who) return next_.tell(std::move(l));
    next_ = std::move(l.next);
    l.who.tell(skipped{});
  }
  void on(skipped) { stop(); }

 private:
  int& home_;
  bool planted_;
  actor_ref<ring> next_;
};

coro<> run(bool planted) {
  int home = 0;
  std::vector<actor_ref<ring>> all;
  for (int i = 0; i < 3; ++i) all.push_back(spawn<node>(std::ref(home), planted));
  for (std::size_t each = 0; each < 3; ++each) all[each].tell(next_is{all[(each + 1) % 3]});
  all[0].tell(token{4});
  co_await pauses(9);
  all[1].tell(leave{});
  co_await settled();
  require(home == 1, "the token is lost");
}

TROUPE_BUG("a token is lost to one that leaves the ring", run)

}  // namespace lost_token

/// A cancellation comes before what it is to cancel, and is forgotten.
namespace cancelled_first {

struct book {
  int trip;
};
struct cancel {
  int trip;
};
using booking = protocol<book, cancel>;
struct booked {
  using reply = bool;
  int trip;
};

class agent : public actor<booking> {
 public:
  explicit agent(actor_ref<booking> to) : to_(std::move(to)) {}
  void on(book b) { to_.tell(b); }
  void on(cancel c) { to_.tell(c); }

 private:
  actor_ref<booking> to_;
};

class airline : public actor<protocol<book, cancel, booked>> {
 public:
  explicit airline(bool planted) : planted_(planted) {}
  void on(book b) {
    if (planted_ || !cancelled_.contains(b.trip)) seats_.insert(b.trip);
  }
  void on(cancel c) {
    seats_.erase(c.trip);
    cancelled_.insert(c.trip);
  }
  bool on(booked b) { return seats_.contains(b.trip); }

 private:
  bool planted_;
  std::set<int> seats_;
  std::set<int> cancelled_;
};

coro<> run(bool planted) {
  auto flights = spawn<airline>(planted);
  auto sales = spawn<agent>(spawn<agent>(flights));
  auto complaints = spawn<agent>(flights);
  sales.tell(book{1});
  co_await pauses(3);
  complaints.tell(cancel{1});
  co_await settled();
  const bool still = co_await flights.ask(booked{1});
  require(!still, "a trip was cancelled, and is booked");
}

TROUPE_BUG("a cancellation overtakes what it is to cancel", run)

}  // namespace cancelled_first

/// Messages sent and received are counted, one actor after the other, and the sums are equal although one is under way: what was received
/// was counted with one, and that it was sent was not yet with another. Mattern, "Algorithms for distributed termination detection" (1987).
namespace not_finished {

struct job {
  bool makes_more;
};
struct counts {
  int sent;
  int received;
  bool operator==(const counts&) const = default;
};
struct count {
  using reply = counts;
};
using working = protocol<job>;
struct meet {
  std::vector<actor_ref<working>> others;
};
using counted = protocol<job, count, meet>;

class worker : public actor<counted> {
 public:
  explicit worker(int& done) : done_(done) {}
  void on(meet m) { others_ = std::move(m.others); }
  counts on(count) { return so_far_; }
  void on(job j) {
    ++done_;
    ++so_far_.received;
    if (!j.makes_more) return;
    for (const auto& each : others_) each.tell(job{false});
    so_far_.sent += static_cast<int>(others_.size());
  }

 private:
  int& done_;
  counts so_far_{};
  std::vector<actor_ref<working>> others_;
};

class post : public actor<working> {
 public:
  explicit post(actor_ref<working> to) : to_(std::move(to)) {}
  void on(job j) { to_.tell(j); }

 private:
  actor_ref<working> to_;
};

coro<> run(bool planted) {
  int done = 0;
  std::vector<actor_ref<counted>> all;
  for (int i = 0; i < 3; ++i) all.push_back(spawn<worker>(std::ref(done)));
  for (std::size_t each = 0; each < 3; ++each)
    all[each].tell(meet{{all[(each + 1) % 3], all[(each + 2) % 3]}});
  spawn<post>(all[0]).tell(job{true});
  spawn<post>(all[1]).tell(job{false});
  counts before{};
  for (int wave = 1;; ++wave) {
    counts sum{2, 0};  // those that were sent from here
    for (const auto& each : all) {
      const counts its = co_await each.ask(count{});
      sum.sent += its.sent;
      sum.received += its.received;
    }
    if (sum.sent == sum.received && (planted || sum == before)) break;
    before = sum;
    if (wave % 4 == 0) co_await sleep(1ms);
  }
  const int by_then = done;
  co_await settled();  // nobody works any more
  require(by_then == 4, "the work was declared done with a job under way");
}

TROUPE_BUG("work is declared done with a job under way", run)

}  // namespace not_finished

}  // namespace
