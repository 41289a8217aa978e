#include <troupe/runtime/memory.hpp>

#include <bit>
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
constinit thread_local int users = 0;  // loops that run on this thread: at most one

// Large blocks: classes of 2, 4, ... 128 KiB.
constexpr std::size_t least_large = std::size_t{2} << 10;
constexpr std::size_t large_classes = 7;
constexpr std::size_t large_bytes_per_class = std::size_t{1} << 20;
constinit thread_local free_list large_lists[large_classes] = {};

std::size_t large_class_of(std::size_t size) noexcept {
  return size <= least_large ? 0
                             : static_cast<std::size_t>(std::bit_width((size - 1) / least_large));
}

void* take(free_list& list) noexcept {
  free_block* const block = list.head;
  list.head = block->next;
  ++list.room;
  return block;
}

void empty(free_list& list) noexcept {
  while (list.head != nullptr) ::operator delete(take(list));
  list.room = 0;
}
}  // namespace

constinit thread_local free_list free_lists[pool_classes] = {};

void* allocate_slow(std::size_t size) {
  if (size <= pool_granule * pool_classes) {
    return ::operator new((size + pool_granule - 1) / pool_granule * pool_granule);
  }
  const std::size_t index = large_class_of(size);
  if (index >= large_classes) return ::operator new(size);
  free_list& list = large_lists[index];
  return list.head != nullptr ? take(list) : ::operator new(pooling ? least_large << index : size);
}

void deallocate_slow(void* block, std::size_t size) noexcept {
  const std::size_t index = large_class_of(size);
  if (size <= pool_granule * pool_classes || index >= large_classes ||
      large_lists[index].room == 0) {
    ::operator delete(block);
    return;
  }
  free_list& list = large_lists[index];
  --list.room;
  auto* const freed = static_cast<free_block*>(block);
  freed->next = list.head;
  list.head = freed;
}

void enable_pool() noexcept {
  if (!pooling || users++ != 0) return;
  for (std::size_t index = 0; index < pool_classes; ++index) {
    free_lists[index].room =
        static_cast<std::uint32_t>(pool_bytes_per_class / ((index + 1) * pool_granule));
  }
  for (std::size_t index = 0; index < large_classes; ++index) {
    large_lists[index].room =
        static_cast<std::uint32_t>(large_bytes_per_class / (least_large << index));
  }
}

void disable_pool() noexcept {
  if (!pooling || --users != 0) return;
  for (free_list& list : free_lists) empty(list);
  for (free_list& list : large_lists) empty(list);
}

}  // namespace troupe::internal
