// Simulated children as actors: credit, the last word, and supervision.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/actors/supervise.hpp>
#include <troupe/io/subprocess_actor.hpp>

#include "io/testing/children.hpp"

#include <memory>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::children;

namespace {

/// What an owner has heard.
struct diary {
  std::string said[3];  ///< by stream
  std::string order;
  std::optional<int> returncode;
  std::error_code reason;
  std::vector<int> pids;
};

class owner : public actor<io::subprocess_events> {
 public:
  explicit owner(std::shared_ptr<diary> into) : into_(std::move(into)) {}
  void on(io::started s) {
    into_->order += 's';
    into_->pids.push_back(s.pid);
    s.from.tell(io::demand{std::size_t{1} << 40});
  }
  void on(io::output o) { into_->said[static_cast<int>(o.which)] += o.chunk.text(); }
  void on(io::end_of_output) { into_->order += 'e'; }
  void on(io::exited e) {
    into_->returncode = e.returncode;
    into_->order += 'x';
  }
  void on(io::finished f) {
    into_->reason = f.reason;
    into_->order += '.';
  }

 private:
  std::shared_ptr<diary> into_;
};

}  // namespace

TEST_CASE("an actor that owns a child tells of its start, output, exit and end, in every order") {
  explore({.schedules = 300}, [](simulation& world) -> coro<> {
    programs installed(world);
    installed.add_shell("make", [](program& self) -> coro<int> {
      self.output().write("out\n");
      self.errors().write("err\n");
      co_return 3;
    });
    const auto heard = std::make_shared<diary>();
    const auto boss = spawn<owner>(heard);
    spawn<io::subprocess_actor>(io::command::shell("make", piped), boss);
    co_await world.until([&] { return heard->order.ends_with('.'); });
    expect(heard->order.size() == 5 && heard->order.front() == 's', "heard " + heard->order);
    expect(heard->said[1] == "out\n" && heard->said[2] == "err\n", "other output");
    expect(heard->returncode == 3 && !heard->reason, "ended otherwise");
  });
}

TEST_CASE("input that is asked for is slowed down by a child that reads slowly") {
  naturally(
      [](programs& installed) -> coro<> {
        std::size_t got = 0;
        installed.add("slow", [&got](program& self) -> coro<int> {
          for (;;) {
            const io::bytes some = co_await self.input().read_some(1000);
            if (some.empty()) co_return 0;
            got += some.size();
            co_await sleep(1s);
          }
        });
        const auto heard = std::make_shared<diary>();
        const auto boss = spawn<owner>(heard);
        auto child =
            spawn<io::subprocess_actor>(io::command("slow", {}, piped), boss,
                                        io::subprocess_actor_options{.input_window = 1000});
        for (int times = 0; times < 20; ++times) {
          io::input some(std::string(1000, 'x'));
          co_await child.ask(std::move(some), 1h);
        }
        CHECK(got >= 16'000);
        child.tell(io::write_eof{});
        co_await sleep(1h);
        CHECK(got == 20'000);
        CHECK(heard->order.back() == '.');
        CHECK(heard->returncode == 0);
      },
      {.pipe_capacity = 1000});
}

TEST_CASE("an actor that is stopped ends its child before it ends itself, be it stubborn") {
  naturally([](programs& installed) -> coro<> {
    installed.add("mule", stubborn);
    const auto heard = std::make_shared<diary>();
    const auto boss = spawn<owner>(heard);
    const io::command how("mule", {}, {.output = io::stdio::pipe, .grace = 2s});
    auto child = spawn<io::subprocess_actor>(how, boss);
    co_await sleep(1s);
    auto end = child.stopped();
    child.stop();
    co_await end;
    CHECK(installed.running() == 0);
    CHECK(loop::current()->time().time_since_epoch() == 3s);
    co_await sleep(1s);
    CHECK(heard->returncode == -SIGKILL);
    CHECK(heard->reason == std::errc::operation_canceled);
  });
}

namespace {

/// Keeps a server running.
class keeper : public actor<protocol<>> {
 public:
  keeper(io::command what, actor_ref<io::subprocess_events> told) {
    supervise<io::subprocess_actor>(
        {.when = restart::transient}, std::move(what), std::move(told),
        io::subprocess_actor_options{.crash_when = io::bad_end::failure});
  }
};

}  // namespace

TEST_CASE("a supervised server that is killed starts again as another process, whoever kills it") {
  explore({.schedules = 200, .expects = [](const failure_report&) { return true; }},
          [](simulation& world) -> coro<> {
            programs installed(world);
            installed.add("server", forever);
            const auto heard = std::make_shared<diary>();
            const auto boss = spawn<owner>(heard);
            auto keeps = spawn<keeper>(io::command("server", {}, reading), boss);
            for (std::size_t lives = 1; lives <= 3; ++lives) {
              co_await world.until([&] { return heard->pids.size() == lives; });
              expect(installed.running("server") == 1, "not one server");
              installed.kill("server");
            }
            co_await world.until([&] { return heard->pids.size() == 4; });
            expect(installed.runs("server").size() == 4, "another number of runs");
            auto end = keeps.stopped();
            keeps.stop();
            co_await end;
            expect(installed.running() == 0, "it was left");
          });
}

TEST_CASE("a supervised program that ends well is left alone") {
  naturally([](programs& installed) -> coro<> {
    installed.add("job", says);
    const auto heard = std::make_shared<diary>();
    const auto boss = spawn<owner>(heard);
    const auto kept = spawn<keeper>(io::command("job", io::args("done"), reading), boss);
    co_await sleep(1h);
    CHECK(installed.runs().size() == 1);
    CHECK(heard->said[1] == "done\n");
  });
}
