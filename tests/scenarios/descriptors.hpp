// What the scenarios share in which descriptors run out.
#pragma once

#include "support/catch.hpp"

#include <sys/resource.h>
#include <unistd.h>

namespace troupe::testing {

/// UndefinedBehaviorSanitizer opens descriptors to check addresses, and takes it for a finding that it gets none.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool needs_descriptors_itself = true;
#else
inline constexpr bool needs_descriptors_itself = false;
#endif

/// The limit of open descriptors, set for as long as this lives.
class descriptor_limit {
 public:
  explicit descriptor_limit(rlim_t soft) {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    set(soft);
  }
  ~descriptor_limit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  descriptor_limit(const descriptor_limit&) = delete;
  descriptor_limit& operator=(const descriptor_limit&) = delete;
  void set(rlim_t soft) const {
    rlimit wanted = before_;
    wanted.rlim_cur = soft;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &wanted) == 0);
  }
  void lift() const { set(before_.rlim_cur); }

 private:
  rlimit before_{};
};

/// Whether this build cannot do without descriptors; then it says so.
inline bool skipped_without_descriptors() {
  if (needs_descriptors_itself) WARN("skipped: this build cannot do without descriptors");
  return needs_descriptors_itself;
}

/// The number of a descriptor that would be opened next.
inline int next_descriptor() {
  const int probe = ::dup(0);
  REQUIRE(probe >= 0);
  ::close(probe);
  return probe;
}

}  // namespace troupe::testing
