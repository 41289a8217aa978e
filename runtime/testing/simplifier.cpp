#include <troupe/runtime/testing/simplifier.hpp>

#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/testing/detailed_failure.hpp>
#include <troupe/runtime/testing/exhaustive.hpp>

#include <algorithm>
#include <set>
#include <typeinfo>
#include <utility>

namespace troupe::testing::internal {

namespace {

// Orders that are tried for each set of parts, when the order matters.
constexpr std::uint64_t orders_per_try = 16;
constexpr std::uint64_t orders_per_pair = 2;
constexpr std::uint64_t orders_in_the_end = 256;
// Answers that are tried where one departs from the natural order.
constexpr std::uint32_t most_answers = 3;
// Above it all pairs of parts would be too many.
constexpr std::size_t most_parts_for_pairs = 16;

/// Numbers differ between runs that fail alike.
std::string without_numbers(std::string text) {
  std::erase_if(text, [](char each) { return each >= '0' && each <= '9'; });
  return text;
}

/// The values of a run, in another order of steps.
class other_order final : public oracle {
 public:
  other_order(choices values, std::uint64_t seed, std::size_t length)
      : values_(std::move(values)),
        walk_(seed),
        departs_(seed, 1 + seed / 2 % 3, length),
        order_(seed % 2 == 0 ? static_cast<oracle&>(walk_) : departs_) {}
  std::size_t choose(const choice& open) override {
    return open.what == choice::kind::value ? values_.choose(open) : order_.choose(open);
  }

 private:
  replay values_;
  random_walk walk_;
  few_departures departs_;
  oracle& order_;
};

}  // namespace

std::string kind_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const nothing_new&) {
    return std::string(nothing_new_kind);
  } catch (const detailed_failure& known) {
    return typeid(known).name() + known.kind();
  } catch (const std::exception& known) {
    return typeid(known).name() + without_numbers(describe(error));
  } catch (...) {
    return "unknown";
  }
}

std::size_t turns(const choices& made) {
  return static_cast<std::size_t>(
      std::count_if(made.begin(), made.end(), [](std::uint32_t each) { return each != 0; }));
}

choices without_trailing_zeros(choices made) {
  while (!made.empty() && made.back() == 0) made.pop_back();
  return made;
}

simplifier::simplifier(run again, attempt found, std::size_t most)
    : again_(std::move(again)), best_(std::move(found)), left_(most) {}

attempt simplifier::simplest() {
  cost before;
  do {
    before = cost_of(best_);
    cut_off();
    drop_parts();
    drop();
    make_natural();
    make_smaller();
    make_values_smaller();
    make_equal_values_smaller();
    drop_two_parts();
  } while (cost_of(best_) < before && left_ > 0);
  if (best_.parts.empty()) {
    depart_anew();
  } else {
    insist_on_dropping();
    make_values_smaller();
    make_equal_values_smaller();
  }
  return std::move(best_);
}

simplifier::cost simplifier::cost_of(const attempt& run) {
  std::uint64_t values = 0;
  for (std::size_t at = 0; at < run.made.size(); ++at) {
    if (run.kinds[at] == choice::kind::value) values += run.made[at];
  }
  return {run.parts.size(), turns(run.made), run.steps, values};
}

bool simplifier::accept(oracle& decides) {
  if (left_ == 0) return false;
  --left_;
  attempt other = again_(decides);
  if (other.kind != best_.kind || cost_of(other) >= cost_of(best_)) return false;
  other.made = without_trailing_zeros(std::move(other.made));
  other.kinds.resize(other.made.size());
  best_ = std::move(other);
  return true;
}

bool simplifier::fails(choices tried) {
  replay again(std::move(tried));
  return accept(again);
}

/// Without those choices. What is left may take another order of steps to fail.
bool simplifier::fails_without(const flags& left_out, std::uint64_t orders) {
  choices tried;
  choices values;
  for (std::size_t at = 0; at < best_.made.size(); ++at) {
    const bool is_value = best_.kinds[at] == choice::kind::value;
    if (left_out[at]) continue;
    tried.push_back(best_.made[at]);
    if (is_value) values.push_back(best_.made[at]);
  }
  if (fails(std::move(tried))) return true;
  for (std::uint64_t order = 1; best_.ordered && order <= orders; ++order) {
    other_order again(values, order, best_.made.size());
    if (accept(again)) return true;
  }
  return false;
}

/// The natural order from some choice on.
void simplifier::cut_off() {
  std::size_t low = 0;
  std::size_t high = best_.made.size();
  while (low < high && left_ > 0) {
    const std::size_t middle = low + (high - low) / 2;
    choices tried(best_.made.begin(), best_.made.begin() + static_cast<std::ptrdiff_t>(middle));
    if (fails(std::move(tried))) {
      high = std::min(middle, best_.made.size());
    } else {
      low = middle + 1;
    }
  }
}

namespace {

void leave_out(std::vector<bool>& left_out, const simulation::part& part) {
  for (std::size_t at = part.from; at < std::min(part.to, left_out.size()); ++at)
    left_out[at] = true;
}

}  // namespace

void simplifier::drop_parts() {
  for (std::size_t size = best_.parts.size(); size > 0 && left_ > 0; size /= 2) {
    // The last first: what is before them stays as it was.
    for (std::size_t end = best_.parts.size(); end > 0 && left_ > 0;) {
      const std::size_t from = end - std::min(size, end);
      flags left_out(best_.made.size());
      for (std::size_t each = from; each < end; ++each) leave_out(left_out, best_.parts[each]);
      fails_without(left_out, orders_per_try);
      end = std::min(from, best_.parts.size());
    }
  }
}

