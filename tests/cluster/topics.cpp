// Topics over several nodes: each node that has subscribers is sent a message once.
#include "cluster/nodes.hpp"

#include <troupe/actors/cluster/topic.hpp>
#include <troupe/actors/name_errors.hpp>
#include <troupe/runtime/errors.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::clusters;

namespace {

struct line {
  std::uint32_t by = 0;
  std::uint32_t number = 0;
  std::string text;
};
struct lines {
  using reply = std::vector<line>;
};
using reading = protocol<line, lines>;

class reader_of_lines : public actor<reading> {
 public:
  void on(line l) { read_.push_back(std::move(l)); }
  std::vector<line> on(lines) { return read_; }

 private:
  std::vector<line> read_;
};

using news = cluster::topic<line>;

/// Three nodes that know each other.
struct press {
  cluster::node one{at("one", "127.0.0.2")};
  cluster::node two{at("two", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)})};
  cluster::node three{at("three", "127.0.0.3", {io::endpoint("127.0.0.2", 7000)})};

  coro<> open(simulation& world) {
    co_await world.advance(10s);
    expect(one.members().size() == 2 && two.members().size() == 2 && three.members().size() == 2,
           one.describe() + two.describe() + three.describe());
  }
};

coro<std::vector<line>> read_by(actor_ref<reading> who) { co_return co_await who.ask(lines{}); }

}  // namespace

TEST_CASE("what is published on a node comes to the subscribers of all, in its order, once") {
  naturally([](simulation& world, network& net) -> coro<> {
    press all;
    co_await all.open(world);
    news here(all.one, "news");
    news there(all.two, "news");
    const auto first = spawn<reader_of_lines>();
    const auto second = spawn<reader_of_lines>();
    const auto third = spawn<reader_of_lines>();
    here.subscribe(first);
    there.subscribe(second);
    there.subscribe(third);
    co_await world.quiet();
    news elsewhere(all.three, "news");  // which has no subscribers
    CHECK(elsewhere.nodes() == 2);
    const std::uint64_t before = net.traffic().bytes;
    const std::string text(1000, 'x');
    for (std::uint32_t each = 1; each <= 10; ++each) {
      const std::size_t sent = elsewhere.publish({3, each, text});
      CHECK(sent == 2);
    }
    co_await world.quiet();
    CHECK(net.traffic().bytes - before < 2 * 10 * 1200);  // to each node once
    const actor_ref<reading> all_readers[] = {first, second, third};
    for (const auto& who : all_readers) {
      const std::vector<line> read = co_await read_by(who);
      REQUIRE(read.size() == 10);
      for (std::uint32_t each = 0; each < 10; ++each) CHECK(read[each].number == each + 1);
    }
  });
}

TEST_CASE("a node that comes later is sent what is published from then on") {
  naturally([](simulation& world, network&) -> coro<> {
    std::optional<cluster::node> one(at("one", "127.0.0.2"));
    news here(*one, "news");
    here.publish({1, 1, "nobody hears it"});
    cluster::node two(at("two", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)}));
    const auto late = spawn<reader_of_lines>();
    news(two, "news").subscribe(late);  // the handle is gone, and the subscription stays
    co_await world.advance(1s);
    here.publish({1, 2, "hello"});
    co_await world.quiet();
    const std::vector<line> read = co_await read_by(late);
    REQUIRE(read.size() == 1);
    CHECK(read[0].number == 2);
  });
}

TEST_CASE("a node whose subscribers have gone is sent nothing any more") {
  naturally([](simulation& world, network&) -> coro<> {
    press all;
    co_await all.open(world);
    news here(all.one, "news");
    news there(all.two, "news");
    const auto first = spawn<reader_of_lines>();
    const auto second = spawn<reader_of_lines>();
    CHECK(there.subscribe(first));
    CHECK(there.subscribe(second));
    CHECK_FALSE(there.subscribe(second));
    co_await world.quiet();
    CHECK(here.nodes() == 1);
    first.stop();
    co_await world.quiet();
    CHECK(here.nodes() == 1);
    CHECK(there.unsubscribe(second));
    co_await world.quiet();
    CHECK(here.nodes() == 0);
    CHECK(here.publish({1, 1, "nobody"}) == 0);
    CHECK(there.subscribe(second));
    co_await world.quiet();
    CHECK(here.publish({1, 2, "somebody"}) == 1);
    co_await world.quiet();
    const std::vector<line> read = co_await read_by(second);
    REQUIRE(read.size() == 1);
    CHECK(read[0].number == 2);
  });
}

