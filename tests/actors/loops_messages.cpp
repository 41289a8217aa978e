// Actors placed on loops, told and asked by those on other loops.
#include <troupe/actors/actor.hpp>

#include "actors/helpers.hpp"
#include "actors/loops.hpp"
#include "support/catch.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::loops;

// --- places ------------------------------------------------------------------------------------------------------------

TEST_CASE("an actor lives on the loop it was placed on, and its children beside it") {
  struct parent : actor<protocol<where>> {
    coro<std::size_t> on(where) {
      auto beside = spawn<collector>();
      auto elsewhere = spawn<collector>(place::on(0));
      const std::size_t near = co_await beside.ask(where{}, infinite);
      const std::size_t far = co_await elsewhere.ask(where{}, infinite);
      co_return near * 10 + far;
    }
  };
  auto body = []() -> coro<std::size_t> {
    auto placed = spawn<collector>(place::on(1));
    auto second = spawn<parent>({.name = "second", .on = place::on(2)});
    const std::size_t one = co_await placed.ask(where{}, infinite);
    const std::size_t both = co_await second.ask(where{}, infinite);
    co_return one * 100 + both;
  };
  CHECK(run_on(3, body()) == 120);
}

TEST_CASE("spreading places actors on all loops in turn") {
  auto body = []() -> coro<std::vector<int>> {
    std::vector<int> on_each(3);
    for (int index = 0; index < 9; ++index) {
      auto placed = spawn<collector>(place::spread);
      ++on_each[co_await placed.ask(where{}, infinite)];
    }
    co_return on_each;
  };
  CHECK(run_on(3, body()) == std::vector<int>{3, 3, 3});
}

// --- order -------------------------------------------------------------------------------------------------------------

TEST_CASE("messages to another loop arrive in order, from before the actor has started there") {
  auto body = []() -> coro<std::vector<int>> {
    auto far = spawn<collector>(place::on(1));
    for (int index = 0; index < 2000; ++index) {
      far.tell(number{index});
      if (index % 100 == 99) co_await sleep(0s);
    }
    auto seen = co_await far.ask(collect{}, infinite);
    co_return seen;
  };
  CHECK(in_order(run_on(2, body()), 2000));
}

TEST_CASE("messages from a thread without a loop arrive in order") {
  auto body = []() -> coro<std::vector<int>> {
    auto near = spawn<collector>();
    auto far = spawn<collector>(place::on(1));
    std::thread outside([near, far] {
      for (int index = 0; index < 1000; ++index) {
        near.tell(number{index});
        far.tell(number{1000 + index});
      }
    });
    outside.join();
    auto seen_far = co_await far.ask(collect{}, infinite);
    // This loop's own messages may overtake those of the thread.
    auto seen = co_await near.ask(collect{}, infinite);
    while (seen.size() < 1000) {
      co_await sleep(0s);
      seen = co_await near.ask(collect{}, infinite);
    }
    seen.insert(seen.end(), seen_far.begin(), seen_far.end());
    co_return seen;
  };
  CHECK(in_order(run_on(2, body()), 2000));
}

TEST_CASE("a message that can only be moved crosses loops") {
  auto body = []() -> coro<std::vector<int>> {
    auto far = spawn<collector>(place::on(1));
    for (std::size_t size = 0; size < 100; ++size)
      far.tell(parcel{std::make_unique<std::string>(size, 'x')});
    auto seen = co_await far.ask(collect{}, infinite);
    co_return seen;
  };
  CHECK(in_order(run_on(2, body()), 100));
}

TEST_CASE("eight actors on two loops that send to one are all heard, each in its order") {
  struct numbered {
    int sender;
    int number;
  };
  struct done {
    using reply = int;
  };
  struct sink : actor<protocol<numbered, done>> {
    void on(numbered n) {
      if (n.number != next[n.sender]) ++out_of_order;
      next[n.sender] = n.number + 1;
    }
    int on(done) {
      int all = 0;
      for (const int each : next) all += each;
      return out_of_order == 0 ? all : -out_of_order;
    }
    int next[8] = {};
    int out_of_order = 0;
  };
  struct send_all {
    using reply = void;
  };
  struct source : actor<protocol<send_all>> {
    source(int given_index, actor_ref<protocol<numbered>> given_to)
        : index(given_index), to(std::move(given_to)) {}
    coro<> on(send_all) {
      for (int sent = 0; sent < 1000; ++sent) {
        to.tell(numbered{index, sent});
        if (sent % 64 == 0) co_await sleep(0s);
      }
    }
    int index;
    actor_ref<protocol<numbered>> to;
  };
  auto body = []() -> coro<int> {
    auto heard = spawn<sink>();
    std::vector<future<void>> all;
    for (int index = 0; index < 8; ++index) {
      auto sends = spawn<source>(place::spread, index, heard);
      all.push_back(sends.ask(send_all{}, infinite));
    }
    for (auto& each : all) co_await each;
    const int sum = co_await heard.ask(done{}, infinite);
    co_return sum;
  };
  CHECK(run_on(2, body()) == 8000);
}

