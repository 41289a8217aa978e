// The programs of a crowd: what each has, publishes, and says to others; and what is known of all of them.
#pragma once

#include "cluster/crowd.hpp"

#include <troupe/actors/cluster/shard.hpp>
#include <troupe/runtime/testing/oracle.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace troupe::testing::clusters::programs_of_a_crowd {

/// Told: the next of those that a sender has for an actor which it has found.
struct numbered {
  std::uint64_t session = 0;
  std::uint64_t number = 0;
};
/// The same, asked.
struct numbered_ask {
  using reply = std::uint64_t;
  std::uint64_t session = 0;
  std::uint64_t number = 0;
};
struct which_are_you {
  using reply = std::uint64_t;
};
using post_protocol = protocol<numbered, numbered_ask, which_are_you>;

struct publish_one {
  using reply = void;
  std::string name;
};
struct unpublish_one {
  using reply = void;
  std::string name;
};
/// Ends the actor of that name.
struct end_one {
  using reply = void;
  std::string name;
};
/// Which actor a name leads to; 0: none.
struct which_is {
  using reply = std::uint64_t;
  std::string name;
};
/// Which actor has that key.
struct which_has {
  using reply = std::uint64_t;
  std::uint64_t key = 0;
};
/// Hosts no keys any more.
struct leave_keys {
  using reply = void;
};
using host_protocol =
    protocol<publish_one, unpublish_one, end_one, which_is, which_has, leave_keys>;

inline constexpr std::size_t seeds = 3;
inline constexpr duration slowest = 2s;  ///< of links
inline constexpr std::uint64_t keys = 12;
inline const std::vector<std::string> loose_names = {"alpha", "beta", "gamma", "delta", "epsilon"};

inline io::endpoint address_of(std::size_t program) {
  return io::endpoint("10.0.0." + std::to_string(program + 1), 7000);
}
inline std::string post_of(std::size_t program) { return "post " + std::to_string(program); }

class host;

/// What is known of all of it, whatever the nodes think. All loops are on one thread.
struct book {
  /// An actor of a key begins on that node. Returns its number.
  std::uint64_t begins(std::uint64_t key, const cluster::node_id& there);
  void ends(std::uint64_t key, std::uint64_t which) { keyed.at(key).erase(which); }
  /// Where it has actors, of programs that run.
  std::vector<const host*> having(std::uint64_t key) const;

  struct node_life {
    std::size_t program = 0;
    std::optional<time_point> ended;
  };
  std::map<cluster::node_id, node_life> nodes;  ///< all that there were
  std::map<std::size_t, host*> hosts;           ///< those that there are, by their programs
  std::map<std::uint64_t, std::set<std::string>> published;                  ///< by actors: ever
  std::map<std::uint64_t, std::map<std::uint64_t, cluster::node_id>> keyed;  ///< actors by keys
  std::string violated;  ///< by two actors of a key
  std::uint64_t actors = 0;
  std::uint64_t asks_ended = 0;
  crowd_report counts;
};

/// What is published: it looks at the order of what it gets.
class post final : public actor<post_protocol> {
 public:
  post(book& all, std::uint64_t which) : book_(all), which_(which) {}

  void on(numbered n) { note(n.session, n.number); }
  std::uint64_t on(numbered_ask n) {
    note(n.session, n.number);
    return n.number;
  }
  std::uint64_t on(which_are_you) { return which_; }

 private:
  void note(std::uint64_t session, std::uint64_t number) {
    ++book_.counts.received;
    std::uint64_t& last = last_[session];
    expect(number == last + 1,
           "after message " + std::to_string(last) + " of a sender came " + std::to_string(number));
    last = number;
  }

  book& book_;
  std::uint64_t which_;
  std::map<std::uint64_t, std::uint64_t> last_;
};

