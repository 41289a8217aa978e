#include <troupe/runtime/memory.hpp>

#include <pthread.h>
#include <sys/mman.h>

#include <bit>
#include <new>

// Of the leak checker, where there is one: it does not look into pages that are not the heap's unless it is told of them.
extern "C" [[gnu::weak]] void __lsan_register_root_region(const void* start, std::size_t size);

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

void put(free_list& list, void* block) noexcept {
  --list.room;
  auto* const freed = static_cast<free_block*>(block);
  freed->next = list.head;
  list.head = freed;
}

void empty_large(free_list& list) noexcept {
  while (list.head != nullptr) ::operator delete(take(list));
  list.room = 0;
}

constexpr std::size_t slab_bytes = std::size_t{32} << 10;
constexpr std::size_t cache_line = 64;
constexpr std::size_t huge_page = std::size_t{2} << 20;
constexpr std::uint64_t heap_slabs = 32;  // a program that needs no more takes no huge page
constexpr std::uint32_t refill = 64;      // single blocks taken at a time

constexpr std::size_t block_size(std::size_t index) noexcept { return (index + 1) * pool_granule; }
constexpr std::uint32_t bound_of(std::size_t index) noexcept {
  return static_cast<std::uint32_t>(pool_bytes_per_class / block_size(index));
}

class guard {
 public:
  explicit guard(pthread_mutex_t& mutex) noexcept : mutex_(mutex) { pthread_mutex_lock(&mutex_); }
  ~guard() { pthread_mutex_unlock(&mutex_); }
  guard(const guard&) = delete;
  guard& operator=(const guard&) = delete;

 private:
  pthread_mutex_t& mutex_;
};

/// Where slabs come from: the first from the heap, then, in programs that hold much, from huge pages where the system has them.
/// Those that walk through a million blocks in random order otherwise wait for the translation of addresses more than for memory.
/// Threads: any, under the lock.
class quarry {
 public:
  /// Errors: std::bad_alloc.
  void* slab() {
    const guard lock(mutex_);
    if (given_ < heap_slabs) {
      void* const made = ::operator new(slab_bytes, std::align_val_t{cache_line});
      ++given_;
      return made;
    }
    if (left_ == 0) open();
    left_ -= slab_bytes;
    ++given_;
    return page_ + left_;
  }
  std::uint64_t given() noexcept {
    const guard lock(mutex_);
    return given_;
  }

 private:
  void open() {
    void* const got = ::mmap(nullptr, 2 * huge_page, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (got == MAP_FAILED) throw std::bad_alloc();
    auto* const start = static_cast<char*>(got);
    const std::size_t before = huge_page - reinterpret_cast<std::uintptr_t>(got) % huge_page;
    page_ = start + before;
    ::munmap(start, before);
    if (before != huge_page) ::munmap(page_ + huge_page, huge_page - before);
    ::madvise(page_, huge_page, MADV_HUGEPAGE);  // a wish: without huge pages small ones do
    if (__lsan_register_root_region != nullptr) __lsan_register_root_region(page_, huge_page);
    left_ = huge_page;
  }

  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  std::uint64_t given_ = 0;  ///< slabs
  char* page_ = nullptr;
  std::size_t left_ = 0;
};

constinit quarry slabs;

/// The small blocks of one size that no thread's list has: whole lists that were full, of `bound_of` blocks each, and single ones.
/// What is not there is cut from slabs, which are never given back. Next to the heap, blocks need no header, and those that are
/// freed in another order than they were made in are not joined with their neighbours, which is most of what freeing costs there.
/// Threads: any, under the lock.
class depot {
 public:
  /// Fills an empty list of a thread that keeps one. Errors: std::bad_alloc.
  void fill(free_list& list, std::size_t index) {
    const guard lock(mutex_);
    if (full_ != nullptr) {
      list.head = full_;
      full_ = static_cast<batch*>(full_)->following;
      list.room = 0;
      return;
    }
    if (single_ == nullptr) cut(index);
    list.room = bound_of(index);
    for (std::uint32_t taken = 0; taken < refill && single_ != nullptr && list.room != 0; ++taken)
      put(list, pop());
  }
  /// Takes a whole list, which is full.
  void take_full(free_list& list, std::size_t index) noexcept {
    const guard lock(mutex_);
    auto* const whole = static_cast<batch*>(list.head);
    whole->following = full_;
    full_ = whole;
    list.head = nullptr;
    list.room = bound_of(index);
  }
  void take_rest(free_list& list) noexcept {
    const guard lock(mutex_);
    while (list.head != nullptr) push(take(list));
    list.room = 0;
  }
  void* one(std::size_t index) {
    const guard lock(mutex_);
    if (single_ == nullptr && full_ != nullptr) {
      single_ = full_;
      full_ = static_cast<batch*>(full_)->following;
    }
    if (single_ == nullptr) cut(index);
    ++taken_;
    return pop();
  }
  void take_one(void* block) noexcept {
    const guard lock(mutex_);
    ++returned_;
    push(block);
  }
  void add_to(pool_counts& sum) noexcept {
    const guard lock(mutex_);
    sum.taken += taken_;
    sum.returned += returned_;
  }

