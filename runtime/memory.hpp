#pragma once

#include <cstddef>
#include <cstdint>

namespace troupe::internal {

/// Memory for what the hot path makes and drops: coroutine frames, envelopes, cells, tasks. A thread that runs a loop keeps
/// freed blocks in lists by size and takes them from there; lists that are full, or empty, are exchanged for others at a depot
/// that all threads share, which cuts new blocks from slabs. Other threads use the depot, block by block.
///
/// Life: `enable_pool` when a loop starts on a thread, `disable_pool` when it ends; blocks may outlive both, and may be freed on
/// another thread than the one that made them. Each list is bounded (`pool_bytes_per_class`), so a producer on one thread and a
/// consumer on another pass the same blocks round. Memory of small blocks is kept for small blocks of that size: a program holds
/// as much as it once needed at the same time. Larger blocks, the buffers of sockets, have lists of their own by powers of two,
/// and go to the heap beyond those: it would give them back to the system and fetch them again. Under AddressSanitizer every
/// block comes from the heap.
inline constexpr std::size_t pool_granule = 16;
inline constexpr std::size_t pool_classes = 64;  // blocks of up to 1 KiB
inline constexpr std::size_t pool_bytes_per_class = std::size_t{256} << 10;

struct free_block {
  free_block* next;
};

struct free_list {
  free_block* head = nullptr;
  std::uint32_t room = 0;  ///< blocks it may still take
};

extern constinit thread_local free_list free_lists[pool_classes];

void* allocate_slow(std::size_t size);
void deallocate_slow(void* block, std::size_t size) noexcept;
void enable_pool() noexcept;
void disable_pool() noexcept;

/// What small blocks have cost so far, in all threads; for tests that count. Blocks that a thread's lists give out are not counted, for
/// that would cost each of them something: who counts blocks calls `disable_pool` meanwhile, for then every block of that thread comes
/// from the depot, and goes back to it, by itself.
struct pool_counts {
  std::uint64_t slabs;     ///< fetched from the system
  std::uint64_t taken;     ///< blocks taken from a depot one by one
  std::uint64_t returned;  ///< and brought back so
};
pool_counts count_pool() noexcept;

/// Cost: six instructions when the list has a block.
/// Errors: std::bad_alloc.
[[gnu::always_inline]] inline void* allocate(std::size_t size) {
  const std::size_t index = (size - 1) / pool_granule;
  if (index < pool_classes) [[likely]] {
    free_list& list = free_lists[index];
    if (free_block* block = list.head) [[likely]] {
      list.head = block->next;
      __builtin_prefetch(list.head, 1);  // freed long ago, it is in no cache any more
      ++list.room;
      return block;
    }
  }
  return allocate_slow(size);
}

/// Pre: `size` is what `allocate` was given.
[[gnu::always_inline]] inline void deallocate(void* block, std::size_t size) noexcept {
  const std::size_t index = (size - 1) / pool_granule;
  if (index < pool_classes) [[likely]] {
    free_list& list = free_lists[index];
    if (list.room != 0) [[likely]] {
      --list.room;
      auto* const freed = static_cast<free_block*>(block);
      freed->next = list.head;
      list.head = freed;
      return;
    }
  }
  deallocate_slow(block, size);
}

/// Deletes what it holds when it goes. std::unique_ptr would do, were it not for what <memory> costs to compile.
template <class T>
class owned {
 public:
  explicit owned(T* given) noexcept : held_(given) {}
  owned(const owned&) = delete;
  owned& operator=(const owned&) = delete;
  ~owned() { delete held_; }

  T* operator->() const noexcept { return held_; }
  T& operator*() const noexcept { return *held_; }
  explicit operator bool() const noexcept { return held_ != nullptr; }
  T* release() noexcept {
    T* const given = held_;
    held_ = nullptr;
    return given;
  }

 private:
  T* held_;
};

/// Gives a class pooled `new` and `delete`, also of arrays.
struct pooled {
  static void* operator new(std::size_t size) { return allocate(size); }
  static void operator delete(void* block, std::size_t size) noexcept { deallocate(block, size); }
  static void* operator new[](std::size_t size) { return allocate(size); }
  static void operator delete[](void* block, std::size_t size) noexcept { deallocate(block, size); }
};

/// For containers whose memory comes from the pool too.
template <class T>
struct pool_allocator {
  using value_type = T;
  pool_allocator() noexcept = default;
  template <class Other>
  pool_allocator(const pool_allocator<Other>&) noexcept {
  }  // NOLINT(*-explicit-*): as std::allocator

  T* allocate(std::size_t count) {
    static_assert(alignof(T) <= pool_granule);
    return static_cast<T*>(internal::allocate(count * sizeof(T)));
  }
  void deallocate(T* block, std::size_t count) noexcept {
    internal::deallocate(block, count * sizeof(T));
  }
  friend bool operator==(const pool_allocator&, const pool_allocator&) noexcept { return true; }
};

}  // namespace troupe::internal
