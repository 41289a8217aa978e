// Timers started, replaced and cancelled at random, by handlers that wait, handlers that do not, and a task beside them: no
// message comes that is not wanted any more, and each that is wanted comes once.
#include <troupe/actors/actor.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"
#include "support/random_numbers.hpp"

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct alarm {
  unsigned key;
  unsigned generation;
};
struct dawdle {
  unsigned time;
};
struct work_on {
  std::string burden;
};
using worrying = protocol<alarm, dawdle, work_on>;

/// What went on in one run.
struct tally {
  unsigned came = 0;
  unsigned came_once = 0;  ///< those of timers for once
  unsigned expected = 0;   ///< messages of timers for once that were neither cancelled nor replaced
  unsigned cancelled = 0;
  unsigned idle = 0;
};

/// Knows of each key what may still come.
class worrier : public actor<worrying> {
 public:
  worrier(tally& counts, unsigned seed) : counts_(counts), random_(seed) {}
  void on_start() {
    set_idle_timeout(3ms);
    create_task(meddle());
  }
  void on(alarm a) {
    known& timer = known_[a.key];
    if (!timer.to_come || timer.generation != a.generation) fail("a timer's message came unwanted");
    if (!timer.periodic) {
      timer.to_come = false;
      ++counts_.came_once;
    }
    if (timer_active({"t", a.key}) != timer.to_come)
      fail("a timer is thought to be what it is not");
    ++counts_.came;
    act();
  }
  coro<> on(dawdle d) {
    act();
    co_await sleep(1ms * d.time);
    act();
  }
  void on(const work_on&) { act(); }
  void on_idle() {
    ++counts_.idle;
    act();
  }

 private:
  struct known {
    unsigned generation = 0;
    bool to_come = false;
    bool periodic = false;
  };

  unsigned roll(unsigned sides) { return static_cast<unsigned>(random_.below(sides)); }
  void act() {
    if (++acts_ > 400) return wind_up();
    const unsigned key = roll(known_.size());
    known& timer = known_[key];
    switch (roll(8)) {
      case 0:
      case 1:
      case 2:
        drop(timer);
        timer = {timer.generation + 1, true, false};
        ++counts_.expected;
        start_timer({"t", key}, 1ms * roll(5), alarm{key, timer.generation});
        break;
      case 3:
        drop(timer);
        timer = {timer.generation + 1, true, true};
        start_periodic_timer({"t", key}, 1ms * (1 + roll(4)), alarm{key, timer.generation});
        break;
      case 4:
      case 5:
        if (cancel_timer({"t", key}) != timer.to_come) fail("a timer was thought to be another");
        drop(timer);
        timer.to_come = false;
        break;
      case 6:
        self().tell(dawdle{roll(6)});
        break;
      default:
        self().tell(work_on{std::string(100, 'x')});
        if (roll(2) == 0) self().tell(work_on{"at once"}, urgent);
        break;
    }
  }
  /// From now on, what is for once comes, and nothing else.
  void wind_up() {
    set_idle_timeout(infinite);
    for (unsigned key = 0; key < known_.size(); ++key) {
      if (!known_[key].periodic || !known_[key].to_come) continue;
      cancel_timer({"t", key});
      known_[key].to_come = false;
    }
  }
  void drop(known& timer) {
    if (!timer.to_come) return;
    ++counts_.cancelled;
    if (!timer.periodic) --counts_.expected;
  }
  coro<> meddle() {
    while (acts_ < 400) {
      act();
      co_await sleep(roll(3) == 0 ? 1ms * roll(4) : duration());
    }
  }

  tally& counts_;
  random_numbers random_;
  unsigned acts_ = 0;
  std::array<known, 7> known_;
};

}  // namespace

TEST_CASE("timers at random: nothing comes unwanted, and what is wanted comes") {
  tally all;
  for (unsigned seed = 0; seed < 60; ++seed) {
    tally counts;
    auto body = [&]() -> coro<> {
      const mailbox_options some_bounds[] = {{},
                                             {.capacity = 1, .when_full = overflow::reject},
                                             {.capacity = 3, .when_full = overflow::suspend}};
      spawn_options options;
      options.mailbox = some_bounds[seed % 3];
      auto one = spawn<worrier>(options, std::ref(counts), seed);
      co_await sleep(10s);
      if (seed % 2 == 0) one.stop();
    };
    INFO("seed " << seed);
    testing::run(body());
    all.came += counts.came;
    all.cancelled += counts.cancelled;
    all.idle += counts.idle;
    CHECK(counts.came_once == counts.expected);
  }
  CHECK(all.came > 1000);
  CHECK(all.cancelled > 1000);
  CHECK(all.idle > 10);
}
