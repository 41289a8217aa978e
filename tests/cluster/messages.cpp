// Messages to actors elsewhere: what becomes of those that are odd.
#include <troupe/actors/cluster/codec.hpp>

#include "cluster/nodes.hpp"

#include <stdexcept>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::clusters;

namespace {

/// A number that is even: others are not read.
class even {
 public:
  even() = default;
  explicit even(int half) : half_(half) {}
  int half() const { return half_; }

 private:
  int half_ = 0;
};

}  // namespace

template <>
struct troupe::cluster::coded<even> {
  using as = std::int64_t;
  static as write(const even& e) { return e.half(); }
  static even read(as given) {
    if (given == 13) throw std::domain_error("thirteen is not taken here");
    if (given == 14) throw malformed("fourteen is no number");
    return even(static_cast<int>(given));
  }
};

namespace {

struct take {
  using reply = int;
  even what;
};
struct give_back {
  using reply = even;
  int half = 0;
};
struct taken {
  using reply = int;
};
using desk = protocol<take, give_back, taken>;

class clerk : public actor<desk> {
 public:
  int on(take t) {
    ++taken_;
    return t.what.half();
  }
  even on(give_back g) { return even(g.half); }
  int on(taken) { return taken_; }

 private:
  int taken_ = 0;
};

struct office : two_nodes {
  actor_ref<desk> there = spawn<clerk>();
  actor_ref<desk> far;

  coro<> open() {
    first.publish("clerk", there);
    far = co_await second.lookup<desk>("clerk");
  }
};

}  // namespace

TEST_CASE("a request can be sent and told to an actor elsewhere, and its answer is dropped") {
  naturally([](simulation& world, network&) -> coro<> {
    office all;
    co_await all.open();
    auto sent = all.far.send(take{even(1)});
    co_await sent;
    all.far.tell(take{even(2)});
    const int count = co_await all.far.ask(taken{});
    CHECK(count == 2);
    co_await world.advance(3s);
    CHECK_THAT(all.second.describe(), Catch::Contains(" 0 asks"));
  });
}

TEST_CASE(
    "what the reader of a message throws fails the ask, or is reported, and nobody else notices") {
  std::string told;
  naturally([&](simulation& world, network&) -> coro<> {
    world.expect_failures([&told](const failure_report& report) {
      told += report.message + ": " + describe(report.error) + "\n";
      return true;
    });
    office all;
    co_await all.open();
    CHECK_THROWS_WITH(co_await all.far.ask(take{even(13)}),
                      Catch::Contains("thirteen is not taken here"));
    CHECK(told.empty());
    all.far.tell(take{even(13)});
    const int count = co_await all.far.ask(taken{});
    CHECK(count == 0);
    CHECK_THAT(told, Catch::Contains("a message of node 'second' was refused") &&
                         Catch::Contains("thirteen is not taken here"));
    const int half = co_await all.far.ask(take{even(12)});
    CHECK(half == 12);
    CHECK(all.second.members().size() == 1);
  });
}

TEST_CASE("what the reader of an answer throws fails the ask, and the connection stays") {
  naturally([](simulation&, network&) -> coro<> {
    office all;
    co_await all.open();
    CHECK_THROWS_WITH(co_await all.far.ask(give_back{13}),
                      Catch::Contains("thirteen is not taken here"));
    const even half = co_await all.far.ask(give_back{12});
    CHECK(half.half() == 12);
    CHECK(all.second.members().size() == 1);
  });
}

TEST_CASE("a reader that says that bytes make no sense ends the connection, and the ask") {
  std::string told;
  naturally([&](simulation& world, network&) -> coro<> {
    world.expect_failures([&told](const failure_report& report) {
      told += report.message + ": " + describe(report.error) + "\n";
      return true;
    });
    office all;
    co_await all.open();
    CHECK_THROWS_AS(co_await all.far.ask(take{even(14)}), cluster::node_lost);
    co_await world.advance(30s);
    CHECK(all.second.members().size() == 1);  // they have found each other again
  });
  CHECK_THAT(told, Catch::Contains("node 'second' is not understood") &&
                       Catch::Contains("fourteen is no number"));
}

TEST_CASE(
    "an actor that ends while a message is on its way gets it no more, and the asker is told") {
  naturally([](simulation& world, network& net) -> coro<> {
    office all;
    co_await all.open();
    net.set_link("127.0.0.1", "127.0.0.2", {.latency = 1s});
    auto asked = all.far.ask(taken{});
    all.far.tell(take{even(1)});
    all.there.stop();
    CHECK_THROWS_AS(co_await asked, actor_dead);
    co_await world.advance(10s);
    CHECK_THROWS_AS(co_await all.far.ask(taken{}), actor_dead);
  });
}
