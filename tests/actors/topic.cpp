// Topics: who subscribes gets what is published.
#include <troupe/actors/counts.hpp>
#include <troupe/actors/dead_letter.hpp>
#include <troupe/actors/process.hpp>
#include <troupe/actors/topic.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>

#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct price {
  std::string of;
  int cents;
};
struct weather {
  int degrees;
};
struct crash {};
using reading = protocol<price, weather, crash>;

class reader : public actor<reading> {
 public:
  reader(journal& into, std::string name) : into_(into), name_(std::move(name)) {}
  void on(price p) { into_.push_back(name_ + ": " + p.of + " " + std::to_string(p.cents)); }
  void on(weather w) { into_.push_back(name_ + ": " + std::to_string(w.degrees)); }
  void on(crash) { throw std::runtime_error("burnt"); }

 private:
  journal& into_;
  std::string name_;
};

}  // namespace

TEST_CASE("each subscriber gets its own copy of what is published, in order") {
  CHECK(journal_of([](journal& into) -> coro<> {
          topic<price> prices;
          prices.subscribe(spawn<reader>(std::ref(into), "a"));
          prices.subscribe(spawn<reader>(std::ref(into), "b"));
          prices.publish({"tea", 3});
          const std::size_t told = prices.publish({"milk", 1});
          into.push_back(std::to_string(told) + " were told");
          co_await settle();
        }) == journal{"2 were told", "a: tea 3", "a: milk 1", "b: tea 3", "b: milk 1"});
}

TEST_CASE("who subscribes twice gets one copy") {
  CHECK(journal_of([](journal& into) -> coro<> {
          const topic<price> prices;
          auto one = spawn<reader>(std::ref(into), "a");
          into.push_back(prices.subscribe(one) ? "new" : "old");
          into.push_back(prices.subscribe(actor_ref<protocol<price>>(one)) ? "new" : "old");
          prices.publish({"tea", 3});
          co_await settle();
        }) == journal{"new", "old", "a: tea 3"});
}

TEST_CASE("who has unsubscribed gets nothing more, and may subscribe again") {
  CHECK(journal_of([](journal& into) -> coro<> {
          const topic<price> prices;
          auto one = spawn<reader>(std::ref(into), "a");
          prices.subscribe(one);
          prices.publish({"tea", 1});
          into.push_back(prices.unsubscribe(one) ? "left" : "");
          into.push_back(prices.unsubscribe(one) ? "" : "was not there");
          prices.publish({"tea", 2});
          prices.subscribe(one);
          prices.publish({"tea", 3});
          co_await settle();
        }) == journal{"left", "was not there", "a: tea 1", "a: tea 3"});
}

TEST_CASE("a subscriber that ends leaves the topic") {
  CHECK(journal_of([](journal& into) -> coro<> {
          const topic<price> prices;
          auto one = spawn<reader>(std::ref(into), "a");
          auto other = spawn<reader>(std::ref(into), "b");
          auto last = spawn<reader>(std::ref(into), "c");
          prices.subscribe(one);
          prices.subscribe(other);
          prices.subscribe(last);
          one.stop();
          other.tell(crash{});
          co_await settle();
          prices.publish({"tea", 3});
          into.push_back(std::to_string(prices.subscribers()) + " left");
          co_await settle();
          last.kill();
          co_await settle();
          into.push_back(std::to_string(prices.publish({"tea", 4})) + " told");
        }) == journal{"1 left", "c: tea 3", "0 told"});
}

TEST_CASE("a topic may be passed on in a message, and publishes when it is the last handle") {
  struct use {
    topic<price> which;
  };
  struct publisher : actor<protocol<use>> {
    void on(use u) { u.which.publish({"tea", 3}); }
  };
  CHECK(journal_of([](journal& into) -> coro<> {
          topic<price> prices;
          prices.subscribe(spawn<reader>(std::ref(into), "a"));
          spawn<publisher>().tell(use{std::move(prices)});
          co_await settle();
        }) == journal{"a: tea 3"});
}

TEST_CASE("a topic is found by its name while somebody has it or subscribes to it") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto one = spawn<reader>(std::ref(into), "a");
          topic<price>::named("prices").subscribe(one);
          topic<price>::named("other prices").publish({"tea", 2});
          auto found = topic<price>::named("prices");
          if (found != topic<price>::named("prices")) into.push_back("another one");
          found.publish({"tea", 3});
          into.push_back(std::string(found.name()));
          co_await settle();
          found = {};
          one.stop();
          co_await settle();
          topic<weather>::named("prices").publish({30});  // the name is free
        }) == journal{"prices", "a: tea 3"});
}