 private:
  /// The first block of a list that was full.
  struct batch : free_block {
    free_block* following;
  };
  static_assert(sizeof(batch) <= pool_granule);

  void push(void* block) noexcept {
    auto* const freed = static_cast<free_block*>(block);
    freed->next = single_;
    single_ = freed;
  }
  void* pop() noexcept {
    free_block* const block = single_;
    single_ = block->next;
    return block;
  }
  void cut(std::size_t index) {
    auto* const slab = static_cast<char*>(slabs.slab());
    const std::size_t size = block_size(index);
    // The first line keeps the slabs together, for those who look for leaks.
    reinterpret_cast<free_block*>(slab)->next = slabs_;
    slabs_ = reinterpret_cast<free_block*>(slab);
    // From the end, so that they come out in the order of their addresses.
    for (std::size_t at = (slab_bytes - cache_line) / size; at-- > 0;)
      push(slab + cache_line + at * size);
  }

  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  free_block* full_ = nullptr;
  free_block* single_ = nullptr;
  free_block* slabs_ = nullptr;
  std::uint64_t taken_ = 0;  ///< singly
  std::uint64_t returned_ = 0;
};

constinit depot depots[pool_classes];

}  // namespace

constinit thread_local free_list free_lists[pool_classes] = {};

void* allocate_slow(std::size_t size) {
  if (size <= pool_granule * pool_classes) {
    const std::size_t index = (size - 1) / pool_granule;
    if (!pooling) return ::operator new(block_size(index));
    if (users == 0) return depots[index].one(index);
    depots[index].fill(free_lists[index], index);
    return take(free_lists[index]);
  }
  const std::size_t index = large_class_of(size);
  if (index >= large_classes) return ::operator new(size);
  free_list& list = large_lists[index];
  return list.head != nullptr ? take(list) : ::operator new(pooling ? least_large << index : size);
}

void deallocate_slow(void* block, std::size_t size) noexcept {
  if (size <= pool_granule * pool_classes) {
    const std::size_t index = (size - 1) / pool_granule;
    if (!pooling) {
      ::operator delete(block);
    } else if (users == 0) {
      depots[index].take_one(block);
    } else {
      depots[index].take_full(free_lists[index], index);
      put(free_lists[index], block);
    }
    return;
  }
  const std::size_t index = large_class_of(size);
  if (index >= large_classes || large_lists[index].room == 0) {
    ::operator delete(block);
    return;
  }
  put(large_lists[index], block);
}

void enable_pool() noexcept {
  if (!pooling || users++ != 0) return;
  for (std::size_t index = 0; index < pool_classes; ++index)
    free_lists[index].room = bound_of(index);
  for (std::size_t index = 0; index < large_classes; ++index) {
    large_lists[index].room =
        static_cast<std::uint32_t>(large_bytes_per_class / (least_large << index));
  }
}

void disable_pool() noexcept {
  if (!pooling || --users != 0) return;
  for (std::size_t index = 0; index < pool_classes; ++index)
    depots[index].take_rest(free_lists[index]);
  for (free_list& list : large_lists) empty_large(list);
}

pool_counts count_pool() noexcept {
  pool_counts sum{.slabs = slabs.given(), .taken = 0, .returned = 0};
  for (depot& each : depots) each.add_to(sum);
  return sum;
}

}  // namespace troupe::internal