TEST_CASE("a node that takes nothing is sent so much, and the others do not wait for it") {
  naturally(
      [](simulation& world, network& net) -> coro<> {
        // The first is found by nobody, so that its links to the others are apart.
        cluster::node_options finds_others;
        finds_others.name = "one";
        finds_others.seeds = {io::endpoint("127.0.0.3", 7000), io::endpoint("127.0.0.4", 7000)};
        cluster::node one(finds_others);
        cluster::node two(at("two", "127.0.0.4"));
        cluster::node three(at("three", "127.0.0.3"));
        cluster::topic_options few;
        few.to_a_node = {.capacity = 20, .when_full = lag::drop_oldest};
        news here(one, "news", few);
        const auto slow = spawn<reader_of_lines>();
        const auto quick = spawn<reader_of_lines>();
        news(two, "news").subscribe(slow);
        news(three, "news").subscribe(quick);
        co_await world.advance(1s);
        REQUIRE(here.nodes() == 2);
        net.partition("127.0.0.1", "127.0.0.4");
        const std::string text(10'000, 'x');
        for (std::uint32_t each = 1; each <= 500; ++each) {
          here.publish({1, each, text});
          co_await sleep(1ms);
        }
        const std::vector<line> read = co_await read_by(quick);
        CHECK(read.size() == 500);
        CHECK(here.lost(two.info().id) > 100);
        CHECK(here.lost(three.info().id) == 0);
        net.heal();
        co_await world.advance(1s);
        const std::vector<line> rest = co_await read_by(slow);
        REQUIRE(rest.size() > 20);
        CHECK(rest.size() + here.lost(two.info().id) == 500);
        CHECK(rest.back().number == 500);
      },
      {.short_transfers = false});
}

TEST_CASE("a topic is of one type of message on a node") {
  naturally([](simulation&, network&) -> coro<> {
    cluster::node one(at("one", "127.0.0.2"));
    news here(one, "news");
    CHECK_THROWS_AS(cluster::topic<lines>(one, "news"), name_mismatch);
    CHECK_THROWS_WITH(cluster::topic<lines>(one, "news"), Catch::Contains("is a topic of"));
    CHECK_THROWS_AS(news(one, ""), std::invalid_argument);
    CHECK_THROWS_AS(news(one, std::string(1001, 'x')), std::invalid_argument);
    CHECK(one.names().empty());
    co_return;
  });
}

TEST_CASE("a name of a topic may be used for another message when nobody has it any more") {
  naturally([](simulation& world, network&) -> coro<> {
    cluster::node one(at("one", "127.0.0.2"));
    const auto who = spawn<reader_of_lines>();
    std::optional<news> here(std::in_place, one, "news");
    here->subscribe(who);
    here.reset();
    co_await world.quiet();
    CHECK_THROWS_AS(cluster::topic<lines>(one, "news"), name_mismatch);
    who.stop();
    co_await world.quiet();
    cluster::topic<lines> other(one, "news");
    CHECK(other.subscribers() == 0);
  });
}

TEST_CASE("of a node that has left a topic goes on for those that are there") {
  naturally([](simulation& world, network&) -> coro<> {
    std::optional<cluster::node> one(at("one", "127.0.0.2"));
    news here(*one, "news");
    const auto who = spawn<reader_of_lines>();
    here.subscribe(who);
    co_await world.quiet();
    one.reset();
    co_await world.quiet();
    CHECK(here.publish({1, 1, "still"}) == 1);
    const std::vector<line> read = co_await read_by(who);
    CHECK(read.size() == 1);
  });
}

namespace {

struct publish_now {
  using reply = bool;
};

/// Publishes from another loop than the node's, where no topic is to be made.
class publisher : public actor<protocol<publish_now>> {
 public:
  publisher(cluster::node* of, news to) : of_(of), to_(std::move(to)) {}
  bool on(publish_now) {
    to_.publish({2, 9, ""});
    try {
      const news none(*of_, "other");
    } catch (const invalid_state&) {
      return true;
    }
    return false;
  }

 private:
  cluster::node* of_;
  news to_;
};

}  // namespace

TEST_CASE("topics work between loops") {
  first_come natural;
  simulation world(natural, {.threads = 2, .most_steps = 1'000'000});
  network net(world, {});
  auto scenario = [](simulation& within) -> coro<> {
    cluster::node one(at("one", "127.0.0.2"));
    cluster::node two(at("two", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)}));
    news here(one, "news");
    news there(two, "news");
    const auto far = spawn<reader_of_lines>(place::on(1));
    there.subscribe(far);
    co_await within.advance(1s);
    for (std::uint32_t each = 1; each <= 5; ++each) here.publish({1, each, ""});
    co_await within.quiet();
    const auto other = spawn<publisher>(place::on(1), &one, here);
    const bool was_refused = co_await other.ask(publish_now{});
    CHECK(was_refused);
    co_await within.quiet();
    const std::vector<line> read = co_await read_by(far);
    CHECK(read.size() == 6);
    far.stop();
    co_await within.quiet();
    CHECK(here.nodes() == 0);
  };
  world.run(scenario(world));
}

