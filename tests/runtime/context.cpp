#include <troupe/runtime/context.hpp>

#include <troupe/runtime/signals.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <algorithm>
#include <csignal>
#include <memory>
#include <optional>
#include <string>

using namespace troupe;
using namespace troupe::testing;

TROUPE_PROGRAM_TEST_CASE("a task works on a copy of its creator's context", "[context-01]") {
  context_var<std::string> v("nope");
  std::string seen;
  auto sub = [&]() -> coro<> {
    co_await sleep(1s);
    seen = v.get();
    v.set("something else");
  };
  auto body = [&]() -> coro<std::string> {
    const auto running = create_task(sub());
    v.set("yes");
    co_await running;
    co_return v.get();
  };
  CHECK(testing::run(body()) == "yes");
  CHECK(seen == "nope");
  CHECK(v.get() == "nope");
}

TROUPE_PROGRAM_TEST_CASE("a hundred tasks that change one variable do not see each other's",
                         "[context-03]") {
  random_numbers random(3);
  context_var<int> v(-1);
  int wrong = 0;
  auto one = [&](int number) -> coro<> {
    for (int turn = 0; turn < 10; ++turn) {
      v.set(number * 100 + turn);
      co_await sleep(std::chrono::milliseconds(random.below(2)));
      if (v.get() != number * 100 + turn) ++wrong;
    }
  };
  auto body = [&]() -> coro<> {
    std::vector<task<>> all;
    for (int number = 0; number < 100; ++number) all.push_back(create_task(one(number)));
    for (const auto& each : all) co_await each;
    CHECK(v.get() == -1);
  };
  testing::run(body());
  CHECK(wrong == 0);
  CHECK(v.get() == -1);
}

TROUPE_PROGRAM_TEST_CASE("an awaited coroutine shares the context of its task", "[context-01]") {
  context_var<int> v(0);
  auto inner = [&]() -> coro<> {
    v.set(2);
    co_return;
  };
  auto body = [&]() -> coro<int> {
    v.set(1);
    co_await inner();
    co_return v.get();
  };
  CHECK(testing::run(body()) == 2);
}

TROUPE_PROGRAM_TEST_CASE("a callback runs in the context in which it was asked for",
                         "[context-01]") {
  context_var<std::string> v("none");
  journal log;
  auto body = [&]() -> coro<> {
    auto* const home = loop::current();
    auto note = [&] {
      log.push_back(v.get());
      v.set("of a callback");
    };
    promise<void> kept;
    const auto f = kept.get_future();
    v.set("soon");
    home->call_soon(note);
    v.set("later");
    home->call_later(1ms, note);
    v.set("posted");
    home->call_soon_threadsafe(note);
    v.set("done");
    f.add_done_callback([&](const future<void>&) { note(); });
    v.set("last");
    kept.set_value();
    co_await sleep(1s);
    CHECK(v.get() == "last");
  };
  testing::run(body());
  std::sort(log.begin(), log.end());
  CHECK(log == journal{"done", "later", "posted", "soon"});
}

TEST_CASE("a signal handler runs in the context in which it was set", "[context-01][signal-01]") {
  context_var<int> v(0);
  int seen = 0;
  auto body = [&]() -> coro<> {
    promise<void> kept;
    const auto f = kept.get_future();
    v.set(1);
    add_signal_handler(SIGUSR1, [&] {
      seen = v.get();
      kept.set_value();
    });
    v.set(2);
    std::raise(SIGUSR1);
    co_await f;
    remove_signal_handler(SIGUSR1);
  };
  failure_log log;
  troupe::run(body(), real_time(log));
  CHECK(seen == 1);
}

TEST_CASE("a token puts back what was set before, or nothing", "[context-01]") {
  context_var<int> v;
  CHECK_THROWS_AS(v.get(), invalid_state);
  CHECK(v.get_or(7) == 7);
  auto first = v.set(1);
  auto second = v.set(2);
  CHECK(v.get() == 2);
  v.reset(std::move(second));
  CHECK(v.get() == 1);
  v.reset(std::move(first));
  CHECK_THROWS_AS(v.get(), invalid_state);
}

TEST_CASE("a token of another variable is refused", "[context-01]") {
  context_var<int> v(1);
  context_var<int> w(2);
  auto token = v.set(3);
  CHECK_THROWS_AS(w.reset(std::move(token)), invalid_state);
  CHECK(w.get() == 2);
}

TROUPE_PROGRAM_TEST_CASE("a function runs in a context that is kept, and changes that one only",
                         "[context-01]") {
  context_var<int> v(0);
  auto outer = v.set(1);
  context kept = context::current();
  v.set(2);
  kept.run([&] {
    CHECK(v.get() == 1);
    v.set(3);
    context().run([&] { CHECK(v.get() == 0); });
    CHECK(v.get() == 3);
  });
  CHECK(v.get() == 2);
  CHECK(kept.run([&] { return v.get(); }) == 3);
  CHECK_THROWS_AS(kept.run([&] {
    v.set(4);
    throw std::runtime_error("out of it");
  }),
                  std::runtime_error);
  CHECK(v.get() == 2);
  CHECK(kept.run([&] { return v.get(); }) == 4);
  v.reset(std::move(outer));
}

TROUPE_PROGRAM_TEST_CASE("values are destroyed with the last context that has them",
                         "[context-01]") {
  int alive = 0;
  context_var<std::optional<counted>> v;
  {
    auto body = [&]() -> coro<> {
      v.set(std::optional<counted>(std::in_place, alive));
      auto child = [&]() -> coro<> { co_await sleep(1s); };
      const auto running = create_task(child());
      co_await running;
    };
    testing::run(body());
  }
  CHECK(alive == 0);
}

TROUPE_PROGRAM_TEST_CASE("many variables are told apart", "[context-03]") {
  std::vector<std::unique_ptr<context_var<int>>> all;
  for (int index = 0; index < 50; ++index) all.push_back(std::make_unique<context_var<int>>(-1));
  auto body = [&]() -> coro<> {
    for (int index = 0; index < 50; ++index) all[static_cast<std::size_t>(index)]->set(index);
    for (int index = 0; index < 50; ++index)
      CHECK(all[static_cast<std::size_t>(index)]->get() == index);
    co_return;
  };
  testing::run(body());
  for (const auto& each : all) CHECK(each->get() == -1);
}
