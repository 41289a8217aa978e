// What messages cost: a tell or an ask takes one block of the pool and gives it back, and nothing of the system.
#include <troupe/troupe.hpp>

#include "actors/helpers.hpp"
#include "costs/counting.hpp"
#include "support/catch.hpp"

#include <cstddef>
#include <utility>
#include <variant>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct note {
  int number;
};
struct total {
  using reply = int;
};
struct slow_note {};
struct slow_total {
  using reply = int;
};
struct later {
  using reply = int;
};
struct remind {};
struct tick {};
using noting = protocol<note, total, slow_note, slow_total, later, remind, tick>;

class notary : public actor<noting> {
 public:
  void on(note) { ++noted_; }
  int on(total) { return noted_; }
  coro<> on(slow_note) {
    co_await sleep(1ms);
    ++noted_;
  }
  coro<int> on(slow_total) {
    co_await sleep(1ms);
    co_return noted_;
  }
  void on(later, reply_to<int> reply) { reply.answer(noted_); }
  void on(remind) { start_timer("tick", 1s, tick{}); }
  void on(tick) { ++noted_; }

 private:
  int noted_ = 0;
};

class bounded_notary : public notary {
 public:
  static constexpr mailbox_options mailbox{.capacity = 2, .when_full = overflow::suspend};
};

class interleaving_notary : public notary {
 public:
  using interleave = messages<slow_note, slow_total>;
};

/// Hands on to a notary what it is asked.
class clerk : public actor<protocol<later>> {
 public:
  explicit clerk(actor_ref<noting> to) : to_(std::move(to)) {}
  void on(later l, reply_to<int> reply) { delegate(to_, l, std::move(reply)); }

 private:
  actor_ref<noting> to_;
};

/// What `act(ref, count)` costs for each of its operations with an actor of class `A`.
template <class A, class Act>
cost with(const Act& act) {
  auto body = [](const Act& given) -> coro<cost> {
    const auto to = spawn<A>();
    const auto some = [&](int count) -> coro<> { return given(to, count); };
    co_return co_await cost_of(some);
  };
  return testing::run(body(act));
}

}  // namespace

TEST_CASE("a tell takes one block, and its end gives it back") {
  const cost each = with<notary>([](actor_ref<noting> to, int count) -> coro<> {
    for (int number = 0; number < count; ++number) to.tell(note{number});
    co_await settle();
  });
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 1}));
}

TEST_CASE("an urgent tell takes one block") {
  const cost each = with<notary>([](actor_ref<noting> to, int count) -> coro<> {
    for (int number = 0; number < count; ++number) to.tell(note{number}, urgent);
    co_await settle();
  });
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 1}));
}

TEST_CASE("a tell that nobody handles takes one block, and gives it back at once") {
  auto body = []() -> coro<cost> {
    const auto to = spawn<notary>();
    to.stop();
    co_await settle();
    const auto tell = [&](int count) -> coro<> {
      for (int number = 0; number < count; ++number) to.tell(note{number});
      co_return;
    };
    co_return co_await cost_of(tell);
  };
  const cost each = testing::run(body());
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 1}));
}

TEST_CASE("an ask takes one block, with a time limit and without") {
  const duration limit = GENERATE(duration(1s), default_ask_timeout, infinite);
  const cost each = with<notary>([limit](actor_ref<noting> to, int count) -> coro<> {
    for (int times = 0; times < count; ++times) {
      auto asked = to.ask(total{}, limit);
      static_cast<void>(co_await asked);
    }
  });
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 1}));
}

TEST_CASE("an ask that is answered through a reply_to takes one block") {
  const cost each = with<notary>([](actor_ref<noting> to, int count) -> coro<> {
    for (int times = 0; times < count; ++times) static_cast<void>(co_await to.ask(later{}));
  });
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 1}));
}

TEST_CASE("an ask that is cancelled takes one block") {
  const cost each = with<notary>([](actor_ref<noting> to, int count) -> coro<> {
    for (int times = 0; times < count; ++times) {
      auto asked = to.ask(total{});
      if (!asked.cancel()) fail("it was not cancelled");
    }
    co_await settle();
  });
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 1}));
}

