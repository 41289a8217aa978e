// Children played by scripts: what a script sees, and what whoever starts it does.
#include "io/testing/children.hpp"

#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/on.hpp>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::children;
using step = io::spawn_error::step;

namespace {

/// How starting a child fails.
struct failed_start {
  bool failed = false;
  step at{};
  std::error_code code;
  std::string text;
};
coro<failed_start> start_failing(std::string program, std::vector<std::string> arguments = {}) {
  failed_start result;
  try {
    io::process child = co_await io::subprocess_exec(std::move(program), std::move(arguments));
  } catch (const io::spawn_error& error) {
    result = {true, error.at(), error.code(), error.what()};
  }
  co_return result;
}

coro<std::string> output_of(std::string program, io::process_options how = reading) {
  io::process child = co_await io::subprocess_exec(std::move(program), {}, how);
  io::communicated said = co_await child.communicate();
  co_return said.output.value_or("no pipe") + "|" + std::to_string(said.returncode.value_or(999));
}

}  // namespace

TEST_CASE("a program under test counts the lines of what another prints, in every order") {
  explore({.schedules = 300}, [](simulation& world) -> coro<> {
    programs installed(world);
    installed.add("ls", [](program& self) -> coro<int> {
      for (const char* each : {"apples\n", "pears\n"}) {
        self.output().write(each);
        co_await sleep(1ms);
      }
      co_return 0;
    });
    installed.add("wc", wc);
    // Here begins what would be the program's.
    io::process listing = co_await io::subprocess_exec("ls", {}, reading);
    io::process counting = co_await io::subprocess_exec(
        "wc", io::args("-c"), {.input = io::stdio::pipe, .output = io::stdio::pipe});
    const io::communicated files = co_await listing.communicate();
    const io::communicated count = co_await counting.communicate(*files.output);
    expect(count.output == "13\n", "counted " + *count.output);
    expect(files.returncode == 0 && count.returncode == 0, "one of them failed");
  });
}

TEST_CASE("a script sees how it was started") {
  naturally([](programs& installed) -> coro<> {
    int pid = 0;
    installed.add("tool", [&pid](program& self) -> coro<int> {
      CHECK(self.name() == "/opt/bin/tool");
      CHECK(self.arguments() == io::args("-v", "two words"));
      CHECK(self.cwd() == "/srv");
      CHECK(self.environment("COLOUR") == "blue");
      CHECK(self.environment("EMPTY") == "");
      CHECK_FALSE(self.environment("NO_SUCH_VARIABLE").has_value());
      CHECK(self.environment("PATH").has_value());
      pid = self.pid();
      co_return 300;
    });
    const std::vector<std::string> env{"COLOUR=blue", "EMPTY="};
    io::process child = co_await io::subprocess_exec("/opt/bin/tool", io::args("-v", "two words"),
                                                     {.cwd = "/srv", .add_env = env});
    const int code = co_await child.wait();
    CHECK(code == 300 % 256);
    CHECK(pid == child.pid());
    CHECK(child.ended());
    CHECK(child.returncode() == 44);
    CHECK_FALSE(child.terminate());
  });
}

TEST_CASE("an environment that is given is all that a script sees of one") {
  naturally([](programs& installed) -> coro<> {
    installed.add("env", [](program& self) -> coro<int> {
      CHECK(self.environment("ONLY") == "this");
      CHECK_FALSE(self.environment("PATH").has_value());
      co_return 0;
    });
    const std::vector<std::string> env{"ONLY=this"};
    io::process child = co_await io::subprocess_exec("env", {}, {.env = env});
    co_await child.wait();
  });
}

TEST_CASE("what is not installed is not there, as in reality") {
  naturally([](programs& installed) -> coro<> {
    installed.add("wc", wc);
    failed_start how = co_await start_failing("no-such-program");
    CHECK(how.at == step::program);
    CHECK(how.code == std::errc::no_such_file_or_directory);
    CHECK(how.text.find("'no-such-program'") != std::string::npos);
    installed.remove("wc");
    how = co_await start_failing("/usr/bin/wc");
    CHECK(how.code == std::errc::no_such_file_or_directory);
    CHECK(installed.runs().empty());
    CHECK(installed.running() == 0);
  });
}

TEST_CASE(
    "a program is found by its name in any folder, and by its path where that was installed") {
  naturally([](programs& installed) -> coro<> {
    installed.add("tool", [](program&) -> coro<int> { co_return 1; });
    installed.add("/opt/new/tool", [](program&) -> coro<int> { co_return 2; });
    const auto code_of = [](std::string name, io::process_options how) -> coro<int> {
      io::process child = co_await io::subprocess_exec(std::move(name), {}, how);
      const int code = co_await child.wait();
      co_return code;
    };
    int code = co_await code_of("tool", {});
    CHECK(code == 1);
    code = co_await code_of("/usr/bin/tool", {});
    CHECK(code == 1);
    code = co_await code_of("/opt/new/tool", {});
    CHECK(code == 2);
    const std::vector<std::string> path{"PATH=/opt/old:/opt/new"};
    code = co_await code_of("tool", {.env = path});
    CHECK(code == 1);  // in /opt/old
    installed.remove("tool");
    code = co_await code_of("tool", {.env = path});
    CHECK(code == 2);
  });
}

