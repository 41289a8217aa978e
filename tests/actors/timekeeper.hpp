// An actor that does with its timers what it is told to, and notes what comes, and when. In a namespace of its own, for
// other tests have other messages of these names.
#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/sleep.hpp>

#include "actors/helpers.hpp"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing::timekeeping {

class timekeeper;

struct tick {
  std::string name;
};
struct once {  // cannot be copied
  std::unique_ptr<int> value;
};
struct act {  // does something inside the actor
  std::function<void(timekeeper&)> what;
};
struct dawdle {  // a handler that takes a while, waiting
  duration time;
};
struct fetch {
  using reply = int;
};
using keeping = protocol<tick, once, act, dawdle, fetch>;

/// Notes what comes, and when.
class timekeeper : public actor<keeping> {
 public:
  explicit timekeeper(journal& into) : into_(into), began_(loop::current()->time()) {}
  void on(tick t) {
    note(t.name);
    if (then) std::exchange(then, {})(*this);
  }
  void on(once o) { note("once " + std::to_string(*o.value)); }
  void on(const act& a) { a.what(*this); }
  coro<> on(dawdle d) {
    note("dawdles");
    co_await sleep(d.time);
    note("goes on");
  }
  void on(fetch, reply_to<int> reply) {
    note("fetch");
    reply.answer(1);
  }
  void note(const std::string& what) {
    const auto passed = loop::current()->time() - began_;
    into_.push_back(what + " at " + std::to_string(passed / 1ms));
  }

  using actor::cancel_all_timers;
  using actor::cancel_timer;
  using actor::create_task;
  using actor::self;
  using actor::start_periodic_timer;
  using actor::start_timer;
  using actor::stop;
  using actor::timer_active;
  std::function<void(timekeeper&)> then;  ///< after the next tick

 private:
  journal& into_;
  time_point began_;
};

using scene = std::function<void(timekeeper&)>;

/// What an actor notes that does `first` at 0 ms, for ten seconds.
inline journal play(scene first, std::vector<std::pair<duration, scene>> later = {},
                    failure_log* log = nullptr) {
  journal into;
  auto body = [&]() -> coro<> {
    auto one = spawn<timekeeper>(std::ref(into));
    one.tell(act{std::move(first)});
    duration passed{};
    for (auto& [when, what] : later) {
      co_await sleep(when - passed);
      passed = when;
      one.tell(act{std::move(what)});
    }
    co_await sleep(10s - passed);
  };
  testing::run(body(), log);
  return into;
}

}  // namespace troupe::testing::timekeeping
