// asyncio's rules for reports, as `conformance/asyncio.md` numbers them; report-09 is about streams.
#include <troupe/runtime/any_task.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/shield.hpp>
#include <troupe/runtime/task_group.hpp>
#include <troupe/runtime/testing/manual_loop.hpp>
#include <troupe/runtime/timeout.hpp>
#include <troupe/runtime/to_thread.hpp>
#include <troupe/runtime/wait.hpp>

#include "runtime/helpers.hpp"
#include "support/explored.hpp"

#include <optional>
#include <thread>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Refuses to end by cancellation, and waits for something else each time.
template <class Wait>
coro<> stubborn(counted, Wait again) {
  for (;;) {
    try {
      co_await again();
    } catch (...) {
    }
  }
}

}  // namespace

TEST_CASE("callbacks that throw are reported once each, and stop nothing", "[report-01]") {
  journal log;
  failure_log reports;
  manual_loop home(&reports);
  home->call_soon([] { throw std::runtime_error("E"); });
  home->call_soon([&] { log.push_back("B"); });
  home->call_later(0s, [] { throw std::runtime_error("E2"); });
  home.step();
  CHECK(log == journal{"B"});
  REQUIRE(reports.reports().size() == 2);
  CHECK(describe(reports.reports()[0].error) == "std::runtime_error: E");
  CHECK(describe(reports.reports()[1].error) == "std::runtime_error: E2");
  CHECK_FALSE(reports.reports()[0].message.empty());
}

TEST_CASE("the failure handler is called at once, on the loop, and may use it", "[report-01]") {
  journal log;
  manual_loop home;
  home->set_failure_handler([&](const failure_report&) {
    log.push_back(loop::current() == &*home ? "H" : "H elsewhere");
    loop::current()->call_soon([&] { log.push_back("after"); });
  });
  home->call_soon([] { throw std::runtime_error("E"); });
  home->call_soon([&] { log.push_back("B"); });
  home.step();
  CHECK(log == journal{"H", "B"});
  home.step();
  CHECK(log == journal{"H", "B", "after"});
}

TEST_CASE("the error of a task that nobody looked at is reported once", "[report-03]") {
  failure_log reports;
  auto body = []() -> coro<> {
    auto failing = std::make_optional(create_task(testing::fail_after(0s, "E"), {.name = "lost"}));
    co_await rounds(3);
    failing.reset();
    co_await rounds(2);
  };
  testing::run(body(), &reports);
  REQUIRE(reports.reports().size() == 1);
  CHECK(reports.count("lost") == 1);
  CHECK(reports.count("E") == 1);
  CHECK(reports.reports()[0].where.line() != 0);
}

TROUPE_PROGRAM_TEST_CASE("the error of a future that nobody looked at is reported once",
                         "[report-03]") {
  failure_log reports;
  auto body = []() -> coro<> {
    promise<int> kept;
    static_cast<void>(kept.get_future());
    kept.set_exception(std::make_exception_ptr(std::runtime_error("E")));
    co_return;
  };
  testing::run(body(), &reports);
  CHECK(reports.reports().size() == 1);
  CHECK(reports.count("E") == 1);
}