TEST_CASE("a topic of another message is not found under a name") {
  CHECK(journal_of([](journal& into) -> coro<> {
          auto prices = topic<price>::named("prices");
          try {
            topic<weather>::named("prices").publish({30});
          } catch (const name_mismatch& error) {
            const std::string said = error.what();
            into.push_back(starts_with(said, "\"prices\" is a topic of ") ? "mismatch" : said);
          }
          try {
            topic<price>::named("");
          } catch (const std::invalid_argument& error) {
            into.push_back(error.what());
          }
          co_return;
        }) == journal{"mismatch", "a topic was looked for by an empty name"});
}

TEST_CASE("a named topic needs a loop, another one does not") {
  const topic<price> plain;
  CHECK(plain.publish({"tea", 3}) == 0);
  CHECK_THROWS_AS(topic<price>::named("prices"), invalid_state);
}

TEST_CASE("a topic outlives its runtime, and has no subscribers then") {
  std::optional<topic<price>> kept;
  journal into;
  auto body = [](std::optional<topic<price>>& out, journal& pages) -> coro<> {
    out = topic<price>::named("prices");
    out->subscribe(spawn<reader>(std::ref(pages), "a"));
    co_return;
  };
  testing::run(body(kept, into));
  CHECK(kept->publish({"tea", 3}) == 0);
  {
    manual_loop driven;
    auto again = driven.create_task(body(kept, into));
    driven.run_until_idle();
    CHECK(kept->publish({"tea", 4}) == 1);
  }
  CHECK(kept->subscribers() == 0);
}

namespace {
struct nap {};
/// Sleeps for an hour when it is told to.
class sleeper : public actor<protocol<price, nap>> {
 public:
  explicit sleeper(journal& into) : into_(into) {}
  coro<> on(nap) { co_await sleep(1h); }
  void on(const price& p) { into_.push_back(p.of + " " + std::to_string(p.cents)); }

 private:
  journal& into_;
};

class sleeper_with_weather : public actor<protocol<price, nap, weather>> {
 public:
  explicit sleeper_with_weather(journal& into) : into_(into) {}
  coro<> on(nap) { co_await sleep(1h); }
  void on(const price& p) { into_.push_back(p.of + " " + std::to_string(p.cents)); }
  void on(weather w) { into_.push_back(std::to_string(w.degrees) + " degrees"); }

 private:
  journal& into_;
};

/// Publishes 1 to 5 while a subscriber sleeps, and 6 when it is awake again.
coro<> publish_to_a_sleeper(journal& into, subscription_options options) {
  const topic<price> prices;
  auto slow = spawn<sleeper>(std::ref(into));
  prices.subscribe(slow, options);
  slow.tell(nap{});
  std::size_t told = 0;
  for (int cents = 1; cents <= 5; ++cents) told += prices.publish({"tea", cents});
  into.push_back(std::to_string(told) + " sent");
  co_await sleep(2h);
  into.push_back(std::to_string(prices.publish({"tea", 6})) + " more");
  co_await settle();
  slow.tell(nap{});
  for (int cents = 1; cents <= 5; ++cents) prices.publish({"milk", cents});
  slow.kill();
  co_await settle();
}
}  // namespace

TEST_CASE("a subscriber with a bound loses what is published while it has no room") {
  CHECK(journal_of([](journal& into) -> coro<> {
          co_await publish_to_a_sleeper(into, {.capacity = 2});
        }) == journal{"2 sent", "tea 1", "tea 2", "1 more", "tea 6"});
}

TEST_CASE("a subscriber that drops the oldest has the newest waiting when it is awake again") {
  CHECK(journal_of([](journal& into) -> coro<> {
          co_await publish_to_a_sleeper(into, {.capacity = 2, .when_full = lag::drop_oldest});
        }) == journal{"5 sent", "tea 4", "tea 5", "1 more", "tea 6"});
}

TEST_CASE("a subscription may end when its subscriber has no room") {
  CHECK(journal_of([](journal& into) -> coro<> {
          co_await publish_to_a_sleeper(into, {.capacity = 3, .when_full = lag::end});
        }) == journal{"3 sent", "tea 1", "tea 2", "tea 3", "0 more"});
}

TEST_CASE("a subscriber that never reads has everything waiting when it has no bound") {
  CHECK(journal_of([](journal& into) -> coro<> { co_await publish_to_a_sleeper(into, {}); }) ==
        journal{"5 sent", "tea 1", "tea 2", "tea 3", "tea 4", "tea 5", "1 more", "tea 6"});
}

