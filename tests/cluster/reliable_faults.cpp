// Reliable delivery while connections are cut, actors crash and nodes come back, explored.
#include "cluster/nodes.hpp"

#include <troupe/actors/cluster/reliable.hpp>
#include <troupe/runtime/timeout.hpp>

#include "cluster/reliable.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::clusters;

namespace {

constexpr std::uint32_t entries = 40;

coro<> send_all(cluster::reliable<writing>& to, std::uint32_t by, simulation& world) {
  for (std::uint32_t each = 1; each <= entries; ++each) {
    const trouble with = each % 10 == 3  ? trouble::crashes_once
                         : each % 5 == 4 ? trouble::takes_a_while
                                         : trouble::none;
    auto sent = to.send(entry{by, each, with});
    co_await sent;
    expect(to.unacknowledged() <= 8, "the outbox has more than it may");
    if (world.choose(4) == 0) co_await sleep(50ms);
  }
  auto flushing = to.flushed();
  co_await timeout(10min, std::move(flushing));
}

/// Parts the two, or resets what is between them, now and then.
coro<> disturb(simulation& world, network& net, int times) {
  for (int each = 0; each < times; ++each) {
    co_await sleep(std::chrono::milliseconds(20 * world.choose(40)));
    const std::size_t how = world.choose(3);
    if (how == 0) net.reset("127.0.0.2");
    if (how == 1) net.partition("127.0.0.1", "127.0.0.2");
    co_await sleep(std::chrono::seconds(world.choose(8)));
    net.heal();
  }
}

cluster::reliable_options small_outbox() {
  cluster::reliable_options made;
  made.capacity = 8;
  made.window = 4;
  made.slowest_retry = 1s;
  return made;
}

cluster::receiver_options quickly() {
  cluster::receiver_options made;
  made.pause = 10ms;
  return made;
}

}  // namespace

TEST_CASE(
    "while the receiver's node lives each message is handled once, in order, whatever becomes of "
    "connections and actors") {
  explore({.schedules = 200, .most_steps = 2'000'000}, [](simulation& world) -> coro<> {
    world.expect_failures([](const failure_report&) { return true; });
    network net(world, {.link = {.latency = 1ms, .jitter = 5ms}, .faults = 3});
    const auto book = std::make_shared<book_of_entries>();
    cluster::node there(at("there", "127.0.0.2"));
    cluster::node here(at("here", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)}));
    cluster::reliable<writing> one(here, "book", small_outbox());
    cluster::reliable<writing> two(here, "book", small_outbox());
    const auto head = spawn<head_of_writers>(book);
    auto asked = head.ask(your_writer{});
    const actor_ref<writing> supervised = co_await asked;
    cluster::publish_reliably(there, "book", supervised, quickly());
    task<> all[] = {create_task(send_all(one, 1, world)), create_task(send_all(two, 2, world)),
                    create_task(disturb(world, net, 3))};
    // Another actor takes over, by choice while the first has something in hand.
    co_await sleep(std::chrono::milliseconds(30 * world.choose(30)));
    const auto next = spawn<head_of_writers>(book);
    auto asked_next = next.ask(your_writer{});
    const actor_ref<writing> its_writer = co_await asked_next;
    cluster::publish_reliably(there, "book", its_writer, quickly());
    if (world.choose(2) == 0) head.stop();
    for (auto& each : all) co_await each;
    expect(in_order(*book, 1, entries), "the first sender's are not there once, in order");
    expect(in_order(*book, 2, entries), "the second sender's are not there once, in order");
    expect(one.refused() == 0 && two.refused() == 0, "something was refused");
  });
}

