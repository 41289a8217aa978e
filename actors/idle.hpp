#pragma once

#include <troupe/runtime/time.hpp>

namespace troupe::internal {

class cell;

/// Calls on_idle when `owner` has had no message for `limit`; `infinite` takes that back. On its loop.
/// Errors: std::invalid_argument for nothing or less.
void set_idle_timeout(cell& owner, duration limit);

}  // namespace troupe::internal