/// What is sharded.
class keyed_one final : public actor<protocol<which_are_you>> {
 public:
  keyed_one(std::uint64_t key, book& all, cluster::node_id there)
      : book_(all), key_(key), which_(all.begins(key, there)) {}
  ~keyed_one() { book_.ends(key_, which_); }
  std::uint64_t on(which_are_you) { return which_; }
  coro<> on_stop() { co_await sleep(slowest / 4); }  // who takes over has to wait

 private:
  book& book_;
  const std::uint64_t key_;
  const std::uint64_t which_;
};
using keyed_shard = cluster::shard<std::uint64_t, keyed_one>;

class watching final : public actor<cluster::membership> {
 public:
  watching(book& all, std::set<cluster::node_id>& there) : book_(all), there_(there) {}

  void on(cluster::node_up up) {
    expect(there_.insert(up.who.id).second, "a node came up that was up already");
  }
  void on(cluster::node_down down) {
    expect(there_.erase(down.who.id) == 1, "a node went down that was not up");
    ++book_.counts.members_lost;
  }

 private:
  book& book_;
  std::set<cluster::node_id>& there_;
};

/// A program of the cluster: its node, what it publishes, and who talks to others.
class host final : public actor<host_protocol> {
 public:
  using interleave = all_messages;

  host(book& all, const crowd_options& how, std::size_t program, std::uint64_t seed)
      : book_(all),
        how_(how),
        program_(program),
        random_(seed),
        node_(options()),
        shard_(node_, "keys", keys_options(), std::ref(all), node_.info().id) {
    book_.nodes[node_.info().id].program = program;
    book_.hosts[program] = this;
    node_.watch_members(spawn<watching>(std::ref(book_), std::ref(there_)));
    publish(post_of(program));
  }
  ~host() {
    book_.nodes.at(node_.info().id).ended = now();
    book_.hosts.erase(program_);
  }

  void on_start() {
    create_task(talk(*this));
    create_task(ask_keys(*this));
  }
  void on(publish_one p) { publish(p.name); }
  void on(unpublish_one u) {
    node_.unpublish(u.name);
    own_.erase(u.name);
  }
  coro<> on(end_one e) {
    const auto known = own_.find(e.name);
    if (known == own_.end()) co_return;
    own_.erase(known);
    const actor_ref<post_protocol> ending = node_.find<post_protocol>(e.name);
    auto over = ending.stopped();
    ending.stop();
    co_await over;
  }
  coro<std::uint64_t> on(which_is wanted) {
    const actor_ref<post_protocol> found = node_.find<post_protocol>(wanted.name);
    if (!found) co_return 0;
    auto asked = found.ask(which_are_you{});
    co_return co_await asked;
  }

  coro<std::uint64_t> on(which_has wanted) {
    auto asked = shard_.ask(wanted.key, which_are_you{});
    co_return co_await asked;
  }
  coro<> on(leave_keys) { co_await shard_.leave(); }

  const cluster::node& its_node() const noexcept { return node_; }
  const keyed_shard& its_keys() const noexcept { return shard_; }
  const std::set<cluster::node_id>& there() const noexcept { return there_; }
  const std::map<std::string, std::uint64_t>& own() const noexcept { return own_; }
  time_point now() const { return this->self().cell()->home().time(); }

 private:
  /// An ask, from its begin to its end, whatever that is.
  struct counted_ask {
    explicit counted_ask(book& given) : all(given) { ++all.counts.asks; }
    ~counted_ask() { ++all.asks_ended; }
    counted_ask(const counted_ask&) = delete;
    counted_ask& operator=(const counted_ask&) = delete;
    book& all;
  };

  cluster::node_options options() const {
    cluster::node_options made;
    made.name = "program " + std::to_string(program_);
    made.listen = address_of(program_);
    for (std::size_t seed = 0; seed < std::min(seeds, how_.nodes); ++seed)
      made.seeds.push_back(address_of(seed));
    made.heartbeat = how_.heartbeat;
    made.silence = how_.silence;
    made.insecure = true;
    return made;
  }
  cluster::shard_options keys_options() const {
    cluster::shard_options made;
    made.partitions = 32;
    made.hand_over = 2s;
    made.patience = how_.silence;
    return made;
  }
  void publish(const std::string& name) {
    const std::uint64_t which = ++book_.actors;
    book_.published[which].insert(name);
    own_[name] = which;
    node_.publish(name, spawn<post>(std::ref(book_), which));
  }

