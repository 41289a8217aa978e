#pragma once

#include <string>
#include <vector>

namespace troupe::testing {

/// What happened, in order.
using journal = std::vector<std::string>;

}  // namespace troupe::testing
