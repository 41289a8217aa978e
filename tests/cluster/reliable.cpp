// Messages that are delivered until they were handled, and handled once.
#include "cluster/nodes.hpp"

#include <troupe/actors/cluster/reliable.hpp>
#include <troupe/actors/supervise.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/timeout.hpp>

#include "cluster/reliable.hpp"

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::clusters;

TEST_CASE("what is sent reliably is handled in its order, each once, and then acknowledged") {
  naturally([](simulation&, network&) -> coro<> {
    post all;
    all.open();
    for (std::uint32_t each = 1; each <= 100; ++each) {
      auto sent = all.to.send(entry{1, each});
      co_await sent;
    }
    auto last = all.to.deliver(entry{1, 101});
    co_await last;
    CHECK(all.book->size() == 101);
    CHECK(in_order(*all.book, 1, 101));
    CHECK(all.to.unacknowledged() == 0);
    co_await all.to.flushed();
  });
}

TEST_CASE("what is sent reliably waits for somebody who publishes the name") {
  naturally([](simulation& world, network&) -> coro<> {
    post all;
    auto sent = all.to.send(entry{1, 1});
    co_await sent;
    auto handled = all.to.deliver(entry{1, 2});
    co_await world.advance(1min);
    CHECK_FALSE(handled.done());
    CHECK(all.to.unacknowledged() == 2);
    all.open();
    co_await handled;
    CHECK(in_order(*all.book, 1, 2));
  });
}

TEST_CASE("a sender and its receiver may be on one node") {
  naturally([](simulation&, network&) -> coro<> {
    cluster::node one(at("one", "127.0.0.2"));
    const auto written = std::make_shared<book_of_entries>();
    const auto who = spawn<writer_of_entries>(written);
    cluster::publish_reliably(one, "book", who);
    cluster::reliable<writing> to(one, "book");
    CHECK(to.try_send(entry{1, 1}));
    co_await to.flushed();
    CHECK(in_order(*written, 1, 1));
  });
}

TEST_CASE("a message that is refused is done with, and the next ones follow") {
  naturally([](simulation& world, network&) -> coro<> {
    int reported = 0;
    world.expect_failures([&](const failure_report& report) {
      reported += report.message.find("was not handled") != std::string::npos ? 1 : 0;
      return true;
    });
    post all;
    all.open();
    auto refused = all.to.deliver(entry{1, 1, trouble::rejects});
    CHECK_THROWS_WITH(co_await refused, "no such page");
    CHECK(reported == 0);
    auto sent = all.to.send(entry{1, 2, trouble::rejects});
    co_await sent;
    auto next = all.to.deliver(entry{1, 3});
    co_await next;
    CHECK(reported == 1);
    CHECK(all.to.refused() == 2);
    CHECK(all.book->size() == 1);
  });
}

TEST_CASE("a message whose handler crashes is given to the actor again, so often") {
  naturally([](simulation& world, network&) -> coro<> {
    world.expect_failures([](const failure_report&) { return true; });
    post all;
    const auto head = spawn<head_of_writers>(all.book);
    const actor_ref<writing> who = co_await head.ask(your_writer{});
    cluster::publish_reliably(all.there, "book", who);
    auto once = all.to.deliver(entry{1, 1, trouble::crashes_once});
    auto behind = all.to.deliver(entry{1, 2});
    co_await once;
    co_await behind;
    CHECK(in_order(*all.book, 1, 2));
    auto always = all.to.deliver(entry{1, 3, trouble::crashes});
    auto next = all.to.deliver(entry{1, 4});
    CHECK_THROWS_WITH(co_await always,
                      Catch::Contains("failed 3 times") && Catch::Contains("the ink has run"));
    co_await next;
    CHECK(all.book->size() == 3);
  });
}

TEST_CASE("when the actor has crashed, the next one that is published gets the message again") {
  naturally([](simulation& world, network&) -> coro<> {
    world.expect_failures([](const failure_report&) { return true; });
    post all;
    all.open();
    auto handled = all.to.deliver(entry{1, 1, trouble::crashes_once});
    auto behind = all.to.deliver(entry{1, 2});
    co_await world.advance(1min);
    CHECK_FALSE(handled.done());
    all.open();
    co_await handled;
    co_await behind;
    CHECK(in_order(*all.book, 1, 2));
  });
}

TEST_CASE("who is published while another still handles a message does not get it as well") {
  naturally([](simulation& world, network& net) -> coro<> {
    post all;
    all.open();
    auto handled = all.to.deliver(entry{1, 1, trouble::takes_long});
    auto behind = all.to.deliver(entry{1, 2});
    co_await world.advance(1s);
    all.open();
    net.reset("127.0.0.2");  // so that the sender looks for it anew
    co_await handled;
    co_await behind;
    CHECK(in_order(*all.book, 1, 2));
  });
}