TEST_CASE("the shell does the commands that it was taught, and finds no others") {
  naturally([](programs& installed) -> coro<> {
    installed.add_shell("ls | wc -l", [](program& self) -> coro<int> {
      CHECK(self.name() == "/bin/sh");
      CHECK(self.arguments() == io::args("-c", "ls | wc -l"));
      self.output().write("7\n");
      co_return 0;
    });
    io::process child = co_await io::subprocess_shell("ls | wc -l", reading);
    io::communicated said = co_await child.communicate();
    CHECK(said.output == "7\n");
    child = co_await io::subprocess_shell("rm -rf /", piped);
    said = co_await child.communicate();
    CHECK(said.returncode == 127);
    CHECK(said.errors == "/bin/sh: 1: rm -rf /: not found\n");

    installed.add("sh", [](program& self) -> coro<int> {
      self.output().write(self.arguments().back());
      co_return 3;
    });
    child = co_await io::subprocess_shell("whatever", reading);
    said = co_await child.communicate();
    CHECK(said.output == "whatever");
    CHECK(said.returncode == 3);
    CHECK(installed.runs("sh").size() == 1);
    CHECK(installed.runs("ls | wc -l").size() == 1);
  });
}

TEST_CASE("without a shell there is none") {
  naturally([](programs&) -> coro<> {
    const std::string why = co_await failure_of(io::subprocess_shell("ls"));
    CHECK(why.find("'/bin/sh'") != std::string::npos);
  });
}

TEST_CASE("what was started is on record") {
  naturally([](programs& installed) -> coro<> {
    installed.add("says", says);
    installed.add("server", forever);
    io::process one = co_await io::subprocess_exec("says", io::args("a", "b"));
    co_await one.wait();
    io::process two = co_await io::subprocess_exec("/usr/sbin/server");
    CHECK(installed.running("server") == 1);
    CHECK(installed.running("says") == 0);
    CHECK(installed.running() == 1);
    const std::vector<program_run> runs = installed.runs();
    REQUIRE(runs.size() == 2);
    CHECK(runs[0].name == "says");
    CHECK(runs[0].arguments == io::args("a", "b"));
    CHECK(runs[0].returncode == 0);
    CHECK(runs[1].name == "server");
    CHECK(runs[1].pid == two.pid());
    CHECK(runs[1].pid == runs[0].pid + 1);
    CHECK_FALSE(runs[1].returncode.has_value());
    const int code = co_await two.stop();
    CHECK(code == -SIGTERM);
    CHECK(installed.runs("server").front().returncode == -SIGTERM);
  });
}

TEST_CASE(
    "where a standard stream is no pipe there is nothing to read, and what is written is dropped") {
  naturally([](programs& installed) -> coro<> {
    installed.add("copy", [](program& self) -> coro<int> {
      const io::bytes all = co_await self.input().read_all();
      self.output().write(std::string(1'000'000, 'x'));
      co_await self.output().drain();
      self.errors().write("done");
      co_return static_cast<int>(all.size());
    });
    std::string said = co_await output_of("copy", {});
    CHECK(said == "no pipe|0");
    said = co_await output_of(
        "copy", {.input = io::stdio::null, .output = io::stdio::null, .errors = io::stdio::null});
    CHECK(said == "no pipe|0");
  });
}

TEST_CASE("errors that are merged go where the output goes, in order") {
  naturally([](programs& installed) -> coro<> {
    installed.add("both", [](program& self) -> coro<int> {
      self.output().write("one ");
      self.errors().write("two ");
      self.output().write("three");
      co_return 0;
    });
    std::string said =
        co_await output_of("both", {.output = io::stdio::pipe, .errors = io::stdio::merged});
    CHECK(said == "one two three|0");
    said = co_await output_of("both", {.errors = io::stdio::merged});
    CHECK(said == "no pipe|0");
  });
}

TEST_CASE("what a simulated child cannot have is refused in words") {
  naturally([](programs& installed) -> coro<> {
    installed.add("wc", wc);
    const auto refused = [](io::process_options how) {
      return failure_of(io::subprocess_exec("wc", {}, how));
    };
    std::string why = co_await refused({.output = io::stdio::file("/tmp/out")});
    CHECK(why.find("cannot lead to a file") != std::string::npos);
    CHECK(why.find("'/tmp/out'") != std::string::npos);
    why = co_await refused({.errors = io::stdio::append("/tmp/log")});
    CHECK(why.find("cannot lead to a file") != std::string::npos);
    why = co_await refused({.input = io::stdio::use(0)});
    CHECK(why.find("cannot lead to a descriptor") != std::string::npos);
    const std::vector<int> pass{5};
    why = co_await refused({.pass = pass});
    CHECK(why.find("no descriptors can be passed on") != std::string::npos);
    CHECK(installed.runs().empty());
  });
}

