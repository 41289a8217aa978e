// Processes on several loops: started elsewhere, sent to, asked, stopped and killed from elsewhere.
#include <troupe/actors/process.hpp>
#include <troupe/runtime/on.hpp>

#include "actors/helpers.hpp"
#include "actors/loops.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct item {
  int value;
};
struct total {
  using reply = int;
};
struct place_of {
  using reply = std::size_t;
};
struct fall {
  using reply = int;
};
using counting = protocol<item, total, place_of, fall>;

/// Adds up; answers a total only when no item lies before it, for it looks at items first.
coro<> counter(mailbox<item, total, place_of, fall>& inbox, std::atomic<int>& alive) {
  const loops::counted_anywhere frame(alive);
  int sum = 0;
  for (;;) {
    auto got = co_await inbox.receive();
    if (auto* const i = std::get_if<item>(&got)) sum += i->value;
    if (auto* const p = std::get_if<asked<place_of>>(&got))
      p->reply.answer(loop::current()->index());
    if (std::get_if<asked<fall>>(&got) != nullptr) throw std::runtime_error("boom");
    if (auto* const t = std::get_if<asked<total>>(&got)) {
      while (const auto more = co_await inbox.receive<item>(after(0s))) sum += more->value;
      t->reply.answer(sum);
    }
  }
}

coro<> sender(mailbox<item>& inbox, actor_ref<counting> to, int count) {
  static_cast<void>(inbox);
  for (int sent = 0; sent < count; ++sent) {
    to.tell(item{1});
    if (sent % 64 == 0) co_await sleep(0s);
  }
}

}  // namespace

TEST_CASE("a process lives on the loop it is placed on") {
  std::atomic<int> alive{0};
  auto body = [](std::atomic<int>& count) -> coro<bool> {
    bool right = true;
    for (std::size_t index = 0; index < 2; ++index) {
      auto one = spawn({.name = "placed", .on = place::on(index)}, counter, std::ref(count));
      right &= co_await one.ask(place_of{}) == index;
      auto other = spawn(place::on(index), counter, std::ref(count));
      right &= co_await other.ask(place_of{}) == index;
    }
    co_return right;
  };
  CHECK(run_on(2, body(alive)));
  CHECK(alive == 0);
}

TEST_CASE("processes on two loops send to one, which receives each message once") {
  std::atomic<int> alive{0};
  auto body = [](std::atomic<int>& count) -> coro<int> {
    auto to = spawn(place::on(1), counter, std::ref(count));
    std::vector<future<exit_reason>> ends;
    for (std::size_t index = 0; index < 8; ++index)
      ends.push_back(spawn(place::on(index % 2), sender, to, 1000).stopped());
    for (auto& each : ends) static_cast<void>(co_await each);
    co_return co_await to.ask(total{});
  };
  CHECK(run_on(2, body(alive)) == 8000);
  CHECK(alive == 0);
}

TEST_CASE("an asker on another loop gets what a process throws, and monitors are told of it") {
  std::atomic<int> alive{0};
  loops::failure_count failures;
  auto body = [](std::atomic<int>& count) -> coro<std::string> {
    std::string said;
    for (int times = 0; times < 50; ++times) {
      auto one = spawn(place::on(1), counter, std::ref(count));
      auto end = one.stopped();
      auto answer = one.ask(fall{});
      auto queued = one.ask(total{});
      said = co_await ending(std::move(answer));
      said += (co_await ending(std::move(queued))).substr(0, 6);
      const exit_reason why = co_await end;
      said += why.text();
    }
    co_return said;
  };
  CHECK(run_on(2, body(alive), failures.handler()) ==
        "error: boomdead: crashed: std::runtime_error: boom");
  CHECK(failures.count() == 50);
  CHECK(alive == 0);
}

TEST_CASE("processes with children on both loops are stopped and killed from both") {
  std::atomic<int> alive{0};
  auto body = [](std::atomic<int>& count) -> coro<int> {
    auto parent = [](mailbox<item, total, place_of, fall>& inbox, std::atomic<int>& of) -> coro<> {
      const loops::counted_anywhere frame(of);
      inbox.spawn(place::on(0), counter, std::ref(of)).tell(item{1});
      inbox.spawn(place::on(1), counter, std::ref(of)).tell(item{1});
      try {
        static_cast<void>(co_await inbox.receive<total>());
      } catch (const cancelled&) {
      }
      co_await sleep(0s);
    };
    int ended = 0;
    for (std::size_t times = 0; times < 60; ++times) {
      auto one = spawn(place::on(times % 2), parent, std::ref(count));
      auto end = one.stopped();
      if (times % 3 == 0) co_await sleep(0s);
      if (times % 5 != 0) one.stop();
      if (times % 4 == 0) co_await sleep(0s);
      if (times % 5 == 0 || times % 7 == 0) one.kill();
      const exit_reason why = co_await end;
      ended += why.what() == exit_reason::kind::stopped || why.what() == exit_reason::kind::killed;
    }
    co_return ended;
  };
  CHECK(run_on(2, body(alive)) == 60);
  CHECK(alive == 0);
}

TEST_CASE("the end of the runtime ends processes on all loops, with messages on their way") {
  std::atomic<int> alive{0};
  auto body = [](std::atomic<int>& count) -> coro<> {
    for (std::size_t index = 0; index < 10; ++index) {
      auto one = spawn(place::on(index % 2), counter, std::ref(count));
      // More than are sent before the end, and fewer than a mailbox without a bound complains of, should the other loop not run meanwhile.
      spawn(place::on((index + 1) % 2), sender, one, 60'000);
    }
    for (int times = 0; times < 5; ++times) co_await sleep(0s);
  };
  run_on(2, body(alive));
  CHECK(alive == 0);
}

TEST_CASE("a process that has gone to another loop cannot receive there") {
  std::atomic<int> alive{0};
  auto body = [](std::atomic<int>&) -> coro<std::string> {
    std::string said;
    auto wanderer = [](mailbox<item>& inbox, std::string& into) -> coro<> {
      auto away = [](mailbox<item>& of, std::string& text) -> coro<> {
        try {
          static_cast<void>(co_await of.receive());
        } catch (const invalid_state&) {
          text = "refused, ";
        }
      };
      loop& there = runtime::current()->loop_at(1);
      co_await on(there, away(inbox, into));
      const item got = co_await inbox.receive();
      into += std::to_string(got.value);
    };
    auto one = spawn(wanderer, std::ref(said));
    auto end = one.stopped();
    one.tell(item{3});
    static_cast<void>(co_await end);
    co_return said;
  };
  CHECK(run_on(2, body(alive)) == "refused, 3");
}
