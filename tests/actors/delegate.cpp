// Requests that a handler passes on to another actor, which answers the asker.
#include <troupe/actors/delegate.hpp>

#include <troupe/actors/actor.hpp>
#include <troupe/actors/counts.hpp>
#include <troupe/runtime/gather.hpp>

#include "actors/helpers.hpp"
#include "support/explored.hpp"

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

enum class what { answer, wait, reject, crash, drop };
struct fetch_block {
  using reply = std::unique_ptr<int>;
  what how = what::answer;
  int further = 0;  // how many more pass it on
};
struct read_block {
  using reply = std::unique_ptr<int>;
  what how;
};
struct wipe {
  using reply = void;
};
struct asked_so_far {
  using reply = int;
};
using disk_protocol = protocol<read_block, wipe, asked_so_far>;

class disk : public actor<disk_protocol> {
 public:
  coro<std::unique_ptr<int>> on(read_block r) {
    ++asked_;
    if (r.how == what::wait) co_await sleep(10s);
    if (r.how == what::reject) throw rejected("no such block");
    if (r.how == what::crash) throw std::runtime_error("head crash");
    co_return std::make_unique<int>(5);
  }
  void on(wipe) { ++asked_; }
  int on(asked_so_far) { return asked_; }

 private:
  int asked_ = 0;
};

struct vault : actor<protocol<read_block>> {
  void on(read_block, reply_to<std::unique_ptr<int>>) {}
};

using front_protocol = protocol<fetch_block, wipe>;
class front : public actor<front_protocol> {
 public:
  explicit front(actor_ref<disk_protocol> to) : to_(std::move(to)) {}
  void on(fetch_block r, reply_to<std::unique_ptr<int>> answer) {
    if (r.further > 0) {
      --r.further;
      delegate(self(), r, std::move(answer));
    } else {
      delegate(to_, read_block{r.how}, std::move(answer));
    }
  }
  void on(wipe w, reply_to<void> answer) { delegate(to_, w, std::move(answer)); }

 private:
  actor_ref<disk_protocol> to_;
};

struct dropping_front : actor<front_protocol> {
  explicit dropping_front(actor_ref<protocol<read_block>> to) : to_(std::move(to)) {}
  void on(fetch_block r, reply_to<std::unique_ptr<int>> answer) {
    delegate(to_, read_block{r.how}, std::move(answer));
  }
  void on(wipe, reply_to<void>) {}
  actor_ref<protocol<read_block>> to_;
};

std::string read_by(what how, int further = 0, duration limit = 5s) {
  auto body = [](what chosen, int more, duration until) -> coro<std::string> {
    auto store = spawn<disk>({.name = "store"});
    auto door = spawn<front>({.name = "door"}, store);
    auto asked = door.ask(fetch_block{chosen, more}, until);
    std::string how_it_ended = co_await ending(std::move(asked));
    co_return how_it_ended;
  };
  return run_quietly(body(how, further, limit));
}

}  // namespace

TEST_CASE("a delegated request is answered by the other actor") {
  CHECK(read_by(what::answer) == "answered");
}

TEST_CASE("a request may be delegated again and again") {
  CHECK(read_by(what::answer, 5) == "answered");
  CHECK(read_by(what::reject, 5) == "rejected: no such block");
}

TEST_CASE("what the other actor throws reaches the asker of a delegated request") {
  CHECK(read_by(what::reject) == "rejected: no such block");
  CHECK(read_by(what::crash) == "error: head crash");
}

TEST_CASE("the time limit of a delegated request is the asker's, and its error names both actors") {
  const std::string how = read_by(what::wait, 0, 2s);
  CHECK(starts_with(how, "timeout: "));
  CHECK(how.find("front 'door' did not answer") != std::string::npos);
  CHECK(how.find("delegated to ") != std::string::npos);
  CHECK(how.find("disk 'store' as ") != std::string::npos);
  CHECK(read_by(what::wait, 3, 20s) == "answered");
}

