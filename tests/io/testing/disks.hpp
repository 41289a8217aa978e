// What the tests of the simulated disk share.
#pragma once

#include <troupe/io/testing/disk.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/testing/explore.hpp>

#include "support/catch.hpp"
#include "support/expect.hpp"

#include <chrono>
#include <set>
#include <string>
#include <system_error>

namespace troupe::testing::disks {

using namespace std::chrono_literals;

/// Runs a scenario with a disk once, in the natural order.
template <class Scenario>
void on_disk(Scenario scenario, const disk_options& how = {}) {
  first_come natural;
  simulation world(natural);
  world.run([](Scenario& all, simulation& here, const disk_options& options) -> coro<> {
    disk store(here, options);
    co_await all(here, store);
  }(scenario, world, how));
}

/// What of the system's a call failed with; nothing when it ended well.
template <class T>
coro<std::error_code> error_of(coro<T> call) {
  try {
    co_await std::move(call);
  } catch (const std::system_error& error) {
    co_return error.code();
  }
  co_return std::error_code();
}

}  // namespace troupe::testing::disks
