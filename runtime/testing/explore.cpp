#include <troupe/runtime/testing/explore.hpp>

#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/testing/detailed_failure.hpp>
#include <troupe/runtime/testing/exhaustive.hpp>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <typeinfo>
#include <unordered_set>

namespace troupe::testing {

namespace {

using choices = std::vector<std::uint32_t>;

constexpr std::string_view first_line = "troupe replay 1";

std::vector<internal::make_witness>& witness_makers() {
  static std::vector<internal::make_witness> all;
  return all;
}

/// What came of one run.
struct attempt {
  choices made;
  std::size_t steps = 0;
  std::uint64_t hash = 0;
  std::exception_ptr error;
  std::string kind;  ///< of the error, the same for those that fail alike; empty when there is none
};

/// Numbers differ between runs that fail alike.
std::string without_numbers(std::string text) {
  std::erase_if(text, [](char each) { return each >= '0' && each <= '9'; });
  return text;
}

constexpr std::string_view nothing_new_kind = "nothing new";

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

attempt try_once(const explore_options& options, const internal::scenario& run, oracle& decides,
                 std::vector<std::unique_ptr<witness>>* seen_by = nullptr) {
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

/// `length` is how many choices a run makes: changes of priorities behind its end would be in vain.
std::unique_ptr<oracle> oracle_for(search how, std::uint64_t seed, std::size_t length) {
  if (seed == 0) return std::make_unique<first_come>();
  seeded random(seed);
  const std::uint64_t draw = random.next();
  if (how == search::random || (how == search::mixed && draw % 2 == 0))
    return std::make_unique<random_walk>(seed);
  return std::make_unique<by_priority>(seed, 1 + draw / 2 % 4, length);
}

/// That of a schedule, which follows from that of the whole; 0, the natural order, for the first.
std::uint64_t seed_of(const explore_options& options, std::size_t schedule) {
  if (schedule == 0) return options.how == search::mixed ? 0 : options.seed;
  seeded random(options.seed + schedule * 0x632be59bd9b4e019);
  return random.next() | 1;
}

std::size_t turns(const choices& made) {
  return static_cast<std::size_t>(
      std::count_if(made.begin(), made.end(), [](std::uint32_t each) { return each != 0; }));
}

choices without_trailing_zeros(choices made) {
  while (!made.empty() && made.back() == 0) made.pop_back();
  return made;
}

// --- simpler ----------------------------------------------------------------------------------------------------------

/// Looks for choices that fail in the same way and are simpler: fewer that are not natural, then a shorter run. Delta debugging: Zeller,
/// Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002), over the choices.
class simplifier {
 public:
  simplifier(const explore_options& options, const internal::scenario& run, attempt found)
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

  const explore_options& options_;
  const internal::scenario& run_;
  attempt best_;
  std::size_t left_;
};

// --- to be run again --------------------------------------------------------------------------------------------------

std::string hexadecimal(std::uint64_t value) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, 16).ptr;
  return std::string(digits, end);
}

/// Where it is, or nothing when it could not be written.
std::string write_replay(const attempt& run) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::temp_directory_path(error);
  if (error) return {};
  const std::string name = (folder / ("troupe-" + hexadecimal(run.hash) + ".replay")).string();
  std::ofstream to(name);
  to << first_line << '\n';
  for (const std::uint32_t each : run.made) to << each << '\n';
  to.close();
  return to ? name : std::string();
}

choices read_replay(const std::string& name) {
  std::ifstream from(name);
  std::string line;
  if (!from || !std::getline(from, line) || line != first_line)
    throw std::runtime_error("TROUPE_REPLAY names no file of choices that can be read: " + name);
  choices made;
  while (std::getline(from, line)) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error != std::errc() || end != line.data() + line.size())
      throw std::runtime_error("the file of choices " + name + " has a line that is no number: '" +
                               line + "'");
    made.push_back(value);
  }
  return made;
}

std::uint64_t read_seed(const char* text) {
  std::string_view digits(text);
  const bool hex = digits.starts_with("0x");
  if (hex) digits.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, hex ? 16 : 10);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.empty())
    throw std::runtime_error("TROUPE_SEED is no number: '" + std::string(text) + "'");
  return value;
}

std::string text_of(const schedule_failed::details& about) {
  std::string text = about.reason;
  if (text.empty() || text.back() != '\n') text += '\n';
  if (about.schedule != 0)
    text += "  in schedule " + std::to_string(about.schedule) + "; ";
  else
    text += "  ";
  text += "as found, " + std::to_string(about.steps_found) + " steps with " +
          std::to_string(about.turns_found) + " out of the natural order; simplified, " +
          std::to_string(about.steps_left) + " with " + std::to_string(about.turns_left) + "\n";
  if (about.seed != 0) text += "  again:      TROUPE_SEED=0x" + hexadecimal(about.seed) + "\n";
  if (!about.file.empty()) text += "  simplified: TROUPE_REPLAY=" + about.file + "\n";
  return text + about.story;
}