// --- asks --------------------------------------------------------------------------------------------------------------

TEST_CASE("an ask across loops is answered, refused, failed by a crash, and by death") {
  failure_count failures;
  auto body = []() -> coro<std::string> {
    auto far = spawn<collector>({.name = "far", .on = place::on(1)});
    std::string how = co_await ending(far.ask(where{}, infinite));
    how += ", " + co_await ending(far.ask(refuse{}, infinite));
    how += ", " + co_await ending(far.ask(crash{}, infinite));
    how += ", " + co_await ending(far.ask(where{}, infinite));
    co_return how;
  };
  const std::string how = run_on(2, body(), failures.handler());
  CHECK(starts_with(how, "1, rejected: no, error: boom, dead: "));
  CHECK(failures.count() == 1);
  CHECK(failures.mentions("collector 'far' crashed"));
}

TEST_CASE("asks that are queued on another loop fail when the actor stops there") {
  auto body = []() -> coro<std::string> {
    auto far = spawn<collector>(place::on(1));
    auto in_hand = far.ask(wait_for_ever{}, infinite);
    auto queued = far.ask(where{}, infinite);
    far.stop();
    std::string how = co_await ending(std::move(in_hand));
    how += " / " + co_await ending(std::move(queued));
    co_return how;
  };
  const std::string how = run_on(2, body());
  CHECK(starts_with(how, "dead: "));
  CHECK(how.find(" / dead: ") != std::string::npos);
}

TEST_CASE("an ask across loops that times out names the actor and its loop") {
  auto body = []() -> coro<std::string> {
    auto far = spawn<collector>({.name = "far", .on = place::on(1)});
    std::string how = co_await ending(far.ask(wait_for_ever{}, 1ms));
    co_return how;
  };
  const std::string how = run_on(2, body());
  CHECK(how.find("collector 'far' did not answer") != std::string::npos);
  CHECK(how.find("wait_for_ever within 0.001 s (on loop 1)") != std::string::npos);
}

TEST_CASE("an actor can be described on another loop while it makes what it needs for coroutines") {
  auto body = []() -> coro<bool> {
    bool always = true;
    for (int index = 0; index < 100; ++index) {
      auto far = spawn<collector>(place::on(1));
      auto never = far.ask(wait_for_ever{}, infinite);
      for (int times = 0; times < 10; ++times)
        always &= far.description().find("collector") != std::string::npos;
      far.stop();
      static_cast<void>(co_await ending(std::move(never)));
    }
    co_return always;
  };
  CHECK(run_on(2, body()));
}

TEST_CASE("asks across loops that are cancelled or dropped while they are answered do no harm") {
  auto body = []() -> coro<std::size_t> {
    auto far = spawn<collector>(place::on(1));
    for (int index = 0; index < 1000; ++index) {
      auto cancelled_one = far.ask(where{}, infinite);
      static_cast<void>(far.ask(where{}, infinite));
      if (index % 3 == 0) co_await sleep(0s);
      cancelled_one.cancel();
    }
    const std::size_t alive = co_await far.ask(where{}, infinite);
    co_return alive;
  };
  CHECK(run_on(2, body()) == 1);
}

TEST_CASE("an ask from one loop to another and back again is answered") {
  struct deep {
    using reply = int;
    int left;
  };
  struct mirror : actor<protocol<deep, number>> {
    explicit mirror(actor_ref<protocol<deep>> given) : other(std::move(given)) {}
    coro<int> on(deep d) {
      if (d.left == 0) co_return 0;
      const int below = co_await other.ask(deep{d.left - 1}, infinite);
      co_return below + 1;
    }
    void on(number) {}
    actor_ref<protocol<deep>> other;
  };
  auto body = []() -> coro<int> {
    actor_ref<protocol<deep>> last;
    for (std::size_t index = 0; index < 20; ++index)
      last = spawn<mirror>(place::on(index % 2), last);
    const int depth = co_await last.ask(deep{19}, infinite);
    co_return depth;
  };
  CHECK(run_on(2, body()) == 19);
}

TEST_CASE("a future of an ask across loops may be kept until after the runtime has ended") {
  std::vector<future<int>> kept;
  auto body = [](std::vector<future<int>>& into) -> coro<> {
    for (int index = 0; index < 10; ++index) {
      auto far = spawn<collector>(place::on(1));
      into.push_back(far.ask(wait_for_ever{}, 1h));
    }
    co_return;
  };
  run_on(2, body(kept));
  int dead = 0;
  for (auto& each : kept) {
    try {
      static_cast<void>(each.result());
    } catch (const actor_dead&) {
      ++dead;
    }
  }
  CHECK(dead == 10);
}
