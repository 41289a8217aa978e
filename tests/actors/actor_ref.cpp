#include <troupe/actors/actor_ref.hpp>

#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct number {
  int value;
};
struct owned {
  std::unique_ptr<int> value;
};
struct sum {
  using reply = int;
};
using adding = protocol<number, owned, sum>;

class adder : public actor<adding> {
 public:
  void on(number n) { sum_ += n.value; }
  void on(owned o) { sum_ += *o.value; }
  int on(sum) { return sum_++; }

 private:
  int sum_ = 0;
};

struct text {
  std::string value;
};

class by_value : public actor<protocol<text>> {
 public:
  explicit by_value(journal& pages) : pages_(pages) {}
  void on(text t) { pages_.push_back(std::move(t.value)); }

 private:
  journal& pages_;
};
class by_const_reference : public actor<protocol<text>> {
 public:
  explicit by_const_reference(journal& pages) : pages_(pages) {}
  void on(const text& t) { pages_.push_back(t.value); }

 private:
  journal& pages_;
};
class by_rvalue_reference : public actor<protocol<text>> {
 public:
  explicit by_rvalue_reference(journal& pages) : pages_(pages) {}
  void on(text&& t) { pages_.push_back(std::move(t.value)); }

 private:
  journal& pages_;
};

}  // namespace

TROUPE_PROGRAM_TEST_CASE("messages of one sender arrive in the order they were sent") {
  struct keeper : actor<protocol<number>> {
    explicit keeper(std::vector<int>& given) : seen(given) {}
    void on(number n) { seen.push_back(n.value); }
    std::vector<int>& seen;
  };
  std::vector<int> seen;
  auto body = [](std::vector<int>& into) -> coro<> {
    auto kept = spawn<keeper>(std::ref(into));
    for (int index = 0; index < 1000; ++index) {
      kept.tell(number{index});
      if (index % 100 == 0) co_await sleep(0s);
    }
    co_await settle();
  };
  testing::run(body(seen));
  REQUIRE(seen.size() == 1000);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
}

TEST_CASE("a handler takes its message by value, by const reference or by rvalue reference") {
  journal pages;
  auto body = [](journal& into) -> coro<> {
    spawn<by_value>(std::ref(into)).tell(text{"value"});
    spawn<by_const_reference>(std::ref(into)).tell(text{"const reference"});
    spawn<by_rvalue_reference>(std::ref(into)).tell(text{"rvalue reference"});
    co_await settle();
  };
  testing::run(body(pages));
  CHECK(pages == journal{"value", "const reference", "rvalue reference"});
}

TROUPE_PROGRAM_TEST_CASE("a message that can only be moved is told") {
  auto body = []() -> coro<int> {
    auto adds = spawn<adder>();
    adds.tell(owned{std::make_unique<int>(5)});
    const int total = co_await adds.ask(sum{});
    co_return total;
  };
  CHECK(testing::run(body()) == 5);
}

TROUPE_PROGRAM_TEST_CASE("a request that is told is handled, and its answer dropped") {
  auto body = []() -> coro<int> {
    auto adds = spawn<adder>();
    adds.tell(sum{});
    adds.tell(sum{});
    const int total = co_await adds.ask(sum{});
    co_return total;
  };
  CHECK(testing::run(body()) == 2);
}

TROUPE_PROGRAM_TEST_CASE(
    "a ref converts to a ref of a narrower protocol, whatever the order of its messages") {
  auto body = []() -> coro<int> {
    actor_ref<adding> wide = spawn<adder>();
    actor_ref<protocol<sum, number>> narrow = wide;
    actor_ref<protocol<number>> narrower = narrow;
    actor_ref<protocol<>> nothing = narrower;
    narrower.tell(number{3});
    const int total = co_await narrow.ask(sum{});
    nothing.stop();
    co_return total;
  };
  CHECK(testing::run(body()) == 3);
  STATIC_REQUIRE(!std::is_convertible_v<actor_ref<protocol<number>>, actor_ref<adding>>);
  STATIC_REQUIRE(!std::is_constructible_v<actor_ref<protocol<text>>, actor_ref<adding>>);
}

namespace {

/// Messages that hold refs of the protocols they belong to.
struct pong;
struct ping {
  actor_ref<protocol<ping, pong>> from;
  int left;
};
struct pong {
  actor_ref<protocol<ping>> from;
  int left;
};

class player : public actor<protocol<ping, pong>> {
 public:
  explicit player(int& hits) : hits_(hits) {}
  void on(ping p) {
    ++hits_;
    if (p.left > 0) p.from.tell(pong{self(), p.left - 1});
  }
  void on(pong p) {
    ++hits_;
    if (p.left > 0) p.from.tell(ping{self(), p.left - 1});
  }

 private:
  int& hits_;
};

}  // namespace

