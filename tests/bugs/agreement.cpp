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
  co_await all_quiet();  // the followers have written
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
  co_await give_way(5);  // as long as its patience
  house.tell(again{});
  co_await all_quiet();
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
  co_await give_way(4);
  nodes[1].tell(campaign{});
  co_await all_quiet();
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
    co_await give_way(3);
    locks.tell(release{lease});
  };
  auto watch = [&](int lease) -> coro<> {
    co_await give_way(8);
    locks.tell(expire{lease});
  };
  auto quick = [&]() -> coro<> {
    const int lease = co_await locks.ask(acquire{});
    alone = ++inside == 1 && alone;
    co_await give_way(2);
    --inside;
    locks.tell(release{lease});
  };
  const int first = co_await locks.ask(acquire{});
  co_await gather(slow(first), watch(first), quick(), quick());
  require(alone, "two have the lease");
}

TROUPE_BUG("a late release frees the lease of another", run)

}  // namespace late_release

}  // namespace
