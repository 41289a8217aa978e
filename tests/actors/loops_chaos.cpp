// Actors on two loops to which everything is done at random.
#include <troupe/actors/actor.hpp>

#include "actors/helpers.hpp"
#include "actors/loops.hpp"
#include "support/catch.hpp"
#include "support/random_numbers.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::loops;

namespace {

struct poke {
  using reply = int;
  std::uint64_t dice;
};
struct relay {
  using reply = int;
  std::uint64_t dice;
};
struct disturb {
  std::uint64_t dice;
};
using chaos = protocol<poke, relay, disturb>;

std::atomic<int> asked_in_chaos{0};
std::atomic<int> ended_in_chaos{0};

coro<int> ask_in_chaos(actor_ref<chaos> whom, std::uint64_t roll) {
  random_numbers random(roll);
  const duration limit = random.below(2) == 0 ? infinite : duration(1us * random.below(2000));
  ++asked_in_chaos;
  auto answer = random.below(2) == 0 ? whom.ask(poke{random.next()}, limit)
                                     : whom.ask(relay{random.next()}, limit);
  if (random.below(8) == 0) answer.cancel();
  const std::string how = co_await ending(std::move(answer));
  ++ended_in_chaos;
  co_return how.empty() ? 0 : 1;
}

class imp : public actor<chaos> {
 public:
  imp(actor_ref<chaos> friendly, std::atomic<int>& alive, std::uint64_t seed)
      : friend_(std::move(friendly)), alive_(alive), here_(alive), random_(seed) {
    if (random_.below(32) == 0) throw std::runtime_error("unborn");
  }
  coro<> on_stop() {
    if (random_.below(2) == 0) co_await sleep(0s);
  }
  int on(poke p) {
    if (p.dice % 16 == 0) throw std::runtime_error("crash");
    if (p.dice % 16 < 4) throw rejected("no");
    if (p.dice % 64 == 5) stop();
    return 1;
  }
  coro<int> on(relay r) {
    if (r.dice % 4 == 0) co_await sleep(0s);
    if (r.dice % 64 == 1) throw std::runtime_error("crash");
    if (!friend_) co_return 0;
    ++asked_in_chaos;
    // No cycles: a friend is always older.
    auto answer = friend_.ask(relay{r.dice / 2}, infinite);
    const std::string how = co_await ending(std::move(answer));
    ++ended_in_chaos;
    co_return how.empty() ? 0 : 1;
  }
  void on(disturb d) {
    switch (d.dice % 8) {
      case 0:
        throw std::runtime_error("crash");
      case 1:
        stop();
        break;
      case 2:
        create_task(ask_later(d.dice));
        break;
      case 3:
        friend_ ? friend_.stop() : stop();
        break;
      default:
        have_child(d.dice);
    }
  }

 private:
  void have_child(std::uint64_t roll) {
    try {
      auto child = spawn<imp>(place::on(roll / 8 % 2), self(), std::ref(alive_), roll / 16);
      child.tell(disturb{roll / 32});
      if (roll % 3 == 0) child_ = child;
    } catch (const std::runtime_error&) {
    }
  }
  coro<> ask_later(std::uint64_t roll) {
    if (child_) static_cast<void>(co_await ask_in_chaos(child_, roll));
  }

  actor_ref<chaos> friend_;
  actor_ref<chaos> child_;
  std::atomic<int>& alive_;
  counted_anywhere here_;
  random_numbers random_;
};

/// Does at random what can be done to actors, from one loop.
class trickster : public actor<protocol<poke>> {
 public:
  explicit trickster(std::atomic<int>& alive) : alive_(alive) {}
  coro<int> on(poke p) {
    random_numbers random(p.dice);
    std::vector<actor_ref<chaos>> known;
    std::vector<task<int>> asks;
    for (int step = 0; step < 400; ++step) {
      if (known.empty() || random.below(6) == 0) {
        actor_ref<chaos> older =
            known.empty() ? actor_ref<chaos>() : known[random.below(known.size())];
        try {
          known.push_back(troupe::spawn<imp>(place::on(random.below(2)), older, std::ref(alive_),
                                             random.next()));
        } catch (const std::runtime_error&) {
        }
        continue;
      }
      auto& whom = known[random.below(known.size())];
      switch (random.below(12)) {
        case 0:
          whom.stop();
          break;
        case 1:
        case 2:
          whom.tell(disturb{random.next()});
          break;
        case 3:
          whom.tell(relay{random.next()});
          break;
        case 4:
          co_await sleep(0s);
          break;
        case 5:
          whom = known.back();
          break;
        case 6:
          if (!asks.empty()) asks[random.below(asks.size())].cancel();
          break;
        default:
          asks.push_back(create_task(ask_in_chaos(whom, random.next())));
      }
    }
    int ended = 0;
    for (auto& each : asks) {
      try {
        ended += co_await each;
      } catch (const cancelled&) {
        ++ended;
      }
    }
    co_return ended == static_cast<int>(asks.size()) ? 0 : 1;
  }

 private:
  std::atomic<int>& alive_;
};

coro<int> play_chaos(std::uint64_t seed, std::atomic<int>& alive) {
  auto first = spawn<trickster>(place::on(0), std::ref(alive));
  auto second = spawn<trickster>(place::on(1), std::ref(alive));
  auto one = first.ask(poke{seed}, infinite);
  auto other = second.ask(poke{seed + 1}, infinite);
  int wrong = co_await one;
  wrong += co_await other;
  co_return wrong;
}

}  // namespace

TEST_CASE(
    "whatever is done to actors on two loops, every ask ends once and every actor in the end") {
  asked_in_chaos = ended_in_chaos = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    failure_count failures;
    std::atomic<int> alive{0};
    INFO("seed " << seed);
    CHECK(run_on(2, play_chaos(seed * 2, alive), failures.handler()) == 0);
    CHECK(alive == 0);
  }
  CHECK(asked_in_chaos > 1000);
  CHECK(ended_in_chaos == asked_in_chaos);
}
