#include <troupe/runtime/testing/explore.hpp>

#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/testing/exhaustive.hpp>
#include <troupe/runtime/testing/simplifier.hpp>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <unordered_set>

namespace troupe::testing {

namespace {

using internal::attempt;
using internal::choices;
using internal::simplifier;
using internal::turns;
using internal::without_trailing_zeros;

constexpr std::string_view first_line = "troupe replay 1";

std::vector<internal::make_witness>& witness_makers() {
  static std::vector<internal::make_witness> all;
  return all;
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
    result.kind = internal::kind_of(result.error);
  }
  result.made = world.choices();
  result.kinds = world.kinds();
  result.parts = world.parts();
  result.ordered =
      std::find(result.kinds.begin(), result.kinds.end(), choice::kind::next) != result.kinds.end();
  result.steps = world.steps();
  result.hash = world.hash();
  return result;
}

/// `length` is how many choices a run makes: changes of priorities behind its end would be in vain.
std::unique_ptr<oracle> oracle_for(search how, std::uint64_t seed, std::size_t length) {
  if (seed == 0) return std::make_unique<first_come>();
  seeded random(seed);
  const std::uint64_t draw = random.next();
  if (how == search::mixed) {
    constexpr search arms[] = {search::random, search::priority, search::partial_order,
                               search::departures};
    how = arms[draw % std::size(arms)];
  }
  const std::size_t depth = 1 + draw / 8 % 4;
  // Faults, and time that goes on, from seldom to often: a late one takes a run that has few of them.
  const std::size_t rarity = std::size_t{4} << (2 * (draw / 32 % 4));
  if (how == search::random) return std::make_unique<random_walk>(seed, rarity);
  if (how == search::priority) return std::make_unique<by_priority>(seed, depth, length, rarity);
  if (how == search::partial_order) return std::make_unique<partial_order_sampling>(seed, rarity);
  return std::make_unique<few_departures>(seed, depth, length);
}

/// That of a schedule, which follows from that of the whole; 0, the natural order, for the first.
std::uint64_t seed_of(const explore_options& options, std::size_t schedule) {
  if (schedule == 0) return options.how == search::mixed ? 0 : options.seed;
  seeded random(options.seed + schedule * 0x632be59bd9b4e019);
  return random.next() | 1;
}

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

bool was_reported(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const reported_failure&) {
    return true;
  } catch (...) {
    return false;
  }
}

/// Runs it again, simplified and seen by witnesses, and says all that is known of it.
[[noreturn]] void fail(const explore_options& options, const internal::scenario& run, attempt found,
                       std::uint64_t seed, std::size_t schedule) {
  schedule_failed::details about;
  about.seed = seed;
  about.schedule = schedule;
  about.turns_found = turns(found.made);
  about.steps_found = found.steps;
  const bool said = was_reported(found.error);
  if (!said) {
    replay again(found.made);
    check_the_same(found, try_once(options, run, again));
  }
  const auto try_again = [&](oracle& decides) { return try_once(options, run, decides); };
  const attempt simplest =
      said ? std::move(found)
           : simplifier(try_again, std::move(found), options.shrink_runs).simplest();
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

/// How many choices a run makes, where it matters: if it is not said, as many as the natural order leaves open.
std::size_t length_of(const explore_options& options, const internal::scenario& run) {
  if (options.length != 0) return options.length;
  if (options.how == search::random || options.how == search::partial_order) return 0;
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
    if (each.kind == internal::nothing_new_kind) continue;
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
    const std::unique_ptr<oracle> decides = oracle_for(options.how, seed, length_of(options, run));
    attempt only = try_once(options, run, *decides);
    if (only.error != nullptr) fail(options, run, std::move(only), seed, 0);
    return {1, only.steps, 1};
  }
  if (options.how == search::exhaustive) return search_all(options, run);
  std::unordered_set<std::uint64_t> seen;
  // The mixture begins with the natural order, and needs no run of its own for that.
  const bool begins_naturally = options.how == search::mixed && options.length == 0;
  std::size_t length = begins_naturally ? 0 : length_of(options, run);
  for (std::size_t schedule = 0; schedule < options.schedules; ++schedule) {
    const std::uint64_t seed = seed_of(options, schedule);
    const std::unique_ptr<oracle> decides = oracle_for(options.how, seed, length);
    attempt each = try_once(options, run, *decides);
    if (schedule == 0 && begins_naturally) length = each.made.size();
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