TEST_CASE("a message whose copy throws ends the publishing, and no subscription") {
  struct fragile {
    explicit fragile(int copies) : left(copies) {}
    fragile(const fragile& other) : left(other.left) {
      if (--const_cast<fragile&>(other).left < 0) throw std::runtime_error("broke");
    }
    fragile(fragile&& other) noexcept : left(other.left) {}
    int left;
  };
  struct taker : actor<protocol<fragile>> {
    explicit taker(journal& given) : into(given) {}
    void on(const fragile&) { into.push_back("taken"); }
    journal& into;
  };
  CHECK(journal_of([](journal& into) -> coro<> {
          const topic<fragile> fragiles;
          fragiles.subscribe(spawn<taker>(std::ref(into)));
          fragiles.subscribe(spawn<taker>(std::ref(into)));
          const fragile one(1);
          try {
            fragiles.publish(one);
          } catch (const std::runtime_error& error) {
            into.push_back(error.what());
          }
          co_await settle();
          const fragile two(2);
          fragiles.publish(two);
          co_await settle();
        }) == journal{"broke", "taken", "taken", "taken"});
}

TROUPE_PROGRAM_TEST_CASE("a subscriber is told how many messages it has lost, whatever it loses") {
  journal unread;
  auto body = [&unread](lag when_full) -> coro<std::uint64_t> {
    const topic<price> prices;
    const auto slow = spawn<sleeper>(std::ref(unread));
    const auto other = spawn<sleeper>(std::ref(unread));
    prices.subscribe(slow, {.capacity = 10, .when_full = when_full});
    prices.subscribe(other);
    slow.tell(nap{});
    co_await settle();
    for (int cents = 0; cents < 100; ++cents) prices.publish({"tea", cents});
    const std::uint64_t lost = prices.lost(slow);
    CHECK(prices.lost(other) == 0);
    CHECK(prices.lost(any_actor()) == 0);
    CHECK(counts_of_loop().dropped == (when_full == lag::end ? 1 : 90));
    CHECK(counts_of_loop().dead_letters == counts_of_loop().dropped);
    // Who comes again begins anew.
    prices.unsubscribe(slow);
    CHECK(prices.lost(slow) == 0);
    prices.subscribe(slow, {.capacity = 10, .when_full = when_full});
    CHECK(prices.lost(slow) == 0);
    co_return lost;
  };
  CHECK(testing::run(body(lag::drop_newest)) == 90);
  CHECK(testing::run(body(lag::drop_oldest)) == 90);
  CHECK(testing::run(body(lag::end)) == 0);  // it is a subscriber no more
}

namespace {
/// Handles the weather while it sleeps.
class watchful : public sleeper_with_weather {
 public:
  using interleave = messages<weather>;
  using sleeper_with_weather::sleeper_with_weather;
};
/// Has room for three messages altogether.
class narrow : public sleeper_with_weather {
 public:
  using sleeper_with_weather::sleeper_with_weather;
  static constexpr mailbox_options mailbox{.capacity = 3};
};

/// Has a price of tea 1 to 9 published, with the weather told between, while a subscriber of that class sleeps that keeps two.
template <class A>
journal prices_and_weather() {
  return journal_of([](journal& into) -> coro<> {
    const topic<price> prices;
    auto slow = spawn<A>(std::ref(into));
    prices.subscribe(slow, {.capacity = 2, .when_full = lag::drop_oldest});
    slow.tell(nap{});
    co_await settle();
    for (int cents = 1; cents <= 9; ++cents) {
      prices.publish({"tea", cents});
      if (cents % 4 == 0) slow.tell(weather{cents});
    }
    into.push_back(std::to_string(prices.lost(slow)) + " lost");
    co_await sleep(2h);
    prices.publish({"milk", 1});
    co_await settle();
  });
}
}  // namespace

TEST_CASE("what a subscriber keeps stays in its order with all else that it is sent") {
  CHECK(prices_and_weather<sleeper_with_weather>() ==
        journal{"7 lost", "4 degrees", "tea 8", "8 degrees", "tea 9", "milk 1"});
}

TEST_CASE(
    "a subscriber that handles some messages beside others loses the oldest of those that wait") {
  CHECK(prices_and_weather<watchful>() ==
        journal{"7 lost", "4 degrees", "8 degrees", "tea 8", "tea 9", "milk 1"});
}

TEST_CASE("the bound of a mailbox holds beside that of a subscription") {
  CHECK(prices_and_weather<narrow>() == journal{"7 lost", "4 degrees", "tea 8", "tea 9", "milk 1"});
}

