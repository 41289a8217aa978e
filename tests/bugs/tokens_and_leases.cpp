// Leaders, circles and tokens: who may act, and when all is over.
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
    co_await give_way(later);
    const int epoch = co_await who.ask(claim{});
    co_await give_way(2);
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
    co_await give_way(later);
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
  co_await give_way(9);
  all[1].tell(leave{});
  co_await all_quiet();
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
  co_await give_way(3);
  complaints.tell(cancel{1});
  co_await all_quiet();
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
  void on(job j) {
    to_.tell(j);
    stop();
  }

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
  co_await all_quiet();  // nobody works any more
  require(by_then == 4, "the work was declared done with a job under way");
}

TROUPE_BUG("work is declared done with a job under way", run)

}  // namespace not_finished

}  // namespace
