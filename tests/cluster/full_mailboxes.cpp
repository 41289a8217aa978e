// Mailboxes with bounds, and who sends to them from another node: what has no room waits, and so does who sends more.
#include "cluster/nodes.hpp"

#include <troupe/actors/counts.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/timeout.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::clusters;

namespace {

struct numbered {
  int number = 0;
};
struct how_many {
  using reply = int;
};
struct go_on {};
using slow_protocol = protocol<numbered, how_many, go_on>;

/// Takes a millisecond for each message, or stands still; expects them in their order.
class slow : public actor<slow_protocol> {
 public:
  static constexpr mailbox_options mailbox{.capacity = 4, .when_full = overflow::suspend};
  explicit slow(int& handled) : handled_(handled) {}
  coro<> on(numbered n) {
    expect(n.number == handled_ + 1, "a message is missing, or overtook another");
    co_await sleep(1ms);
    ++handled_;
  }
  int on(how_many) { return handled_; }
  void on(go_on) {}

 private:
  int& handled_;
};

/// Does not take anything before it is let.
class closed : public slow {
 public:
  using slow::slow;
  coro<> on(numbered) { co_await sleep(infinite); }
  using slow::on;
};

class refusing : public actor<slow_protocol> {
 public:
  static constexpr mailbox_options mailbox{.capacity = 4, .when_full = overflow::reject};
  coro<> on(numbered) { co_await sleep(infinite); }
  int on(how_many) { return 0; }
  void on(go_on) {}
};

coro<> send_all(actor_ref<slow_protocol> to, int count, int& sent) {
  while (sent < count) {
    auto sending = to.send(numbered{sent + 1});
    co_await sending;
    if (++sent % 16 == 0) co_await sleep(100us);
  }
}

/// Two loops, so that the actor may be on another than its node.
template <class Scenario>
void on_two_loops(Scenario scenario) {
  first_come natural;
  simulation world(natural, {.threads = 2, .most_steps = 10'000'000});
  network net(world);
  world.run(scenario());
}

/// Two nodes, on the second of which little may wait.
struct nodes {
  static cluster::node_options small() {
    cluster::node_options made = at("second", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)});
    made.waiting = 100;
    return made;
  }
  std::optional<cluster::node> first{at("first", "127.0.0.2")};
  std::optional<cluster::node> second{small()};
};

// More than waits there, is on its way until that is known, and waits here.
constexpr int most_ahead = 1'000;

