// Simulated children that have children: groups, what they share, and who is left behind.
#include "io/testing/children.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::children;

namespace {

/// Starts a server and waits for it, in whichever group; handles SIGTERM if it is told to.
programs::script parent_of_server(io::process_group group) {
  return [group](program& self) -> coro<int> {
    io::process child = co_await io::subprocess_exec("server", {}, {.group = group});
    self.output().write(std::to_string(child.pid()), "\n");
    co_return co_await child.wait();
  };
}

}  // namespace

TEST_CASE("a script starts children as any program does") {
  explore({.schedules = 200}, [](simulation& world) -> coro<> {
    programs installed(world);
    installed.add("wc", wc);
    installed.add_shell("echo 1234 | wc -c", [](program& self) -> coro<int> {
      io::process counting = co_await io::subprocess_exec(
          "wc", io::args("-c"), {.input = io::stdio::pipe, .output = io::stdio::pipe});
      const io::communicated said = co_await counting.communicate("1234\n");
      self.output().write(*said.output);
      co_return *said.returncode;
    });
    io::process child = co_await io::subprocess_shell("echo 1234 | wc -c", reading);
    const io::communicated said = co_await child.communicate();
    expect(said.output == "5\n", "miscounted");
    expect(said.returncode == 0, "another returncode");
  });
}

TEST_CASE("a child in the group of its parent ends with it, where that has a group of its own") {
  explore({.schedules = 100}, [](simulation& world) -> coro<> {
    programs installed(world);
    installed.add("server", forever);
    installed.add("parent", parent_of_server(io::process_group::same));
    io::process child = co_await io::subprocess_exec("parent", {}, reading);
    co_await child.output().read_line();
    expect(installed.running("server") == 1, "it does not run");
    co_await child.stop();
    co_await sleep(1s);
    expect(installed.running() == 0, "somebody was left");
    expect(installed.runs("server").front().returncode == -SIGTERM, "ended otherwise");
  });
}

TEST_CASE("a signal to a group reaches all of it, and to a process only that") {
  naturally([](programs& installed) -> coro<> {
    installed.add("server", forever);
    installed.add("parent", parent_of_server(io::process_group::same));
    io::process child = co_await io::subprocess_exec("parent", {}, reading);
    co_await child.output().read_line();
    CHECK(child.kill());
    int code = co_await child.wait();
    CHECK(code == -SIGKILL);
    CHECK(installed.running("server") == 1);
    CHECK_FALSE(child.terminate());
    CHECK(child.signal_group(SIGINT));
    co_await sleep(1s);
    CHECK(installed.running() == 0);
    CHECK(installed.runs("server").front().returncode == -SIGINT);
    CHECK_FALSE(child.signal_group(SIGKILL));

    child = co_await io::subprocess_exec("server", {}, {.group = io::process_group::same});
    CHECK_THROWS_AS(child.signal_group(SIGTERM), invalid_state);
    code = co_await child.stop();
    CHECK(code == -SIGTERM);
    child = co_await io::subprocess_exec("server", {}, {.group = io::process_group::session});
    CHECK(child.signal_group(SIGTERM));
    code = co_await child.wait();
    CHECK(code == -SIGTERM);
  });
}

TEST_CASE("what a child has left behind in its group ends when its process goes, be it stubborn") {
  naturally([](programs& installed) -> coro<> {
    installed.add("mule", stubborn);
    std::optional<io::process> kept;
    installed.add("parent", [&kept](program&) -> coro<int> {
      kept.emplace(co_await io::subprocess_exec("mule", {}, {.group = io::process_group::same}));
      co_await sleep(1s);
      co_return 0;
    });
    {
      io::process child = co_await io::subprocess_exec("parent", {}, {.grace = 5s});
      const int code = co_await child.wait();
      CHECK(code == 0);
      CHECK(installed.running("mule") == 1);
    }
    co_await sleep(4s);
    CHECK(installed.running("mule") == 1);
    co_await sleep(2s);
    CHECK(installed.running("mule") == 0);
    CHECK(kept->ended());
  });
}

TEST_CASE("a killed parent leaves behind the children that have groups of their own") {
  explore({.schedules = 100}, [](simulation& world) -> coro<> {
    programs installed(world);
    installed.add("server", forever);
    installed.add("parent", parent_of_server(io::process_group::own));
    {
      io::process child = co_await io::subprocess_exec("parent", {}, reading);
      co_await child.output().read_line();
      child.kill();
      const int code = co_await child.wait();
      expect(code == -SIGKILL, "another returncode");
    }
    co_await sleep(1h);
    expect(installed.running("parent") == 0, "the parent runs");
    expect(installed.running("server") == 1, "its child ended with it");
  });
}

