#include <troupe/runtime/testing/simplify.hpp>

#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/testing/exhaustive.hpp>

#include <algorithm>
#include <typeinfo>
#include <utility>

namespace troupe::testing::internal {

namespace {

/// Numbers differ between runs that fail alike.
std::string without_numbers(std::string text) {
  std::erase_if(text, [](char each) { return each >= '0' && each <= '9'; });
  return text;
}

std::string kind_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const nothing_new&) {
    return std::string(nothing_new_kind);
  } catch (const std::exception& known) {
    return typeid(known).name() + without_numbers(describe(error));
  } catch (...) {
    return "unknown";
  }
}

}  // namespace

attempt try_once(const explore_options& options, const scenario& run, oracle& decides,
                 std::vector<std::unique_ptr<witness>>* seen_by) {
  attempt result;
  simulation world(decides, {.threads = options.threads,
                             .most_steps = options.most_steps,
                             .lag = options.lag,
                             .isolated = options.isolated,
                             .leaks = options.leaks,
                             .expects = options.expects});
  if (seen_by != nullptr) {
    world.on_opened([seen_by](loop& home) {
      for (const std::unique_ptr<witness>& each : *seen_by) each->opened(home);
    });
  }
  try {
    run(world);
  } catch (...) {
    result.error = std::current_exception();
    result.kind = kind_of(result.error);
  }
  result.made = world.choices();
  result.steps = world.steps();
  result.hash = world.hash();
  return result;
}

std::size_t turns(const choices& made) {
  return static_cast<std::size_t>(
      std::count_if(made.begin(), made.end(), [](std::uint32_t each) { return each != 0; }));
}

namespace {

choices without_trailing_zeros(choices made) {
  while (!made.empty() && made.back() == 0) made.pop_back();
  return made;
}

/// Looks for choices that fail in the same way and are simpler: fewer that are not natural, then a shorter run. Delta debugging: Zeller,
/// Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002), over the choices.
class simplifier {
 public:
  simplifier(const explore_options& options, const scenario& run, attempt found)
      : options_(options), run_(run), best_(std::move(found)), left_(options.shrink_runs) {}

  attempt simplest() {
    std::size_t before = 0;
    do {
      before = cost();
      cut_off();
      drop();
      make_natural();
      make_smaller();
    } while (cost() < before && left_ > 0);
    depart_anew();
    return std::move(best_);
  }

 private:
  std::size_t cost() const { return turns(best_.made) * 100'000 + best_.steps; }

  bool fails(choices tried) {
    if (left_ == 0) return false;
    --left_;
    replay again(std::move(tried));
    attempt other = try_once(options_, run_, again);
    if (other.kind != best_.kind) return false;
    other.made = without_trailing_zeros(std::move(other.made));
    if (turns(other.made) * 100'000 + other.steps >= cost()) return false;
    best_ = std::move(other);
    return true;
  }

  /// The natural order from some choice on.
  void cut_off() {
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

  /// Choices taken out, so that those behind them come earlier.
  void drop() {
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
  void make_natural() {
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
  void make_smaller() {
    for (std::size_t at = 0; at < best_.made.size() && left_ > 0; ++at) {
      if (best_.made[at] < 2) continue;
      choices tried = best_.made;
      tried[at] = 1;
      fails(std::move(tried));
    }
  }

  /// What cannot be taken away from may be done with less all the same: one departure from the natural order, or two, anywhere. In
  /// the manner of Emmi, Qadeer, Rakamaric, "Delay-Bounded Scheduling" (2011), who find most bugs with that.
  void depart_anew() {
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
  static constexpr std::uint32_t most_answers = 3;

  const explore_options& options_;
  const scenario& run_;
  attempt best_;
  std::size_t left_;
};

}  // namespace

attempt simplify(const explore_options& options, const scenario& run, attempt found) {
  attempt best = simplifier(options, run, std::move(found)).simplest();
  best.made = without_trailing_zeros(std::move(best.made));
  return best;
}

}  // namespace troupe::testing::internal
