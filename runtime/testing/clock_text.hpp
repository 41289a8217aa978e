#pragma once

#include <troupe/runtime/time.hpp>

#include <cstdio>
#include <string>

namespace troupe::testing::internal {

/// A moment of virtual time as charts show it: "1.000250s".
inline std::string clock_text(time_point when) {
  const auto count =
      std::chrono::duration_cast<std::chrono::microseconds>(when.time_since_epoch()).count();
  char text[40];
  std::snprintf(text, sizeof text, "%lld.%06llds", static_cast<long long>(count / 1'000'000),
                static_cast<long long>(count % 1'000'000));
  return text;
}

}  // namespace troupe::testing::internal
