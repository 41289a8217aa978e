#pragma once

#include <troupe/runtime/time.hpp>

#include <cstdio>
#include <string>

namespace troupe::internal {

/// "0.5 s", for messages to people.
inline std::string in_seconds(duration given) {
  char text[32];
  std::snprintf(text, sizeof text, "%g s", std::chrono::duration<double>(given).count());
  return text;
}

}  // namespace troupe::internal
