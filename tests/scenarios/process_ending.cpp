// How children end that nobody lets live.
#include "scenarios/children.hpp"

#include <troupe/runtime/wait_for.hpp>

#include "support/random_numbers.hpp"

#include <csignal>

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr const char* stubborn = "trap '' TERM; echo $$; while :; do sleep 0.01; done";

/// Starts a child that starts another, and tells who that is; both ignore SIGTERM if `how` says so.
coro<int> grandchild_of(io::process& child) { return number_from(child.output()); }

}  // namespace

TEST_CASE("a child that ignores SIGTERM is killed after the grace") {
  struct scene {
    static coro<> run() {
      int pid = 0;
      {
        io::process child =
            co_await io::subprocess_shell(stubborn, {.output = io::stdio::pipe, .grace = 30ms});
        pid = co_await number_from(child.output());
        CHECK(pid == child.pid());
        CHECK(child.terminate());
        co_await sleep(20ms);
        CHECK(alive(pid));
      }
      co_await poll_until([pid] { return state_of(pid) == '\0'; });
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("stop gives the returncode: of the signal that was enough") {
  struct scene {
    static coro<> run() {
      io::process child = co_await io::subprocess_exec("sleep", io::args("3600"));
      int code = co_await child.stop();
      CHECK(code == -SIGTERM);
      code = co_await child.stop();
      CHECK(code == -SIGTERM);

      child = co_await io::subprocess_shell(stubborn, reading);
      co_await child.output().read_line();
      code = co_await child.stop(20ms);
      CHECK(code == -SIGKILL);

      child = co_await io::subprocess_shell(
          "trap 'exit 7' TERM; echo; while :; do sleep 0.01; done", reading);
      co_await child.output().read_line();
      code = co_await child.stop(1h);
      CHECK(code == 7);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a child that was stopped by a signal ends all the same") {
  struct scene {
    static coro<> run() {
      io::process child = co_await io::subprocess_exec("sleep", io::args("3600"));
      CHECK(child.send_signal(SIGSTOP));
      co_await poll_until([pid = child.pid()] { return state_of(pid) == 'T'; });
      const int code = co_await child.stop(1h);
      CHECK(code == -SIGTERM);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("what a child has started ends with it") {
  struct scene {
    static coro<> run() {
      int grandchild = 0;
      {
        io::process child = co_await io::subprocess_shell("sleep 3600 & echo $!; wait", reading);
        grandchild = co_await grandchild_of(child);
        CHECK(alive(grandchild));
      }
      co_await poll_until([grandchild] { return !alive(grandchild); });
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("what a child has left behind ends when its process goes, be it stubborn") {
  struct scene {
    static coro<> run() {
      int grandchild = 0;
      {
        io::process child = co_await io::subprocess_shell(
            "(trap '' TERM; echo ready; while :; do sleep 0.01; done) & echo $!",
            {.output = io::stdio::pipe, .grace = 20ms});
        std::string lines = co_await child.output().read_line();
        lines += co_await child.output().read_line();
        grandchild = std::atoi(lines.c_str() + (lines.starts_with("ready") ? 6 : 0));
        const int code = co_await child.wait();
        CHECK(code == 0);
        CHECK(alive(grandchild));
      }
      co_await poll_until([grandchild] { return !alive(grandchild); });
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a group can be signalled, and a group that has gone says so") {
  struct scene {
    static coro<> run() {
      io::process child = co_await io::subprocess_shell("sleep 3600 & echo $!; exit 0", reading);
      const int grandchild = co_await grandchild_of(child);
      co_await child.wait();
      CHECK_FALSE(child.kill());
      CHECK(child.signal_group(SIGKILL));
      co_await poll_until([grandchild] { return !alive(grandchild); });
      CHECK_THROWS_AS(child.send_signal(0), std::invalid_argument);
      CHECK_THROWS_AS(child.send_signal(12345), std::invalid_argument);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a child goes with the task that was cancelled, also by a time limit") {
  struct scene {
    static coro<> have_child(int& pid) {
      io::process child = co_await io::subprocess_exec("sleep", io::args("3600"));
      pid = child.pid();
      co_await child.wait();
    }
    static coro<> run() {
      int pid = 0;
      auto having = create_task(have_child(pid));
      co_await poll_until([&] { return pid != 0; });
      having.cancel();
      CHECK_THROWS_AS(co_await having, cancelled);
      co_await poll_until([pid] { return state_of(pid) == '\0'; });
      CHECK_THROWS_AS(co_await timeout(20ms, have_child(pid)), timeout_error);
      co_await poll_until([pid] { return state_of(pid) == '\0'; });
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("who waits for a child whose process goes is told so") {
  struct scene {
    static coro<int> wait_for(io::process& child) { co_return co_await child.wait(); }
    static coro<> run() {
      std::optional<io::process> child(
          co_await io::subprocess_exec("sleep", io::args("3600"), piped));
      task<int> waiting = create_task(wait_for(*child));
      task<io::communicated> talking = create_task(child->communicate());
      co_await turns();
      child.reset();
      CHECK_THROWS_AS(co_await waiting, invalid_state);
      CHECK_THROWS_AS(co_await talking, invalid_state);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("the shutdown of a runtime ends its children, stubborn ones too, on every loop") {
  struct scene {
    static coro<> have_child(int& ready) {
      io::process child =
          co_await io::subprocess_shell(stubborn, {.output = io::stdio::pipe, .grace = 20ms});
      co_await child.output().read_line();
      ++ready;
      co_await child.wait();
    }
    static coro<> run() {
      int ready = 0;
      for (int each = 0; each < 3; ++each) create_task(have_child(ready));
      co_await poll_until([&] { return ready == 3; });
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a child that does not end within the shutdown's time is killed") {
  struct scene {
    static coro<> have_child(bool& ready) {
      io::process child =
          co_await io::subprocess_shell(stubborn, {.output = io::stdio::pipe, .grace = 1h});
      co_await child.output().read_line();
      ready = true;
      co_await child.wait();
    }
    static coro<> run() {
      bool ready = false;
      create_task(have_child(ready));
      co_await poll_until([&] { return ready; });
    }
  };
  run_options options;
  options.handle_interrupt = false;
  options.shutdown_timeout = 50ms;
  troupe::run(scene::run(), options);
  CHECK_FALSE(has_children());
}

TEST_CASE("a process that outlives its loop has lost its child, and says so") {
  struct scene {
    static coro<io::process> run() {
      co_return co_await io::subprocess_exec("sleep", io::args("3600"), piped);
    }
  };
  run_options options;
  options.handle_interrupt = false;
  {
    io::process child = troupe::run(scene::run(), options);
    CHECK(child.ended());
    CHECK(child.returncode() == -SIGKILL);
    CHECK_FALSE(alive(child.pid()));
    CHECK_FALSE(child.terminate());
    CHECK(child.output().is_closing());
  }
  CHECK_FALSE(has_children());
}

TEST_CASE("with SIGCHLD ignored nothing hangs and no status is made up") {
  struct scene {
    static coro<> run() {
      io::process child = co_await io::subprocess_shell("echo said; exit 5", reading);
      const io::communicated said = co_await child.communicate();
      CHECK(said.output == "said\n");
      CHECK_FALSE(said.returncode.has_value());
      CHECK_THROWS_WITH(co_await child.wait(), Catch::Contains("SIGCHLD is ignored"));
      const failed_start how = co_await start_failing("/no/such/program", {}, {});
      CHECK(how.code == std::errc::no_such_file_or_directory);
      child = co_await io::subprocess_exec("sleep", io::args("3600"));
    }
  };
  struct sigaction ignored{};
  struct sigaction before{};
  ignored.sa_handler = SIG_IGN;
  REQUIRE(::sigaction(SIGCHLD, &ignored, &before) == 0);
  run_with_children(scene::run());
  ::sigaction(SIGCHLD, &before, nullptr);
}

TEST_CASE("a thousand children one after another leave nothing behind") {
  struct scene {
    static coro<> run() {
      for (int each = 0; each < 1000; ++each) {
        io::process child = co_await io::subprocess_exec(
            "true", {}, each % 10 == 0 ? piped : io::process_options{});
        const int code = co_await child.wait();
        REQUIRE(code == 0);
      }
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("children that are killed, dropped or cancelled at random moments leave nothing behind") {
  struct scene {
    static coro<> live(std::uint64_t choice) {
      const io::process_options options =
          (choice & 1) != 0 ? piped : io::process_options{.grace = 5ms};
      io::process child = co_await io::subprocess_shell(
          (choice & 2) != 0 ? "sleep 3600 & wait" : "sleep 0.005", options);
      co_await sleep(std::chrono::microseconds(choice / 64 % 8000));
      switch (choice / 8 % 4) {
        case 0:
          child.kill();
          static_cast<void>(co_await child.wait());
          break;
        case 1:
          co_await child.stop(1ms);
          break;
        case 2:
          break;
        default:
          if ((choice & 1) != 0) {
            try {
              co_await timeout(2ms, child.communicate("some input"));
            } catch (const timeout_error&) {
            }
          }
      }
    }
    static coro<> run() {
      random_numbers numbers(20);
      std::vector<task<>> all;
      for (int each = 0; each < 200; ++each) {
        const std::uint64_t choice = numbers.below(std::uint64_t{1} << 40);
        all.push_back(create_task(live(choice)));
        if (choice % 5 == 0) co_await sleep(1ms);
        if (choice % 7 == 0) all.back().cancel();
      }
      for (const task<>& each : all) {
        try {
          co_await each;
        } catch (const cancelled&) {
        }
      }
    }
  };
  run_with_children(scene::run());
}
