// Tests of what takes hours: sessions that end when nobody uses them, and who is asked again less and less often. No test waits.
// Run: test_with_time        Prints: what the tests have seen, and how much time they believe has passed
#include <troupe/actors/testing/interception.hpp>
#include <troupe/actors/testing/probe.hpp>
#include <troupe/runtime/testing/explore.hpp>
#include <troupe/troupe.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <vector>

using namespace std::chrono_literals;
using troupe::testing::simulation;

struct use {
  using reply = int;  // how often it was used
};
using session_protocol = troupe::protocol<use>;

/// Ends when it has not been used for half an hour.
class session : public troupe::actor<session_protocol> {
 public:
  session() { set_idle_timeout(30min); }
  int on(use) { return ++uses_; }

 private:
  int uses_ = 0;
};

/// Asks until it is answered: at once, after a second, after two, four, and so on, up to a minute.
troupe::coro<int> patiently(troupe::actor_ref<session_protocol> whom,
                            std::vector<troupe::duration>& waited) {
  for (troupe::duration pause = 1s;; pause = std::min<troupe::duration>(2 * pause, 1min)) {
    const auto answer = whom.ask(use{}, 500ms);
    bool answered = true;
    try {
      co_await answer;
    } catch (const troupe::ask_timeout&) {
      answered = false;
    }
    if (answered) co_return co_await answer;
    waited.push_back(pause);
    co_await troupe::sleep(pause);
  }
}

void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

// [time]
troupe::coro<> a_session_ends_after_half_an_hour(simulation& world) {
  auto one = troupe::spawn<session>();
  auto end = one.stopped();
  for (int day = 0; day < 48; ++day) {  // used every 29 minutes, it stays
    co_await world.advance(29min);
    const int uses = co_await one.ask(use{});
    require(uses == day + 1, "a session ended although it was used");
  }
  co_await world.advance(29min + 59s);
  require(!end.done(), "a session ended too early");
  co_await world.advance(1s);
  require(end.done(), "a session did not end");
}
// [/time]

troupe::coro<> one_who_is_not_answered_asks_again() {
  auto one = troupe::spawn<session>();
  troupe::testing::interception network;
  network.each<use>().times(9).drop();
  std::vector<troupe::duration> waited;
  const int uses = co_await patiently(one, waited);
  require(uses == 1, "what was lost was counted");
  require(waited == std::vector<troupe::duration>{1s, 2s, 4s, 8s, 16s, 32s, 1min, 1min, 1min},
          "the pauses are not as they should be");
}

int main() {
  using troupe::testing::explore;
  troupe::duration passed{};
  explore({.schedules = 100}, [&](simulation& world) -> troupe::coro<> {
    co_await a_session_ends_after_half_an_hour(world);
    passed += world.time().time_since_epoch();
  });
  explore({.schedules = 100}, [&](simulation& world) -> troupe::coro<> {
    co_await one_who_is_not_answered_asks_again();
    passed += world.time().time_since_epoch();
  });
  std::printf(
      "two tests, each in a hundred orders of events; %lld hours have passed for them\n",
      static_cast<long long>(std::chrono::duration_cast<std::chrono::hours>(passed).count()));
  return 0;
}
