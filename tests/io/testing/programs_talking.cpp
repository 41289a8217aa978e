// What simulated children and whoever started them say to each other through pipes.
#include "io/testing/children.hpp"

#include <troupe/io/lines.hpp>

#include <algorithm>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::children;

namespace {

/// Writes as many bytes as its argument says.
coro<int> yes(program& self) {
  std::size_t left = std::stoul(self.arguments().at(0));
  while (left != 0) {
    const std::size_t size = std::min<std::size_t>(left, 4096);
    self.output().write(std::string(size, 'y'));
    co_await self.output().drain();
    left -= size;
  }
  co_return 0;
}

}  // namespace

TEST_CASE("a conversation with a child is the same in every order, and with short reads") {
  explore({.schedules = 300}, [](simulation& world) -> coro<> {
    programs installed(world);
    installed.add("bc", [](program& self) -> coro<int> {
      while (auto line = co_await self.input().next_line()) {
        self.output().write(std::to_string(std::stoi(*line) * 2), "\n");
        co_await self.output().drain();
      }
      co_return 0;
    });
    io::process child = co_await io::subprocess_exec("bc", {}, piped);
    for (int number = 10; number < 14; ++number) {
      child.input().write(std::to_string(number), "\n");
      const std::string line = co_await child.output().read_line();
      expect(line == std::to_string(2 * number) + "\n", "got " + line);
    }
    child.input().write_eof();
    const int code = co_await child.wait();
    expect(code == 0, "another returncode");
  });
}

TEST_CASE("a line that is taken for one read is found out") {
  const auto scenario = [](bool short_transfers) {
    return [short_transfers](simulation& world) -> coro<> {
      programs installed(world, {.short_transfers = short_transfers});
      installed.add("date", [](program& self) -> coro<int> {
        self.output().write("Thursday\n");
        co_return 0;
      });
      io::process child = co_await io::subprocess_exec("date", {}, reading);
      const io::bytes line = co_await child.output().read_some();
      expect(line.text() == "Thursday\n", "half a line was taken for one");
    };
  };
  const bool found = finds({.schedules = 500}, "half a line", scenario(true));
  CHECK(found);
  explore({.schedules = 500}, scenario(false));
}