/// What is rare takes many orders: when little is left there is time for them.
void simplifier::insist_on_dropping() {
  for (std::size_t part = best_.parts.size(); best_.ordered && part > 0 && left_ > 0; --part) {
    flags left_out(best_.made.size());
    leave_out(left_out, best_.parts[part - 1]);
    if (fails_without(left_out, orders_in_the_end)) part = best_.parts.size() + 1;
  }
}

/// One may undo what the other does, and both be far from each other.
void simplifier::drop_two_parts() {
  if (best_.parts.size() > most_parts_for_pairs) return;
  for (std::size_t one = 0; one < best_.parts.size(); ++one) {
    for (std::size_t other = one + 1; other < best_.parts.size() && left_ > 0; ++other) {
      flags left_out(best_.made.size());
      leave_out(left_out, best_.parts[one]);
      leave_out(left_out, best_.parts[other]);
      fails_without(left_out, orders_per_pair);
    }
  }
}

/// Choices taken out, so that those behind them come earlier.
void simplifier::drop() {
  for (std::size_t size = std::max<std::size_t>(best_.made.size() / 2, 1); left_ > 0; size /= 2) {
    for (std::size_t at = 0; at < best_.made.size() && left_ > 0;) {
      choices tried = best_.made;
      const auto from = tried.begin() + static_cast<std::ptrdiff_t>(at);
      tried.erase(from, from + static_cast<std::ptrdiff_t>(std::min(size, tried.size() - at)));
      if (!fails(std::move(tried))) at += size;
    }
    if (size == 1) return;
  }
}

/// Choices made natural, many at once first.
void simplifier::make_natural() {
  for (std::size_t size = std::max<std::size_t>(turns(best_.made) / 2, 1); left_ > 0; size /= 2) {
    for (std::size_t from = 0; left_ > 0;) {
      std::vector<std::size_t> places;
      for (std::size_t at = 0; at < best_.made.size(); ++at) {
        if (best_.made[at] != 0) places.push_back(at);
      }
      if (from >= places.size()) break;
      choices tried = best_.made;
      for (std::size_t each = from; each < std::min(from + size, places.size()); ++each)
        tried[places[each]] = 0;
      if (!fails(std::move(tried))) from += size;
    }
    if (size == 1) return;
  }
}

/// The next but one instead of the last but one.
void simplifier::make_smaller() {
  for (std::size_t at = 0; at < best_.made.size() && left_ > 0; ++at) {
    if (best_.made[at] < 2) continue;
    choices tried = best_.made;
    tried[at] = 1;
    fails(std::move(tried));
  }
}

/// The smallest that bisection finds.
void simplifier::make_values_smaller() {
  for (std::size_t at = 0; at < best_.made.size() && left_ > 0; ++at) {
    std::uint32_t low = 0;
    while (at < best_.made.size() && best_.kinds[at] == choice::kind::value &&
           low + 1 < best_.made[at] && left_ > 0) {
      choices tried = best_.made;
      tried[at] = low + (best_.made[at] - low) / 2;
      const std::uint32_t middle = tried[at];
      if (!fails(std::move(tried))) low = middle;
    }
  }
}

/// What has to be the same in several places, such as a key, gets smaller in all of them at once. The first choice of a part says what it is, and
/// is none of them.
void simplifier::make_equal_values_smaller() {
  std::set<std::uint32_t> values(best_.made.begin(), best_.made.end());
  values.erase(0);
  for (auto value = values.rbegin(); value != values.rend() && left_ > 0; ++value) {
    for (const std::uint32_t target : {std::uint32_t{0}, *value / 2, *value - 1}) {
      choices tried = best_.made;
      std::size_t places = 0;
      for (std::size_t at = 0; at < tried.size(); ++at) {
        const bool begins_part =
            std::any_of(best_.parts.begin(), best_.parts.end(),
                        [at](const simulation::part& each) { return each.from == at; });
        if (begins_part || best_.kinds[at] != choice::kind::value || tried[at] != *value) continue;
        tried[at] = target;
        ++places;
      }
      if (places > 1 && fails(std::move(tried))) break;
    }
  }
}

/// What cannot be taken away from may be done with less all the same: one departure from the natural order, or two, anywhere. In
/// the manner of Emmi, Qadeer, Rakamaric, "Delay-Bounded Scheduling" (2011), who find most bugs with that.
void simplifier::depart_anew() {
  const std::size_t length = best_.made.size();
  const auto one = [&](std::size_t at, std::uint32_t answer) {
    choices tried(at + 1, 0);
    tried[at] = answer;
    return tried;
  };
  for (std::size_t at = 0; at < length && turns(best_.made) > 1; ++at) {
    for (std::uint32_t answer = 1; answer <= most_answers; ++answer) fails(one(at, answer));
  }
  for (std::size_t first = 0; first < length; ++first) {
    for (std::size_t second = first + 1; second < length; ++second) {
      for (std::uint32_t both = 0; both < most_answers * most_answers; ++both) {
        if (left_ == 0 || turns(best_.made) <= 2) return;
        choices tried = one(second, 1 + both % most_answers);
        tried[first] = 1 + both / most_answers;
        fails(std::move(tried));
      }
    }
  }
}

}  // namespace troupe::testing::internal
