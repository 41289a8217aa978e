// Programs of several loops: actors that others reach live on any of them, and so do those who reach for them.
#include <troupe/actors/cluster/node.hpp>
#include <troupe/actors/interleave.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/timeout.hpp>

#include "scenarios/support.hpp"
#include "support/expect.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct add {
  using reply = std::int64_t;
  std::int64_t much = 0;
};
using counter = protocol<add>;
class counting : public actor<counter> {
 public:
  std::int64_t on(add a) { return sum_ += a.much; }

 private:
  std::int64_t sum_ = 0;
};

struct a_counter {
  using reply = actor_ref<counter>;
};
using shop = protocol<a_counter>;
/// Has a counter on some loop for each who asks.
class selling : public actor<shop> {
 public:
  actor_ref<counter> on(a_counter) { return spawn<counting>(place::spread); }
};

/// A node, on the loop of its own.
struct find_shop {
  using reply = actor_ref<shop>;
};
class program : public actor<protocol<find_shop>> {
 public:
  explicit program(cluster::node_options how) : node_(std::move(how)) {}
  coro<actor_ref<shop>> on(find_shop) {
    auto looked_up = node_.lookup<shop>("shop");
    co_return co_await std::move(looked_up);
  }
  cluster::node& node() noexcept { return node_; }

 private:
  cluster::node node_;
};

/// Buys counters on the other node, counts with each, and drops them.
struct buy {
  using reply = std::int64_t;
  actor_ref<shop> where;
  int times = 0;
};
class customer : public actor<protocol<buy>> {
 public:
  coro<std::int64_t> on(buy b) {
    std::int64_t all = 0;
    for (int each = 0; each < b.times; ++each) {
      auto bought = b.where.ask(a_counter{}, 60s);
      const actor_ref<counter> mine = co_await bought;
      mine.tell(add{2});
      for (int count = 0; count < 5; ++count) mine.tell(add{1});
      auto asked = mine.ask(add{1}, 60s);
      all += co_await asked;
      if (each % 3 == 0) {
        auto over = mine.stopped();
        mine.stop();
        co_await over;
      }
    }
    co_return all;
  }
};

struct piece {
  int number = 0;
  std::string filling = {};
};
struct end_of_pieces {
  using reply = int;
};
using hall = protocol<piece, end_of_pieces>;
/// Has little room, and takes its time.
class slow : public actor<hall> {
 public:
  static constexpr mailbox_options mailbox{.capacity = 4, .when_full = overflow::suspend};
  coro<> on(piece p) {
    expect(p.number == taken_, "a piece is missing, or overtook another");
    if (++taken_ % 64 == 0) co_await sleep(1ms);
  }
  int on(end_of_pieces) { return taken_; }

 private:
  int taken_ = 0;
};
struct find_hall {
  using reply = actor_ref<hall>;
  std::string name;
};
class supplier : public actor<protocol<find_hall>> {
 public:
  explicit supplier(cluster::node_options how) : node_(std::move(how)) {}
  coro<actor_ref<hall>> on(find_hall wanted) {
    auto looked_up = node_.lookup<hall>(wanted.name);
    co_return co_await std::move(looked_up);
  }

 private:
  cluster::node node_;
};

}  // namespace

TEST_CASE(
    "actors of any loop are reached from any loop of another program, and forgotten when all refs "
    "are gone") {
  auto body = []() -> coro<> {
    cluster::node_options how{.name = "here", .listen = io::endpoint::loopback(0)};
    how.heartbeat = 20ms;
    how.silence = 60s;
    cluster::node here(how);
    here.publish("shop", spawn<selling>(place::on(1)));
    how.name = "there";
    how.seeds = {io::endpoint::parse(here.info().address)};
    const auto other = spawn<program>(place::on(2), how);
    const actor_ref<shop> far = co_await other.ask(find_shop{}, 60s);
    std::vector<future<std::int64_t>> all;
    constexpr int customers = 6;
    constexpr int times = 100;
    for (std::size_t each = 0; each < customers; ++each) {
      const auto one = spawn<customer>(place::on(each % 4));
      all.push_back(one.ask(buy{far, times}, infinite));
    }
    for (auto& each : all) {
      const std::int64_t sum = co_await each;
      CHECK(sum == times * 8);
    }
    auto forgotten = poll_until([&here] {
      return here.describe().find(", 1 actors known to others") != std::string::npos;
    });
    co_await timeout(60s, std::move(forgotten));
  };
  run_scenario(body(), 4);
}

TEST_CASE("an actor without room, on any loop, holds back who sends from any loop elsewhere") {
  auto body = []() -> coro<> {
    cluster::node_options how{.name = "here", .listen = io::endpoint::loopback(0)};
    how.silence = 60s;
    cluster::node here(how);
    how.name = "there";
    how.seeds = {io::endpoint::parse(here.info().address)};
    how.waiting = 10;
    const auto other = spawn<supplier>(place::on(2), how);
    for (const std::size_t loop : {std::size_t{0}, std::size_t{1}}) {
      const std::string name = "hall of loop " + std::to_string(loop);
      here.publish(name, spawn<slow>(place::on(loop)));
      auto finding = other.ask(find_hall{name}, 60s);
      const actor_ref<hall> far = co_await finding;
      constexpr int pieces = 3'000;
      for (int each = 0; each < pieces; ++each) {
        auto sending = far.send(piece{each, std::string(20'000, 'x')});
        co_await sending;
      }
      auto asked = far.ask(end_of_pieces{}, 60s);
      const int taken = co_await asked;
      CHECK(taken == pieces);
    }
  };
  run_scenario(body(), 3);
}
