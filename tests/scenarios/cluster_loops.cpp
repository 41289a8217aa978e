// Programs of several loops: actors that others reach live on any of them, and so do those who reach for them.
#include <troupe/actors/cluster/node.hpp>
#include <troupe/actors/interleave.hpp>
#include <troupe/runtime/timeout.hpp>

#include "scenarios/support.hpp"

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

}  // namespace

TEST_CASE("actors of any loop are reached from any loop of another program, and forgotten when all refs are gone") {
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
