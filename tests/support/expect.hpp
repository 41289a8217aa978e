// For scenarios that are explored, where a failure is an exception.
#pragma once

#include <stdexcept>
#include <string>

namespace troupe::testing {

inline void expect(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

}  // namespace troupe::testing