TROUPE_PROGRAM_TEST_CASE("a message may hold a ref of a protocol that it is part of") {
  int hits = 0;
  auto body = [](int& count_of) -> coro<> {
    auto first = spawn<player>(std::ref(count_of));
    auto second = spawn<player>(std::ref(count_of));
    first.tell(ping{second, 9});
    co_await settle();
  };
  testing::run(body(hits));
  CHECK(hits == 10);
}

TROUPE_PROGRAM_TEST_CASE("a narrowed ref equals the ref it was made of") {
  auto body = []() -> coro<bool> {
    actor_ref<adding> wide = spawn<adder>();
    actor_ref<adding> other = spawn<adder>();
    actor_ref<protocol<sum>> narrow = wide;
    co_return narrow == wide&& wide == narrow&& narrow != other&& wide != other&& wide ==
        actor_ref<adding>(wide);
  };
  CHECK(testing::run(body()));
}

TROUPE_PROGRAM_TEST_CASE("refs are keys of hash tables") {
  auto body = []() -> coro<std::size_t> {
    auto first = spawn<adder>();
    auto second = spawn<adder>();
    std::unordered_set<actor_ref<adding>> known{first, second, first};
    co_return known.size() * 10 + known.count(second);
  };
  CHECK(testing::run(body()) == 21);
}

TEST_CASE("an empty ref refers to nobody") {
  actor_ref<adding> empty;
  CHECK(!empty);
  CHECK(empty == actor_ref<adding>());
  CHECK(empty.description() == "nobody");
  actor_ref<protocol<sum>> narrowed = empty;
  CHECK(!narrowed);
}

TROUPE_PROGRAM_TEST_CASE("a ref that was moved from is empty") {
  auto body = []() -> coro<bool> {
    auto first = spawn<adder>();
    auto second = std::move(first);
    actor_ref<protocol<sum>> third = std::move(second);
    co_return !first && !second && third;  // NOLINT(*-use-after-move)
  };
  CHECK(testing::run(body()));
}

TROUPE_PROGRAM_TEST_CASE("a ref can be assigned to itself") {
  auto body = []() -> coro<int> {
    auto ref = spawn<adder>();
    auto& same = ref;
    ref = same;
    ref = std::move(same);
    const int total = co_await ref.ask(sum{});
    co_return total;
  };
  CHECK(testing::run(body()) == 0);
}

TROUPE_PROGRAM_TEST_CASE("a ref says the class and the name of its actor, alive or dead") {
  auto body = []() -> coro<std::vector<std::string>> {
    auto plain = spawn<adder>();
    auto named = spawn<adder>({.name = "first"});
    std::vector<std::string> texts{plain.description(), named.description()};
    named.stop();
    co_await settle();
    texts.push_back(named.description());
    co_return texts;
  };
  const std::vector<std::string> texts = testing::run(body());
  CHECK(texts[0].find("adder") != std::string::npos);
  CHECK(texts[1].find("adder 'first'") != std::string::npos);
  CHECK(texts[2] == texts[1]);
}

TROUPE_PROGRAM_TEST_CASE(
    "a ref outlives its actor and its runtime, and may be told, asked, stopped and destroyed "
    "then") {
  actor_ref<adding> kept;
  auto body = [](actor_ref<adding>& into) -> coro<> {
    into = spawn<adder>({.name = "kept"});
    co_return;
  };
  testing::run(body(kept));
  kept.tell(number{1});
  kept.stop();
  CHECK_THROWS_AS(static_cast<void>(kept.ask(sum{})), invalid_state);
  CHECK(kept.description().find("'kept'") != std::string::npos);
  auto copy = kept;
  kept = {};
  CHECK(copy);
}

TEST_CASE("a ref of an earlier runtime is a ref of a dead actor in a later one") {
  actor_ref<adding> kept;
  auto first = [](actor_ref<adding>& into) -> coro<> {
    into = spawn<adder>();
    co_return;
  };
  testing::run(first(kept));
  auto second = [](actor_ref<adding> old) -> coro<std::string> {
    auto fresh = spawn<adder>();
    old.tell(number{1});
    old.stop();
    std::string how = co_await ending(old.ask(sum{}));
    const int total = co_await fresh.ask(sum{});
    co_return how + " / " + std::to_string(total);
  };
  const std::string how = testing::run(second(kept));
  CHECK(starts_with(how, "dead: "));
  CHECK(how.find(" / 0") != std::string::npos);
}

TEST_CASE("what is sent after the runtime has ended is destroyed") {
  struct parcel {
    using reply = int;
    counted content;
  };
  struct keeper : actor<protocol<parcel>> {
    int on(const parcel&) { return 1; }
  };
  actor_ref<protocol<parcel>> kept;
  auto body = [](actor_ref<protocol<parcel>>& into) -> coro<> {
    into = spawn<keeper>();
    co_return;
  };
  testing::run(body(kept));
  int alive = 0;
  CHECK_THROWS_AS(static_cast<void>(kept.ask(parcel{counted(alive)})), invalid_state);
  kept.tell(parcel{counted(alive)});
  CHECK(alive == 0);
}
