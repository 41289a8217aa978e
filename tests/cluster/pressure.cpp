// What waits for a node that takes nothing: bounded, counted, and sent on when it takes something again.
#include "cluster/nodes.hpp"

#include <troupe/actors/counts.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/timeout.hpp>

#include <cstddef>
#include <stdexcept>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::clusters;

namespace {

struct numbered {
  int number = 0;
  std::vector<int> filling = {};
};
struct last_number {
  using reply = int;
};
using listing = protocol<numbered, last_number>;

/// Expects each number to be larger than the one before.
class list : public actor<listing> {
 public:
  void on(numbered n) {
    expect(n.number > last_, "a message overtook another");
    last_ = n.number;
  }
  int on(last_number) { return last_; }

 private:
  int last_ = 0;
};

/// Two nodes, of which the second takes little of what is for the first; that is cut off, but not yet lost.
struct office {
  explicit office(std::size_t waiting)
      : first(patient(at("first", "127.0.0.2"))), second(small(waiting)) {}

  static cluster::node_options patient(cluster::node_options made) {
    made.silence = 10min;
    return made;
  }
  static cluster::node_options small(std::size_t waiting) {
    cluster::node_options made =
        patient(at("second", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)}));
    made.unsent = 16 << 10;
    made.waiting = waiting;
    return made;
  }
  coro<> open() {
    first.publish("list", there);
    far = co_await second.lookup<listing>("list");
  }
  numbered next(std::size_t filling = 250) { return {++number, std::vector<int>(filling)}; }

  cluster::node first;
  cluster::node second;
  actor_ref<listing> there = spawn<list>();
  actor_ref<listing> far;
  int number = 0;
};

coro<> send_all(office& all, int count, int& sent) {
  for (; sent < count; ++sent) {
    auto next = all.next();
    auto sending = all.far.send(std::move(next));
    co_await sending;
    co_await sleep(1ms);
  }
}

coro<> send_in_one_go(office& all, int count, int& sent) {
  for (; sent < count; ++sent) {
    auto next = all.next(0);
    auto sending = all.far.send(std::move(next));
    co_await sending;
  }
}

}  // namespace

TEST_CASE("who sends to a node that takes nothing waits, and goes on when it does") {
  explore({.schedules = 100, .most_steps = 1'000'000}, [](simulation& world) -> coro<> {
    network net(world);
    office all(50);
    co_await all.open();
    net.partition("127.0.0.1", "127.0.0.2");
    int sent = 0;
    auto sending = create_task(send_all(all, 1000, sent));
    co_await world.advance(1min);
    const int before = sent;
    expect(before >= 50 && before < 500, "it does not wait: " + std::to_string(before));
    co_await world.advance(1min);
    expect(sent == before, "it goes on");
    net.heal();
    auto done = timeout(5min, std::move(sending));
    co_await std::move(done);
    auto asked = all.far.ask(last_number{});
    const int last = co_await asked;
    expect(last == 1000, "something was lost");
    expect(counts_of_loop().dead_letters == 0, "a dead letter");
  });
}

TEST_CASE("what is told to a node that takes nothing is refused when too much waits, and counted") {
  explore({.schedules = 100, .most_steps = 1'000'000}, [](simulation& world) -> coro<> {
    network net(world);
    office all(50);
    co_await all.open();
    net.partition("127.0.0.1", "127.0.0.2");
    for (int each = 0; each < 1000; ++each) {
      all.far.tell(all.next());
      if (each % 10 == 9) co_await world.advance(1ms);
    }
    const auto refused = counts_of_loop().refused_as_full;
    expect(refused >= 500 && refused < 950, std::to_string(refused) + " were refused");
    net.heal();
    co_await world.advance(1min);
    all.far.tell(all.next());
    auto asked = all.far.ask(last_number{});
    const int last = co_await asked;
    expect(last == 1001, "there is room again, and something was lost");
    expect(counts_of_loop().refused_as_full == refused, "something was refused though it had room");
  });
}

TEST_CASE("who sends more in one go than may wait for a node waits, too") {
  naturally([](simulation& world, network&) -> coro<> {
    office all(50);
    co_await all.open();
    int sent = 0;
    auto sending = create_task(send_in_one_go(all, 200'000, sent));
    co_await sleep(0s);
    CHECK(sent >= 60'000);
    CHECK(sent <= 70'000);
    auto done = timeout(10min, std::move(sending));
    co_await std::move(done);
    co_await world.advance(1min);
    auto asked = all.far.ask(last_number{});
    const int last = co_await asked;
    CHECK(last == 200'000);
    CHECK(counts_of_loop().dead_letters == 0);
  });
}

TEST_CASE("what waits for a node that takes nothing ends with that node") {
  naturally([](simulation& world, network& net) -> coro<> {
    office all(50);
    co_await all.open();
    net.partition("127.0.0.1", "127.0.0.2");
    int sent = 0;
    auto sending = create_task(send_all(all, 1000, sent));
    co_await world.advance(1min);
    auto asked = all.far.ask(last_number{}, infinite);
    co_await world.advance(10min);
    CHECK_THROWS_AS(co_await asked, ask_error);
    CHECK_THROWS_AS(co_await sending, actor_dead);
  });
}

TEST_CASE("a node for whose peers nothing may wait is refused") {
  naturally([](simulation&, network&) -> coro<> {
    CHECK_THROWS_AS(cluster::node({.name = "none", .waiting = 0}), std::invalid_argument);
    co_return;
  });
}