TEST_CASE("a receiver that is stopped while a message is handled leaves no doubt about that") {
  naturally([](simulation& world, network&) -> coro<> {
    post all;
    const any_actor first = all.open();
    auto handled = all.to.deliver(entry{1, 1, trouble::takes_long});
    auto behind = all.to.deliver(entry{1, 2});
    co_await world.advance(1s);
    first.stop();
    co_await world.advance(1s);
    all.open();
    co_await handled;
    co_await behind;
    CHECK(in_order(*all.book, 1, 2));
  });
}

TEST_CASE("when the outbox is full send waits, and try_send says so") {
  naturally([](simulation& world, network&) -> coro<> {
    cluster::reliable_options few;
    few.capacity = 3;
    post all(few);
    for (std::uint32_t each = 1; each <= 3; ++each) CHECK(all.to.try_send(entry{1, each}));
    CHECK_FALSE(all.to.try_send(entry{1, 4}));
    auto fourth = all.to.send(entry{1, 4});
    auto taken_back = all.to.send(entry{2, 1});
    auto fifth = all.to.send(entry{1, 5});
    co_await world.advance(1s);
    CHECK_FALSE(fourth.done());
    CHECK(all.to.unacknowledged() == 3);
    taken_back.cancel();
    all.open();
    co_await fifth;
    CHECK(fourth.done());
    co_await all.to.flushed();
    CHECK(in_order(*all.book, 1, 5));
    CHECK(all.book->size() == 5);
  });
}

TEST_CASE(
    "a message that is too large for the receiver's node is refused, and the next ones follow") {
  naturally([](simulation&, network&) -> coro<> {
    cluster::node_options small = at("there", "127.0.0.2");
    small.longest_message = 1 << 16;
    post all({}, small);
    all.open();
    entry large{1, 1};
    large.text = std::string(1 << 17, 'x');
    auto refused = all.to.deliver(large);
    auto next = all.to.deliver(entry{1, 2});
    CHECK_THROWS_AS(co_await refused, cluster::message_too_large);
    co_await next;
    CHECK(all.book->size() == 1);
  });
}

namespace {
namespace other_layout {
struct entry_with_text {
  using reply = void;
  std::string text;
};
}  // namespace other_layout
}  // namespace

TEST_CASE("what the receiver does not understand is refused, and said") {
  naturally([](simulation&, network&) -> coro<> {
    post all;
    all.open();
    using wider = protocol<entry, other_layout::entry_with_text>;
    cluster::reliable<wider> to(all.here, "book");
    auto refused = to.deliver(other_layout::entry_with_text{"?"});
    auto next = to.deliver(entry{1, 1});
    CHECK_THROWS_AS(co_await refused, cluster::unknown_message);
    co_await next;
    CHECK(all.book->size() == 1);
  });
}

TEST_CASE("what is not acknowledged when the sender goes is reported, and who waits is told") {
  naturally([](simulation& world, network&) -> coro<> {
    int reported = 0;
    world.expect_failures([&](const failure_report& report) {
      reported += report.message.starts_with("2 messages to 'book' were given up") ? 1 : 0;
      return true;
    });
    std::optional<post> all(std::in_place);
    auto handled = all->to.deliver(entry{1, 1});
    CHECK(all->to.try_send(entry{1, 2}));
    auto flushing = create_task(all->to.flushed());
    co_await world.quiet();
    all.reset();
    CHECK(reported == 1);
    CHECK_THROWS_AS(co_await handled, invalid_state);
    CHECK_THROWS_AS(co_await flushing, invalid_state);
  });
}

TEST_CASE("a sender whose node has left says so, also of what it had") {
  naturally([](simulation& world, network&) -> coro<> {
    int reported = 0;
    world.expect_failures([&](const failure_report& report) {
      reported += report.message.starts_with("1 messages to 'book' were given up") ? 1 : 0;
      return true;
    });
    std::optional<cluster::node> one(at("one", "127.0.0.2"));
    cluster::reliable<writing> to(*one, "book");
    auto handled = to.deliver(entry{1, 1});
    co_await world.quiet();
    one.reset();
    CHECK_THROWS_AS(co_await handled, invalid_state);
    CHECK(reported == 1);
    CHECK_THROWS_AS(to.try_send(entry{1, 1}), invalid_state);
    CHECK_THROWS_AS(to.send(entry{1, 1}), invalid_state);
    CHECK_THROWS_AS(co_await to.flushed(), invalid_state);
  });
}

