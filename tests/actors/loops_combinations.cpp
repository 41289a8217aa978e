// Actors that interleave, with a bound, timers and a supervisor on another loop, under everything that may be sent to them.
#include <troupe/actors/interleave.hpp>

#include <troupe/actors/actor.hpp>

#include "actors/helpers.hpp"
#include "actors/loops.hpp"
#include "runtime/helpers.hpp"
#include "support/catch.hpp"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct quick {
  using reply = int;
};
struct slow {
  using reply = int;
};
struct beat {};
struct fall {};
using busy_protocol = protocol<quick, slow, beat, fall>;

class busy_actor : public actor<busy_protocol> {
 public:
  using interleave = messages<quick, beat>;
  busy_actor() {
    start_periodic_timer("b", 1ms, beat{});
    start_timer("f", 5ms, fall{});
  }
  coro<int> on(quick) {
    co_await sleep(0s);
    co_return 1;
  }
  coro<int> on(slow) {
    co_await sleep(1ms);
    cancel_timer("f");
    co_return 2;
  }
  void on(beat) { start_timer("f", 5ms, fall{}); }
  void on(fall) { throw std::runtime_error("fell"); }
};

struct member {
  using reply = actor_ref<busy_protocol>;
};
class team : public actor<protocol<member>> {
 public:
  explicit team(overflow how) {
    supervise_as({.how = strategy::one_for_all, .max_restarts = 1000});
    for (std::size_t index = 0; index != 2; ++index)
      refs_.push_back(
          supervise<busy_actor>({.on = place::on(index),
                                 .mailbox = {.capacity = 4, .when_full = how, .drain_for = 2ms}}));
  }
  actor_ref<busy_protocol> on(member) { return refs_[next_++ % 2]; }

 private:
  std::vector<actor_ref<busy_protocol>> refs_;
  std::size_t next_ = 0;
};

/// Sends everything to both members; gives how many asks have ended.
coro<int> trouble(overflow how, std::uint64_t seed) {
  random_numbers random(seed);
  auto whole = spawn<team>(how);
  auto one = co_await whole.ask(member{});
  auto other = co_await whole.ask(member{});
  std::vector<future<int>> asked;
  for (int step = 0; step != 120; ++step) {
    const auto& to = random.below(2) == 0 ? one : other;
    switch (random.below(12)) {
      case 0:
        to.tell(fall{}, urgent);
        break;
      case 1:
        to.kill();
        break;
      case 2:
        to.stop();
        break;
      case 3:
        to.stop_when_drained(1ms);
        break;
      case 4:
        co_await sleep(1ms);
        break;
      case 5:
        to.tell(beat{}, urgent);
        to.tell(slow{}, urgent);
        break;
      case 6:
        asked.push_back(to.ask(slow{}, duration(random.below(2'000'000))));
        break;
      default:
        asked.push_back(random.below(2) == 0 ? to.ask(quick{}) : to.ask(slow{}));
    }
  }
  whole.stop();
  auto end = whole.stopped();
  static_cast<void>(co_await end);
  int ended = 0;
  for (auto& each : asked) {
    static_cast<void>(co_await ending(std::move(each)));
    ++ended;
  }
  co_return ended - static_cast<int>(asked.size());
}

}  // namespace

TEST_CASE(
    "supervised actors that interleave, with bounds, timers and drains, end all asks and end") {
  for (const overflow how :
       {overflow::reject, overflow::drop_newest, overflow::drop_oldest, overflow::suspend}) {
    for (std::uint64_t seed = 1; seed != 6; ++seed) {
      CAPTURE(static_cast<int>(how), seed);
      loops::failure_count falls;
      CHECK(run_on(2, trouble(how, seed), falls.handler()) == 0);
      CHECK(!falls.mentions("did not end"));
    }
  }
}
