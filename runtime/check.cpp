#include <troupe/runtime/check.hpp>

#include <cstdio>
#include <cstdlib>

namespace troupe {

void fail(const char* message, std::source_location where) noexcept {
  std::fprintf(stderr, "troupe: %s\n  at %s:%u in %s\n", message, where.file_name(), where.line(),
               where.function_name());
  std::fflush(stderr);
  std::abort();
}

}  // namespace troupe
