// What a simulation does not have, and says so: real clocks, real sleeps, other threads.
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/testing/simulation.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <string>
#include <thread>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

template <class Scenario>
std::string what_is_not_simulated(Scenario scenario) {
  first_come natural;
  simulation world(natural);
  try {
    world.run(scenario());
  } catch (const not_simulated& found) {
    return found.what();
  }
  return "nothing";
}

coro<> reads_the_clock() {
  static_cast<void>(std::chrono::steady_clock::now());
  co_await sleep(1s);
}
coro<> reads_the_date() {
  co_await sleep(1s);
  static_cast<void>(std::chrono::system_clock::now());
}
coro<> blocks() {
  std::this_thread::sleep_for(1us);
  co_await sleep(1s);
}
coro<> has_a_thread() {
  promise<int> told;
  future<int> answer = told.get_future();
  std::thread other([&home = *loop::current(), &told] {
    home.call_soon_threadsafe([&told] { told.set_value(1); });
  });
  other.join();
  co_await answer;
}

}  // namespace

TEST_CASE("a scenario that uses what is not simulated is stopped, and is told what it was") {
  CHECK_THAT(what_is_not_simulated(reads_the_clock), Catch::Contains("steady_clock"));
  CHECK_THAT(what_is_not_simulated(reads_the_date), Catch::Contains("system_clock"));
  CHECK_THAT(what_is_not_simulated(blocks), Catch::Contains("troupe::sleep"));
  CHECK_THAT(what_is_not_simulated(has_a_thread), Catch::Contains("another thread"));
  CHECK(what_is_not_simulated([]() -> coro<> { co_await sleep(1s); }) == "nothing");
}