TEST_CASE("a parent that handles SIGTERM ends its children before it does") {
  naturally([](programs& installed) -> coro<> {
    installed.add("server", forever);
    installed.add("parent", [](program& self) -> coro<int> {
      self.handle(SIGTERM);
      io::process child = co_await io::subprocess_exec("server");
      co_await self.next_signal();
      co_return -co_await child.stop();
    });
    io::process child = co_await io::subprocess_exec("parent");
    co_await sleep(1s);
    const int code = co_await child.stop();
    CHECK(code == SIGTERM);
    CHECK(installed.running() == 0);
  });
}

TEST_CASE("who has inherited a pipe holds it open, and communicate does not wait for it for ever") {
  naturally([](programs& installed) -> coro<> {
    installed.add("daemon", [](program& self) -> coro<int> {
      self.ignore(SIGTERM);
      self.output().write("from the daemon\n");
      co_await sleep(1h);
      co_return 0;
    });
    std::optional<io::process> kept;
    installed.add("starter", [&kept](program& self) -> coro<int> {
      self.output().write("started\n");
      kept.emplace(co_await io::subprocess_exec("daemon", {}, {.group = io::process_group::same}));
      co_await sleep(1s);
      co_return 0;
    });
    io::process child = co_await io::subprocess_exec("starter", {}, reading);
    const io::communicated said = co_await child.communicate();
    CHECK(said.output == "started\nfrom the daemon\n");
    CHECK(said.returncode == 0);
    CHECK(said.cut);
    CHECK(loop::current()->time().time_since_epoch() == 3s);
  });
}

TEST_CASE("a child reads what its parent was given") {
  naturally([](programs& installed) -> coro<> {
    installed.add("cat", cat);
    installed.add("wrapper", [](program&) -> coro<int> {
      io::process inner = co_await io::subprocess_exec("cat");
      co_return co_await inner.wait();
    });
    io::process child = co_await io::subprocess_exec("wrapper", {}, piped);
    const io::communicated said = co_await child.communicate("through two");
    CHECK(said.output == "through two");
    CHECK(said.returncode == 0);
    CHECK_FALSE(said.cut);
  });
}

TEST_CASE("a child has the environment and the folder of its parent") {
  naturally([](programs& installed) -> coro<> {
    installed.add("inner", [](program& self) -> coro<int> {
      CHECK(self.environment("A") == "2");
      CHECK(self.environment("B") == "3");
      CHECK_FALSE(self.environment("PATH").has_value());
      CHECK(self.cwd() == "/srv");
      co_return 0;
    });
    installed.add("outer", [](program&) -> coro<int> {
      const std::vector<std::string> more{"B=3"};
      io::process child = co_await io::subprocess_exec("inner", {}, {.add_env = more});
      co_return co_await child.wait();
    });
    const std::vector<std::string> env{"A=2", "B=2"};
    io::process child = co_await io::subprocess_exec("outer", {}, {.cwd = "/srv", .env = env});
    const int code = co_await child.wait();
    CHECK(code == 0);
    CHECK(installed.runs("inner").size() == 1);
  });
}

TEST_CASE("families that are killed at random moments leave nothing in the group of who has gone") {
  explore({.schedules = 300, .threads = 2}, [](simulation& world) -> coro<> {
    programs installed(world, {.faults = 3});
    installed.add("server", forever);
    installed.add("mule", stubborn);
    installed.add("parent", [](program& self) -> coro<int> {
      try {
        io::process one =
            co_await io::subprocess_exec("server", {}, {.group = io::process_group::same});
        io::process two = co_await io::subprocess_exec(
            "mule", {}, {.output = io::stdio::pipe, .group = io::process_group::same});
        self.output().write("ready\n");
        co_await two.output().read_line();
        co_return co_await one.wait();
      } catch (const io::spawn_error&) {
        co_return 1;
      }
    });
    try {
      io::process child = co_await io::subprocess_exec("parent", {}, reading);
      co_await child.output().read_line();
      for (std::size_t turns = world.choose(20); turns > 0; --turns) co_await sleep(0s);
      if (world.choose(2) == 1) child.kill();
    } catch (const io::spawn_error&) {
    }
    co_await sleep(1min);
    expect(installed.running() == 0, "somebody was left");
  });
}
