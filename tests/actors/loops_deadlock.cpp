// Deadlocks of asks between loops: each is found, none is imagined, every ask ends once.
#include <troupe/actors/actor.hpp>
#include <troupe/runtime/gather.hpp>

#include "actors/helpers.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct walk;
using walking = protocol<walk>;
/// Goes from actor to actor, each of which waits for the next.
struct walk {
  using reply = int;  // at which step it met a deadlock, or -1
  walk(std::vector<actor_ref<walking>> given, std::size_t given_at, bool given_wide = false)
      : way(std::move(given)), at(given_at), wide(given_wide) {}
  std::vector<actor_ref<walking>> way;
  std::size_t at;
  bool wide;  // asks the rest of the way at once, instead of step by step
};

class walker : public actor<walking> {
 public:
  explicit walker(std::atomic<int>& outcomes) : outcomes_(outcomes) {}
  coro<int> on(walk w) {
    if (w.at == w.way.size()) co_return -1;
    int found = -1;
    try {
      if (w.wide) {
        std::vector<future<int>> all;
        for (std::size_t next = w.at; next != w.way.size(); ++next)
          all.push_back(w.way[next].ask(walk({}, 0), infinite));
        auto answers = gather(return_exceptions, std::move(all));
        auto settled_ones = co_await std::move(answers);
        for (auto& each : settled_ones) {
          ++outcomes_;
          if (!each.has_value()) found = static_cast<int>(w.at);
        }
      } else {
        actor_ref<walking> next = w.way[w.at];
        const int step = static_cast<int>(w.at);
        walk rest(std::move(w.way), w.at + 1);
        found = step;
        found = co_await next.ask(std::move(rest), infinite);
        ++outcomes_;
      }
    } catch (const ask_deadlock&) {
      ++outcomes_;
    }
    co_return found;
  }

 private:
  std::atomic<int>& outcomes_;
};

std::vector<actor_ref<walking>> walkers(std::size_t count, std::atomic<int>& outcomes) {
  std::vector<actor_ref<walking>> made;
  for (std::size_t index = 0; index < count; ++index)
    made.push_back(spawn<walker>(place::on(index % 2), std::ref(outcomes)));
  return made;
}

/// Which step of a way closes a circle when nobody else is on its way: the first that comes to an actor for the second time.
int model(const std::vector<std::size_t>& way) {
  for (std::size_t step = 1; step < way.size(); ++step) {
    if (std::find(way.begin(), way.begin() + static_cast<std::ptrdiff_t>(step), way[step]) !=
        way.begin() + static_cast<std::ptrdiff_t>(step))
      return static_cast<int>(step);
  }
  return -1;
}

}  // namespace

TEST_CASE("a single way from actor to actor over two loops is a deadlock where the model says so") {
  std::atomic<int> outcomes{0};
  auto body = [](std::atomic<int>& ended) -> coro<int> {
    std::mt19937 random(7);
    int wrong = 0;
    const auto all = walkers(7, ended);
    for (int round = 0; round < 300; ++round) {
      std::vector<std::size_t> numbers;
      std::vector<actor_ref<walking>> way;
      const std::size_t length = 1 + random() % 7;
      for (std::size_t step = 0; step < length; ++step) {
        numbers.push_back(random() % all.size());
        way.push_back(all[numbers.back()]);
      }
      auto first = way.front();
      auto asked = first.ask(walk(way, 1), infinite);
      const int found = co_await std::move(asked);
      wrong += found != model(numbers);
    }
    co_return wrong;
  };
  CHECK(run_on(2, body(outcomes)) == 0);
}

TEST_CASE(
    "ways that cross on two loops at the same time all end, and ordered ones without a deadlock") {
  std::atomic<int> outcomes{0};
  auto body = [](std::atomic<int>& ended) -> coro<int> {
    std::mt19937 random(11);
    int imagined = 0;
    const auto all = walkers(6, ended);
    for (int round = 0; round < 200; ++round) {
      const bool ordered = round % 3 == 0;
      std::vector<future<int>> walks;
      for (int walker_number = 0; walker_number < 5; ++walker_number) {
        std::vector<std::size_t> numbers{0, 1, 2, 3, 4, 5};
        for (std::size_t left = numbers.size(); left > 1; --left)
          std::swap(numbers[left - 1], numbers[random() % left]);
        numbers.resize(2 + random() % 5);
        if (ordered) std::sort(numbers.begin(), numbers.end());
        std::vector<actor_ref<walking>> way;
        for (const std::size_t each : numbers) way.push_back(all[each]);
        auto first = way.front();
        walks.push_back(first.ask(walk(way, 1, random() % 4 == 0), infinite));
      }
      for (auto& each : walks) {
        const int found = co_await each;
        if (ordered && found != -1) ++imagined;
      }
    }
    co_return imagined;
  };
  CHECK(run_on(2, body(outcomes)) == 0);
}

TEST_CASE("of two actors on two loops that ask each other at the same time at most one is failed") {
  std::atomic<int> outcomes{0};
  auto body = [](std::atomic<int>& ended) -> coro<std::string> {
    const auto all = walkers(2, ended);
    int both = 0;
    int one = 0;
    for (int round = 0; round < 300; ++round) {
      std::vector<actor_ref<walking>> there{all[0], all[1]};
      std::vector<actor_ref<walking>> back{all[1], all[0]};
      auto first = all[0].ask(walk(there, 1), infinite);
      auto second = all[1].ask(walk(back, 1), infinite);
      const int a = co_await std::move(first);
      const int b = co_await std::move(second);
      both += a == 1 && b == 1;
      one += a == 1 || b == 1;
    }
    co_return std::to_string(both) + (one > 0 ? " some" : " none");
  };
  CHECK(run_on(2, body(outcomes)) == "0 some");
}
