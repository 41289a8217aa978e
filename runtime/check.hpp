#pragma once

#include <source_location>

namespace troupe {

/// Ends the process with `message` and the place of the call. For a broken precondition or invariant of the library:
/// going on would only move the damage away from its cause. Present in every build.
[[noreturn]] void fail(const char* message,
                       std::source_location where = std::source_location::current()) noexcept;

/// Calls `fail` unless `condition` holds.
/// Cost: one branch.
inline void expects(bool condition, const char* message,
                    std::source_location where = std::source_location::current()) noexcept {
  if (!condition) [[unlikely]]
    fail(message, where);
}

}  // namespace troupe
