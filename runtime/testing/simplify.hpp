#pragma once

#include <troupe/runtime/testing/explore.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::testing::internal {

using choices = std::vector<std::uint32_t>;

/// What came of one run.
struct attempt {
  choices made;
  std::size_t steps = 0;
  std::uint64_t hash = 0;
  std::exception_ptr error;
  std::string kind;  ///< of the error, the same for those that fail alike; empty when there is none
};

/// The kind of a run that an exhaustive search has given up, since it would be like another.
inline constexpr std::string_view nothing_new_kind = "nothing new";

/// Runs the scenario once, as `decides` says.
attempt try_once(const explore_options& options, const scenario& run, oracle& decides,
                 std::vector<std::unique_ptr<witness>>* seen_by = nullptr);

/// How many of the choices are not the natural ones.
std::size_t turns(const choices& made);

/// Looks for choices that fail as `found` does and are simpler: fewer that are not natural, then a shorter run. The
/// natural ones at their end are left out.
attempt simplify(const explore_options& options, const scenario& run, attempt found);

}  // namespace troupe::testing::internal
