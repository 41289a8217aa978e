// A mailbox with a bound under ten times as much as it holds, again and again: what becomes of each message is counted to the last,
// and the memory is the same after each time.
#include <troupe/troupe.hpp>

#include "actors/helpers.hpp"
#include "costs/counting.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <ostream>
#include <type_traits>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr std::size_t capacity = 100;
constexpr int sent_each_time = 1000;

struct hold {};  // keeps the actor busy for a second
struct note {
  int number;
};
struct next {
  using reply = int;
};
using noting = protocol<hold, note, next>;

class notary : public actor<noting> {
 public:
  explicit notary(std::atomic<int>& handled) : handled_(handled) {}
  coro<> on(hold) { co_await sleep(1s); }
  void on(note) { ++handled_; }
  int on(next) { return ++handled_; }

 private:
  std::atomic<int>& handled_;
};

actor_ref<noting> start(overflow when_full, place where, std::atomic<int>& handled) {
  return spawn<notary>(
      {.name = {}, .on = where, .mailbox = {.capacity = capacity, .when_full = when_full}},
      std::ref(handled));
}

/// What has become of the messages, altogether.
struct outcome_of_flood {
  int handled = 0;
  int failed = 0;             ///< as who sent them heard
  std::uint64_t refused = 0;  ///< dead letters for want of room
  std::uint64_t dropped = 0;  ///< dead letters that gave way

  friend bool operator==(const outcome_of_flood&, const outcome_of_flood&) = default;
  friend std::ostream& operator<<(std::ostream& out, const outcome_of_flood& o) {
    return out << o.handled << " handled, " << o.failed << " failed, " << o.refused << " refused, "
               << o.dropped << " dropped";
  }
};

coro<int> tell_all(actor_ref<noting> to) {
  for (int number = 0; number < sent_each_time; ++number) to.tell(note{number});
  co_return 0;
}

/// How many of these failed for want of room.
template <class T>
coro<int> failures(std::vector<future<T>> sent) {
  int failed = 0;
  for (const future<T>& each : sent) {
    try {
      if constexpr (std::is_void_v<T>) {
        co_await each;
      } else {
        static_cast<void>(co_await each);
      }
    } catch (const mailbox_full&) {
      ++failed;
    }
  }
  co_return failed;
}

coro<int> send_all(actor_ref<noting> to) {
  std::vector<future<void>> sent;
  for (int number = 0; number < sent_each_time; ++number) sent.push_back(to.send(note{number}));
  return failures(std::move(sent));
}

coro<int> ask_all(actor_ref<noting> to) {
  std::vector<future<int>> sent;
  for (int number = 0; number < sent_each_time; ++number) sent.push_back(to.ask(next{}, infinite));
  return failures(std::move(sent));
}

using flood = coro<int> (*)(actor_ref<noting> to);

/// Floods a busy actor five times, on virtual time.
outcome_of_flood five_times(flood send, overflow when_full) {
  auto body = [](flood given, overflow policy) -> coro<outcome_of_flood> {
    outcome_of_flood all;
    std::atomic<int> handled{0};
    const auto to = start(policy, place::here, handled);
    expenses first{};
    for (int times = 0; times < 5; ++times) {
      to.tell(hold{});
      co_await settle();  // it waits no more
      all.failed += co_await given(to);
      co_await sleep(1h);
      const expenses now = expenses::so_far();
      if (times == 0) first = now;
      if (!counts_allocations) continue;
      CHECK(now.held == first.held);
      CHECK(now.pool.slabs == first.pool.slabs);
    }
    const actor_counts counts = counts_of_loop();
    CHECK(counts.dead_letters == counts.refused_as_full + counts.dropped);
    all.handled = handled;
    all.refused = counts.refused_as_full;
    all.dropped = counts.dropped;
    co_return all;
  };
  return testing::run(body(send, when_full));
}

}  // namespace

TEST_CASE("of ten times what a mailbox holds, told, it keeps what it holds, and counts the rest") {
  CHECK(five_times(&tell_all, overflow::reject) ==
        outcome_of_flood{.handled = 500, .refused = 4500});
  CHECK(five_times(&tell_all, overflow::suspend) ==
        outcome_of_flood{.handled = 500, .refused = 4500});
  CHECK(five_times(&tell_all, overflow::drop_newest) ==
        outcome_of_flood{.handled = 500, .dropped = 4500});
  CHECK(five_times(&tell_all, overflow::drop_oldest) ==
        outcome_of_flood{.handled = 500, .dropped = 4500});
}

