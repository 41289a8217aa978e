// How simulated children end: by themselves, by signals, with their parents, and at the end of all.
#include "io/testing/children.hpp"

#include <troupe/runtime/gather.hpp>

#include <algorithm>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::children;

TEST_CASE("signals end a program that says nothing about them, but for those that do nothing") {
  naturally([](programs& installed) -> coro<> {
    installed.add("server", forever);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGKILL, SIGUSR1, SIGQUIT}) {
      io::process child = co_await io::subprocess_exec("server");
      for (const int harmless : {SIGCHLD, SIGCONT, SIGWINCH, SIGURG}) {
        const bool sent = child.send_signal(harmless);
        CHECK(sent);
      }
      co_await sleep(1s);
      CHECK_FALSE(child.ended());
      child.send_signal(signal);
      const int code = co_await child.wait();
      CHECK(code == -signal);
      CHECK_FALSE(child.send_signal(signal));
    }
  });
}

TEST_CASE("a program handles the signals that it asks for") {
  naturally([](programs& installed) -> coro<> {
    installed.add("server", [](program& self) -> coro<int> {
      self.handle(SIGHUP);
      self.handle(SIGTERM);
      self.output().write("ready\n");
      for (;;) {
        const int signal = co_await self.next_signal();
        if (signal == SIGTERM) break;
        self.output().write("hup\n");
      }
      co_await sleep(2s);
      self.output().write("bye\n");
      co_return 7;
    });
    io::process child = co_await io::subprocess_exec("server", {}, reading);
    co_await child.output().read_line();
    child.send_signal(SIGHUP);
    std::string line = co_await child.output().read_line();
    CHECK(line == "hup\n");
    const int code = co_await child.stop(1h);
    CHECK(code == 7);
    CHECK(loop::current()->time().time_since_epoch() == 2s);
    line = co_await child.output().read_line();
    CHECK(line == "bye\n");
  });
}

TEST_CASE(
    "a signal that comes twice before it is taken comes once, and a wait for one can be "
    "cancelled") {
  naturally([](programs& installed) -> coro<> {
    installed.add("server", [](program& self) -> coro<int> {
      self.handle(SIGUSR1);
      self.handle(SIGUSR2);
      co_await sleep(1s);
      int sum = 0;
      for (;;) {
        try {
          sum += co_await timeout(1s, self.next_signal());
        } catch (const timeout_error&) {
          break;
        }
      }
      self.restore(SIGUSR1);
      self.ignore(SIGUSR2);
      co_return sum;
    });
    io::process child = co_await io::subprocess_exec("server");
    co_await sleep(1ms);
    for (int times = 0; times < 3; ++times) {
      child.send_signal(SIGUSR2);
      child.send_signal(SIGUSR1);
      co_await sleep(1ms);
    }
    const int code = co_await child.wait();
    CHECK(code == SIGUSR1 + SIGUSR2);
  });
}

TEST_CASE("nobody handles SIGKILL, and nobody is stopped") {
  naturally([](programs& installed) -> coro<> {
    installed.add("server", [](program& self) -> coro<int> {
      CHECK_THROWS_AS(self.handle(SIGKILL), std::invalid_argument);
      CHECK_THROWS_AS(self.ignore(SIGSTOP), std::invalid_argument);
      CHECK_THROWS_AS(self.handle(0), std::invalid_argument);
      CHECK_THROWS_AS(self.handle(1000), std::invalid_argument);
      co_return co_await forever(self);
    });
    io::process child = co_await io::subprocess_exec("server");
    std::error_code why;
    try {
      child.send_signal(SIGSTOP);
    } catch (const std::system_error& error) {
      why = error.code();
    }
    CHECK(why == std::errc::operation_not_supported);
    CHECK_THROWS_AS(child.send_signal(0), std::invalid_argument);
    CHECK_THROWS_AS(installed.kill("server", SIGSTOP), std::system_error);
  });
}

TEST_CASE("a program that ignores SIGTERM is killed after the grace") {
  naturally([](programs& installed) -> coro<> {
    installed.add("mule", stubborn);
    io::process child = co_await io::subprocess_exec("mule", {}, reading);
    co_await child.output().read_line();
    CHECK(child.terminate());
    co_await sleep(1h);
    CHECK_FALSE(child.ended());
    const time_point before = loop::current()->time();
    const int code = co_await child.stop(5s);
    CHECK(code == -SIGKILL);
    CHECK(loop::current()->time() - before == 5s);
  });
}

