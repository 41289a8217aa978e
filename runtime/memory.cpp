#include <troupe/runtime/memory.hpp>

#include <new>

namespace troupe::internal {

namespace {
#if defined(__SANITIZE_ADDRESS__)
constexpr bool pooling = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool pooling = false;
#else
constexpr bool pooling = true;
#endif
#else
constexpr bool pooling = true;
#endif
constinit thread_local int users = 0;  // loops that run on this thread, one inside the other
}  // namespace

constinit thread_local free_list free_lists[pool_classes] = {};

void* allocate_slow(std::size_t size) {
  const std::size_t rounded = (size + pool_granule - 1) / pool_granule * pool_granule;
  return ::operator new(rounded);
}

void deallocate_slow(void* block) noexcept { ::operator delete(block); }

void enable_pool() noexcept {
  if (!pooling || users++ != 0) return;
  for (std::size_t index = 0; index < pool_classes; ++index) {
    free_lists[index].room =
        static_cast<std::uint32_t>(pool_bytes_per_class / ((index + 1) * pool_granule));
  }
}

void disable_pool() noexcept {
  if (!pooling || --users != 0) return;
  for (free_list& list : free_lists) {
    while (free_block* block = list.head) {
      list.head = block->next;
      ::operator delete(block);
    }
    list.room = 0;
  }
}

}  // namespace troupe::internal