TEST_CASE(
    "a delegated request to a dead actor, or one that drops it, fails with errors that name that "
    "one") {
  auto body = []() -> coro<std::string> {
    auto store = spawn<disk>({.name = "store"});
    auto door = spawn<front>(store);
    store.stop();
    co_await settle();
    auto asked = door.ask(fetch_block{});
    std::string how = co_await ending(std::move(asked));
    auto safe = spawn<vault>({.name = "safe"});
    auto other = spawn<dropping_front>(safe);
    auto second = other.ask(fetch_block{});
    how += co_await ending(std::move(second));
    co_return how;
  };
  const std::string how = run_quietly(body());
  CHECK(how.find("dead: ") == 0);
  CHECK(how.find("disk 'store' was asked") != std::string::npos);
  CHECK(how.find("dropped: ") != std::string::npos);
  CHECK(how.find("vault 'safe' dropped") != std::string::npos);
}

TROUPE_PROGRAM_TEST_CASE(
    "a delegated request that the asker has withdrawn is not begun, and a late answer is counted") {
  auto body = []() -> coro<std::string> {
    auto store = spawn<disk>();
    auto door = spawn<front>(store);
    auto first = door.ask(fetch_block{what::wait});
    auto second = door.ask(fetch_block{what::answer});
    co_await settle();
    first.cancel();
    second.cancel();
    co_await sleep(20s);
    const int begun = co_await store.ask(asked_so_far{});
    co_return std::to_string(begun) + " begun, " + std::to_string(counts_of_loop().late_replies) +
        " late";
  };
  CHECK(testing::run(body()) == "1 begun, 1 late");
}

TROUPE_PROGRAM_TEST_CASE("a told request is told on when it is delegated") {
  auto body = []() -> coro<int> {
    auto store = spawn<disk>();
    auto door = spawn<front>(store);
    door.tell(wipe{});
    co_await settle();
    const int begun = co_await store.ask(asked_so_far{});
    co_return begun;
  };
  CHECK(testing::run(body()) == 1);
}

TROUPE_PROGRAM_TEST_CASE("a delegated request without a result is answered too") {
  auto body = []() -> coro<std::string> {
    auto store = spawn<disk>();
    auto door = spawn<front>(store);
    auto asked = door.ask(wipe{});
    std::string how = co_await ending(std::move(asked));
    co_return how;
  };
  CHECK(testing::run(body()) == "answered");
}

TEST_CASE(
    "requests are delegated between loops, in any arrangement, withdrawn at any time, and each "
    "ends once") {
  auto body = []() -> coro<std::string> {
    int answered = 0;
    int withdrawn = 0;
    int failed = 0;
    for (int round = 0; round < 60; ++round) {
      auto store = spawn<disk>(place::on(static_cast<std::size_t>(round % 2)));
      auto door = spawn<front>(place::on(static_cast<std::size_t>(round / 2 % 2)), store);
      std::vector<future<std::unique_ptr<int>>> all;
      for (int each = 0; each < 10; ++each)
        all.push_back(door.ask(fetch_block{what::answer, each % 3}, infinite));
      if (round % 3 == 0) co_await sleep(0s);
      for (int each = round % 4; each < 10; each += 4) all[static_cast<std::size_t>(each)].cancel();
      if (round % 5 == 0) store.stop();
      for (auto& each : all) {
        std::string how = co_await ending(each);
        if (how == "answered")
          ++answered;
        else if (how == "cancelled")
          ++withdrawn;
        else if (starts_with(how, "dead: "))
          ++failed;
      }
      door.stop();
      store.stop();
    }
    co_return std::to_string(answered + withdrawn + failed);
  };
  CHECK(run_on(2, body()) == "600");
}

TEST_CASE(
    "a runtime that ends in the middle of delegated requests on two loops leaves nothing behind") {
  for (int round = 0; round < 20; ++round) {
    auto body = [](int number) -> coro<> {
      auto store = spawn<disk>(place::on(1));
      auto door = spawn<front>(place::on(static_cast<std::size_t>(number % 2)), store);
      std::vector<future<std::unique_ptr<int>>> all;
      for (int each = 0; each < 10; ++each)
        all.push_back(door.ask(fetch_block{what::wait, 1}, infinite));
      if (number % 4 < 2) co_await sleep(0s);
    };
    run_on(2, body(round));
  }
  SUCCEED("nothing is left");
}