TEST_CASE("a task that refuses to end is named when it is destroyed, and takes no further step",
          "[report-05]") {
  failure_log reports;
  int alive = 0;
  int steps = 0;
  std::optional<task<>> made;
  {
    manual_loop home(&reports);
    auto wait = [&]() -> coro<> {
      ++steps;
      co_await sleep(0s);
    };
    made = home.create_task(stubborn(counted(alive), wait), {.name = "refuses"});
    home.step();
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
  CHECK(made->cancelled());
  CHECK(reports.reports().size() == 1);
  CHECK(reports.count("refuses") == 1);
  CHECK(reports.count("pending") == 1);
  const int before = steps;
  manual_loop next;
  next.run_until_idle();
  CHECK(steps == before);
}

TEST_CASE("a task that waits when its loop closes is cancelled, which is no failure",
          "[report-05]") {
  // Differs from asyncio, which destroys it and says so.
  failure_log reports;
  int alive = 0;
  std::optional<task<>> made;
  {
    manual_loop home(&reports);
    auto waits = [](counted) -> coro<> {
      promise<void> never;
      co_await never.get_future();
    };
    made = home.create_task(waits(counted(alive)));
    home.step();
  }
  CHECK(made->cancelled());
  CHECK(alive == 0);
  CHECK(reports.text() == "");
}

TEST_CASE("whatever a task waits for, it can be destroyed while it does", "[report-05]") {
  const std::size_t which = GENERATE(range(std::size_t{0}, std::size_t{8}));
  CAPTURE(which);
  failure_log reports;
  int alive = 0;
  {
    manual_loop home(&reports);
    auto child = [](counted) -> coro<> { co_await sleep(1h); };
    auto waits = [&](counted) -> coro<> {
      auto own = [&](counted) -> coro<> {
        promise<int> kept;
        const auto f = kept.get_future();
        if (which == 0) co_await sleep(1h);
        if (which == 1) co_await f;
        if (which == 2) co_await create_task(child(counted(alive)));
        if (which == 3) co_await gather(child(counted(alive)), child(counted(alive)));
        if (which == 4) co_await shield(child(counted(alive)));
        if (which == 5) {
          std::vector<task<>> all{create_task(child(counted(alive)))};
          co_await wait(all);
        }
        if (which == 6) co_await timeout(2h, child(counted(alive)));
        if (which == 7) {
          task_group group;
          auto body = [&]() -> coro<> {
            group.create_task(child(counted(alive)));
            co_await sleep(1h);
          };
          co_await group.run(body());
        }
      };
      co_await own(counted(alive));
    };
    home.create_task(waits(counted(alive)));
    for (int times = 0; times < 5; ++times) home.step();
    CHECK(alive >= 2);
    home->abandon();
    home->let_go();
  }
  CHECK(alive == 0);
  CHECK(reports.text() == "");
}

TEST_CASE("whatever a task waits for, the closing of its loop ends it", "[report-05]") {
  const std::size_t which = GENERATE(range(std::size_t{0}, std::size_t{4}));
  failure_log reports;
  int alive = 0;
  {
    manual_loop home(&reports);
    auto child = [](counted) -> coro<> { co_await sleep(1h); };
    auto waits = [&](counted) -> coro<> {
      if (which == 0) co_await gather(child(counted(alive)), child(counted(alive)));
      if (which == 1) co_await shield(child(counted(alive)));
      if (which == 2) co_await timeout(2h, child(counted(alive)));
      auto call = [] {};
      if (which == 3) co_await to_thread(call);
      co_await sleep(1h);
    };
    home.create_task(waits(counted(alive)));
    home.step();
  }
  CHECK(alive == 0);
  CHECK(reports.text() == "");
}

TEST_CASE("in debug mode a call from a thread that does not run the loop is refused",
          "[report-07]") {
  const bool own_loop = GENERATE(false, true);
  loop_options options;
  options.debug = true;
  const auto home = loop::open(std::move(options));
  int refused = 0;
  bool ran = false;
  const auto try_all = [&] {
    const auto tries = [&](auto function) {
      try {
        function();
      } catch (const invalid_state&) {
        ++refused;
      }
    };
    tries([&] { home->call_soon([] {}); });
    tries([&] { home->call_later(1s, [] {}); });
    tries([&] { home->call_at(time_point{}, [] {}); });
    home->call_soon_threadsafe([&] {
      ran = true;
      home->stop();
    });
  };
  std::thread other;
  home->call_soon([&] {
    home->call_soon([] {});  // which is its own
    other = std::thread([&] {
      if (!own_loop) {
        try_all();
        return;
      }
      const auto mine = loop::open();
      mine->call_soon([&] {
        try_all();
        mine->stop();
      });
      mine->run_forever();
    });
  });
  home->run_forever();
  other.join();
  CHECK(refused == 3);
  CHECK(ran);
}