  /// Finds somebody, and has something for him; again and again.
  static coro<> talk(host& self) {
    for (;;) {
      co_await sleep(1ms * self.random_.below(5'000));
      const std::string name = self.random_.below(4) == 0
                                   ? loose_names[self.random_.below(loose_names.size())]
                                   : post_of(self.random_.below(self.how_.nodes));
      const actor_ref<post_protocol> to = self.node_.find<post_protocol>(name);
      if (to) self.create_task(session(self, to, name));
    }
  }
  static coro<> ask_keys(host& self) {
    for (;;) {
      co_await sleep(1ms * self.random_.below(1'000));
      self.create_task(ask_key(self, self.random_.below(keys)));
    }
  }
  static coro<> ask_key(host& self, std::uint64_t key) {
    book& all = self.book_;
    const counted_ask counting(all);
    try {
      auto asked = self.shard_.ask(key, which_are_you{}, infinite);
      co_await asked;
      ++all.counts.asks_answered;
    } catch (const ask_error&) {
    } catch (const rejected&) {  // the key has moved on again and again
    }
  }
  static coro<> session(host& self, actor_ref<post_protocol> to, std::string name) {
    book& all = self.book_;
    const std::uint64_t session = ++all.counts.sessions;
    const std::size_t count = self.random_.below(10);
    try {
      for (std::uint64_t number = 1; number <= count; ++number) {
        if (self.random_.below(3) != 0) {
          to.tell(numbered{session, number});
        } else {
          const counted_ask counting(all);
          auto asked = to.ask(numbered_ask{session, number}, infinite);
          const std::uint64_t answer = co_await asked;
          expect(answer == number, "the answer of another ask");
          ++all.counts.asks_answered;
        }
        if (self.random_.below(2) == 0) co_await sleep(1ms * self.random_.below(2'000));
      }
      const counted_ask counting(all);
      auto asked = to.ask(which_are_you{}, infinite);
      const std::uint64_t which = co_await asked;
      ++all.counts.asks_answered;
      expect(all.published.at(which).contains(name),
             "'" + name + "' led to an actor that was never published by that name");
    } catch (const ask_error&) {  // the node is lost, or its actor has ended
    }
  }

  book& book_;
  const crowd_options how_;
  const std::size_t program_;
  seeded random_;
  std::set<cluster::node_id> there_;
  std::map<std::string, std::uint64_t> own_;
  cluster::node node_;
  keyed_shard shard_;
};

inline std::vector<const host*> book::having(std::uint64_t key) const {
  std::vector<const host*> all;
  const auto known = keyed.find(key);
  if (known == keyed.end()) return all;
  for (const auto& [which, there] : known->second)
    for (const auto& [program, each] : hosts)
      if (each->its_node().info().id == there) all.push_back(each);
  return all;
}

inline std::uint64_t book::begins(std::uint64_t key, const cluster::node_id& there) {
  const std::uint64_t which = ++actors;
  ++counts.keys_begun;
  const std::vector<const host*> others = having(key);
  keyed[key].emplace(which, there);
  for (const auto& [program, here] : hosts) {
    if (here->its_node().info().id != there) continue;
    for (const host* other : others) {
      const cluster::node_id& that = other->its_node().info().id;
      if (that != there && here->its_keys().has_met(that) && other->its_keys().has_met(there))
        violated = "two actors of key " + std::to_string(key) + ": " + here->its_keys().describe() +
                   "\n" + other->its_keys().describe();
    }
  }
  return which;
}

}  // namespace troupe::testing::clusters::programs_of_a_crowd
