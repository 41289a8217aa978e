// What the tests of simulated programs share.
#pragma once

#include <troupe/io/process.hpp>
#include <troupe/io/testing/programs.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/testing/explore.hpp>
#include <troupe/runtime/timeout.hpp>

#include "support/catch.hpp"
#include "support/expect.hpp"

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::testing::children {

using namespace std::chrono_literals;

inline constexpr io::process_options piped = {
    .input = io::stdio::pipe, .output = io::stdio::pipe, .errors = io::stdio::pipe};
inline constexpr io::process_options reading = {.output = io::stdio::pipe};

/// Runs a scenario once, in the natural order.
template <class Scenario>
void naturally(Scenario scenario, const programs_options& how = {}, std::size_t loops = 1) {
  first_come natural;
  simulation world(natural, {.threads = loops, .most_steps = 1'000'000, .leaks = true});
  programs installed(world, how);
  world.run(scenario(installed));
}

/// The same under a seed; returns what stands for all that has happened.
template <class Scenario>
std::uint64_t by_seed(std::uint64_t seed, Scenario scenario, const programs_options& how = {},
                      std::size_t loops = 1) {
  random_walk chosen(seed);
  simulation world(chosen, {.threads = loops, .most_steps = 1'000'000, .leaks = true});
  programs installed(world, how);
  world.run(scenario(installed));
  return world.hash();
}

/// Whether exploring that finds a failure whose text holds `what`, and that shows all of `shown`. Its file goes.
inline bool finds(const explore_options& options, std::string_view what,
                  const std::function<coro<>(simulation&)>& scenario,
                  const std::vector<std::string>& shown = {}) {
  try {
    explore(options, scenario);
    return false;
  } catch (const schedule_failed& found) {
    if (!found.about().file.empty()) std::filesystem::remove(found.about().file);
    INFO(found.what());
    CHECK(found.about().reason.find(what) != std::string::npos);
    for (const std::string& each : shown) {
      INFO(each);
      CHECK(found.about().story.find(each) != std::string::npos);
    }
    return true;
  }
}

/// What `run` throws, in words; nothing when it throws nothing.
template <class T>
coro<std::string> failure_of(coro<T> run) {
  try {
    static_cast<void>(co_await std::move(run));
  } catch (const std::exception& error) {
    co_return error.what();
  }
  co_return "";
}

// --- some programs ----------------------------------------------------------------------------------------------------

/// Gives back what it gets.
inline coro<int> cat(program& self) {
  for (;;) {
    const io::bytes some = co_await self.input().read_some();
    if (some.empty()) co_return 0;
    self.output().write(some.text());
    co_await self.output().drain();
  }
}

/// Counts what it gets.
inline coro<int> wc(program& self) {
  const io::bytes all = co_await self.input().read_all();
  self.output().write(std::to_string(all.size()), "\n");
  co_return 0;
}

/// Runs until it is ended.
inline coro<int> forever(program& self) {
  static_cast<void>(co_await self.next_signal());
  co_return 0;
}

/// The same, and SIGTERM does not do it.
inline coro<int> stubborn(program& self) {
  self.ignore(SIGTERM);
  self.output().write("ready\n");
  static_cast<void>(co_await self.next_signal());
  co_return 0;
}

/// Ends as it is told to.
inline coro<int> says(program& self) {
  for (const std::string& each : self.arguments()) self.output().write(each, "\n");
  co_return 0;
}

}  // namespace troupe::testing::children