coro<> keeps_pace(place where) {
  nodes both;
  int handled = 0;
  both.first->publish("slow", spawn<slow>(where, std::ref(handled)));
  const auto far = co_await both.second->lookup<slow_protocol>("slow");
  int sent = 0;
  auto sending = create_task(send_all(far, 10'000, sent));
  int ahead = 0;
  while (!sending.done()) {
    co_await sleep(1ms);
    ahead = std::max(ahead, sent - handled);
  }
  co_await sending;
  CHECK(ahead > 4);
  CHECK(ahead < most_ahead);
  const int all = co_await far.ask(how_many{}, 60s);
  CHECK(all == 10'000);
}

}  // namespace

TEST_CASE(
    "who sends to a full mailbox on another node waits as long as there is no room, and nothing is "
    "lost") {
  on_two_loops([]() -> coro<> {
    const auto before = counts_of_loop().dead_letters;
    auto one = keeps_pace(place::on(0));
    co_await std::move(one);
    CHECK(counts_of_loop().dead_letters == before);
  });
}

TEST_CASE("the same of an actor that is on another loop than its node") {
  on_two_loops([]() -> coro<> {
    auto one = keeps_pace(place::on(1));
    co_await std::move(one);
  });
}

TEST_CASE(
    "an actor whose mailbox is full holds up nobody who has something for others of its node") {
  naturally([](simulation&, network&) -> coro<> {
    nodes both;
    int stands = 0;
    int goes = 0;
    both.first->publish("closed", spawn<closed>(std::ref(stands)));
    both.first->publish("open", spawn<slow>(std::ref(goes)));
    const auto shut = co_await both.second->lookup<slow_protocol>("closed");
    const auto open = co_await both.second->lookup<slow_protocol>("open");
    int sent = 0;
    auto sending = create_task(send_all(shut, 1'000'000, sent));
    co_await sleep(10s);
    CHECK(sent < most_ahead);
    const int before = sent;
    int through = 0;
    auto others = send_all(open, 1'000, through);
    co_await timeout(60s, std::move(others));
    const int got = co_await open.ask(how_many{});
    CHECK(got == 1'000);
    CHECK(sent == before);
    // What waits ends with the actor, and each who waits hears of it.
    shut.kill();
    CHECK_THROWS_AS(co_await sending, actor_dead);
  });
}

TEST_CASE("who waits for room on another node hears that this is lost") {
  naturally([](simulation&, network& net) -> coro<> {
    nodes both;
    int stands = 0;
    both.first->publish("closed", spawn<closed>(std::ref(stands)));
    const auto shut = co_await both.second->lookup<slow_protocol>("closed");
    int sent = 0;
    auto sending = create_task(send_all(shut, 1'000'000, sent));
    co_await sleep(10s);
    net.partition("127.0.0.1", "127.0.0.2");
    CHECK_THROWS_AS(co_await sending, ask_error);
  });
}

TEST_CASE("what a mailbox on another node refuses is refused there, and counted") {
  naturally([](simulation&, network&) -> coro<> {
    nodes both;
    both.first->publish("refusing", spawn<refusing>());
    const auto far = co_await both.second->lookup<slow_protocol>("refusing");
    const auto before = counts_of_loop().dead_letters;
    int sent = 0;
    auto sending = send_all(far, 100, sent);
    co_await std::move(sending);
    co_await sleep(1s);
    CHECK(counts_of_loop().dead_letters == before + 95);  // one is in hand, four wait
  });
}

namespace {

/// Some send to an actor that takes nothing, on another loop than its node; then something ends, and each of them is to hear of it.
void everybody_hears(coro<> (*end)(nodes& both, const actor_ref<slow_protocol>& shut)) {
  explore({.schedules = 100, .threads = 2, .most_steps = 1'000'000},
          [end](simulation& world) -> coro<> {
            network net(world);
            nodes both;
            int stands = 0;
            const actor_ref<slow_protocol> shut = spawn<closed>(place::on(1), std::ref(stands));
            both.first->publish("closed", shut);
            const auto far = co_await both.second->lookup<slow_protocol>("closed");
            int sent[3] = {};
            std::vector<task<>> sending;
            for (int& each : sent) sending.push_back(create_task(send_all(far, 1'000, each)));
            co_await sleep(50ms);
            auto ending = end(both, shut);
            co_await std::move(ending);
            for (auto& each : sending) {
              bool failed = false;
              try {
                auto over = timeout(10min, each);
                co_await std::move(over);
              } catch (const ask_error&) {
                failed = true;
              }
              expect(failed, "who waited was told that all was sent");
            }
            auto over = shut.stopped();
            shut.kill();
            co_await over;
          });
}

}  // namespace

TEST_CASE("whoever waits for room on another node hears that its actor has ended") {
  everybody_hears(+[](nodes&, const actor_ref<slow_protocol>& shut) -> coro<> {
    auto over = shut.stopped();
    shut.kill();
    co_await over;
  });
}

TEST_CASE("whoever waits for room on another node hears that this leaves") {
  everybody_hears(+[](nodes& both, const actor_ref<slow_protocol>&) -> coro<> {
    both.first.reset();
    co_return;
  });
}

TEST_CASE("whoever waits for room on another node hears that his own leaves") {
  everybody_hears(+[](nodes& both, const actor_ref<slow_protocol>&) -> coro<> {
    both.second.reset();
    co_return;
  });
}
