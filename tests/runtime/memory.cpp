#include <troupe/runtime/memory.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <thread>
#include <vector>

using namespace troupe::internal;

namespace {

std::size_t class_of(std::size_t size) { return (size - 1) / pool_granule; }

std::size_t kept_blocks(std::size_t size) {
  std::size_t count = 0;
  for (const free_block* block = free_lists[class_of(size)].head; block != nullptr;
       block = block->next)
    ++count;
  return count;
}

/// Runs `function` on a thread of its own, whose pool is on.
template <class Function>
void on_pooled_thread(Function function) {
  std::thread([&] {
    enable_pool();
    function();
    disable_pool();
  }).join();
}

// Under AddressSanitizer there is no pool.
bool pooled_here(std::size_t size) { return free_lists[class_of(size)].room != 0; }

}  // namespace

TEST_CASE("blocks of every size can be filled, on pooled and other threads") {
  const auto use = [] {
    for (const std::size_t size : {1, 15, 16, 17, 64, 1000, 1024, 1025, 2047, 2048, 2049, 4096,
                                   4097, 65536, 131072, 131073, 262144, 300000}) {
      for (int repeat = 0; repeat < 2; ++repeat) {
        void* const first = allocate(size);
        void* const second = allocate(size);
        std::memset(first, 1, size);
        std::memset(second, 2, size);
        deallocate(first, size);
        deallocate(second, size);
      }
    }
  };
  use();
  on_pooled_thread(use);
}

TEST_CASE("a freed block is the next one of its size on its thread") {
  bool same = true;
  on_pooled_thread([&] {
    void* const first = allocate(100);
    deallocate(first, 100);
    void* const again = allocate(97);
    same = first == again || !pooled_here(100);
    deallocate(again, 97);
  });
  CHECK(same);
}

TEST_CASE("a thread keeps no more free blocks than its bound") {
  constexpr std::size_t size = 512;
  constexpr std::size_t bound = pool_bytes_per_class / size;
  std::size_t kept = 0;
  on_pooled_thread([&] {
    std::vector<void*> blocks;
    for (std::size_t index = 0; index < 2 * bound; ++index) blocks.push_back(allocate(size));
    for (void* const block : blocks) deallocate(block, size);
    kept = kept_blocks(size);
  });
  CHECK(kept <= bound);
}

TEST_CASE("blocks freed on another thread than their maker's grow neither") {
  constexpr std::size_t size = 1024;
  constexpr std::size_t bound = pool_bytes_per_class / size;
  std::size_t most_at_consumer = 0;
  std::size_t most_at_producer = 0;
  for (int repeat = 0; repeat < 3; ++repeat) {
    std::vector<void*> blocks(3 * bound);
    on_pooled_thread([&] {
      for (void*& block : blocks) block = allocate(size);
      most_at_producer = std::max(most_at_producer, kept_blocks(size));
    });
    on_pooled_thread([&] {
      for (void* const block : blocks) deallocate(block, size);
      most_at_consumer = std::max(most_at_consumer, kept_blocks(size));
    });
  }
  CHECK(most_at_producer <= bound);
  CHECK(most_at_consumer <= bound);
}

TEST_CASE("blocks that one thread has freed serve another") {
  constexpr std::size_t size = 992;  // of no other test
  // Three times what one thread keeps, in whole slabs of 32: no block is left over that the first thread has not had.
  constexpr std::size_t count = 3 * (pool_bytes_per_class / size) / 32 * 32;
  std::vector<void*> first(count);
  std::vector<void*> second(count);
  bool here = false;
  on_pooled_thread([&] {
    for (void*& block : first) block = allocate(size);
    here = pooled_here(size);
  });
  on_pooled_thread([&] {
    for (void* const block : first) deallocate(block, size);
  });
  on_pooled_thread([&] {
    for (void*& block : second) block = allocate(size);
    for (void* const block : second) deallocate(block, size);
  });
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  CHECK((first == second || !here));
}

TEST_CASE("threads that run no loop pass blocks to each other") {
  constexpr std::size_t size = 976;  // of no other test
  void* block = nullptr;
  void* again = nullptr;
  std::thread([&] { block = allocate(size); }).join();
  std::thread([&] { deallocate(block, size); }).join();
  std::thread([&] {
    again = allocate(size);
    deallocate(again, size);
  }).join();
#if !defined(__SANITIZE_ADDRESS__) && defined(__GLIBC__)
  CHECK(block == again);
#endif
}

TEST_CASE("a thread that runs no loop keeps no blocks") {
  std::size_t kept = 1;
  std::thread([&] {
    void* const block = allocate(64);
    deallocate(block, 64);
    kept = kept_blocks(64);
  }).join();
  CHECK(kept == 0);
}

TEST_CASE("the pool goes with its last user") {
  std::size_t kept = 1;
  std::uint32_t room = 1;
  std::thread([&] {
    enable_pool();
    enable_pool();
    void* const block = allocate(64);
    disable_pool();
    deallocate(block, 64);
    disable_pool();
    kept = kept_blocks(64);
    room = free_lists[class_of(64)].room;
  }).join();
  CHECK(kept == 0);
  CHECK(room == 0);
}
