// What messages between two loops cost: blocks go round, and once there are enough of them none is fetched.
#include <troupe/troupe.hpp>

#include "actors/helpers.hpp"
#include "costs/counting.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <cstdint>
#include <utility>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct note {
  int number;
};
struct total {
  using reply = int;
};
struct hold {  // until the gate opens
  std::atomic<bool>* gate;
};
using noting = protocol<note, total, hold>;

/// Lets an actor on another loop go on, which was held to have many messages on their way at once.
void open(std::atomic<bool>& gate) {
  gate = true;
  gate.notify_one();
}

class notary : public actor<noting> {
 public:
  void on(note) { ++noted_; }
  int on(total) { return noted_; }
  void on(hold h) { h.gate->wait(false); }

 private:
  int noted_ = 0;
};

class bounded_notary : public notary {
 public:
  static constexpr mailbox_options mailbox{.capacity = 8, .when_full = overflow::suspend};
};

/// How much of the system `act(ref, count)` takes, where the ref is of an `A` on another loop, once it has been rehearsed. As many blocks
/// have to have gone over by then as the lists of both threads hold, which is 8192 of the smallest, and as can be on their way at once.
template <class A, class Act>
std::uint64_t taken(const Act& act) {
  auto body = [](const Act& given) -> coro<std::uint64_t> {
    const auto there = spawn<A>(place::on(1));
    for (int times = 0; times < 4; ++times) co_await given(there, 10'000);
    const expenses start = expenses::so_far();
    for (int times = 0; times < 10; ++times) co_await given(there, 1'000);
    const expenses end = expenses::so_far();
    if (!counts_allocations) co_return 0;
    co_return (end.allocations - start.allocations) + (end.pool.slabs - start.pool.slabs);
  };
  return run_on(2, body(act));
}

}  // namespace

TEST_CASE("tells to another loop take nothing of the system") {
  const auto spent = taken<notary>([](actor_ref<noting> there, int count) -> coro<> {
    std::atomic<bool> gate{false};
    there.tell(hold{&gate});
    for (int number = 0; number < count; ++number) there.tell(note{number});
    open(gate);
    static_cast<void>(co_await there.ask(total{}));
  });
  CHECK(spent == 0);
}

TEST_CASE("asks of another loop take nothing of the system") {
  const auto spent = taken<notary>([](actor_ref<noting> there, int count) -> coro<> {
    for (int times = 0; times < count; ++times) static_cast<void>(co_await there.ask(total{}));
  });
  CHECK(spent == 0);
}

TEST_CASE("sends that wait for room on another loop take nothing of the system") {
  const auto spent = taken<bounded_notary>([](actor_ref<noting> there, int count) -> coro<> {
    for (int number = 0; number < count; ++number) {
      auto sent = there.send(note{number});
      co_await sent;
    }
  });
  CHECK(spent == 0);
}

TEST_CASE("actors that are begun on another loop and end there take nothing of the system") {
  const auto spent = taken<notary>([](actor_ref<noting>, int count) -> coro<> {
    for (int times = 0; times < count; ++times) {
      const auto made = spawn<notary>(place::on(1));
      static_cast<void>(co_await made.ask(total{}));
      made.stop();
    }
  });
  CHECK(spent == 0);
}

TEST_CASE("publishing to another loop takes nothing of the system") {
  const topic<note> notes;
  const auto spent = taken<notary>([&](actor_ref<noting> there, int count) -> coro<> {
    notes.subscribe(there, {.capacity = 100'000});
    std::atomic<bool> gate{false};
    there.tell(hold{&gate});
    for (int number = 0; number < count; ++number) notes.publish({number});
    open(gate);
    static_cast<void>(co_await there.ask(total{}));
  });
  CHECK(spent == 0);
}
