#include "costs/counting.hpp"

#include <malloc.h>

#include <atomic>
#include <cerrno>
#include <cstddef>

namespace {
constinit std::atomic<std::uint64_t> calls{0};
constinit std::atomic<std::int64_t> bytes{0};
}  // namespace

namespace troupe::testing {

expenses expenses::so_far() noexcept {
  return {.allocations = calls, .held = bytes, .pool = internal::count_pool()};
}

}  // namespace troupe::testing

// The program's own malloc, which counts and has the system's do the work. operator new, and the C++ library, come here too.
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern "C" {

void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* block);

static void* counted(void* made) noexcept {
  calls.fetch_add(1, std::memory_order_relaxed);
  bytes.fetch_add(static_cast<std::int64_t>(malloc_usable_size(made)), std::memory_order_relaxed);
  return made;
}
static void gone(void* block) noexcept {
  bytes.fetch_sub(static_cast<std::int64_t>(malloc_usable_size(block)), std::memory_order_relaxed);
}

void* malloc(std::size_t size) noexcept { return counted(__libc_malloc(size)); }
void* calloc(std::size_t count, std::size_t size) noexcept {
  return counted(__libc_calloc(count, size));
}
void* realloc(void* block, std::size_t size) noexcept {
  gone(block);
  return counted(__libc_realloc(block, size));
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return counted(__libc_memalign(alignment, size));
}
void* memalign(std::size_t alignment, std::size_t size) noexcept {
  return counted(__libc_memalign(alignment, size));
}
int posix_memalign(void** made, std::size_t alignment, std::size_t size) noexcept {
  void* const block = counted(__libc_memalign(alignment, size));
  if (block == nullptr) return ENOMEM;
  *made = block;
  return 0;
}
void free(void* block) noexcept {
  gone(block);
  __libc_free(block);
}

}  // extern "C"
#endif
