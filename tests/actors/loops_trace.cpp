// What a tracer sees of two loops.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/tracer.hpp>

#include "actors/helpers.hpp"
#include "actors/loops.hpp"
#include "support/explored.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::loops;

namespace {

using kind = trace_event::kind;

/// Keeps all it sees, in the order of its numbers.
class ledger final : public tracer {
 public:
  struct entry {
    kind what;
    std::uint64_t actor, message, by, cause;
    std::size_t on_loop;
  };
  void see(const trace_event& seen) noexcept override {
    const std::scoped_lock lock(mutex_);
    entries_[seen.number] = {seen.what, seen.actor, seen.message,
                             seen.by,   seen.cause, seen.on_loop};
  }
  /// The kinds in which `message` appears, one after the other.
  std::string life_of(std::uint64_t message) {
    const std::scoped_lock lock(mutex_);
    std::string text;
    for (const auto& [number, each] : entries_) {
      if (each.message == message) text += std::string(to_string(each.what)) + ' ';
    }
    return text;
  }
  std::size_t count(kind what) {
    const std::scoped_lock lock(mutex_);
    std::size_t found = 0;
    for (const auto& [number, each] : entries_) found += each.what == what ? 1 : 0;
    return found;
  }
  std::uint64_t newest_message() {
    const std::scoped_lock lock(mutex_);
    std::uint64_t newest = 0;
    for (const auto& [number, each] : entries_) newest = std::max(newest, each.message);
    return newest;
  }

 private:
  std::mutex mutex_;
  std::map<std::uint64_t, entry> entries_;
};

}  // namespace

TEST_CASE(
    "each message between loops is sent once and delivered once in a trace, and each ask answered "
    "once") {
  ledger book;
  auto body = [](ledger& seen) -> coro<> {
    co_await trace_actors(seen);
    const auto there = spawn<collector>(place::on(1));
    constexpr int times = 200;
    for (int index = 0; index < times; ++index) there.tell(number{index});
    for (int index = 0; index < times; ++index) {
      const std::size_t at = co_await there.ask(where{});
      CHECK(at == 1);
    }
    const std::string refused = co_await ending(there.ask(refuse{}));
    CHECK(starts_with(refused, "rejected"));
    there.stop();
    co_await there.stopped();
    const std::string dead = co_await ending(there.ask(where{}));
    CHECK(starts_with(dead, "dead"));
    co_await stop_tracing();
    CHECK(seen.count(kind::spawned) == 1);
    CHECK(seen.count(kind::stopped) == 1);
    CHECK(seen.count(kind::sent) == 2 * times + 2);
    CHECK(seen.count(kind::delivered) == 2 * times + 1);
    CHECK(seen.count(kind::replied) == times);
    CHECK(seen.count(kind::failed) == 2);
    CHECK(seen.newest_message() == 2 * times + 2);
    CHECK(seen.life_of(1) == "sent delivered ");
    CHECK(seen.life_of(times + 1) == "sent delivered replied ");
    CHECK(seen.life_of(2 * times + 1) == "sent delivered failed ");
    CHECK(seen.life_of(2 * times + 2) == "sent failed ");
  };
  testing::run_on(2, body(book));
}

TEST_CASE("a tracer that comes and goes while two loops are at work loses nobody") {
  std::atomic<int> living{0};
  ledger book;
  auto body = [](ledger& seen, std::atomic<int>& alive) -> coro<> {
    for (int round = 0; round < 20; ++round) {
      const auto tree = spawn<branch>(2, std::ref(alive));
      const auto there = spawn<collector>(place::on(1));
      auto early = there.ask(where{});
      co_await trace_actors(seen);
      there.tell(number{0});
      std::size_t at = co_await there.ask(where{});
      CHECK(at == 1);
      at = co_await early;
      CHECK(at == 1);
      auto late = there.ask(where{});
      co_await stop_tracing();
      at = co_await late;
      CHECK(at == 1);
      tree.stop();
      there.stop();
      co_await tree.stopped();
      co_await there.stopped();
    }
    CHECK(alive == 0);
  };
  testing::run_on(2, body(book, living));
}

TEST_CASE("children on another loop are told of once, whichever loop hears of the tracer first") {
  struct parent : actor<protocol<where>> {
    parent() {
      for (std::size_t index = 0; index < 4; ++index) spawn<collector>(place::on(index % 2));
    }
    std::size_t on(where) { return 0; }
  };
  ledger book;
  auto body = [](ledger& seen) -> coro<> {
    std::vector<actor_ref<protocol<where>>> all;
    for (std::size_t index = 0; index < 10; ++index)
      all.push_back(spawn<parent>(place::on(index % 2)));
    for (const auto& each : all) co_await each.started();
    co_await sleep(
        20ms);  // the children on the other loop have begun by now, or are told of when they do
    co_await trace_actors(seen);
    co_await sleep(20ms);
    co_await stop_tracing();
    CHECK(seen.count(kind::spawned) == 50);
  };
  testing::run_on(2, body(book));
}

TROUPE_PROGRAM_TEST_CASE(
    "nothing is seen once stop_tracing is done, whatever was on its way between the loops") {
  struct parent : actor<protocol<where>> {
    parent() {
      for (std::size_t index = 0; index < 8; ++index) spawn<collector>(place::on(index % 2));
    }
    std::size_t on(where) { return loop::current()->index(); }
  };
  struct scene {
    static coro<> run() {
      std::vector<actor_ref<protocol<where>>> all;
      for (std::size_t index = 0; index < 8; ++index)
        all.push_back(spawn<parent>(place::on(index % 2)));
      for (int round = 0; round < 100; ++round) {
        ledger book;  // may go when stop_tracing is done
        auto begun = trace_actors(book);
        co_await stop_tracing();
        const std::size_t before = book.count(kind::spawned) + book.count(kind::sent);
        for (const auto& each : all) {
          const std::size_t at = co_await each.ask(where{});
          CHECK(at < 2);
        }
        CHECK(book.count(kind::spawned) + book.count(kind::sent) == before);
        co_await begun;
      }
    }
  };
  testing::run_on(2, scene::run());
}