TEST_CASE("a coroutine handler takes two blocks beside the message, for its frame and its task") {
  const cost told = with<notary>([](actor_ref<noting> to, int count) -> coro<> {
    for (int times = 0; times < count; ++times) to.tell(slow_note{});
    co_await sleep(1s);
  });
  CAPTURE(told);
  CHECK(costs(told, {.blocks = 3}));
  const cost asked = with<notary>([](actor_ref<noting> to, int count) -> coro<> {
    for (int times = 0; times < count; ++times) static_cast<void>(co_await to.ask(slow_total{}));
  });
  CAPTURE(asked);
  CHECK(costs(asked, {.blocks = 3}));
}

TEST_CASE("coroutine handlers that go on beside each other take no more than one after the other") {
  const cost each = with<interleaving_notary>([](actor_ref<noting> to, int count) -> coro<> {
    for (int times = 0; times < count; ++times) to.tell(slow_note{});
    co_await sleep(1s);
  });
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 3}));
}

TEST_CASE("a delegated ask takes a second block") {
  auto body = []() -> coro<cost> {
    const auto front = spawn<clerk>(spawn<notary>());
    const auto ask = [&](int count) -> coro<> {
      for (int times = 0; times < count; ++times) static_cast<void>(co_await front.ask(later{}));
    };
    co_return co_await cost_of(ask);
  };
  const cost each = testing::run(body());
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 2}));
}

TEST_CASE("a send takes two blocks, whether it has to wait for room or not") {
  const cost each = with<bounded_notary>([](actor_ref<noting> to, int count) -> coro<> {
    for (int number = 0; number < count; ++number) {
      auto sent = to.send(note{number});
      co_await sent;
    }
    co_await settle();
  });
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 2}));
}

TEST_CASE("a tell for which there is no room takes one block") {
  const cost each = with<bounded_notary>([](actor_ref<noting> to, int count) -> coro<> {
    to.tell(slow_note{});
    co_await sleep(0s);
    to.tell(note{0});
    to.tell(note{1});
    for (int number = 0; number < count; ++number) to.tell(note{number});
    co_await sleep(1s);
  });
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 1}));
}

TEST_CASE("a timer of an actor takes blocks only") {
  const cost each = with<notary>([](actor_ref<noting> to, int count) -> coro<> {
    for (int times = 0; times < count; ++times) {
      to.tell(remind{});
      co_await sleep(2s);
    }
  });
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 4}));
}

namespace {
struct begin {};
/// Is reminded each second.
class clock_face : public actor<protocol<tick, begin>> {
 public:
  void on(begin) { start_periodic_timer("tick", 1s, tick{}); }
  void on(tick) { ++ticks; }
  int ticks = 0;
};
}  // namespace

TEST_CASE("each time of a periodic timer takes a block for the copy of its message") {
  auto body = []() -> coro<cost> {
    const auto face = spawn<clock_face>();
    face.tell(begin{});
    co_await sleep(500ms);  // no beginning and no end falls on a tick
    const auto wait = [](int count) -> coro<> { co_await sleep(count * 1s); };
    co_return co_await cost_of(wait);
  };
  const cost each = testing::run(body());
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 1}));
}

namespace {
/// What publishing costs, to ten subscribers.
cost of_publishing(const subscription_options& options) {
  auto body = [](const subscription_options& given) -> coro<cost> {
    const topic<note> notes;
    for (int times = 0; times < 10; ++times) notes.subscribe(spawn<notary>(), given);
    const auto publish = [&](int count) -> coro<> {
      for (int number = 0; number < count; ++number) notes.publish({number});
      co_await settle();
    };
    co_return co_await cost_of(publish);
  };
  return testing::run(body(options));
}
}  // namespace

TEST_CASE(
    "publishing takes a block for each subscriber, and a second one for each that has a bound") {
  const cost unbounded = of_publishing({});
  CAPTURE(unbounded);
  CHECK(costs(unbounded, {.blocks = 10}));
  const lag when_full = GENERATE(lag::drop_newest, lag::drop_oldest, lag::end);
  const cost bounded = of_publishing({.capacity = 100, .when_full = when_full});
  CAPTURE(static_cast<int>(when_full), bounded);
  CHECK(costs(bounded, {.blocks = 20}));
}

