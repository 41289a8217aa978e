// Topics: who subscribes gets what is published.
#include <troupe/actors/topic.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

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

TEST_CASE("a subscription may end when its subscriber has no room") {
  CHECK(journal_of([](journal& into) -> coro<> {
          co_await publish_to_a_sleeper(into, {.capacity = 3, .end_when_full = true});
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