TEST_CASE(
    "of ten times what a mailbox holds, sent, the sender hears of what is refused, and none is "
    "lost that waits") {
  CHECK(five_times(&send_all, overflow::reject) ==
        outcome_of_flood{.handled = 500, .failed = 4500});
  CHECK(five_times(&send_all, overflow::suspend) == outcome_of_flood{.handled = 5000});
  CHECK(five_times(&send_all, overflow::drop_newest) ==
        outcome_of_flood{.handled = 500, .dropped = 4500});
  CHECK(five_times(&send_all, overflow::drop_oldest) ==
        outcome_of_flood{.handled = 500, .dropped = 4500});
}

TEST_CASE(
    "of ten times what a mailbox holds, asked, each ask is answered or fails, and none is a dead "
    "letter") {
  CHECK(five_times(&ask_all, overflow::reject) == outcome_of_flood{.handled = 500, .failed = 4500});
  CHECK(five_times(&ask_all, overflow::suspend) == outcome_of_flood{.handled = 5000});
  CHECK(five_times(&ask_all, overflow::drop_newest) ==
        outcome_of_flood{.handled = 500, .failed = 4500});
  CHECK(five_times(&ask_all, overflow::drop_oldest) ==
        outcome_of_flood{.handled = 500, .failed = 4500});
}

namespace {
struct send_all_of_it {
  using reply = int;
  flood how;
  actor_ref<noting> to;
};
/// Floods from the loop it is on; answers how much failed.
class flooder : public actor<protocol<send_all_of_it>> {
 public:
  coro<int> on(send_all_of_it s) { return s.how(std::move(s.to)); }
};

/// Floods an actor on another loop from both loops, and waits for the end of each message. What is not accounted for it waits for
/// in vain.
coro<> flood_from_both(flood how, overflow policy, int rehearsals) {
  std::atomic<int> handled{0};
  const auto to = start(policy, place::on(1), handled);
  const auto here = spawn<flooder>();
  const auto there = spawn<flooder>(place::on(1));
  std::uint64_t sent = 0;
  std::uint64_t failed = 0;
  expenses first{};
  constexpr int part = 10;
  std::uint64_t slabs = 0;                                          // when the part began
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();  // that a part has taken
  const auto end_part = [&] {
    const std::uint64_t now = expenses::so_far().pool.slabs;
    least = std::min(least, now - std::exchange(slabs, now));
  };
  for (int times = 0; times < rehearsals + 4 * part; ++times) {
    if (times == rehearsals) {
      first = expenses::so_far();
      slabs = first.pool.slabs;
    } else if (times > rehearsals && (times - rehearsals) % part == 0) {
      end_part();
    }
    auto one = here.ask(send_all_of_it{how, to}, infinite);
    auto other = there.ask(send_all_of_it{how, to}, infinite);
    failed += static_cast<std::uint64_t>(co_await one);
    failed += static_cast<std::uint64_t>(co_await other);
    sent += 2 * sent_each_time;
    for (;;) {
      auto asked = counts_of_runtime();
      const actor_counts counts = co_await asked;
      const auto ended = static_cast<std::uint64_t>(handled) + failed + counts.dead_letters;
      REQUIRE(ended <= sent);
      if (ended == sent) break;
      co_await sleep(100us);
    }
  }
  const expenses last = expenses::so_far();
  end_part();
  // How many are on their way at once is a matter of time, so now and then it is more than ever. What is lost is lost in each part: some forty slabs, of 32 KiB.
  CHECK(least <= 2);
  if (counts_allocations) CHECK(last.held - first.held < 300'000);
}
}  // namespace

TEST_CASE(
    "flooded from two loops, a mailbox with a bound loses count of nothing, and memory stays as it "
    "is") {
  const overflow policy =
      GENERATE(overflow::reject, overflow::drop_newest, overflow::drop_oldest, overflow::suspend);
  const flood how = GENERATE(&tell_all, &send_all, &ask_all);
  CAPTURE(static_cast<int>(policy));
  testing::run_on(2, flood_from_both(how, policy, 20));
}
