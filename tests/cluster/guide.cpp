// The code in docs/cluster.md that is in no example.
#include "cluster/nodes.hpp"

#include <troupe/actors/cluster/reliable.hpp>
#include <troupe/actors/cluster/topic.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::clusters;

namespace {

// [topic]
struct price {
  std::string of;
  std::int64_t cents = 0;
};

class buyer : public actor<protocol<price>> {
 public:
  explicit buyer(const cluster::topic<price>& prices) { prices.subscribe(self()); }
  void on(price p) { seen_.push_back(std::move(p)); }

 private:
  std::vector<price> seen_;
};

void quote(cluster::node& here) {  // on any node
  cluster::topic<price> prices(here, "prices");
  prices.publish({"tea", 300});
}
// [/topic]

// [reliable]
struct order {
  using reply = void;  // that it was handled; `deliver` waits for that
  std::uint64_t number = 0;
  std::string what;
};
using ordering = protocol<order>;

class taker : public actor<ordering> {
 public:
  void on(order o) {
    if (o.what.empty()) throw rejected("an order of nothing");
    taken_.push_back(std::move(o));
  }

 private:
  std::vector<order> taken_;
};

void take_orders(cluster::node& here) {  // on one node
  cluster::publish_reliably(here, "orders", spawn<taker>());
}

coro<> place_orders(cluster::node& here) {  // on another
  cluster::reliable<ordering> orders(here, "orders");
  auto sent = orders.send(order{1, "pears"});  // done when it lies in the outbox
  co_await sent;
  auto handled = orders.deliver(order{2, "tea"});  // done when its handler has ended
  co_await handled;
  co_await orders.flushed();  // done when all are
}
// [/reliable]

}  // namespace

TEST_CASE("the code of the guide to clusters does what is said there") {
  naturally([](simulation& world, network&) -> coro<> {
    cluster::node first(at("first", "127.0.0.2"));
    cluster::node second(at("second", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)}));
    take_orders(first);
    auto placing = place_orders(second);
    co_await std::move(placing);
    const cluster::topic<price> prices(first, "prices");
    const auto who = spawn<buyer>(prices);
    co_await world.quiet();
    CHECK(cluster::topic<price>(second, "prices").nodes() == 1);
    quote(second);
    co_await world.quiet();
    CHECK(prices.lost(who) == 0);
  });
}
