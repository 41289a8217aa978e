// Copies of one thing: what several clients see at the same time is checked for linearizability.
#include <troupe/actors/actor.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/testing/linearizable.hpp>

#include "bugs/bug.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::bugs;
using namespace std::chrono_literals;

namespace {

struct put {
  using reply = void;
  int value;
};
struct get {
  using reply = int;
};

/// What a register does for one client after the other.
struct one_register {
  int value = 0;
  void apply(put p) { value = p.value; }
  int apply(get) const { return value; }
  bool operator==(const one_register&) const = default;
};

/// A register on two actors. Who puts waits for both; a reader asks the one that is nearer to it, and sees what others do not see yet.
namespace nearer_copy {

class copy : public actor<protocol<put, get>> {
 public:
  void on(put p) { value_ = p.value; }
  int on(get) { return value_; }

 private:
  int value_ = 0;
};

coro<> run(bool planted) {
  const auto first = spawn<copy>();
  const auto second = spawn<copy>();
  history<one_register> seen;
  auto put_both = [&](put p) -> coro<> {
    co_await first.ask(p);
    co_await second.ask(p);
  };
  auto writer = [&]() -> coro<> {
    co_await give_way(3);
    co_await seen.call("writer", put{1}, put_both);
  };
  auto reader = [&](std::string name, bool near_second) -> coro<> {
    // The second has it last: once it is there, everybody sees it.
    const auto& from = near_second || !planted ? second : first;
    for (int time = 0; time < 2; ++time)
      co_await seen.call(name, get{}, [&from](get g) { return from.ask(g); });
  };
  co_await together(writer(), reader("near the first", false), reader("near the second", true));
  seen.check();
}

TROUPE_BUG("a register on two actors is read before both of them have what was put", run)

}  // namespace nearer_copy

/// A key is given to another actor: who asked the old one is answered what it had, after the new one has taken a value.
namespace moved_key {

struct put_at {
  using reply = bool;  // whether it has the key
  std::string key;
  int value;
};
struct get_at {
  using reply = int;  // -1 when it has not the key
  std::string key;
};
struct take_over {
  using reply = void;
  std::string key;
  int value;
};
struct hand_over {
  using reply = int;
  std::string key;
};

struct one_key {
  using key = std::string;
  static key key_of(const put_at& p) { return p.key; }
  static key key_of(const get_at& g) { return g.key; }
  int value = 0;
  bool apply(const put_at& p) {
    value = p.value;
    return true;
  }
  int apply(const get_at&) const { return value; }
  bool operator==(const one_key&) const = default;
};

class shard : public actor<protocol<put_at, get_at, take_over, hand_over>> {
 public:
  explicit shard(bool planted) : planted_(planted) {}
  bool on(put_at p) {
    if (!owns(p.key)) return false;
    values_[p.key] = p.value;
    return true;
  }
  int on(get_at g) {
    return owns(g.key) || (planted_ && values_.count(g.key)) ? values_[g.key] : -1;
  }
  void on(take_over t) {
    values_[t.key] = t.value;
    owned_[t.key] = true;
  }
  int on(hand_over h) {
    owned_[h.key] = false;
    return values_[h.key];  // and keeps the value
  }

 private:
  bool owns(const std::string& key) { return owned_[key]; }
  bool planted_;
  std::map<std::string, int> values_;
  std::map<std::string, bool> owned_;
};

coro<> run(bool planted) {
  const auto old_one = spawn<shard>(planted);
  const auto new_one = spawn<shard>(planted);
  for (const std::string key : {"x", "y"}) {
    const take_over given{key, 0};
    auto giving = old_one.ask(given);
    co_await giving;
  }
  history<one_key> seen;
  // Each tries the old one first, and then goes back and forth until one of them has the key.
  auto put_somewhere = [&](put_at p) -> coro<bool> {
    for (bool at_old = true;; at_old = !at_old) {
      auto asked = (at_old ? old_one : new_one).ask(p);
      const bool taken = co_await asked;
      if (taken) co_return true;
    }
  };
  auto get_somewhere = [&](get_at g) -> coro<int> {
    for (bool at_old = true;; at_old = !at_old) {
      auto asked = (at_old ? old_one : new_one).ask(g);
      const int value = co_await asked;
      if (value >= 0) co_return value;
    }
  };
  auto mover = [&]() -> coro<> {
    const hand_over asked{"x"};
    auto handing = old_one.ask(asked);
    const int value = co_await handing;
    const take_over given{"x", value};
    auto taking = new_one.ask(given);
    co_await taking;
  };
  auto client = [&](std::string name, int value) -> coro<> {
    for (const std::string key : {"x", "y"}) {
      const put_at put_it{key, value};
      auto putting = seen.call(name, put_it, put_somewhere);
      co_await putting;
      const get_at get_it{key};
      auto getting = seen.call(name, get_it, get_somewhere);
      co_await getting;
    }
  };
  co_await together(mover(), client("ann", 1), client("bob", 2));
  seen.check();
}

TROUPE_BUG("who has given a key away answers what it was", run)

}  // namespace moved_key

/// A lost answer makes a client try again, and what it did is done twice.
namespace done_twice {

struct add {
  using reply = int;  // what it is then
  int number;
};
struct counter_model {
  int value = 0;
  int apply(add) { return ++value; }
  int apply(get) const { return value; }
  bool operator==(const counter_model&) const = default;
};

class counter : public actor<protocol<add, get>> {
 public:
  explicit counter(bool planted) : planted_(planted) {}
  coro<int> on(add a) {
    const auto [known, is_new] = answered_.try_emplace(a.number, 0);
    if (is_new || planted_) known->second = ++value_;
    const int answer = known->second;
    // Writes it down, which takes a while now and then.
    if (simulation::current()->choose(3) == 2) co_await sleep(2s);
    co_return answer;
  }
  int on(get) { return value_; }

 private:
  bool planted_;
  int value_ = 0;
  std::map<int, int> answered_;
};

coro<> run(bool planted) {
  const auto count = spawn<counter>(planted);
  history<counter_model> seen;
  auto add_until_answered = [&](add a) -> coro<int> {
    for (;;) {
      try {
        auto asked = count.ask(a, 1s);
        const int answer = co_await asked;
        co_return answer;
      } catch (const timeout_error&) {
      }
    }
  };
  auto client = [&](std::string name, int number) -> coro<> {
    const add adding{number};
    co_await seen.call(name, adding, add_until_answered);
    co_await seen.call(name, get{}, [&](get g) { return count.ask(g, 10s); });
  };
  co_await together(client("ann", 1), client("bob", 2));
  co_await sleep(10s);
  seen.check();
}

TROUPE_BUG("what had no answer in time is done again", run)

}  // namespace done_twice

}  // namespace