TEST_CASE("a process that goes takes its child with it, at once or after the grace") {
  naturally([](programs& installed) -> coro<> {
    installed.add("server", forever);
    installed.add("mule", stubborn);
    {
      io::process child = co_await io::subprocess_exec("server");
      io::process mule =
          co_await io::subprocess_exec("mule", {}, {.output = io::stdio::pipe, .grace = 4s});
      co_await mule.output().read_line();
      CHECK(installed.running() == 2);
    }
    co_await sleep(1s);
    CHECK(installed.running("server") == 0);
    CHECK(installed.running("mule") == 1);
    co_await sleep(4s);
    CHECK(installed.running() == 0);
    CHECK(installed.runs("server").front().returncode == -SIGTERM);
    CHECK(installed.runs("mule").front().returncode == -SIGKILL);
  });
}

TEST_CASE("a child goes with the task that was cancelled, wherever that waits") {
  explore({.schedules = 200}, [](simulation& world) -> coro<> {
    programs installed(world);
    installed.add("cat", cat);
    const auto have_child = []() -> coro<> {
      io::process child = co_await io::subprocess_exec("cat", {}, piped);
      child.input().write("hello\n");
      co_await child.input().drain();
      co_await child.output().read_line();
      co_await child.communicate("more");
      co_await child.wait();
    };
    auto having = create_task(have_child());
    for (std::size_t turns = world.choose(20); turns > 0; --turns) co_await sleep(0s);
    having.cancel();
    try {
      co_await having;
    } catch (const cancelled&) {
    }
    co_await sleep(1s);
    expect(installed.running() == 0, "a child was left");
  });
}

TEST_CASE("what a killed program has written can be read, and its pipes end") {
  explore({.schedules = 300}, [](simulation& world) -> coro<> {
    programs installed(world);
    installed.add("talker", [](program& self) -> coro<int> {
      self.output().write("all of this");
      co_await sleep(1h);
      self.output().write("never");
      co_return 0;
    });
    io::process child = co_await io::subprocess_exec("talker", {}, piped);
    co_await sleep(1s);
    child.kill();
    const io::communicated said = co_await child.communicate("nobody reads this");
    expect(said.output == "all of this", "read '" + *said.output + "'");
    expect(said.returncode == -SIGKILL, "another returncode");
    expect(!said.cut, "it was cut off");
    expect(world.time().time_since_epoch() == 1s, "it took time");
  });
}

TEST_CASE("a script that was killed has been wound up before its parent hears of it") {
  explore({.schedules = 200}, [](simulation& world) -> coro<> {
    programs installed(world);
    bool there = false;
    installed.add("server", [&there](program&) -> coro<int> {
      const struct presence {
        explicit presence(bool& flag) : here(flag) { here = true; }
        ~presence() { here = false; }
        bool& here;
      } mine(there);
      for (int lives = 0; lives < 9; ++lives) {
        try {
          co_await sleep(1h);
        } catch (const cancelled&) {
          // It does not live on by this.
        }
      }
      co_return 0;
    });
    io::process child = co_await io::subprocess_exec("server");
    co_await sleep(1s);
    expect(there, "it does not run");
    child.kill();
    co_await child.wait();
    expect(!there, "it outlives its end");
  });
}

TEST_CASE("the tasks of a script end with it, however it ends") {
  naturally([](programs& installed) -> coro<> {
    int ticks = 0;
    const auto ticking = [&ticks]() -> coro<> {
      for (;; ++ticks) co_await sleep(1s);
    };
    installed.add("clock", [&ticking](program& self) -> coro<int> {
      self.handle(SIGUSR1);
      create_task(ticking());
      co_await self.next_signal();
      co_return 0;
    });
    for (const int signal : {SIGUSR1, SIGKILL}) {
      ticks = 0;
      io::process child = co_await io::subprocess_exec("clock");
      co_await sleep(3500ms);
      CHECK(ticks == 3);
      child.send_signal(signal);
      co_await child.wait();
      co_await sleep(1h);
      CHECK(ticks == 3);
    }
  });
}

