// Handlers that wait in a circle for room in each other's mailboxes are told so at once; those that only wait are not.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/interleave.hpp>
#include <troupe/actors/process.hpp>
#include <troupe/runtime/gather.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace parcels {

struct parcel {};
struct pass_to;
struct give_to;
struct count {
  using reply = int;
};
struct halt {
  duration time;
};
using depot = protocol<parcel, pass_to, give_to, count, halt>;

/// Sends so many parcels, one after the other, and answers how it ended.
struct pass_to {
  using reply = std::string;
  pass_to(actor_ref<depot> given, int how_many, bool all_at_once = false)
      : next(std::move(given)), parcels(how_many), at_once(all_at_once) {}
  actor_ref<depot> next;
  int parcels;
  bool at_once;
};
/// Asks the next for a count.
struct give_to {
  using reply = std::string;
  explicit give_to(actor_ref<depot> given) : next(std::move(given)) {}
  actor_ref<depot> next;
};

class store : public actor<depot> {
 public:
  static constexpr mailbox_options mailbox{.capacity = 2, .when_full = overflow::suspend};
  void on(parcel) { ++count_; }
  int on(count) { return count_; }
  coro<> on(halt p) { co_await sleep(p.time); }
  coro<std::string> on(pass_to p) {
    std::string ended = "passed";
    if (p.at_once) {
      std::vector<future<void>> sent;
      for (int left = p.parcels; left != 0; --left) sent.push_back(p.next.send(parcel{}));
      auto all = gather(std::move(sent));
      try {
        co_await std::move(all);
      } catch (const ask_deadlock& error) {
        ended = error.what();
      }
      co_return ended;
    }
    for (int left = p.parcels; left != 0; --left) {
      std::string one = co_await ending(p.next.send(parcel{}));
      if (one != "answered") ended = one;
    }
    co_return ended;
  }
  coro<std::string> on(give_to g) {
    std::string ended = co_await ending(g.next.ask(question(), infinite));
    co_return ended;
  }

 private:
  static count question() { return {}; }
  int count_ = 0;
};

/// Handles parcels also while it sends some itself.
class open_store : public store {
 public:
  using interleave = messages<parcel>;
  using store::on;
};

bool is_deadlock(const std::string& ended) { return starts_with(ended, "deadlock: "); }

}  // namespace parcels

using namespace parcels;

TEST_CASE("two handlers that wait for room in each other's full mailboxes are told so") {
  for (const bool at_once : {false, true}) {
    CAPTURE(at_once);
    auto body = [](bool all) -> coro<std::string> {
      auto a = spawn<store>({.name = "a"});
      auto b = spawn<store>({.name = "b"});
      auto first = a.ask(pass_to(b, 5, all), infinite);
      auto second = b.ask(pass_to(a, 5, all), infinite);
      const std::string one = co_await first;
      const std::string other = co_await second;
      co_await settle();
      co_return is_deadlock(one) ? one + (is_deadlock(other) ? " both" : "") : other;
    };
    const std::string ended = run_quietly(body(at_once));
    CAPTURE(ended);
    CHECK(is_deadlock(ended));
    const auto circle = [](const std::string& first, const std::string& second) {
      const std::string waits = " handling parcels::pass_to waits for room to send parcels::store ";
      return "deadlock: parcels::store " + first + waits + second + " (parcels::parcel), which" +
             waits + first + " (parcels::parcel), which waits for the first handler to end";
    };
    CHECK((ended == circle("'a'", "'b'") || ended == circle("'b'", "'a'")));
  }
}

TEST_CASE("a handler that waits for room in its own full mailbox is told so") {
  auto body = []() -> coro<std::string> {
    auto a = spawn<store>({.name = "a"});
    auto asked = a.ask(pass_to(a, 3), infinite);
    std::string ended = co_await asked;
    const int arrived = co_await a.ask(count{});
    co_return ended + " / " + std::to_string(arrived);
  };
  CHECK(run_quietly(body()) ==
        "deadlock: parcels::store 'a' handling parcels::pass_to waits for room to send "
        "parcels::store 'a' (parcels::parcel), which waits for this handler to end / 2");
}

TEST_CASE("a circle of a send and an ask is a deadlock too") {
  auto body = []() -> coro<> {
    auto a = spawn<store>({.name = "a"});
    auto b = spawn<store>({.name = "b"});
    auto passed = a.ask(pass_to(b, 5), infinite);
    auto given = b.ask(give_to(a), infinite);
    const std::string one = co_await passed;
    const std::string other = co_await given;
    CHECK(is_deadlock(one) + is_deadlock(other) == 1);
  };
  run_quietly(body());
}

