// Refs that nobody has any more are released on the other node, and answers wait for room.
#include <troupe/actors/monitor.hpp>
#include <troupe/runtime/gather.hpp>

#include "cluster/nodes.hpp"

#include <algorithm>
#include <map>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::clusters;

namespace {

struct count_up {
  int by = 1;
  std::string padding = {};
};
struct total {
  using reply = int;
};
using counter = protocol<count_up, total>;
struct a_counter {
  using reply = actor_ref<counter>;
  int number = 0;
};
struct pages {
  using reply = std::string;
  std::size_t size = 0;
};
struct keep_it {
  actor_ref<counter> what;
};
struct count_kept {
  using reply = void;
};
struct drop_kept {
  using reply = void;
};
using worker = protocol<a_counter, pages, keep_it, count_kept, drop_kept>;

class counting : public actor<counter> {
 public:
  void on(count_up c) { sum_ += c.by; }
  int on(total) { return sum_; }

 private:
  int sum_ = 0;
};

/// Has counters by their numbers, and keeps what it is given.
class working : public actor<worker> {
 public:
  actor_ref<counter> on(a_counter which) {
    auto known = all_.find(which.number);
    if (known == all_.end()) known = all_.emplace(which.number, spawn<counting>()).first;
    return known->second;
  }
  std::string on(pages p) { return std::string(p.size, 'x'); }
  void on(keep_it k) { kept_.push_back(std::move(k.what)); }
  void on(count_kept) {
    for (const auto& each : kept_) each.tell(count_up{});
  }
  void on(drop_kept) { kept_.clear(); }

 private:
  std::map<int, actor_ref<counter>> all_;
  std::vector<actor_ref<counter>> kept_;
};

struct workshop : two_nodes {
  using two_nodes::two_nodes;
  actor_ref<worker> there = spawn<working>();
  actor_ref<worker> far;

  coro<> open() {
    first.publish("worker", there);
    far = co_await second.lookup<worker>("worker");
  }
  coro<actor_ref<counter>> counter_of(int number) {
    auto asked = far.ask(a_counter{number});
    co_return co_await asked;
  }
};

/// How many actors of its a node has told others of.
bool knows(const cluster::node& node, std::size_t count) {
  return node.describe().find(", " + std::to_string(count) + " actors known to others") !=
         std::string::npos;
}

struct watch_him {
  using reply = void;
  any_actor who;
};
struct ends {
  using reply = int;
};
class watching : public actor<protocol<watch_him, down, ends>> {
 public:
  void on(watch_him w) { monitor(w.who); }
  void on(down) { ++ends_; }
  int on(ends) { return ends_; }

 private:
  int ends_ = 0;
};

}  // namespace

TEST_CASE("a node forgets whom it has told others of when nobody has a ref any more") {
  naturally([](simulation& world, network&) -> coro<> {
    workshop all;
    co_await all.open();
    std::vector<actor_ref<counter>> held;
    for (int each = 0; each < 50; ++each) {
      auto asking = all.counter_of(each);
      held.push_back(co_await std::move(asking));
    }
    CHECK(knows(all.first, 51));
    co_await world.advance(10s);
    CHECK(knows(all.first, 51));
    const actor_ref<counter> last = held.back();
    last.tell(count_up{5});
    held.clear();
    co_await world.advance(3s);
    CHECK(knows(all.first, 2));
    CHECK_THAT(all.second.describe(), Catch::Contains("node 'first' at 127.0.0.2:7000: 2 refs"));
    last.tell(count_up{5});  // it has noticed nothing
    int sum = co_await last.ask(total{});
    CHECK(sum == 10);
    auto again = all.counter_of(7);
    held.push_back(co_await std::move(again));
    sum = co_await held.back().ask(total{});  // it goes on, though there was no ref of it
    CHECK(sum == 0);
    CHECK(knows(all.first, 3));
  });
}