TEST_CASE("a start takes as long as it is said to, and the child is there meanwhile") {
  naturally(
      [](programs& installed) -> coro<> {
        installed.add("says", says);
        io::process child = co_await io::subprocess_exec("says", io::args("x"), reading);
        CHECK(loop::current()->time().time_since_epoch() == 0s);
        CHECK(installed.running("says") == 1);
        const io::communicated said = co_await child.communicate();
        CHECK(said.output == "x\n");
        CHECK(loop::current()->time().time_since_epoch() == 3s);
        child = co_await io::subprocess_exec("says", io::args("x"), reading);
        child.terminate();
        const int code = co_await child.wait();
        CHECK(code == -SIGTERM);
        CHECK(loop::current()->time().time_since_epoch() == 3s);
      },
      {.start_delay = 3s});
}

TEST_CASE("a program can be told to fail to start, until it is installed again") {
  naturally([](programs& installed) -> coro<> {
    installed.add("wc", wc);
    installed.start_fails("wc", std::make_error_code(std::errc::permission_denied), step::program);
    failed_start how = co_await start_failing("wc");
    CHECK(how.at == step::program);
    CHECK(how.code == std::errc::permission_denied);
    installed.add("wc", wc);
    how = co_await start_failing("wc");
    CHECK_FALSE(how.failed);
  });
}

TEST_CASE("without programs a simulation says what to do, and so does virtual time alone") {
  const auto try_it = []() -> coro<std::string> {
    const std::string why = co_await failure_of(io::subprocess_exec("true"));
    co_return why;
  };
  first_come natural;
  simulation world(natural);
  std::string why = world.run(try_it());
  CHECK(why.find("make a testing::programs first") != std::string::npos);
  why = troupe::testing::run(try_it());
  CHECK(why.find("virtual time") != std::string::npos);
  CHECK(why.find("testing::programs") != std::string::npos);
}

TEST_CASE("a simulation has programs once") {
  first_come natural;
  simulation world(natural);
  programs installed(world);
  CHECK_THROWS_AS(programs(world), invalid_state);
  CHECK_THROWS_AS(programs(), invalid_state);
  first_come other_natural;
  simulation other(other_natural);
  CHECK_THROWS_AS(programs(other, {.pipe_capacity = 0}), std::invalid_argument);
  CHECK_THROWS_AS(installed.add("", wc), std::invalid_argument);
  CHECK_THROWS_AS(installed.add("wc", {}), std::invalid_argument);
  CHECK_THROWS_AS(installed.kill("wc", 0), std::invalid_argument);
}

TEST_CASE("a script that throws is a failure of the scenario, with the program's name") {
  const bool found = finds({.schedules = 10}, "program 'wc', process 10000001, failed",
                           [](simulation& world) -> coro<> {
                             programs installed(world);
                             installed.add("wc", [](program& self) -> coro<int> {
                               static_cast<void>(co_await self.input().read_line());
                               throw std::runtime_error("cannot count");
                             });
                             io::process child = co_await io::subprocess_exec("wc", {}, piped);
                             co_await child.communicate("x\n");
                           },
                           {"wc (10000001) is started: wc", "wc (10000001) is given 'x\\n'",
                            "wc (10000001) is ended by signal 6"});
  CHECK(found);
}

TEST_CASE("where a script may throw, its program has ended by SIGABRT") {
  explore({.schedules = 20, .expects = [](const failure_report&) { return true; }},
          [](simulation& world) -> coro<> {
            programs installed(world);
            installed.add("bad", [](program&) -> coro<int> {
              co_await sleep(1s);
              throw std::runtime_error("bad");
            });
            io::process child = co_await io::subprocess_exec("bad");
            const int code = co_await child.wait();
            expect(code == -SIGABRT, "another returncode");
          });
}

TEST_CASE("children live on the loop that they were started on, and have one row of numbers") {
  explore({.schedules = 100, .threads = 3}, [](simulation& world) -> coro<> {
    programs installed(world);
    installed.add("wc", wc);
    installed.add("server", forever);
    const auto on_loop = [](std::size_t index) -> coro<int> {
      loop& home = runtime::current()->loop_at(index);
      co_await on(home);
      int pid = 0;
      {
        io::process child = co_await io::subprocess_exec("wc", {}, piped);
        const io::communicated said = co_await child.communicate("12345");
        expect(said.output == "5\n", "miscounted");
        pid = child.pid();
      }
      io::process server = co_await io::subprocess_exec("server");
      const int code = co_await server.wait();
      expect(code == -SIGKILL, "not killed");
      co_return pid;
    };
    auto all = gather(on_loop(0), on_loop(1), on_loop(2));
    co_await world.until([&] { return installed.running("server") == 3; });
    const std::size_t killed = installed.kill("server");
    expect(killed == 3, "three were running");
    const auto [a, b, c] = co_await all;
    expect(a != b && b != c && a != c, "two have one number");
  });
}
