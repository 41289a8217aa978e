// The checker of histories against brute force.
#include "runtime/histories.hpp"

#include <troupe/runtime/testing/explore.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

using namespace troupe::testing;
using namespace troupe::testing::histories;

namespace {

struct pop {};
struct line {
  std::deque<int> all;
  void apply(push p) { all.push_back(p.value); }
  std::optional<int> apply(pop) {
    if (all.empty()) return {};
    const int first = all.front();
    all.pop_front();
    return first;
  }
  bool operator==(const line&) const = default;
  std::size_t hash() const { return all.size(); }
};

/// An operation of either model, for histories made at random.
struct event {
  enum class kind { put, get, swap_if, push, pop };
  kind what;
  int first = 0;
  int second = 0;
  int seen = 0;  ///< as a number; -1 for nothing
  int begin = 0;
  int end = 0;  ///< after all others when there is no answer
  bool answered = true;
};

template <class Model>
int apply(Model& model, const event& each) {
  if constexpr (std::is_same_v<Model, line>) {
    if (each.what == event::kind::pop) return model.apply(pop{}).value_or(-1);
    model.apply(push{each.first});
  } else {
    if (each.what == event::kind::get) return model.apply(get{});
    if (each.what == event::kind::swap_if)
      return model.apply(swap_if{each.first, each.second}) ? 1 : 0;
    model.apply(put{each.first});
  }
  return 0;
}

/// By the definition: any order, in which what is over before another begins comes first; without an answer, it may be left out.
template <class Model>
bool can_be_ordered(const std::vector<event>& left, const Model& state) {
  if (std::none_of(left.begin(), left.end(), [](const event& each) { return each.answered; }))
    return true;
  for (std::size_t next = 0; next < left.size(); ++next) {
    const bool too_early = std::any_of(left.begin(), left.end(), [&](const event& other) {
      return other.answered && other.end < left[next].begin;
    });
    if (too_early) continue;
    Model then = state;
    const int answer = apply(then, left[next]);
    if (left[next].answered && answer != left[next].seen) continue;
    std::vector<event> others = left;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(next));
    if (can_be_ordered(others, then)) return true;
  }
  return false;
}

template <class Model>
bool checker_says(const std::vector<event>& all) {
  history<Model> seen;
  std::map<int, std::function<void()>> happens;
  for (const event& each : all) {
    happens[each.begin] = [&seen, &happens, each] {
      const auto begin = [&](auto operation, auto answer) {
        auto noted = seen.begin("client", operation);
        if (each.answered) happens[each.end] = [noted, answer]() mutable { answer(noted); };
      };
      const auto nothing = [](auto& noted) { noted.returned(); };
      if constexpr (std::is_same_v<Model, line>) {
        if (each.what == event::kind::push) return begin(push{each.first}, nothing);
        begin(pop{}, [each](auto& noted) {
          noted.returned(each.seen < 0 ? std::optional<int>() : each.seen);
        });
      } else {
        if (each.what == event::kind::put) return begin(put{each.first}, nothing);
        if (each.what == event::kind::get)
          return begin(get{}, [each](auto& noted) { noted.returned(each.seen); });
        begin(swap_if{each.first, each.second},
              [each](auto& noted) { noted.returned(each.seen == 1); });
      }
    };
  }
  for (auto next = happens.begin(); next != happens.end(); ++next) next->second();
  try {
    return seen.check().operations == all.size();
  } catch (const not_linearizable& error) {
    REQUIRE_FALSE(error.about().chart.empty());
    return false;
  }
}

/// A few operations at times that overlap. Their answers are those of a run, but for some that are anything.
template <class Model>
std::vector<event> made_at_random(seeded& random) {
  const std::size_t count = 2 + random.below(5);
  std::vector<int> times(2 * count);
  for (std::size_t each = 0; each < times.size(); ++each) times[each] = static_cast<int>(each);
  // Near to where they were, so that some follow each other.
  for (std::size_t each = 0; each < times.size(); ++each)
    std::swap(times[each], times[std::min(times.size() - 1, each + random.below(4))]);
  std::vector<event> all;
  Model run;
  for (std::size_t each = 0; each < count; ++each) {
    event made{};
    made.begin = std::min(times[2 * each], times[2 * each + 1]);
    made.end = std::max(times[2 * each], times[2 * each + 1]);
    made.first = static_cast<int>(random.below(3));
    made.second = static_cast<int>(random.below(3));
    if constexpr (std::is_same_v<Model, line>)
      made.what = random.below(2) == 0 ? event::kind::push : event::kind::pop;
    else
      made.what = static_cast<event::kind>(random.below(3));
    made.seen = apply(run, made);
    if (random.below(2) == 0 && made.what == event::kind::get)
      made.seen = static_cast<int>(random.below(3));
    if (random.below(3) == 0 && made.what == event::kind::pop)
      made.seen = static_cast<int>(random.below(4)) - 1;
    made.answered = random.below(5) != 0;
    all.push_back(made);
  }
  return all;
}

template <class Model>
void compare_with_brute_force(std::uint64_t seed, int runs) {
  seeded random(seed);
  int right = 0;
  for (int run = 0; run < runs; ++run) {
    const std::vector<event> all = made_at_random<Model>(random);
    const bool expected = can_be_ordered(all, Model());
    if (checker_says<Model>(all) != expected) FAIL("run " << run << " of seed " << seed);
    right += expected ? 1 : 0;
  }
  CHECK(right > runs / 5);
  CHECK(right < runs - runs / 5);
}

}  // namespace

TEST_CASE("the checker says what brute force says, of small histories of a cell") {
  compare_with_brute_force<cell>(1, 4'000);
}
TEST_CASE("the checker says what brute force says, of a model that cannot be compared") {
  compare_with_brute_force<plain_cell>(2, 2'000);
}
TEST_CASE("the checker says what brute force says, of small histories of a queue") {
  compare_with_brute_force<line>(3, 4'000);
}
