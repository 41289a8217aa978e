// asyncio's rules for eager tasks, as `conformance/asyncio.md` numbers them.
#include <troupe/runtime/any_task.hpp>
#include <troupe/runtime/context.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/task_group.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

coro<std::string> hello() { co_return "hello"; }
coro<> throws() {
  throw std::runtime_error("at once");
  co_return;
}

constexpr int width = 5;
constexpr int levels = 4;

coro<int> tree(int level) {
  if (level == 0) co_return 1;
  auto children = [level] { return tree(level - 1); };
  auto all = co_await gather(children(), children(), children(), children(), children());
  auto [a, b, c, d, e] = std::move(all);
  co_return a + b + c + d + e;
}

coro<int> tree_of_groups(int level) {
  if (level == 0) co_return 1;
  int sum = 0;
  task_group group;
  auto add = [&sum](int below) -> coro<> { sum += co_await tree_of_groups(below); };
  auto body = [&]() -> coro<> {
    for (int child = 0; child < width; ++child) group.create_task(add(level - 1));
    co_return;
  };
  co_await group.run(body());
  co_return sum;
}

}  // namespace

TEST_CASE("an eager task runs up to where it suspends before create_task returns", "[eager-01]") {
  const bool by_loop = GENERATE(false, true);
  auto body = [&]() -> coro<> {
    task_options options;
    options.eager = !by_loop;
    loop::current()->set_eager_tasks(by_loop);
    const any_task me = current_task();
    journal log;
    auto blocks = [&]() -> coro<int> {
      log.push_back(current_task() == me ? "creator" : "itself");
      co_await sleep(1s);
      log.push_back("after");
      co_return 2;
    };
    const auto a = create_task(hello(), options);
    CHECK(a.done());
    const auto b = create_task(blocks(), options);
    CHECK(log == journal{"itself"});
    CHECK_FALSE(b.done());
    CHECK(current_task() == me);
    const std::string first = co_await a;
    const int second = co_await b;
    CHECK(first == "hello");
    CHECK(second == 2);
    CHECK(log == journal{"itself", "after"});
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("an eager task may fail at once, and its failure is thrown at the await",
                         "[eager-01]") {
  failure_log log;
  auto body = []() -> coro<std::string> {
    task_options options;
    options.eager = true;
    const auto failed = create_task(throws(), options);
    CHECK(failed.done());
    create_task(throws(), options);
    co_return co_await ending(failed);
  };
  CHECK(testing::run(body(), &log) == "error: at once");
  CHECK(log.reports().size() == 1);
}

TROUPE_PROGRAM_TEST_CASE("eager tasks may be nested, and await each other", "[eager-01]") {
  auto body = []() -> coro<int> {
    loop::current()->set_eager_tasks(true);
    auto nest = [](auto& self, int depth) -> coro<int> {
      if (depth == 0) {
        co_await sleep(1s);
        co_return 0;
      }
      co_return 1 + co_await create_task(self(self, depth - 1));
    };
    co_return co_await create_task(nest(nest, 100));
  };
  CHECK(testing::run(body()) == 100);
}

TROUPE_PROGRAM_TEST_CASE("an eager task that has ended is not cancelled, one that is blocked is",
                         "[eager-03]") {
  auto body = []() -> coro<> {
    task_options options;
    options.eager = true;
    const auto ended = create_task(hello(), options);
    const auto blocked = create_task(sleep_of(infinite), options);
    CHECK_FALSE(ended.cancel());
    CHECK(blocked.cancel("reason"));
    const std::string value = co_await ended;
    CHECK(value == "hello");
    std::string reason;
    try {
      co_await blocked;
    } catch (const cancelled& error) {
      reason = error.reason;
    }
    CHECK(reason == "reason");
    CHECK(blocked.cancelled());
  };
  testing::run(body());
}

TEST_CASE("an eager task may cancel itself, and its creator", "[eager-03]") {
  auto body = []() -> coro<> {
    task_options options;
    options.eager = true;
    auto self = []() -> coro<> {
      current_task().cancel();
      co_await sleep(1s);
    };
    const auto mine = create_task(self(), options);
    co_await sleep(0s);
    CHECK(mine.cancelled());
    auto creator = [&]() -> coro<> {
      const any_task me = current_task();
      auto cancels = [](any_task other) -> coro<> {
        other.cancel();
        co_return;
      };
      create_task(cancels(me), options);
      co_await sleep(1s);
    };
    std::string how = co_await ending(create_task(creator()));
    CHECK(how == "cancelled");
  };
  testing::run(body());
}

TROUPE_PROGRAM_TEST_CASE("the eager step has a context of its own", "[eager-05]") {
  context_var<int> v(0);
  auto child = [&]() -> coro<int> {
    const int seen = v.get();
    v.set(2);
    co_await sleep(0s);
    CHECK(v.get() == 2);
    v.set(3);
    co_return seen;
  };
  auto body = [&]() -> coro<> {
    task_options options;
    options.eager = true;
    v.set(1);
    const auto made = create_task(child(), options);
    CHECK(v.get() == 1);
    const int seen = co_await made;
    CHECK(seen == 1);
    CHECK(v.get() == 1);
  };
  testing::run(body());
}

TEST_CASE("eager trees of gathers and groups end without a round of the loop", "[eager-07]") {
  const bool eager = GENERATE(false, true);
  const bool groups = GENERATE(false, true);
  manual_loop home;
  home->set_eager_tasks(eager);
  const auto made = home.create_task(groups ? tree_of_groups(levels) : tree(levels));
  home.step();
  CHECK(made.done() == eager);
  home.run_until_idle();
  CHECK(made.result() == width * width * width * width);
}
