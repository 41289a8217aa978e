#include <troupe/runtime/inbox.hpp>

#include "support/catch.hpp"

#include <atomic>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

using namespace troupe;

namespace {

struct note final : work {
  note() noexcept : work([](work&) noexcept {}) {}
  int sender = 0;
  int number = 0;
};

struct wake_flag {
  std::binary_semaphore semaphore{0};
};

}  // namespace

TEST_CASE("an inbox gives back works in the order of pushing") {
  internal::inbox box;
  box.open();
  note notes[3];
  for (note& each : notes) CHECK(box.push(each));
  work* const first = box.take_all();
  CHECK(first == &notes[0]);
  CHECK(first->next == &notes[1]);
  CHECK(first->next->next == &notes[2]);
  CHECK(first->next->next->next == nullptr);
  CHECK(box.empty());
  CHECK(box.take_all() == nullptr);
}

TEST_CASE("an inbox is closed until it is opened") {
  internal::inbox box;
  note item;
  CHECK_FALSE(box.push(item));
  box.open();
  CHECK(box.push(item));
}

TEST_CASE("closing an inbox gives back what had come and refuses what comes later") {
  internal::inbox box;
  box.open();
  note early;
  note late;
  CHECK(box.push(early));
  CHECK(box.close() == &early);
  CHECK(early.next == nullptr);
  CHECK_FALSE(box.push(late));
  CHECK(box.close() == nullptr);
}

TEST_CASE("a closed inbox holds nothing and stays closed when it is looked into") {
  internal::inbox box;
  note item;
  CHECK(box.take_all() == nullptr);
  CHECK_FALSE(box.push(item));
}

TEST_CASE("a loop does not fall asleep over a full inbox") {
  internal::inbox box;
  box.open();
  note item;
  CHECK(box.push(item));
  CHECK_FALSE(box.begin_sleep());
  CHECK_FALSE(box.claim_wake());
}

TEST_CASE("one poster claims the wake of one sleep") {
  internal::inbox box;
  box.open();
  REQUIRE(box.begin_sleep());
  CHECK(box.claim_wake());
  box.wake_done();
  CHECK_FALSE(box.claim_wake());
  CHECK(box.end_sleep());
}

TEST_CASE("a sleep that nobody ended is nobody's to wake") {
  internal::inbox box;
  box.open();
  REQUIRE(box.begin_sleep());
  CHECK_FALSE(box.end_sleep());
  CHECK_FALSE(box.claim_wake());
}

TEST_CASE("a wake that was claimed is known until it is done") {
  internal::inbox box;
  box.open();
  CHECK_FALSE(box.waking());
  REQUIRE(box.begin_sleep());
  CHECK_FALSE(box.waking());
  REQUIRE(box.claim_wake());
  CHECK(box.end_sleep());
  CHECK(box.waking());
  // The loop may sleep again before the first poster is through.
  REQUIRE(box.begin_sleep());
  REQUIRE(box.claim_wake());
  box.wake_done();
  CHECK(box.waking());
  box.wake_done();
  CHECK_FALSE(box.waking());
}

TEST_CASE("an inbox loses nothing of eight threads and wakes its sleeping loop") {
  constexpr int threads = 8;
  constexpr int each = 2000;
  internal::inbox box;
  box.open();
  wake_flag flag;
  std::vector<note> notes(threads * each);
  std::vector<std::thread> posters;
  for (int sender = 0; sender < threads; ++sender) {
    posters.emplace_back([&, sender] {
      for (int number = 0; number < each; ++number) {
        note& item = notes[static_cast<std::size_t>(sender * each + number)];
        item.sender = sender;
        item.number = number;
        if (!box.push(item)) std::abort();
        if (box.claim_wake()) {
          flag.semaphore.release();
          box.wake_done();
        }
      }
    });
  }
  std::vector<int> expected(threads, 0);
  int taken = 0;
  bool in_order = true;
  while (taken < threads * each) {
    work* next = box.take_all();
    if (next == nullptr) {
      if (!box.begin_sleep()) continue;
      flag.semaphore.acquire();
      static_cast<void>(box.end_sleep());
      continue;
    }
    for (; next != nullptr; next = next->next) {
      const auto& item = static_cast<const note&>(*next);
      in_order &= item.number == expected[static_cast<std::size_t>(item.sender)]++;
      ++taken;
    }
  }
  for (std::thread& poster : posters) poster.join();
  CHECK(in_order);
  CHECK(taken == threads * each);
}

TEST_CASE("what a closing inbox refuses stays with the poster") {
  for (int repeat = 0; repeat < 50; ++repeat) {
    internal::inbox box;
    box.open();
    std::vector<note> notes(200);
    std::atomic<int> accepted{0};
    std::atomic<bool> begun{false};
    std::thread poster([&] {
      for (note& item : notes) {
        if (box.push(item)) ++accepted;
        begun = true;
      }
    });
    while (!begun) std::this_thread::yield();
    int received = 0;
    for (work* next = box.take_all(); next != nullptr; next = next->next) ++received;
    for (work* next = box.close(); next != nullptr; next = next->next) ++received;
    poster.join();
    REQUIRE(received == accepted);
  }
}
