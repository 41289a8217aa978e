// What the tests of reliable delivery share: who writes down what comes, and stores in memory.
#pragma once

#include "cluster/nodes.hpp"

#include <troupe/actors/cluster/reliable.hpp>
#include <troupe/actors/supervise.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing::clusters {

enum class trouble : std::uint8_t {
  none,
  rejects,
  crashes_once,
  crashes,
  takes_a_while,
  takes_long
};

struct entry {
  using reply = void;
  std::uint32_t by = 0;
  std::uint32_t number = 0;
  trouble with = trouble::none;
  std::string text = {};
};
using writing = protocol<entry>;

/// What was handled: outlives the actors that write into it, as a process does.
struct book_of_entries : std::vector<entry> {
  std::map<std::pair<std::uint32_t, std::uint32_t>, int> tried;
};

class writer_of_entries : public actor<writing> {
 public:
  explicit writer_of_entries(std::shared_ptr<book_of_entries> book) : book_(std::move(book)) {}

  coro<> on(entry e) {
    const bool is_first = ++book_->tried[{e.by, e.number}] == 1;
    if (e.with == trouble::rejects) throw rejected("no such page");
    if (e.with == trouble::crashes || (e.with == trouble::crashes_once && is_first))
      throw std::runtime_error("the ink has run");
    if (e.with == trouble::takes_a_while) co_await sleep(300ms);
    if (e.with == trouble::takes_long) co_await sleep(10s);
    book_->push_back(std::move(e));
  }

 private:
  std::shared_ptr<book_of_entries> book_;
};

struct your_writer {
  using reply = actor_ref<writing>;
};

/// Starts its writer again when it has crashed.
class head_of_writers : public actor<protocol<your_writer>> {
 public:
  explicit head_of_writers(std::shared_ptr<book_of_entries> book) {
    supervise_as({.max_restarts = 1000});
    mine_ = supervise<writer_of_entries>({}, std::move(book));
  }
  actor_ref<writing> on(your_writer) { return mine_; }

 private:
  actor_ref<writing> mine_;
};

/// Whether the entries of that one are those from 1 to `count`, in that order.
inline bool in_order(const std::vector<entry>& all, std::uint32_t by, std::uint32_t count) {
  std::uint32_t last = 0;
  for (const entry& each : all)
    if (each.by == by && each.number != ++last) return false;
  return last == count;
}

/// A node that sends, and one that is sent to.
struct post {
  explicit post(const cluster::reliable_options& how = {},
                const cluster::node_options& receiving = at("there", "127.0.0.2"))
      : there(receiving), to(here, "book", how) {}

  /// Has an actor write what comes.
  any_actor open(const cluster::receiver_options& how = {}) {
    who = spawn<writer_of_entries>(book);
    return cluster::publish_reliably(there, "book", who, how);
  }

  std::shared_ptr<book_of_entries> book = std::make_shared<book_of_entries>();
  actor_ref<writing> who;
  cluster::node there;
  cluster::node here{at("here", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)})};
  cluster::reliable<writing> to;
};

/// What a store has: it stays when programs end.
struct paper {
  std::uint64_t last = 0;
  std::map<std::uint64_t, cluster::stored_message> messages;
  bool full = false;
};

class outbox_on_paper : public cluster::outbox_store {
 public:
  explicit outbox_on_paper(std::shared_ptr<paper> on) : on_(std::move(on)) {}

  coro<contents> load() override {
    co_await sleep(1ms);
    contents all;
    all.last = on_->last;
    for (const auto& [number, each] : on_->messages) all.messages.push_back(each);
    co_return all;
  }
  coro<> keep(cluster::stored_message message) override {
    co_await sleep(1ms);
    if (on_->full) throw std::runtime_error("no paper");
    on_->last = message.number;
    on_->messages.insert_or_assign(message.number, std::move(message));
  }
  coro<> forget(std::uint64_t up_to) override {
    co_await sleep(1ms);
    on_->messages.erase(on_->messages.begin(), on_->messages.upper_bound(up_to));
  }

 private:
  std::shared_ptr<paper> on_;
};

class notes_on_paper : public cluster::receiver_store {
 public:
  coro<std::uint64_t> last(std::string sender) override {
    co_await sleep(1ms);
    co_return last_[sender];
  }
  coro<> handled(std::string sender, std::uint64_t number) override {
    co_await sleep(1ms);
    last_[sender] = number;
  }
  std::uint64_t last_of(const std::string& sender) { return last_[sender]; }

 private:
  std::map<std::string, std::uint64_t> last_;
};

}  // namespace troupe::testing::clusters