TEST_CASE("the end of a child is told before its last output has been read, or after") {
  bool before = false;
  bool after = false;
  explore({.schedules = 300}, [&](simulation& world) -> coro<> {
    programs installed(world);
    installed.add("says", says);
    io::process child = co_await io::subprocess_exec("says", io::args("x"), reading);
    const io::bytes all = co_await child.output().read_all();
    expect(all.text() == "x\n", "read something else");
    (child.ended() ? before : after) = true;
    const int code = co_await child.wait();
    expect(code == 0, "another returncode");
  });
  CHECK(before);
  CHECK(after);
}

TEST_CASE("somebody may kill programs by name") {
  naturally([](programs& installed) -> coro<> {
    installed.add("server", forever);
    installed.add("mule", stubborn);
    io::process one = co_await io::subprocess_exec("server");
    io::process two = co_await io::subprocess_exec("server");
    io::process mule = co_await io::subprocess_exec("mule", {}, reading);
    co_await mule.output().read_line();
    std::size_t told = installed.kill("mule", SIGTERM);
    CHECK(told == 1);
    told = installed.kill("server", SIGINT);
    CHECK(told == 2);
    int code = co_await one.wait();
    CHECK(code == -SIGINT);
    code = co_await two.wait();
    CHECK(code == -SIGINT);
    told = installed.kill("server");
    CHECK(told == 0);
    CHECK(installed.running() == 1);
    installed.kill("mule");
    code = co_await mule.wait();
    CHECK(code == -SIGKILL);
  });
}

TEST_CASE("who waits for a child whose process goes is told so") {
  naturally([](programs& installed) -> coro<> {
    installed.add("server", forever);
    std::optional<io::process> child(co_await io::subprocess_exec("server", {}, piped));
    const auto wait_for = [](io::process& one) -> coro<int> { co_return co_await one.wait(); };
    task<int> waiting = create_task(wait_for(*child));
    task<io::communicated> talking = create_task(child->communicate());
    co_await sleep(1s);
    child.reset();
    CHECK_THROWS_AS(co_await waiting, invalid_state);
    CHECK_THROWS_AS(co_await talking, invalid_state);
  });
}

TEST_CASE("a scenario may end while children run: the shutdown ends them, stubborn ones too") {
  explore({.schedules = 100, .threads = 2}, [](simulation& world) -> coro<> {
    programs installed(world);
    installed.add("server", forever);
    installed.add("mule", stubborn);
    installed.add("slow", [](program& self) -> coro<int> {
      self.handle(SIGTERM);
      co_await self.next_signal();
      co_await sleep(2s);
      co_return 0;
    });
    io::process server = co_await io::subprocess_exec("server", {}, piped);
    io::process mule = co_await io::subprocess_exec("mule", {}, piped);
    io::process slow = co_await io::subprocess_exec("slow", {}, piped);
    if (world.choose(2) == 1) co_await mule.output().read_line();
  });
}

TEST_CASE(
    "what the script of a child that still runs has made is not left behind by the scenario") {
  explore({.schedules = 50}, [](simulation& world) -> coro<> {
    programs installed(world);
    installed.add("slow", [](program& self) -> coro<int> {
      self.handle(SIGTERM);
      self.output().write("ready\n");
      co_await self.next_signal();
      const auto tidy = []() -> coro<> { co_await sleep(1s); };
      co_await gather(tidy(), tidy());
      co_return 0;
    });
    io::process child = co_await io::subprocess_exec("slow", {}, reading);
    co_await child.output().read_line();
  });
}

TEST_CASE("who waits for a child that waits for him is a deadlock, and both are named") {
  const bool found = finds({.schedules = 1}, "deadlock", [](simulation& world) -> coro<> {
    programs installed(world);
    installed.add("cat", cat);
    io::process child = co_await io::subprocess_exec("cat", {}, piped);
    co_await child.wait();
  });
  CHECK(found);
}