// --- exploring --------------------------------------------------------------------------------------------------------

void check_the_same(const attempt& one, const attempt& other) {
  if (one.hash == other.hash) return;
  std::size_t at = 0;
  while (at < one.made.size() && at < other.made.size() && one.made[at] == other.made[at]) ++at;
  throw not_deterministic("the same choices led to two different runs, of " +
                          std::to_string(one.steps) + " and " + std::to_string(other.steps) +
                          " steps, which differ from choice " + std::to_string(at + 1) +
                          " on at the latest. Something in the scenario does not go through the "
                          "simulation: the real clock, a random number (use "
                          "simulation::choose), a thread, the order of addresses in a set or map, "
                          "or something that is left from the run "
                          "before");
}

/// Runs it again, simplified and seen by witnesses, and says all that is known of it.
[[noreturn]] void fail(const explore_options& options, const internal::scenario& run, attempt found,
                       std::uint64_t seed, std::size_t schedule) {
  schedule_failed::details about;
  about.seed = seed;
  about.schedule = schedule;
  about.turns_found = turns(found.made);
  about.steps_found = found.steps;
  {
    replay again(found.made);
    check_the_same(found, try_once(options, run, again));
  }
  const attempt simplest = simplifier(options, run, std::move(found)).simplest();
  about.choices = without_trailing_zeros(simplest.made);
  about.turns_left = turns(simplest.made);
  about.steps_left = simplest.steps;
  std::vector<std::unique_ptr<witness>> witnesses;
  for (const internal::make_witness make : witness_makers()) witnesses.push_back(make());
  replay again(about.choices);
  const attempt shown = try_once(options, run, again, &witnesses);
  about.cause = shown.error != nullptr ? shown.error : simplest.error;
  about.reason = describe(about.cause);
  about.file = write_replay(simplest);
  for (const std::unique_ptr<witness>& each : witnesses) about.story += each->story();
  throw schedule_failed(std::move(about));
}

/// How many choices the natural order leaves open.
std::size_t natural_length(const explore_options& options, const internal::scenario& run) {
  first_come natural;
  return try_once(options, run, natural).made.size();
}

exploration search_all(const explore_options& options, const internal::scenario& run) {
  if (options.lag != duration::zero())
    throw std::invalid_argument("an exhaustive search takes no lag");
  exploration result;
  exhaustive all;
  do {
    if (result.schedules == options.schedules) return result;
    attempt each = try_once(options, run, all);
    result.steps += each.steps;
    result.schedules += 1;
    if (each.kind == nothing_new_kind) continue;
    if (each.error != nullptr) fail(options, run, std::move(each), 0, result.schedules);
    ++result.different;
  } while (all.next());
  result.complete = true;
  return result;
}

}  // namespace

schedule_failed::schedule_failed(details given)
    : std::runtime_error(text_of(given)), details_(std::move(given)) {}

bool internal::add_witness(make_witness made) {
  witness_makers().push_back(made);
  return true;
}

exploration internal::explore(const explore_options& options, const scenario& run) {
  exploration result;
  if (const char* const file = std::getenv("TROUPE_REPLAY"); file != nullptr && *file != '\0') {
    replay again(read_replay(file));
    attempt only = try_once(options, run, again);
    explore_options as_it_is = options;
    as_it_is.shrink_runs = 0;
    if (only.error != nullptr) fail(as_it_is, run, std::move(only), 0, 0);
    return {1, only.steps, 1};
  }
  if (const char* const text = std::getenv("TROUPE_SEED"); text != nullptr && *text != '\0') {
    const std::uint64_t seed = read_seed(text);
    const std::unique_ptr<oracle> decides =
        oracle_for(options.how, seed, natural_length(options, run));
    attempt only = try_once(options, run, *decides);
    if (only.error != nullptr) fail(options, run, std::move(only), seed, 0);
    return {1, only.steps, 1};
  }
  if (options.how == search::exhaustive) return search_all(options, run);
  std::unordered_set<std::uint64_t> seen;
  const std::size_t length = natural_length(options, run);
  for (std::size_t schedule = 0; schedule < options.schedules; ++schedule) {
    const std::uint64_t seed = seed_of(options, schedule);
    const std::unique_ptr<oracle> decides = oracle_for(options.how, seed, length);
    attempt each = try_once(options, run, *decides);
    ++result.schedules;
    result.steps += each.steps;
    if (seen.size() < (std::size_t{1} << 20)) seen.insert(each.hash);
    if (each.error != nullptr) fail(options, run, std::move(each), seed, schedule + 1);
    if (schedule == 1) {
      replay again(each.made);
      check_the_same(each, try_once(options, run, again));
    }
  }
  result.different = seen.size();
  return result;
}

}  // namespace troupe::testing
