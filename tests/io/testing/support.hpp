// What the tests of the simulated network share.
#pragma once

#include <troupe/io/listening.hpp>
#include <troupe/io/open_connection.hpp>
#include <troupe/io/server.hpp>
#include <troupe/io/stream.hpp>
#include <troupe/io/testing/network.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/testing/explore.hpp>

#include "support/catch.hpp"
#include "support/expect.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace troupe::testing::networks {

using namespace std::chrono_literals;

/// Runs a scenario once, in the natural order.
template <class Scenario>
void naturally(Scenario scenario, const network_options& how = {}, std::size_t loops = 1) {
  first_come natural;
  simulation world(natural, {.threads = loops, .most_steps = 10'000'000});
  network net(world, how);
  world.run(scenario(net));
}

/// The same under a seed; returns what stands for all that has happened.
template <class Scenario>
std::uint64_t by_seed(std::uint64_t seed, Scenario scenario, const network_options& how = {},
                      std::size_t loops = 1) {
  random_walk chosen(seed);
  simulation world(chosen, {.threads = loops, .most_steps = 10'000'000});
  network net(world, how);
  world.run(scenario(net));
  return world.hash();
}

inline coro<> echo(io::stream client) {
  while (auto line = co_await client.next_line()) {
    client.write(*line, "\n");
    co_await client.drain();
  }
}

inline coro<std::string> ask(io::stream& over, std::string question) {
  over.write(question, "\n");
  std::string answer = co_await over.read_line();
  co_return answer;
}

/// The code by which that ends, or none.
template <class T>
coro<std::error_code> error_of(coro<T> wait) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(wait);
    } else {
      static_cast<void>(co_await std::move(wait));
    }
  } catch (const std::system_error& error) {
    co_return error.code();
  }
  co_return std::error_code();
}

/// Whether exploring that finds a failure whose text holds `what`, and that shows `shown`. Its file goes.
bool finds(const explore_options& options, std::string_view what,
           const std::function<coro<>(simulation&)>& scenario, std::string_view shown = {});

}  // namespace troupe::testing::networks
