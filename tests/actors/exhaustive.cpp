// The exhaustive search over actors: what is told to different actors is independent, what is told to one is not.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/ask.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/actors/testing/sequence_chart.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/testing/explore.hpp>

#include "support/catch.hpp"

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace exhaustive_test {

struct letter {
  int from;
};
struct go {};

class reader : public actor<protocol<letter>> {
 public:
  explicit reader(std::vector<int>& seen) : seen_(seen) {}
  void on(letter got) { seen_.push_back(got.from); }

 private:
  std::vector<int>& seen_;
};

class writer : public actor<protocol<go>> {
 public:
  writer(int number, actor_ref<protocol<letter>> to) : number_(number), to_(std::move(to)) {}
  void on(go) { to_.tell(letter{number_}); }

 private:
  int number_;
  actor_ref<protocol<letter>> to_;
};

coro<> letters(int writers, bool to_one) {
  std::vector<int> seen;
  std::vector<actor_ref<protocol<go>>> all;
  actor_ref<protocol<letter>> to = spawn<reader>(std::ref(seen));
  for (int each = 0; each < writers; ++each) {
    if (!to_one && each > 0) to = spawn<reader>(std::ref(seen));
    all.push_back(spawn<writer>(each, to));
  }
  for (const auto& each : all) each.tell(go{});
  co_await sleep(std::chrono::seconds(1));
  if (seen.size() != static_cast<std::size_t>(writers))
    throw std::runtime_error("a letter is lost");
}

exploration all_orders(int writers, bool to_one) {
  return explore({.schedules = 100'000, .how = search::exhaustive, .isolated = true},
                 [=] { return letters(writers, to_one); });
}

}  // namespace exhaustive_test

TEST_CASE("messages to different actors are independent, those to one come in every order") {
  const exploration apart = exhaustive_test::all_orders(4, false);
  CHECK(apart.complete);
  CHECK(apart.different == 1);
  const exploration together = exhaustive_test::all_orders(4, true);
  CHECK(together.complete);
  // 24 orders of arrival, times the 14 ways in which the reader's turns may lie between them.
  CHECK(together.different == 24 * 14);
}