TEST_CASE("an actor that is monitored, or asked, is not released although nobody has a ref") {
  naturally([](simulation& world, network&) -> coro<> {
    workshop all;
    co_await all.open();
    const auto watcher = spawn<watching>();
    {
      auto asking = all.counter_of(1);
      const actor_ref<counter> one = co_await std::move(asking);
      watch_him whom{one};
      auto asked = watcher.ask(std::move(whom));
      co_await asked;
    }
    co_await world.advance(10s);
    CHECK(knows(all.first, 2));
    auto direct = all.there.ask(a_counter{1});
    const actor_ref<counter> itself = co_await direct;
    itself.stop();
    co_await world.advance(1s);
    const int ended = co_await watcher.ask(ends{});
    CHECK(ended == 1);
    CHECK(knows(all.first, 1));
  });
}

TEST_CASE(
    "a name that is taken back leaves the refs that were found by it, and is released after them") {
  naturally([](simulation& world, network&) -> coro<> {
    workshop all;
    co_await all.open();
    all.first.unpublish("worker");
    co_await world.advance(10s);
    {
      auto asking = all.counter_of(1);
      const actor_ref<counter> one = co_await std::move(asking);
      const int sum = co_await one.ask(total{});
      CHECK(sum == 0);
    }
    all.far = {};
    co_await world.advance(5s);
    CHECK(knows(all.first, 0));
    CHECK(all.there.stopped().done() == false);
    all.first.publish("worker", all.there);
    all.far = co_await all.second.lookup<worker>("worker");
    auto asking = all.counter_of(1);
    const actor_ref<counter> one = co_await std::move(asking);
    const int sum = co_await one.ask(total{});
    CHECK(sum == 0);
  });
}

