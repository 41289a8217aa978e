// Children as asyncio has them: the entries of the conformance list, by their tags.
#include "scenarios/children.hpp"

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("a child is fed and read by hand", "[subproc-01]") {
  struct scene {
    static coro<> run() {
      io::process child = co_await io::subprocess_exec(
          "cat", {}, {.input = io::stdio::pipe, .output = io::stdio::pipe});
      child.input().write("what goes in ");
      co_await child.input().drain();
      child.input().write("comes out");
      co_await child.input().drain();
      CHECK_FALSE(child.returncode().has_value());
      child.input().close();
      const io::bytes got = co_await child.output().read_all();
      CHECK(got.text() == "what goes in comes out");
      const int code = co_await child.wait();
      CHECK(code == 0);
      CHECK(child.returncode() == 0);
      CHECK(child.ended());
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("communicate without input closes the child's stdin", "[subproc-03]") {
  struct scene {
    static coro<> run() {
      io::process child = co_await io::subprocess_exec(
          "cat", {}, {.input = io::stdio::pipe, .output = io::stdio::pipe});
      const io::communicated said = co_await child.communicate();
      CHECK(said.output == "");
      CHECK_FALSE(said.errors.has_value());
      CHECK(said.returncode == 0);
      CHECK_FALSE(said.cut);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a stream that is no pipe gives nothing, which is not empty output", "[subproc-05]") {
  struct scene {
    static coro<> run() {
      const char* const both = "cat; echo OUT:; echo ERR: >&2";
      io::process child = co_await io::subprocess_shell(
          both, {.input = io::stdio::pipe, .output = io::stdio::null, .errors = io::stdio::pipe});
      io::communicated said = co_await child.communicate("dropped");
      CHECK_FALSE(said.output.has_value());
      CHECK(said.errors == "ERR:\n");
      CHECK_THROWS_AS(child.output(), invalid_state);

      child = co_await io::subprocess_shell(
          both, {.input = io::stdio::null, .output = io::stdio::pipe, .errors = io::stdio::null});
      said = co_await child.communicate();
      CHECK(said.output == "OUT:\n");
      CHECK_FALSE(said.errors.has_value());
      CHECK_THROWS_AS(child.input(), invalid_state);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("errors can be merged into the output, in the order of writing", "[subproc-05]") {
  struct scene {
    static coro<> run() {
      const char* const both = "echo OUT:1; echo ERR:1 >&2; echo OUT:2; echo ERR:2 >&2";
      io::process child = co_await io::subprocess_shell(
          both, {.output = io::stdio::pipe, .errors = io::stdio::merged});
      io::communicated said = co_await child.communicate();
      CHECK(said.output == "OUT:1\nERR:1\nOUT:2\nERR:2\n");
      CHECK_FALSE(said.errors.has_value());

      child = co_await io::subprocess_shell(both, piped);
      said = co_await child.communicate();
      CHECK(said.output == "OUT:1\nOUT:2\n");
      CHECK(said.errors == "ERR:1\nERR:2\n");
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a child that a signal ends has the negated number as its returncode", "[subproc-07]") {
  struct scene {
    static coro<int> after(bool (*end)(io::process&)) {
      io::process child = co_await io::subprocess_shell("echo ready; exec sleep 3600", reading);
      co_await child.output().read_line();
      const bool told = end(child);
      CHECK(told);
      co_return co_await child.wait();
    }
    static coro<> run() {
      int code = co_await after([](io::process& child) { return child.kill(); });
      CHECK(code == -SIGKILL);
      code = co_await after([](io::process& child) { return child.terminate(); });
      CHECK(code == -SIGTERM);
      code = co_await after([](io::process& child) { return child.send_signal(SIGHUP); });
      CHECK(code == -SIGHUP);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("wait does not wait for who has inherited a pipe of the child", "[subproc-09]") {
  struct scene {
    static coro<> run() {
      // The grandchild goes on until this closes its input, after the child has been waited for. A shell gives what it runs
      // in the background no input unless it is told to.
      io::process child =
          co_await io::subprocess_shell("exec 4<&0; (cat <&4; echo late) & exit 3",
                                        {.input = io::stdio::pipe, .output = io::stdio::pipe});
      const int code = co_await child.wait();
      CHECK(code == 3);
      child.input().write("not ");
      child.input().close();
      const io::bytes rest = co_await child.output().read_all();
      CHECK(rest.text() == "not late\n");
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a signal at the moment of the child's end does no harm", "[subproc-11]") {
  struct scene {
    static coro<> run() {
      for (int round = 0; round < 30; ++round) {
        io::process child = co_await io::subprocess_exec("sleep", io::args("0.02"));
        co_await sleep(std::chrono::microseconds(18'000 + 300 * round));
        static_cast<void>(child.terminate());
        const int code = co_await child.wait();
        CHECK((code == 0 || code == -SIGTERM));
        CHECK_FALSE(child.kill());
        CHECK_FALSE(child.terminate());
        CHECK_FALSE(child.send_signal(SIGHUP));
        CHECK(child.returncode() == code);
      }
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("output can be read after the child has ended", "[subproc-13]") {
  struct scene {
    static coro<> run() {
      io::process child = co_await io::subprocess_shell("head -c 60000 /dev/zero", reading);
      const int code = co_await child.wait();
      CHECK(code == 0);
      const io::bytes late = co_await child.output().read_all();
      CHECK(late.size() == 60'000);

      child = co_await io::subprocess_shell("head -c 262144 /dev/zero", reading);
      std::size_t got = 0;
      for (;;) {
        const io::bytes some = co_await child.output().read_some(65'536);
        if (some.empty()) break;
        got += some.size();
        co_await sleep(10ms);
      }
      CHECK(got == 262'144);
      co_await child.wait();
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a wait that is cancelled leaves the child alone", "[subproc-15]") {
  struct scene {
    static coro<int> wait_for(io::process& child) { co_return co_await child.wait(); }
    static coro<> run() {
      io::process child = co_await io::subprocess_exec("sleep", io::args("3600"));
      auto waiting = create_task(wait_for(child));
      co_await turns();
      waiting.cancel();
      CHECK_THROWS_AS(co_await waiting, cancelled);
      CHECK_FALSE(waiting.cancel());
      CHECK(alive(child.pid()));
      CHECK_FALSE(child.returncode().has_value());
      CHECK(child.kill());
      const int code = co_await child.wait();
      CHECK(code == -SIGKILL);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("many wait for one child and all get its returncode", "[subproc-15]") {
  struct scene {
    static coro<int> wait_for(io::process& child) { co_return co_await child.wait(); }
    static coro<> run() {
      io::process child = co_await io::subprocess_exec("cat", {}, {.input = io::stdio::pipe});
      std::vector<task<int>> waiting;
      for (int each = 0; each < 10; ++each) waiting.push_back(create_task(wait_for(child)));
      co_await turns();
      child.input().close();
      for (const task<int>& each : waiting) {
        const int code = co_await each;
        CHECK(code == 0);
      }
      for (int each = 0; each < 10; ++each) {
        const int code = co_await child.wait();
        CHECK(code == 0);
      }
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a running child whose process goes is ended, and collected", "[subproc-17]") {
  struct scene {
    static coro<> run() {
      int pid = 0;
      {
        const io::process child = co_await io::subprocess_exec("sleep", io::args("3600"));
        pid = child.pid();
        CHECK(alive(pid));
      }
      co_await poll_until([pid] { return state_of(pid) == '\0'; });
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a child that somebody else has collected gets no signal, and no made-up status",
          "[subproc-17]") {
  struct scene {
    static coro<> run() {
      io::process child = co_await io::subprocess_exec("sleep", io::args("3600"));
      const int pid = child.pid();
      REQUIRE(::kill(pid, SIGKILL) == 0);
      REQUIRE(::waitpid(pid, nullptr, 0) == pid);
      // Nobody has told the loop yet. The handle is that of the child, not of whoever gets its number next.
      CHECK_FALSE(child.send_signal(SIGUSR1));
      CHECK_FALSE(child.signal_group(SIGUSR1));
      CHECK_THROWS_AS(co_await child.wait(), io::status_lost);
      CHECK(child.ended());
      CHECK_FALSE(child.returncode().has_value());
      CHECK_THROWS_AS(co_await child.wait(), io::status_lost);
      CHECK_FALSE(child.kill());
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("ten children at once each give what is theirs", "[subproc-19]") {
  struct scene {
    static coro<io::communicated> say(int number) {
      io::process child = co_await io::subprocess_shell(
          "echo word" + std::to_string(number) + "; exit " + std::to_string(number), reading);
      co_return co_await child.communicate();
    }
    static coro<> run() {
      std::vector<task<io::communicated>> all;
      for (int number = 0; number < 10; ++number) all.push_back(create_task(say(number)));
      for (int number = 0; number < 10; ++number) {
        const io::communicated said = co_await all[static_cast<std::size_t>(number)];
        CHECK(said.output == "word" + std::to_string(number) + "\n");
        CHECK(said.returncode == number);
      }
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("who closes the child's output breaks its pipe and nothing else", "[subproc-21]") {
  struct scene {
    static coro<> run() {
      // A shell's own echo fails, instead of being ended by the signal, when the signal is ignored.
      io::process child = co_await io::subprocess_shell(
          "trap '' PIPE; while read -r line; do echo \"$line\" || echo broken >&2; done", piped);
      child.input().write("one\n");
      std::string line = co_await child.output().read_line();
      CHECK(line == "one\n");
      child.output().close();
      child.input().write("two\n");
      std::string said;
      while (said.find("broken\n") == std::string::npos) {
        line = co_await child.errors().read_line();
        REQUIRE_FALSE(line.empty());
        said += line;
      }
      child.input().close();
      co_await child.wait();
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("children that end before anybody looks leave nothing hanging", "[subproc-23]") {
  struct scene {
    static coro<> once() {
      io::process child = co_await io::subprocess_exec("sleep", io::args("0.002"), reading);
      static_cast<void>(co_await child.communicate());
    }
    static coro<> again_and_again() {
      for (;;) co_await once();
    }
    static coro<> run() {
      std::vector<task<>> all;
      for (int each = 0; each < 20; ++each) all.push_back(create_task(again_and_again()));
      co_await sleep(100ms);
      for (const task<>& each : all) each.cancel();
    }
  };
  for (int round = 0; round < 5; ++round) run_with_children(scene::run());
}
