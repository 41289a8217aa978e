// Mailboxes with bounds, and who sends to them from another node: what has no room waits, and so does who sends more.
#include "cluster/nodes.hpp"

#include <troupe/actors/counts.hpp>
#include <troupe/actors/interleave.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/event.hpp>
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
  std::string filling = {};
};
struct how_many {
  using reply = int;
};
using slow_protocol = protocol<numbered, how_many>;
using slow_ref = actor_ref<slow_protocol>;

constexpr mailbox_options four_wait{.capacity = 4, .when_full = overflow::suspend};

/// Takes a millisecond for each message; expects them in their order.
class slow : public actor<slow_protocol> {
 public:
  static constexpr mailbox_options mailbox = four_wait;
  explicit slow(int& handled) : handled_(handled) {}
  coro<> on(numbered n) {
    expect(n.number == handled_ + 1, "a message is missing, or overtook another");
    co_await sleep(1ms);
    ++handled_;
  }
  int on(how_many) { return handled_; }

 private:
  int& handled_;
};

/// Has never done with the first.
class closed : public actor<slow_protocol> {
 public:
  static constexpr mailbox_options mailbox = four_wait;
  coro<> on(numbered) { co_await sleep(infinite); }
  int on(how_many) { return 0; }
};

class refusing : public closed {
 public:
  static constexpr mailbox_options mailbox{.capacity = 4, .when_full = overflow::reject};
};

/// Two nodes, on the second of which little may wait, and little is on its way.
struct nodes {
  static cluster::node_options small() {
    cluster::node_options made = at("second", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)});
    made.waiting = 100;
    made.unsent = 16 << 10;
    made.heartbeat = 100ms;
    return made;
  }
  std::optional<cluster::node> first{at("first", "127.0.0.2")};
  std::optional<cluster::node> second{small()};
};

/// How large messages are of which some hundreds may wait: an actor that is on another loop than its node is given more, as it may be about to take it.
constexpr std::size_t size_for(std::size_t loop) { return loop == 0 ? 200 : 30'000; }
// More than waits there, is on its way until that is known, and waits here.
constexpr int most_ahead = 1'200;

coro<> send_all(slow_ref to, std::size_t size, int count, int& sent) {
  while (sent < count) {
    auto sending = to.send(numbered{sent + 1, std::string(size, 'x')});
    co_await sending;
    if (++sent % 16 == 0) co_await sleep(100us);
  }
}

/// Two loops, so that the actor may be on another than its node.
void on_two_loops(coro<> (*scenario)()) {
  first_come natural;
  simulation world(natural, {.threads = 2, .most_steps = 10'000'000});
  network net(world);
  world.run(scenario());
}

template <std::size_t Loop>
coro<> keeps_pace() {
  constexpr int count = 4'000;
  nodes both;
  int handled = 0;
  both.first->publish("slow", spawn<slow>(place::on(Loop), std::ref(handled)));
  const slow_ref far = co_await both.second->lookup<slow_protocol>("slow");
  int sent = 0;
  auto sending = create_task(send_all(far, size_for(Loop), count, sent));
  int ahead = 0;
  while (!sending.done()) {
    co_await sleep(1ms);
    ahead = std::max(ahead, sent - handled);
  }
  co_await sending;
  CHECK(ahead > 4);
  CHECK(ahead < most_ahead);
  const int all = co_await far.ask(how_many{}, 60s);
  CHECK(all == count);
  CHECK(counts_of_loop().dead_letters == 0);
}

}  // namespace

TEST_CASE("who sends to a full mailbox on another node waits as long as there is no room") {
  on_two_loops(&keeps_pace<0>);
}

TEST_CASE("who sends to a full mailbox waits also where that is on another loop than its node") {
  on_two_loops(&keeps_pace<1>);
}