TEST_CASE("what waits for room on its way arrives, although the ref that it was told by is gone") {
  naturally([](simulation& world, network& net) -> coro<> {
    workshop all;
    co_await all.open();
    net.set_link("127.0.0.1", "127.0.0.2", {.latency = 100ms});  // 64 KiB at a time
    {
      auto asking = all.counter_of(1);
      const actor_ref<counter> one = co_await std::move(asking);
      for (int each = 0; each < 40; ++each) one.tell(count_up{1, std::string(100'000, 'x')});
    }
    co_await world.advance(1min);
    CHECK(knows(all.first, 1));
    auto direct = all.there.ask(a_counter{1});
    const actor_ref<counter> itself = co_await direct;
    const int sum = co_await itself.ask(total{});
    CHECK(sum == 40);
    CHECK(all.second.members().size() == 1);
  });
}

TEST_CASE("a ref that goes through a third node holds there until it is dropped") {
  naturally([](simulation& world, network&) -> coro<> {
    workshop all;
    co_await all.open();
    cluster::node third(at("third", "127.0.0.3", {io::endpoint("127.0.0.1", 7000)}));
    third.publish("keeper", spawn<working>());
    const actor_ref<worker> keeper = co_await all.second.lookup<worker>("keeper");
    {
      auto asking = all.counter_of(1);
      const actor_ref<counter> one = co_await std::move(asking);
      keep_it kept{one};
      keeper.tell(std::move(kept));
    }
    co_await world.advance(10s);
    auto counted = keeper.ask(count_kept{});
    co_await counted;
    co_await world.advance(1s);
    CHECK(knows(all.first, 2));
    auto direct = all.there.ask(a_counter{1});
    const actor_ref<counter> itself = co_await direct;
    const int sum = co_await itself.ask(total{});
    CHECK(sum == 1);
    auto dropped = keeper.ask(drop_kept{});
    co_await dropped;
    co_await world.advance(10s);
    CHECK(knows(all.second, 0));
    CHECK(knows(all.first, 1));
  });
}

TEST_CASE("refs that are dropped, released and sent again at the same time lead to their actors") {
  explore({.schedules = 150, .most_steps = 1'000'000}, [](simulation& world) -> coro<> {
    network net(world, {.link = {.latency = 20ms, .jitter = 60ms}});
    cluster::node_options fast = at("first", "127.0.0.2");
    fast.heartbeat = 50ms;
    workshop all(fast);
    cluster::node third([] {
      cluster::node_options made = at("third", "127.0.0.3", {io::endpoint("127.0.0.2", 7000)});
      made.heartbeat = 50ms;
      return made;
    }());
    all.first.publish("worker", all.there);
    const actor_ref<worker> far = co_await third.lookup<worker>("worker");
    constexpr int counters = 3;
    int told[counters] = {};
    for (int each = 0; each < 20; ++each) {
      const int number = static_cast<int>(world.choose(counters));
      auto asked = far.ask(a_counter{number}, infinite);
      const actor_ref<counter> one = co_await asked;
      one.tell(count_up{1});
      ++told[number];
      if (world.choose(2) == 0) {
        keep_it home{one};
        far.tell(std::move(home));
      }
      if (world.choose(3) == 0) co_await sleep(world.choose(200) * 1ms);
    }
    co_await world.advance(2s);
    expect(knows(all.first, 1), all.first.describe());
    for (int each = 0; each < counters; ++each) {
      auto asked = far.ask(a_counter{each}, infinite);
      const actor_ref<counter> one = co_await asked;
      auto summed = one.ask(total{});
      const int sum = co_await summed;
      expect(sum == told[each], "something did not arrive");
    }
    all.there.stop();
    co_await all.there.stopped();
  });
}

TEST_CASE("who sends refs of more actors than a node holds loses the connection, and is told why") {
  naturally([](simulation& world, network&) -> coro<> {
    std::string told;
    world.expect_failures([&told](const failure_report& report) {
      told += describe(report.error);
      return report.message.find("is not understood") != std::string::npos;
    });
    cluster::node_options small = at("first", "127.0.0.2");
    small.most_refs = 20;
    two_nodes both(small);
    const actor_ref<worker> here = spawn<working>();
    both.second.publish("worker", here);
    const actor_ref<worker> far = co_await both.first.lookup<worker>("worker");
    std::vector<actor_ref<counter>> held;
    for (int each = 0; each < 19; ++each) {
      auto asked = far.ask(a_counter{each});
      held.push_back(co_await asked);
    }
    CHECK(told.empty());
    auto asked = far.ask(a_counter{20});
    CHECK_THROWS_WITH(co_await asked, Catch::Contains("refs of more than 20"));
    CHECK_THAT(told, Catch::Contains("refs of more than 20 of its actors"));
    held.clear();
    co_await world.advance(10s);
    CHECK(both.first.members().size() == 1);
  });
}

TEST_CASE("answers that are more than a connection takes wait for room, and all come") {
  naturally([](simulation&, network&) -> coro<> {
    workshop all;
    co_await all.open();
    constexpr std::size_t size = std::size_t{1} << 20;
    std::vector<future<std::string>> asked;
    for (int each = 0; each < 80; ++each) asked.push_back(all.far.ask(pages{size}, infinite));
    std::size_t came = 0;
    for (auto& each : asked) {
      const std::string answer = co_await each;
      came += answer.size();
    }
    CHECK(came == 80 * size);
    CHECK(all.second.members().size() == 1);
  });
}

TEST_CASE("answers that wait for room are given up with their connection, or with who asked") {
  naturally([](simulation& world, network& net) -> coro<> {
    workshop all;
    co_await all.open();
    net.set_link("127.0.0.1", "127.0.0.2", {.latency = 500ms});  // 64 KiB at a time
    constexpr std::size_t size = std::size_t{1} << 20;
    std::vector<future<std::string>> asked;
    for (int each = 0; each < 10; ++each) asked.push_back(all.far.ask(pages{size}, infinite));
    co_await sleep(2s);
    asked.erase(asked.begin() + 5, asked.end());
    co_await sleep(3s);
    net.crash("127.0.0.2");
    for (auto& each : asked) CHECK_THROWS_AS(co_await each, cluster::node_lost);
    co_await world.quiet();
    CHECK(all.second.members().empty());
  });
}