namespace {

/// Whether what came of each publisher is in order, each message once at most.
void expect_order(const std::vector<line>& read) {
  std::vector<std::uint32_t> last(4, 0);
  for (const line& each : read) {
    expect(each.number > last[each.by], "a message came late, or twice");
    last[each.by] = each.number;
  }
}

coro<> publish_some(news where, std::uint32_t by, std::uint32_t first, std::uint32_t count) {
  for (std::uint32_t each = first; each < first + count; ++each) {
    where.publish({by, each, "x"});
    co_await sleep(100ms);
  }
}

}  // namespace

TEST_CASE(
    "whatever becomes of the network, what each publishes comes in its order, at most once, and "
    "again when it is whole") {
  explore({.schedules = 150, .most_steps = 1'000'000}, [](simulation& world) -> coro<> {
    network net(world, {.link = {.latency = 1ms, .jitter = 5ms}, .faults = 3});
    press all;
    news one(all.one, "news");
    news two(all.two, "news");
    news three(all.three, "news");
    const auto first = spawn<reader_of_lines>();
    const auto second = spawn<reader_of_lines>();
    two.subscribe(first);
    three.subscribe(second);
    task<> publishing[] = {create_task(publish_some(one, 1, 1, 100)),
                           create_task(publish_some(two, 2, 1, 100)),
                           create_task(publish_some(three, 3, 1, 100))};
    co_await sleep(std::chrono::milliseconds(100 * world.choose(50)));
    net.isolate("127.0.0.3");
    co_await sleep(std::chrono::milliseconds(500 * world.choose(15)));
    net.heal();
    for (auto& each : publishing) co_await each;
    co_await world.advance(3min);
    auto last = publish_some(one, 1, 101, 5);
    co_await std::move(last);
    co_await world.advance(10s);
    const actor_ref<reading> all_readers[] = {first, second};
    for (const auto& who : all_readers) {
      auto asked = read_by(who);
      const std::vector<line> read = co_await std::move(asked);
      expect_order(read);
      std::size_t at_the_end = 0;
      for (const line& each : read) at_the_end += each.by == 1 && each.number > 100 ? 1 : 0;
      expect(at_the_end == 5, "something was lost when the network was whole");
    }
    expect(one.nodes() == 2 && two.nodes() == 1 && three.nodes() == 1, all.one.describe());
  });
}