TEST_CASE(
    "publishing to a subscriber that lags behind takes no more, and less when the new is lost") {
  const cost dropping_oldest = of_publishing({.capacity = 1, .when_full = lag::drop_oldest});
  CAPTURE(dropping_oldest);
  CHECK(costs(dropping_oldest, {.blocks = 20}));
  const cost dropping_newest = of_publishing({.capacity = 1, .when_full = lag::drop_newest});
  CAPTURE(dropping_newest);
  CHECK(costs(dropping_newest, {.blocks = 0.2}));
}

TEST_CASE("a router takes no memory") {
  const routing how = GENERATE(routing::round_robin, routing::least_loaded);
  auto body = [](routing chosen) -> coro<cost> {
    const router<noting> front(chosen);
    for (int times = 0; times < 4; ++times) front.add(spawn<notary>());
    const auto tell = [&](int count) -> coro<> {
      for (int number = 0; number < count; ++number) front.tell(note{number});
      co_await settle();
    };
    co_return co_await cost_of(tell);
  };
  const cost each = testing::run(body(how));
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 1}));
}

TEST_CASE("a pool takes no block of its own for a message") {
  auto body = []() -> coro<cost> {
    const auto front = spawn<pool<notary>>(pool_options{.least = 4, .most = 4});
    const auto ask = [&](int count) -> coro<> {
      for (int times = 0; times < count; ++times) static_cast<void>(co_await front.ask(total{}));
      co_await settle();
    };
    co_return co_await cost_of(ask);
  };
  const cost each = testing::run(body());
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 1}));
}

namespace {
coro<> count_notes(mailbox<note, total>& inbox) {
  for (int noted = 0;;) {
    auto got = co_await inbox.receive();
    if (auto* const asked_for = std::get_if<asked<total>>(&got)) {
      asked_for->reply.answer(noted);
    } else {
      ++noted;
    }
  }
}
coro<> choose_notes(mailbox<note, total>& inbox) {
  for (int noted = 0;; ++noted) {
    static_cast<void>(co_await inbox.receive<note>(after(1h)));
    if (auto waiting = inbox.try_receive<total>()) waiting->reply.answer(noted);
  }
}
}  // namespace

TEST_CASE("receiving takes no memory beside the message, also with a choice and a time limit") {
  auto body = [](coro<> (*function)(mailbox<note, total>&)) -> coro<cost> {
    const auto to = spawn(function);
    const auto tell = [&](int count) -> coro<> {
      for (int number = 0; number < count; ++number) to.tell(note{number});
      co_await settle();
      for (int number = 0; number < count; ++number) {
        auto answer = to.ask(total{});
        to.tell(note{number});
        static_cast<void>(co_await answer);
      }
    };
    co_return co_await cost_of(tell);
  };
  const cost any = testing::run(body(&count_notes));
  CAPTURE(any);
  CHECK(costs(any, {.blocks = 3}));
  const cost chosen = testing::run(body(&choose_notes));
  CAPTURE(chosen);
  CHECK(costs(chosen, {.blocks = 3}));
}

namespace {
struct open_up {};
/// Puts requests aside until it is told to open; then it lets those in.
class counter : public actor<protocol<total, open_up>> {
 public:
  void on(total t, reply_to<int> reply) {
    if (open_ == 0) return stash(t, std::move(reply));
    --open_;
    reply.answer(open_);
  }
  void on(open_up) { open_ = static_cast<int>(unstash_all()); }

 private:
  int open_ = 0;
};
}  // namespace

TEST_CASE("a request that is put aside takes no memory beside its own") {
  auto body = []() -> coro<cost> {
    const auto to = spawn<counter>();
    std::vector<future<int>> asked;
    asked.reserve(100);
    const auto ask = [&](int count) -> coro<> {
      for (int times = 0; times < count; ++times) asked.push_back(to.ask(total{}));
      to.tell(open_up{});
      for (const future<int>& each : asked) static_cast<void>(co_await each);
      asked.clear();
      co_await settle();
    };
    co_return co_await cost_of(ask);
  };
  const cost each = testing::run(body());
  CAPTURE(each);
  CHECK(costs(each, {.blocks = 1}));
}