TEST_CASE("a subscriber that publishes to itself loses the oldest, and its turn comes to an end") {
  struct begin {};
  class echo : public actor<protocol<price, begin>> {
   public:
    echo(journal& given, topic<price> to) : into_(given), to_(std::move(to)) {}
    void on(begin) {
      for (int cents = 1; cents <= 5; ++cents) to_.publish({"tea", cents});
    }
    void on(const price& p) {
      into_.push_back(p.of + " " + std::to_string(p.cents));
      if (p.cents < 10) return;
      for (int cents = 1; cents <= 5; ++cents) to_.publish({"milk", cents});
    }

   private:
    journal& into_;
    topic<price> to_;
  };
  CHECK(journal_of([](journal& into) -> coro<> {
          const topic<price> prices;
          const auto one = spawn<echo>(std::ref(into), prices);
          prices.subscribe(one, {.capacity = 1, .when_full = lag::drop_oldest});
          one.tell(begin{});
          co_await settle();
          prices.publish({"tea", 10});
          co_await settle();
        }) == journal{"tea 5", "tea 10", "milk 5"});
}

TEST_CASE("a process that receives something else first finds the newest that it subscribes to") {
  struct start {};
  static constexpr auto function = [](mailbox<price, start>& inbox, journal& pages) -> coro<> {
    static_cast<void>(co_await inbox.receive<start>());
    for (;;) {
      const price got = co_await inbox.receive<price>();
      pages.push_back(got.of + " " + std::to_string(got.cents));
    }
  };
  CHECK(journal_of([](journal& into) -> coro<> {
          const topic<price> prices;
          const auto one = spawn(function, std::ref(into));
          prices.subscribe(one, {.capacity = 2, .when_full = lag::drop_oldest});
          co_await settle();
          for (int round = 0; round < 2; ++round) {
            for (int cents = 1; cents <= 5; ++cents) prices.publish({"tea", cents});
            one.tell(start{});
            co_await settle();
          }
        }) == journal{"tea 4", "tea 5", "tea 4", "tea 5"});
}

TEST_CASE(
    "a subscriber that drops the oldest may stop, be killed, fall and leave while much waits") {
  CHECK(journal_of([](journal& into) -> coro<> {
          for (int way = 0; way < 4; ++way) {
            const topic<price> prices;
            const auto slow = spawn<sleeper>(std::ref(into));
            prices.subscribe(slow, {.capacity = 2, .when_full = lag::drop_oldest});
            slow.tell(nap{});
            co_await settle();
            for (int cents = 1; cents <= 5; ++cents) prices.publish({"tea", cents});
            if (way == 0) slow.stop();
            if (way == 1) slow.kill();
            if (way == 2) prices.unsubscribe(slow);
            if (way == 3) slow.stop_when_drained();
            for (int cents = 6; cents <= 9; ++cents) prices.publish({"tea", cents});
            co_await sleep(2h);
            into.push_back(std::to_string(prices.subscribers()) + " left");
          }
        }) == journal{"0 left", "0 left", "tea 4", "tea 5", "0 left", "tea 4", "tea 5", "0 left"});
}

namespace {
/// Publishes tea for a sleeper that keeps so many, and milk for three of the messages that are lost.
journal milk_for_tea(std::size_t of_mailbox, std::size_t of_subscription) {
  journal into;
  auto body = [&]() -> coro<> {
    const topic<price> prices;
    const auto slow = spawn<sleeper>(
        {.name = {}, .on = place::here, .mailbox = {.capacity = of_mailbox}}, std::ref(into));
    prices.subscribe(slow, {.capacity = of_subscription, .when_full = lag::drop_oldest});
    int heard = 0;
    on_dead_letter([&](const dead_letter&) {
      if (++heard <= 3) prices.publish({"milk", heard});
    });
    slow.tell(nap{});
    co_await settle();
    for (int cents = 1; cents <= 3; ++cents) prices.publish({"tea", cents});
    on_dead_letter({});
    into.push_back(std::to_string(heard) + " heard");
    co_await sleep(2h);
  };
  testing::run(body());
  return into;
}
}  // namespace

TEST_CASE("whoever hears of what a subscriber loses may publish to it") {
  CHECK(milk_for_tea(0, 2) == journal{"4 heard", "milk 3", "tea 3"});
  CHECK(milk_for_tea(2, 3) == journal{"4 heard", "tea 1", "tea 2"});
}

TROUPE_PROGRAM_TEST_CASE(
    "a process that receives only what it subscribes to gets all of it, whatever the bound") {
  int got = 0;
  struct scene {
    static coro<> listen(mailbox<price, weather>& inbox, int* count) {
      for (;;) {
        const price one = co_await inbox.receive<price>();
        *count += one.cents;
      }
    }
    static coro<> run(int* count) {
      const topic<price> prices;
      const auto listening = spawn(listen, count);
      prices.subscribe(listening, {.capacity = 2});
      for (int round = 0; round < 10; ++round) {
        price one{"tea", 1};
        CHECK(prices.publish(one) == 1);
        co_await settle();
      }
    }
  };
  testing::run(scene::run(&got));
  CHECK(got == 10);
}