TEST_CASE("communicate passes much both ways, whatever the order") {
  explore({.schedules = 30}, [](simulation& world) -> coro<> {
    programs installed(world, {.pipe_capacity = 4096});
    installed.add("cat", cat);
    std::string input(50'000, ' ');
    for (std::size_t at = 0; at < input.size(); ++at)
      input[at] = static_cast<char>('a' + at * 7 % 26);
    io::process child = co_await io::subprocess_exec("cat", {}, piped);
    const io::communicated said = co_await child.communicate(input);
    expect(said.output == input, "other output");
    expect(said.errors == "", "errors");
    expect(said.returncode == 0, "another returncode");
  });
}

TEST_CASE("a child that does not read all of its input is no error") {
  explore({.schedules = 100}, [](simulation& world) -> coro<> {
    programs installed(world, {.pipe_capacity = 100});
    installed.add("head", [](program& self) -> coro<int> {
      const std::string line = co_await self.input().read_line();
      self.output().write(line);
      co_return 0;
    });
    io::process child = co_await io::subprocess_exec("head", {}, piped);
    const io::communicated said = co_await child.communicate("one\n" + std::string(5'000, 'x'));
    expect(said.output == "one\n", "other output");
    expect(said.returncode == 0, "another returncode");
  });
}

TEST_CASE("communicate has a limit, after which the child is still there") {
  naturally([](programs& installed) -> coro<> {
    installed.add("yes", yes);
    io::process child = co_await io::subprocess_exec("yes", io::args("500000"), reading);
    const std::string why = co_await failure_of(child.communicate({}, {.limit = 1000}));
    CHECK(why.find("more than the limit") != std::string::npos);
    CHECK(installed.running("yes") == 1);
  });
}

TEST_CASE("communicate that is out of time is gone on with, and nothing is lost") {
  explore({.schedules = 200}, [](simulation& world) -> coro<> {
    programs installed(world);
    installed.add("slow", [](program& self) -> coro<int> {
      while (auto line = co_await self.input().next_line()) {
        co_await sleep(1s);
        self.output().write(*line, "!");
      }
      co_return 0;
    });
    io::process child = co_await io::subprocess_exec("slow", {}, piped);
    bool late = false;
    try {
      co_await timeout(1500ms, child.communicate("a\nb\n"));
    } catch (const timeout_error&) {
      late = true;
    }
    expect(late, "it was in time");
    expect(installed.running() == 1, "the child has gone");
    const io::communicated said = co_await child.communicate();
    expect(said.output == "a!b!", "other output: " + *said.output);
    expect(said.returncode == 0, "another returncode");
  });
}

TEST_CASE("a child that nobody reads waits until somebody does, and no longer") {
  naturally(
      [](programs& installed) -> coro<> {
        installed.add("yes", yes);
        // The streams of a script keep nothing back.
        io::process child = co_await io::subprocess_exec("yes", io::args("1000000"), reading);
        co_await sleep(1h);
        CHECK_FALSE(child.ended());
        const io::bytes all = co_await child.output().read_all();
        CHECK(all.size() == 1'000'000);
        const int code = co_await child.wait();
        CHECK(code == 0);
      },
      {.pipe_capacity = 1000});
}

TEST_CASE("what was written when a script ends still leaves, if it is read") {
  naturally(
      [](programs& installed) -> coro<> {
        installed.add("fast", [](program& self) -> coro<int> {
          self.output().write(std::string(10'000, 'x'));
          co_return 3;
        });
        io::process child = co_await io::subprocess_exec("fast", {}, reading);
        co_await sleep(1h);
        CHECK_FALSE(child.ended());
        const io::bytes all = co_await child.output().read_all();
        CHECK(all.size() == 10'000);
        int code = co_await child.wait();
        CHECK(code == 3);
        // Killed, it has lost what did not fit into the pipe.
        child = co_await io::subprocess_exec("fast", {}, reading);
        co_await sleep(1h);
        child.kill();
        code = co_await child.wait();
        CHECK(code == -SIGKILL);
        const io::bytes some = co_await child.output().read_all();
        CHECK(some.size() == 100);
      },
      {.pipe_capacity = 100});
}

TEST_CASE("who writes to what nobody reads any more ends by SIGPIPE, or is told") {
  for (const bool ignores : {false, true}) {
    naturally([ignores](programs& installed) -> coro<> {
      installed.add("yes", [ignores](program& self) -> coro<int> {
        if (ignores) self.ignore(SIGPIPE);
        for (;;) {
          self.output().write("yes\n");
          try {
            co_await self.output().drain();
          } catch (const std::system_error& error) {
            if (!ignores) throw;
            co_return error.code() == std::errc::broken_pipe ? 5 : 6;
          }
          co_await sleep(1s);
        }
      });
      io::process child = co_await io::subprocess_exec("yes", {}, reading);
      co_await child.output().read_line();
      child.output().close();
      const int code = co_await child.wait();
      CHECK(code == (ignores ? 5 : -SIGPIPE));
    });
  }
}

TEST_CASE("a script may close what it reads and writes, and hand it on") {
  naturally([](programs& installed) -> coro<> {
    installed.add("daemon", [](program& self) -> coro<int> {
      self.output().write("going\n");
      self.output().close();
      io::stream mine = std::move(self.input());
      const std::string line = co_await mine.read_line();
      CHECK(line == "go on\n");
      mine.abort();
      self.errors().write("still here\n");
      co_await sleep(1s);
      co_return 0;
    });
    io::process child = co_await io::subprocess_exec("daemon", {}, piped);
    const io::bytes all = co_await child.output().read_all();
    CHECK(all.text() == "going\n");
    CHECK_FALSE(child.ended());
    child.input().write("go on\n");
    const std::string line = co_await child.errors().read_line();
    CHECK(line == "still here\n");
    CHECK_FALSE(child.ended());
    child.input().write("more\n");
    CHECK_THROWS_AS(co_await child.input().drain(), std::system_error);
    co_await child.wait();
  });
}

TEST_CASE("streams of a child may be moved away and outlive its process") {
  naturally([](programs& installed) -> coro<> {
    installed.add("cat", cat);
    io::process child = co_await io::subprocess_exec("cat", {}, piped);
    io::stream from = std::move(child.output());
    io::stream to = std::move(child.input());
    to.write("before\n");
    const std::string line = co_await from.read_line();
    CHECK(line == "before\n");
    co_await child.stop();
    const io::bytes rest = co_await from.read_all();
    CHECK(rest.empty());
    to.write("after\n");
    CHECK_THROWS_AS(co_await to.drain(), std::system_error);
  });
}

TEST_CASE("the same seed is the same run") {
  const auto scenario = [](programs& installed) -> coro<> {
    installed.add("cat", cat);
    installed.add("yes", yes);
    installed.add("mule", stubborn);
    io::process mule = co_await io::subprocess_exec("mule", {}, reading);
    io::process one = co_await io::subprocess_exec("cat", {}, piped);
    io::process two = co_await io::subprocess_exec("yes", io::args("3000"), reading);
    auto talking = create_task(one.communicate(std::string(5000, 'x')));
    const io::communicated said = co_await two.communicate();
    CHECK(said.output->size() == 3000);
    co_await talking;
    co_await mule.output().read_line();
  };
  std::vector<std::uint64_t> all;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::uint64_t once = by_seed(seed, scenario, {.pipe_capacity = 500});
    const std::uint64_t again = by_seed(seed, scenario, {.pipe_capacity = 500});
    CHECK(once == again);
    all.push_back(once);
  }
  std::sort(all.begin(), all.end());
  const bool twice = std::adjacent_find(all.begin(), all.end()) != all.end();
  CHECK_FALSE(twice);
}

TEST_CASE("an exhaustive search comes to its end for a child that says something") {
  const exploration all =
      explore({.schedules = 200'000, .how = search::exhaustive}, [](simulation& world) -> coro<> {
        programs installed(world, {.short_transfers = false});
        installed.add("true", [](program&) -> coro<int> { co_return 0; });
        io::process child = co_await io::subprocess_exec("true");
        const int code = co_await child.wait();
        expect(code == 0, "another returncode");
      });
  CHECK(all.complete);
}
