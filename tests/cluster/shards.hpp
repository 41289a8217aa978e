// What the tests of shards share: actors that say where they are, and nodes that come and go.
#pragma once

#include "cluster/nodes.hpp"

#include <troupe/actors/cluster/shard.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing::shards {

using namespace troupe::testing::clusters;

struct add {
  using reply = int;
  int much = 0;
};
struct where {
  using reply = std::string;
};
struct note {
  int number = 0;
};
struct notes {
  using reply = std::vector<int>;
};
struct slow_add {
  using reply = int;
  int much = 0;
};
struct never {
  using reply = int;
};
struct crash {
  using reply = void;
};
struct end {};
using counting = protocol<add, where, note, notes, slow_add, never, crash, end>;

class place_of;

/// All actors of all nodes, and what is certain of them.
class world_of_keys {
 public:
  explicit world_of_keys(std::string net = "127.0.0.") : network(std::move(net)) {}
  const std::string network;
  std::string violated;  ///< by two actors of a key on nodes that know each other
  void began(const std::string& key, const place_of& at);
  void ended(const std::string& key, const place_of& at) { alive_.erase({key, &at}); }
  std::size_t alive(const std::string& key) const {
    return static_cast<std::size_t>(std::count_if(
        alive_.begin(), alive_.end(), [&](const auto& each) { return each.first == key; }));
  }
  std::size_t begun = 0;
  std::string refuse;  ///< a key whose actor throws as it begins

 private:
  std::set<std::pair<std::string, const place_of*>> alive_;
};

/// What an actor begins with elsewhere.
struct counted {
  int sum = 0;
  std::vector<int> heard;
};

class counter : public actor<counting> {
 public:
  counter(const std::string& key, place_of& at);
  counter(const std::string& key, counted from, place_of& at);
  ~counter();
  counted hand_over() { return {sum_, heard_}; }

  int on(add a) { return sum_ += a.much; }
  std::string on(where);
  void on(note n) { heard_.push_back(n.number); }
  std::vector<int> on(notes) { return heard_; }
  coro<int> on(slow_add a) {
    co_await sleep(100ms);
    co_return sum_ += a.much;
  }
  coro<int> on(never) {
    co_await sleep(infinite);
    co_return 0;
  }
  void on(crash) { throw std::runtime_error("the counter falls"); }
  void on(end) { stop(); }

 private:
  place_of& at_;
  const std::string key_;
  int sum_ = 0;
  std::vector<int> heard_;
};

inline cluster::shard_options quick() {
  cluster::shard_options made;
  made.partitions = 16;
  made.settle = 100ms;
  return made;
}

/// A node with a shard, that may be taken away.
class place_of {
 public:
  place_of(world_of_keys& all, int number, cluster::shard_options how = quick(),
           std::vector<int> seeds = {1})
      : all_(all), number_(number) {
    std::vector<io::endpoint> others;
    for (const int each : seeds)
      if (each != number) others.emplace_back(address(each), 7000);
    cluster::node_options options = at(name(), address(number).c_str(), std::move(others));
    options.slowest_retry = 500ms;
    options.insecure = true;
    node_.emplace(options);
    keys_.emplace(*node_, "keys", how, std::ref(*this));
  }
  std::string address(int number) const { return all_.network + std::to_string(number); }
  std::string name() const { return "node " + std::to_string(number_); }

  cluster::shard<std::string, counter>& keys() { return *keys_; }
  const cluster::shard<std::string, counter>& keys() const { return *keys_; }
  cluster::node& node() { return *node_; }
  const cluster::node_id& id() const { return node_->info().id; }
  bool is_up() const noexcept { return node_.has_value(); }
  /// As when its program is killed: what its actors do from now on counts no more.
  void crash() {
    keys_.reset();
    node_.reset();
  }
  world_of_keys& all() noexcept { return all_; }

 private:
  world_of_keys& all_;
  const int number_;
  std::optional<cluster::node> node_;
  std::optional<cluster::shard<std::string, counter>> keys_;
};

inline void world_of_keys::began(const std::string& key, const place_of& at) {
  for (const auto& [other, there] : alive_) {
    if (other != key || there == &at || !there->is_up() || !at.is_up()) continue;
    if (!at.keys().has_met(there->id()) || !there->keys().has_met(at.id())) continue;
    violated = "two actors of '" + key + "': on " + at.name() + ", " + at.keys().describe() +
               ", and " + there->name() + ", " + there->keys().describe();
  }
  ++begun;
  alive_.insert({key, &at});
}

inline counter::counter(const std::string& key, place_of& at) : at_(at), key_(key) {
  if (key == at.all().refuse) throw std::invalid_argument("an account of nobody");
  at_.all().began(key_, at_);
}
inline counter::counter(const std::string& key, counted from, place_of& at)
    : at_(at), key_(key), sum_(from.sum), heard_(std::move(from.heard)) {
  at_.all().began(key_, at_);
}
inline counter::~counter() { at_.all().ended(key_, at_); }
inline std::string counter::on(where) { return at_.name(); }

inline std::string key(int number) { return "key " + std::to_string(number); }

}  // namespace troupe::testing::shards