TEST_CASE("who waits for room that will be made is in no deadlock") {
  auto body = []() -> coro<> {
    auto a = spawn<store>({.name = "a"});
    auto b = spawn<store>({.name = "b"});
    auto c = spawn<store>({.name = "c"});
    c.tell(halt{1h});
    auto last = b.ask(pass_to(c, 5), infinite);
    auto first = a.ask(pass_to(b, 9), infinite);
    co_await settle();
    auto late = c.ask(give_to(c),
                      infinite);  // waits for room, and is no part of a circle until it is handled
    const std::string one = co_await first;
    const std::string other = co_await last;
    CHECK(one == "passed");
    CHECK(other == "passed");
    const std::string last_end = co_await late;
    CHECK(is_deadlock(last_end));
    const int arrived = co_await b.ask(count{});
    CHECK(arrived == 9);
  };
  run_quietly(body());
}

TEST_CASE("a send that was given up, or whose target is stopped, is no part of a circle") {
  auto body = []() -> coro<> {
    for (const bool stop : {false, true}) {
      auto a = spawn<store>({.name = "a"});
      auto b = spawn<store>({.name = "b"});
      b.tell(halt{1s});
      auto passed = a.ask(pass_to(b, 5), 500ms);
      co_await settle();
      const std::string ended = co_await ending(std::move(passed));
      CHECK(starts_with(ended, "timeout"));
      if (stop) {
        b.stop();
        co_await b.stopped();
      }
      auto asked = a.ask(count{}, 5s);
      const int counted = co_await asked;
      CHECK(counted == 0);
    }
  };
  run_quietly(body());
}

TEST_CASE("room that interleaved messages make while a handler waits ends no send as a deadlock") {
  auto body = []() -> coro<> {
    auto a = spawn<open_store>({.name = "a"});
    auto b = spawn<open_store>({.name = "b"});
    auto first = a.ask(pass_to(b, 50), infinite);
    auto second = b.ask(pass_to(a, 50, true), infinite);
    const std::string one = co_await first;
    const std::string other = co_await second;
    CHECK(one == "passed");
    CHECK(other == "passed");
  };
  run_quietly(body());
}

TEST_CASE("a mailbox full of what is not interleaved closes a circle of sends") {
  auto body = []() -> coro<> {
    auto a = spawn<open_store>({.name = "a"});
    auto b = spawn<open_store>({.name = "b"});
    for (const auto& each : {a, b}) each.tell(halt{1s});
    co_await settle();
    auto first = a.ask(pass_to(b, 5), infinite);
    auto second = b.ask(pass_to(a, 5), infinite);
    std::vector<future<void>> halts;
    for (int times = 0; times < 2; ++times)
      for (const auto& each : {a, b}) halts.push_back(each.send(halt{}));
    const std::string one = co_await first;
    const std::string other = co_await second;
    CHECK(is_deadlock(one) + is_deadlock(other) == 1);
  };
  run_quietly(body());
}

TEST_CASE("a send that nobody awaits, or somebody else, waits for its room") {
  struct lazy : actor<protocol<pass_to, parcel, count>> {
    coro<std::string> on(pass_to p) {
      for (int left = p.parcels; left != 0; --left) sent.push_back(p.next.send(parcel{}));
      co_await sleep(1s);
      co_return "kept";
    }
    void on(parcel) {}
    int on(count) { return static_cast<int>(sent.size()); }
    std::vector<future<void>> sent;
  };
  auto body = []() -> coro<> {
    auto a = spawn<lazy>();
    auto b = spawn<store>();
    b.tell(halt{2s});
    co_await settle();
    auto kept = a.ask(pass_to(b, 5), infinite);
    auto outside = b.send(parcel{});
    const std::string ended = co_await kept;
    CHECK(ended == "kept");
    co_await outside;
    const int arrived = co_await b.ask(count{});
    CHECK(arrived == 6);
  };
  run_quietly(body());
}

TEST_CASE("handlers on two loops that send to each other with full mailboxes all end") {
  auto body = []() -> coro<int> {
    auto a = spawn<store>({.name = "a", .on = place::on(0)});
    auto b = spawn<store>({.name = "b", .on = place::on(1)});
    int deadlocks = 0;
    for (int round = 0; round < 200; ++round) {
      auto first = a.ask(pass_to(b, 1 + round % 6), infinite);
      auto second = b.ask(pass_to(a, 1 + round % 5), infinite);
      deadlocks += is_deadlock(co_await first);
      deadlocks += is_deadlock(co_await second);
    }
    // Ways without a circle have none.
    for (int round = 0; round < 50; ++round) {
      auto first = a.ask(pass_to(b, 7), infinite);
      const std::string ended = co_await first;
      if (ended != "passed") deadlocks += 1'000'000;
    }
    co_return deadlocks;
  };
  const int found = run_on(2, body());
  CHECK(found < 1'000'000);
}