TEST_CASE("options of reliable delivery that make no sense are refused") {
  naturally([](simulation&, network&) -> coro<> {
    cluster::node one(at("one", "127.0.0.2"));
    using sender = cluster::reliable<writing>;
    cluster::reliable_options none;
    none.capacity = 0;
    CHECK_THROWS_AS(sender(one, "book", none), std::invalid_argument);
    cluster::reliable_options nameless;
    nameless.store = std::make_shared<outbox_on_paper>(std::make_shared<paper>());
    CHECK_THROWS_WITH(sender(one, "book", nameless), Catch::Contains("needs a name"));
    CHECK_THROWS_AS(sender(one, ""), std::invalid_argument);
    const auto who = spawn<writer_of_entries>(std::make_shared<book_of_entries>());
    cluster::receiver_options never;
    never.attempts = 0;
    CHECK_THROWS_AS(cluster::publish_reliably(one, "book", who, never), std::invalid_argument);
    co_return;
  });
}

// --- stores -----------------------------------------------------------------------------------------------------------

TEST_CASE(
    "what is in a store is sent by the next program, and handled once by a receiver that has one") {
  naturally([](simulation& world, network&) -> coro<> {
    const auto kept = std::make_shared<paper>();
    const auto noted = std::make_shared<notes_on_paper>();
    cluster::reliable_options how;
    how.sender = "desk";
    how.store = std::make_shared<outbox_on_paper>(kept);
    cluster::receiver_options remembers;
    remembers.store = noted;
    const auto written = std::make_shared<book_of_entries>();
    {
      post first(how);
      first.book = written;
      first.open(remembers);
      for (std::uint32_t each = 1; each <= 3; ++each) {
        auto sent = first.to.send(entry{1, each});
        co_await sent;
      }
      co_await first.to.flushed();
      first.who.stop();
      co_await world.quiet();
      for (std::uint32_t each = 4; each <= 6; ++each) {
        auto sent = first.to.send(entry{1, each});
        co_await sent;
      }
      CHECK_THROWS_AS(first.to.try_send(entry{1, 7}), invalid_state);
    }
    REQUIRE(kept->messages.size() == 3);
    kept->messages.emplace(2, kept->messages.at(4));  // was not forgotten in time
    kept->messages.at(2).number = 2;
    kept->messages.emplace(3, kept->messages.at(2));
    kept->messages.at(3).number = 3;
    how.store = std::make_shared<outbox_on_paper>(kept);
    post second(how);
    second.book = written;
    second.open(remembers);
    co_await second.to.flushed();
    auto sent = second.to.deliver(entry{1, 7});
    co_await sent;
    CHECK(in_order(*written, 1, 7));
    CHECK(written->size() == 7);
    co_await world.advance(1s);
    CHECK(kept->messages.empty());
    CHECK(noted->last_of("desk") == 7);
  });
}

TEST_CASE("a message that the store does not take is not sent, and its sender is told why") {
  naturally([](simulation&, network&) -> coro<> {
    const auto kept = std::make_shared<paper>();
    cluster::reliable_options how;
    how.sender = "desk";
    how.store = std::make_shared<outbox_on_paper>(kept);
    post all(how);
    all.open();
    auto first = all.to.send(entry{1, 1});
    co_await first;
    kept->full = true;
    auto second = all.to.send(entry{1, 2});
    auto third = all.to.deliver(entry{1, 2});
    CHECK_THROWS_WITH(co_await second, "no paper");
    CHECK_THROWS_WITH(co_await third, "no paper");
    kept->full = false;
    auto fourth = all.to.deliver(entry{1, 2});
    co_await fourth;
    CHECK(in_order(*all.book, 1, 2));
  });
}

TEST_CASE("an outbox of messages that are no more in the protocol is said, and nothing is sent") {
  naturally([](simulation& world, network&) -> coro<> {
    std::string reported;
    world.expect_failures([&](const failure_report& report) {
      reported += report.message + ": " + describe(report.error);
      return true;
    });
    const auto kept = std::make_shared<paper>();
    kept->last = 1;
    kept->messages[1] = {1, "letter", "(s)", std::string("\1x")};
    cluster::reliable_options how;
    how.sender = "desk";
    how.store = std::make_shared<outbox_on_paper>(kept);
    post all(how);
    auto sent = all.to.send(entry{1, 1});
    CHECK_THROWS_AS(co_await sent, invalid_state);
    CHECK_THAT(reported, Catch::Contains("'letter', which is not in its protocol"));
    CHECK(kept->messages.size() == 1);
  });
}

// --- what is known of senders -----------------------------------------------------------------------------------------

TEST_CASE("of more senders than are known those are forgotten that were silent for longest") {
  cluster::internal::sender_lines lines;
  lines.of("one", 2)->last = 1;
  const auto held = lines.of("two", 2);
  held->here.insert(1);
  lines.of("one", 2);
  lines.of("three", 2)->last = 3;  // "two" was silent for longer, but has one under way
  CHECK(lines.all.size() == 2);
  CHECK_FALSE(lines.all.contains("one"));
  CHECK(lines.of("three", 2)->last == 3);
}