TEST_CASE("an actor whose mailbox is full holds up nobody who has something for others") {
  naturally([](simulation&, network&) -> coro<> {
    nodes both;
    int goes = 0;
    both.first->publish("closed", spawn<closed>());
    both.first->publish("open", spawn<slow>(std::ref(goes)));
    const slow_ref shut = co_await both.second->lookup<slow_protocol>("closed");
    const slow_ref open = co_await both.second->lookup<slow_protocol>("open");
    int sent = 0;
    auto sending = create_task(send_all(shut, size_for(0), 1'000'000, sent));
    co_await sleep(10s);
    const int before = sent;
    CHECK(before < most_ahead);
    CHECK_THAT(both.second->describe(), Catch::Contains("1 actors without room"));
    CHECK_THAT(both.first->describe(), Catch::Contains("bytes that wait for room here"));
    int through = 0;
    auto others = send_all(open, size_for(0), 1'000, through);
    co_await timeout(60s, std::move(others));
    const int got = co_await open.ask(how_many{});
    CHECK(got == 1'000);
    CHECK(sent == before);
    // What waits ends with the actor, and each who waits hears of it.
    shut.kill();
    CHECK_THROWS_AS(co_await sending, actor_dead);
    co_await sleep(1s);
    CHECK_THAT(both.second->describe(), !Catch::Contains("without room"));
    CHECK_THAT(both.first->describe(), !Catch::Contains("wait for room here"));
  });
}

TEST_CASE("however much waits for others, an actor that has room gets what it is sent") {
  naturally([](simulation&, network&) -> coro<> {
    nodes both;
    std::vector<slow_ref> all;
    for (int each = 0; each < 900; ++each) {
      const std::string name = "closed " + std::to_string(each);
      both.first->publish(name, spawn<closed>());
      all.push_back(co_await both.second->lookup<slow_protocol>(name));
    }
    int goes = 0;
    both.first->publish("open", spawn<slow>(std::ref(goes)));
    const slow_ref open = co_await both.second->lookup<slow_protocol>("open");
    // One is in hand, four lie in the mailbox, two wait: 74 MB in all.
    for (int round = 0; round < 7; ++round)
      for (const slow_ref& each : all) {
        auto sending = each.send(numbered{round, std::string(41'000, 'x')});
        co_await sending;
      }
    co_await sleep(1s);
    int through = 0;
    auto others = send_all(open, size_for(0), 100, through);
    co_await timeout(60s, std::move(others));
    const int got = co_await open.ask(how_many{});
    CHECK(got == 100);
    CHECK(counts_of_loop().dead_letters == 0);
  });
}

TEST_CASE("who waits for room on another node hears that this is lost") {
  naturally([](simulation&, network& net) -> coro<> {
    nodes both;
    both.first->publish("closed", spawn<closed>());
    const slow_ref shut = co_await both.second->lookup<slow_protocol>("closed");
    int sent = 0;
    auto sending = create_task(send_all(shut, size_for(0), 1'000'000, sent));
    co_await sleep(10s);
    net.partition("127.0.0.1", "127.0.0.2");
    CHECK_THROWS_AS(co_await sending, ask_error);
  });
}

TEST_CASE("what a mailbox on another node refuses is refused there, and counted") {
  naturally([](simulation&, network&) -> coro<> {
    nodes both;
    both.first->publish("refusing", spawn<refusing>());
    const slow_ref far = co_await both.second->lookup<slow_protocol>("refusing");
    int sent = 0;
    auto sending = send_all(far, 0, 100, sent);
    co_await std::move(sending);
    co_await sleep(1s);
    CHECK(counts_of_loop().refused_as_full == 95);  // one is in hand, four wait
    CHECK(counts_of_loop().dead_letters == 95);
  });
}

namespace {
/// Drops its ref of an actor that has no room, and learns of it again so much later: it is to be held back then as before.
coro<> drops_and_learns(duration later) {
  nodes both;
  const slow_ref there = spawn<closed>();
  both.first->publish("closed", there);
  slow_ref far = co_await both.second->lookup<slow_protocol>("closed");
  // All of it is on its way, and nobody waits, when it is said that there is no room.
  for (int each = 0; each < 12; ++each) far.tell(numbered{each, std::string(10'000, 'x')});
  co_await sleep(1s);
  CHECK_THAT(both.second->describe(), Catch::Contains("1 actors without room"));
  both.first->unpublish("closed");
  far = slow_ref();
  co_await sleep(later);
  if (later >= 1s) CHECK_THAT(both.second->describe(), !Catch::Contains("without room"));
  both.first->publish("closed", there);
  far = co_await both.second->lookup<slow_protocol>("closed");
  int sent = 0;
  auto sending = create_task(send_all(far, size_for(0), 100'000, sent));
  co_await sleep(10s);
  CHECK(sent < most_ahead);
  sending.cancel();
  there.kill();
  CHECK_THROWS_AS(co_await sending, cancelled);
}
}  // namespace

TEST_CASE(
    "a ref that is dropped while its actor has no room, and learned again, is held back again") {
  naturally([](simulation&, network&) { return drops_and_learns(1s); });
}

TEST_CASE(
    "an actor without room stays so for who drops its ref and learns of it at the same time") {
  for (int each = 0; each < 30; ++each) {
    INFO("after " << each << " times 10 ms");
    naturally([each](simulation&, network&) { return drops_and_learns(10ms * each); },
              {.link = {.latency = 60ms}});
  }
}

TEST_CASE("who sends by way of a third node is held back from node to node") {
  naturally([](simulation&, network&) -> coro<> {
    nodes both;
    cluster::node_options how = nodes::small();
    how.name = "third";
    how.listen = io::endpoint("127.0.0.3", 7000);
    how.seeds = {io::endpoint("127.0.0.1", 7000)};
    cluster::node third(how);
    const slow_ref there = spawn<closed>();
    both.first->publish("closed", there);
    const slow_ref near = co_await both.second->lookup<slow_protocol>("closed");
    both.second->publish("passed on", near);
    const slow_ref far = co_await third.lookup<slow_protocol>("passed on");
    int sent = 0;
    auto sending = create_task(send_all(far, size_for(0), 1'000'000, sent));
    co_await sleep(20s);
    CHECK(sent < 2 * most_ahead);
    there.kill();
    CHECK_THROWS_AS(co_await sending, ask_error);
    CHECK(counts_of_loop().refused_as_full == 0);
  });
}

namespace {
struct job {
  int number = 0;
};
struct go {};
using worker = protocol<job, go>;

/// Does nothing before it is told to.
class patient : public actor<worker> {
 public:
  using interleave = messages<go>;
  static constexpr message_limit limits[] = {limit<job>(10, overflow::suspend)};
  explicit patient(int& done) : done_(done) {}
  coro<> on(job next) {
    co_await may_begin_.wait();
    expect(next.number == done_, "a message is missing, or overtook another");
    ++done_;
  }
  void on(go) { may_begin_.set(); }

 private:
  int& done_;
  event may_begin_;
};
}  // namespace

TEST_CASE("a message of a type that has room is not held back behind others that have none") {
  naturally([](simulation&, network&) -> coro<> {
    nodes both;
    int done = 0;
    both.first->publish("patient", spawn<patient>(std::ref(done)));
    const actor_ref<worker> far = co_await both.second->lookup<worker>("patient");
    for (int each = 0; each < 2'000; ++each) {
      auto sending = far.send(job{each});
      co_await sending;
    }
    co_await sleep(1s);
    CHECK(done == 0);
    far.tell(go{});
    co_await sleep(10s);
    CHECK(done == 2'000);
  });
}

namespace {

/// Some send to an actor that takes nothing, on another loop than its node; then something ends, and each of them is to hear of it.
void everybody_hears(coro<> (*end)(nodes& both, const slow_ref& shut)) {
  explore({.schedules = 50, .threads = 2, .most_steps = 1'000'000},
          [end](simulation& world) -> coro<> {
            network net(world);
            nodes both;
            const slow_ref shut = spawn<closed>(place::on(1));
            both.first->publish("closed", shut);
            const slow_ref far = co_await both.second->lookup<slow_protocol>("closed");
            int sent[3] = {};
            std::vector<task<>> sending;
            for (int& each : sent)
              sending.push_back(create_task(send_all(far, size_for(1), 1'000, each)));
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
  everybody_hears(+[](nodes&, const slow_ref& shut) -> coro<> {
    auto over = shut.stopped();
    shut.kill();
    co_await over;
  });
}

TEST_CASE("whoever waits for room on another node hears that this leaves") {
  everybody_hears(+[](nodes& both, const slow_ref&) -> coro<> {
    both.first.reset();
    co_return;
  });
}

TEST_CASE("whoever waits for room on another node hears that his own leaves") {
  everybody_hears(+[](nodes& both, const slow_ref&) -> coro<> {
    both.second.reset();
    co_return;
  });
}
