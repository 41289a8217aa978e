#pragma once

#include <stdexcept>
#include <string>

namespace troupe {

/// Thrown at the await of a task that was cancelled. Not a std::exception on purpose: `catch (const std::exception&)`
/// must not swallow it. Whoever catches it, cleans up and throws it on.
struct cancelled {
  std::string reason = {};  ///< what the call of `cancel` gave, or nothing
};

/// A time limit passed.
struct timeout_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A future or task was used in a state that does not allow it, such as a second result or a result asked for too early.
struct invalid_state : std::logic_error {
  using std::logic_error::logic_error;
};

/// The promise of a future was dropped without a result.
struct broken_promise : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Nothing can ever run again, yet something is still waited for. Only a loop on virtual time can tell.
struct deadlock_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace troupe
