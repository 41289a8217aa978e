// All that is written to a child and read from it, at the same time.
#include "scenarios/children.hpp"

#include <troupe/io/stream_errors.hpp>

using namespace troupe;
using namespace troupe::testing;

namespace {

inline constexpr io::process_options both_ways = {.input = io::stdio::pipe,
                                                  .output = io::stdio::pipe};

}  // namespace

TEST_CASE("communicate carries more than the pipes hold, both ways, without a deadlock") {
  struct scene {
    static coro<> run() {
      const std::string much = pattern(8'000'000);
      io::process child = co_await io::subprocess_exec("cat", {}, both_ways);
      io::communicated said = co_await child.communicate(much);
      CHECK(same(*said.output, much));
      CHECK(said.returncode == 0);

      child = co_await io::subprocess_shell("tee /dev/stderr", piped);
      said = co_await child.communicate(much);
      CHECK(same(*said.output, much));
      CHECK(same(*said.errors, much));
    }
  };
  run_with_children(scene::run());
}

TEST_CASE(
    "a child that closes its stdin early, or ends without reading, is no error of communicate") {
  struct scene {
    static coro<> run() {
      const std::string much = pattern(3'000'000);
      io::process child =
          co_await io::subprocess_shell("exec 0<&-; echo enough; exit 4", both_ways);
      io::communicated said = co_await child.communicate(much);
      CHECK(said.output == "enough\n");
      CHECK(said.returncode == 4);
      child = co_await io::subprocess_shell("head -c 5", both_ways);
      said = co_await child.communicate(much);
      CHECK(same(*said.output, much.substr(0, 5)));
      CHECK(said.returncode == 0);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("who writes by hand to a child that has closed its stdin is told of the broken pipe") {
  struct scene {
    static coro<> run() {
      io::process child =
          co_await io::subprocess_shell("exec 0<&-; echo closed; exec sleep 3600", both_ways);
      co_await child.output().read_line();
      child.input().write("too late");
      std::error_code code;
      try {
        co_await child.input().drain();
      } catch (const std::system_error& error) {
        code = error.code();
      }
      CHECK(code == std::errc::broken_pipe);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE(
    "communicate ends when the child does, though somebody else holds its output, and says it was "
    "cut") {
  struct scene {
    static coro<> run() {
      // What holds it ends with the process, for it is of the child's group.
      io::process child = co_await io::subprocess_shell("echo mine; sleep 3600 & exit 6", reading);
      const io::communicated said = co_await child.communicate({}, {.drain_timeout = 20ms});
      CHECK(said.cut);
      CHECK(said.output == "mine\n");
      CHECK(said.returncode == 6);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE(
    "communicate waits for output that comes soon after the child's end, and does not call it "
    "cut") {
  struct scene {
    static coro<> run() {
      io::process child =
          co_await io::subprocess_shell("(sleep 0.05; echo late) & exit 0", reading);
      const io::communicated said = co_await child.communicate({}, {.drain_timeout = 1h});
      CHECK_FALSE(said.cut);
      CHECK(said.output == "late\n");
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("after a communicate that took too long another one has all of it") {
  struct scene {
    static coro<> run() {
      const std::string much = pattern(1'000'000);
      io::process child =
          co_await io::subprocess_shell("echo first; sleep 3600 | cat; cat", both_ways);
      CHECK_THROWS_AS(co_await timeout(50ms, child.communicate(much)), timeout_error);
      CHECK_FALSE(child.ended());
      CHECK(child.signal_group(SIGTERM));
      const io::communicated said = co_await child.communicate();
      CHECK(said.output == "first\n");
      CHECK(said.returncode == -SIGTERM);

      child = co_await io::subprocess_exec("cat", {}, both_ways);
      // Cancelled over and over while bytes are under way, it loses none. One that never began has not taken the input.
      std::string given = much;
      io::communicated whole;
      for (int round = 1;; ++round) {
        auto talking = create_task(child.communicate(std::exchange(given, {})));
        if (round < 200) {
          for (int turn = 0; turn < round % 7; ++turn) co_await sleep(0s);
          talking.cancel();
        }
        try {
          whole = co_await talking;
          break;
        } catch (const cancelled&) {
        }
      }
      CHECK(same(*whole.output, much));
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("communicate has a limit, and says so") {
  struct scene {
    static coro<> run() {
      io::process child = co_await io::subprocess_shell("cat /dev/zero", reading);
      CHECK_THROWS_AS(co_await child.communicate({}, {.limit = 100'000}), io::too_long);
      CHECK(alive(child.pid()));
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("one task at a time communicates, and input needs a pipe") {
  struct scene {
    static coro<> run() {
      io::process child = co_await io::subprocess_exec("cat", {}, both_ways);
      child.input().write("kept open");
      auto talking = create_task(
          [](io::process& with) -> coro<> { co_await with.output().read_all(); }(child));
      co_await turns();
      CHECK_THROWS_AS(co_await child.communicate(), invalid_state);  // two read one stream
      talking.cancel();
      child = co_await io::subprocess_exec("sleep", io::args("3600"), both_ways);
      auto first = create_task(child.communicate());
      co_await turns();
      CHECK_THROWS_WITH(co_await child.communicate(), Catch::Contains("two tasks communicate"));
      first.cancel();
      CHECK_THROWS_AS(co_await first, cancelled);
      child = co_await io::subprocess_exec("true");
      CHECK_THROWS_AS(co_await child.communicate("where to?"), std::invalid_argument);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a child that writes without end waits for its reader, who holds no more than was read") {
  struct scene {
    static coro<> run() {
      io::process child = co_await io::subprocess_exec("cat", io::args("/dev/zero"), reading);
      for (int each = 0; each < 50; ++each) {
        const io::bytes some = co_await child.output().read_some(1000);
        CHECK(some.size() <= 1000);
      }
      // It is asleep in its write, and nothing of it is here.
      co_await poll_until([pid = child.pid()] { return state_of(pid) == 'S'; });
      CHECK_FALSE(child.ended());
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("the limit of lines holds for a child's output") {
  struct scene {
    static coro<> run() {
      io::process_options options = reading;
      options.streams.limit = 100;
      io::process child = co_await io::subprocess_shell(
          "head -c 5000 /dev/zero | tr '\\0' x; echo; echo short", options);
      CHECK_THROWS_AS(co_await child.output().read_line(), io::too_long);
    }
  };
  run_with_children(scene::run());
}
