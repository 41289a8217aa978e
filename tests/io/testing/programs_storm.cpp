// Whatever happens to children, nothing of them is left, and what was read is what was written.
#include "io/testing/children.hpp"

#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/on.hpp>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::children;

namespace {

/// Takes commands; may have a child of its own.
coro<int> worker(program& self) {
  if (self.arguments().at(0) == "stubborn") self.ignore(SIGTERM);
  self.handle(SIGUSR1);
  std::optional<io::process> helper;
  if (self.arguments().at(1) == "parent") {
    try {
      helper.emplace(co_await io::subprocess_exec(
          "worker", io::args("stubborn", "alone"),
          {.input = io::stdio::pipe, .group = io::process_group::same}));
    } catch (const io::spawn_error&) {
      co_return 71;
    }
  }
  while (auto line = co_await self.input().next_line()) {
    self.output().write(*line, "\n");
    co_await self.output().drain();
    if (*line == "signal") static_cast<void>(co_await self.next_signal());
    if (*line == "nap") co_await sleep(10ms);
  }
  if (helper) static_cast<void>(co_await helper->stop(5ms));
  co_return 7;
}

coro<> live(simulation& world) {
  const bool stubborn_one = world.choose(2) == 1;
  const std::string family = world.choose(2) == 1 ? "parent" : "alone";
  std::string heard;
  try {
    io::process child = co_await io::subprocess_exec(
        "worker", io::args(stubborn_one ? "stubborn" : "plain", family),
        {.input = io::stdio::pipe, .output = io::stdio::pipe, .grace = 20ms});
    co_await sleep(1ms * world.choose(3));
    switch (world.choose(7)) {
      case 0:
        child.kill();
        static_cast<void>(co_await child.wait());
        break;
      case 1: {
        const int code = co_await child.stop(15ms);
        expect(code < 0 || code == 71, "stopped otherwise: " + std::to_string(code));
        break;
      }
      case 2:
        break;
      case 3:
        try {
          co_await timeout(2ms, child.communicate("nap\nsignal\n"));
        } catch (const timeout_error&) {
          child.send_signal(SIGUSR1);
        }
        break;
      case 4:
        child.input().write("nap\nnap\n");
        child.output().abort();
        break;
      case 5:
        child.signal_group(SIGINT);
        static_cast<void>(co_await child.wait());
        break;
      default: {
        const std::string input = "one\nnap\n" + std::string(300, 'x') + "\n";
        const io::communicated said = co_await child.communicate(input);
        const bool begins = input.starts_with(*said.output);
        expect(begins, "other output: " + *said.output);
        expect(said.output == input || said.returncode != 7, "it ended well too early");
      }
    }
  } catch (const io::spawn_error&) {
  }
}

coro<> storm(simulation& world, std::size_t faults) {
  programs installed(world, {.faults = faults, .pipe_capacity = 200});
  installed.add("worker", worker);
  const auto elsewhere = [](simulation& in, std::size_t index) -> coro<> {
    co_await on(runtime::current()->loop_at(index));
    co_await live(in);
    co_await live(in);
  };
  task<> first = create_task(elsewhere(world, 0));
  task<> second = create_task(elsewhere(world, 1));
  task<> third = create_task(live(world));
  co_await sleep(1ms * world.choose(10));
  if (world.choose(2) == 1) third.cancel();
  installed.kill("worker", world.choose(2) == 1 ? SIGINT : SIGUSR1);
  co_await first;
  co_await second;
  try {
    co_await third;
  } catch (const cancelled&) {
  }
  co_await sleep(1s);
  expect(installed.running() == 0, "somebody was left");
  for (const program_run& each : installed.runs())
    expect(each.returncode.has_value(), "one has no returncode");
}

}  // namespace

TEST_CASE("children that are killed, dropped or cancelled at random moments leave nothing behind") {
  explore({.schedules = 700, .threads = 2}, [](simulation& world) { return storm(world, 0); });
}
TEST_CASE("nor do they where somebody kills them and starts fail") {
  explore({.schedules = 700, .seed = 2, .threads = 2},
          [](simulation& world) { return storm(world, 4); });
}
TEST_CASE("a shutdown may come at any moment of theirs") {
  explore({.schedules = 500, .threads = 2, .leaks = false}, [](simulation& world) -> coro<> {
    programs installed(world, {.faults = 2, .pipe_capacity = 200});
    installed.add("worker", worker);
    for (int each = 0; each < 3; ++each) create_task(live(world));
    co_await sleep(1ms * world.choose(10));
    for (std::size_t turns = world.choose(30); turns > 0; --turns) co_await sleep(0s);
  });
}