TEST_CASE("a child that does not end within the shutdown's time is killed") {
  first_come natural;
  simulation world(natural);
  programs installed(world);
  installed.add("mule", stubborn);
  world.call([] {
    const auto body = []() -> coro<> {
      const auto have_child = [](bool& ready) -> coro<> {
        io::process child =
            co_await io::subprocess_exec("mule", {}, {.output = io::stdio::pipe, .grace = 1h});
        co_await child.output().read_line();
        ready = true;
        co_await child.wait();
      };
      bool ready = false;
      create_task(have_child(ready));
      while (!ready) co_await sleep(1ms);
    };
    troupe::run(body(), {.shutdown_timeout = 50ms});
  });
  CHECK(installed.running() == 0);
  CHECK(installed.runs().front().returncode == -SIGKILL);
}

TEST_CASE("a process that outlives its loop has lost its child, and says so") {
  std::optional<io::process> child;
  bool there = false;
  {
    first_come natural;
    simulation world(natural);
    programs installed(world);
    installed.add("server", [&there](program& self) -> coro<int> {
      const struct presence {
        explicit presence(bool& flag) : here(flag) { here = true; }
        ~presence() { here = false; }
        bool& here;
      } mine(there);
      co_return co_await forever(self);
    });
    const auto body = [&]() -> coro<> {
      child.emplace(co_await io::subprocess_exec("server", {}, piped));
      co_await sleep(1s);
    };
    world.run(body());
    CHECK_FALSE(there);
    CHECK(installed.running() == 0);
    CHECK(child->ended());
    CHECK(child->returncode() == -SIGKILL);
    CHECK_FALSE(child->terminate());
    CHECK(child->output().is_closing());
  }
  CHECK(child->returncode() == -SIGKILL);
  CHECK_FALSE(child->terminate());
}

TEST_CASE("faults kill any program at any moment, and let starts fail, as many as there may be") {
  bool killed_early = false;
  bool killed_late = false;
  bool no_process = false;
  bool no_memory = false;
  bool nothing = false;
  explore({.schedules = 2'000}, [&](simulation& world) -> coro<> {
    programs installed(world, {.faults = 1});
    installed.add("worker", [](program& self) -> coro<int> {
      self.output().write("begun\n");
      co_await sleep(1h);
      self.output().write("done\n");
      co_return 0;
    });
    try {
      io::process child = co_await io::subprocess_exec("worker", {}, reading);
      const io::communicated said = co_await child.communicate();
      if (said.returncode == 0) {
        expect(said.output == "begun\ndone\n", "output was lost");
        nothing = true;
      } else {
        expect(said.returncode == -SIGKILL, "another returncode");
        (*said.output == "" ? killed_early : killed_late) = true;
      }
    } catch (const io::spawn_error& error) {
      expect(error.at() == io::spawn_error::step::process, "another step");
      (error.code() == std::errc::not_enough_memory ? no_memory : no_process) = true;
    }
  });
  CHECK(killed_early);
  CHECK(killed_late);
  CHECK(no_process);
  CHECK(no_memory);
  CHECK(nothing);
}

TEST_CASE("the first order has no fault, and is not cut short") {
  naturally(
      [](programs& installed) -> coro<> {
        installed.add("cat", cat);
        io::process child = co_await io::subprocess_exec("cat", {}, piped);
        const io::communicated said = co_await child.communicate("hello");
        CHECK(said.output == "hello");
        CHECK(said.returncode == 0);
      },
      {.faults = 100});
}

TEST_CASE(
    "a worker that takes the end of its child for the end of the work is found out, and the way is "
    "shown") {
  // The bug: that a child has ended does not mean that it has done its work.
  const bool found =
      finds({.schedules = 2'000}, "the work is not done",
            [](simulation& world) -> coro<> {
              programs installed(world, {.faults = 1});
              bool done = false;
              installed.add("worker", [&done](program&) -> coro<int> {
                co_await sleep(1min);
                done = true;
                co_return 0;
              });
              try {
                io::process child = co_await io::subprocess_exec("worker");
                co_await child.wait();
                expect(done, "the work is not done");
              } catch (const io::spawn_error&) {
                // This it is ready for.
              }
            },
            {"worker (10000001) is started: worker", "worker (10000001) is killed by somebody",
             "worker (10000001) is ended by signal 9"});
  CHECK(found);
}