namespace {

/// A program that receives: it is killed, and started again.
struct incarnation {
  explicit incarnation(std::shared_ptr<cluster::receiver_store> store = {})
      : there(at("there", "127.0.0.2")), who(spawn<writer_of_entries>(book)) {
    cluster::receiver_options how = quickly();
    how.store = std::move(store);
    cluster::publish_reliably(there, "book", who, how);
  }
  std::shared_ptr<book_of_entries> book = std::make_shared<book_of_entries>();
  cluster::node there;
  actor_ref<writing> who;
};

coro<> come_and_go(simulation& world, network& net,
                   std::vector<std::shared_ptr<book_of_entries>>& books,
                   std::shared_ptr<cluster::receiver_store> store, const bool& over) {
  for (int lives = 1;; ++lives) {
    incarnation now(store);
    books.push_back(now.book);
    if (lives < 4) {
      co_await sleep(std::chrono::milliseconds(20 * world.choose(50)));
    } else {
      while (!over) co_await sleep(1s);
    }
    net.crash("127.0.0.2");
    now.who.kill();
    co_await now.who.stopped();
    if (over) co_return;
    co_await sleep(std::chrono::milliseconds(100 * world.choose(10)));
    net.restart("127.0.0.2");
  }
}

}  // namespace

TEST_CASE(
    "when the receiver's program ends, each message is handled by one that follows, and by no "
    "program twice") {
  explore({.schedules = 200, .most_steps = 2'000'000}, [](simulation& world) -> coro<> {
    network net(world, {.link = {.latency = 1ms, .jitter = 5ms}});
    std::vector<std::shared_ptr<book_of_entries>> books;
    bool over = false;
    auto receiving = create_task(come_and_go(world, net, books, nullptr, over));
    cluster::node here(at("here", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)}));
    cluster::reliable<writing> to(here, "book", small_outbox());
    for (std::uint32_t each = 1; each <= entries; ++each) {
      auto handled =
          to.deliver(entry{1, each, each % 5 == 4 ? trouble::takes_a_while : trouble::none});
      if (each % 3 != 0) continue;  // several are under way at a time
      co_await handled;
      bool found = false;
      for (const auto& book : books)
        for (const entry& one : *book) found = found || one.number == each;
      expect(found, "what was acknowledged was not handled");
    }
    auto flushing = to.flushed();
    co_await timeout(10min, std::move(flushing));
    over = true;
    co_await receiving;
    std::set<std::uint32_t> all;
    for (const auto& book : books) {
      std::uint32_t last = 0;
      for (const entry& one : *book) {
        expect(last == 0 || one.number == last + 1, "a program has handled some twice, or none");
        last = one.number;
        all.insert(last);
      }
    }
    expect(all.size() == entries, "a message was lost");
  });
}

TEST_CASE("with stores messages outlive both programs") {
  explore({.schedules = 200, .most_steps = 2'000'000}, [](simulation& world) -> coro<> {
    network net(world, {.link = {.latency = 1ms, .jitter = 5ms}});
    std::vector<std::shared_ptr<book_of_entries>> books;
    bool over = false;
    const auto notes = std::make_shared<notes_on_paper>();
    auto receiving = create_task(come_and_go(world, net, books, notes, over));
    const auto kept = std::make_shared<paper>();
    std::uint32_t accepted = 0;
    for (int lives = 1; lives <= 3; ++lives) {
      cluster::node here(at("here", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)}));
      cluster::reliable_options how = small_outbox();
      how.sender = "desk";
      how.store = std::make_shared<outbox_on_paper>(kept);
      cluster::reliable<writing> to(here, "book", how);
      for (const std::uint32_t until = accepted + 10; accepted < until; ++accepted) {
        auto sent = to.send(entry{1, accepted + 1});
        co_await sent;
      }
      if (lives < 3) {
        co_await sleep(std::chrono::milliseconds(5 * world.choose(20)));
      } else {
        auto flushing = to.flushed();
        co_await timeout(10min, std::move(flushing));
      }
    }
    over = true;
    co_await receiving;
    std::uint32_t last = 0;
    for (const auto& book : books)
      for (const entry& one : *book) {
        // Twice at most where a program was killed between handling it and writing that down.
        expect(one.number == last + 1 || one.number == last, "not in order, or twice");
        last = one.number;
      }
    expect(last == accepted, "what was accepted was not handled");
  });
}
