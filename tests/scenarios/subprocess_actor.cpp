// Children as actors.
#include <troupe/io/subprocess_actor.hpp>

#include "scenarios/children.hpp"
#include "scenarios/scratch.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

using subprocess_ref = actor_ref<io::subprocess>;

/// What an owner heard. On one loop with whoever waits.
struct diary {
  std::string said[3];  ///< by stream
  std::size_t largest = 0;
  std::size_t starts = 0;
  std::size_t ends = 0;
  std::size_t exits = 0;
  std::size_t finishes = 0;
  int pid = 0;
  std::optional<int> returncode;
  std::error_code reason;
  std::string order;
  std::size_t demand_for_each = 0;  ///< credit given back for each chunk

  coro<> until_finished() {
    co_await poll_until([this] { return finishes != 0; });
    co_await turns();
    CHECK(finishes == 1);
    CHECK(exits == 1);
    CHECK(order.back() == '.');
  }
};

class owner : public actor<io::subprocess_events> {
 public:
  explicit owner(std::shared_ptr<diary> into) : into_(std::move(into)) {}
  void on(io::started s) {
    ++into_->starts;
    into_->pid = s.pid;
    into_->order += 's';
  }
  void on(io::output o) {
    into_->said[static_cast<int>(o.which)] += o.chunk.text();
    into_->largest = std::max(into_->largest, o.chunk.size());
    into_->order += 'o';
    if (into_->demand_for_each != 0) o.from.tell(io::demand{o.chunk.size()});
  }
  void on(io::end_of_output) {
    ++into_->ends;
    into_->order += 'e';
  }
  void on(io::exited e) {
    ++into_->exits;
    into_->returncode = e.returncode;
    into_->order += 'x';
  }
  void on(io::finished f) {
    ++into_->finishes;
    into_->reason = f.reason;
    into_->order += '.';
    CHECK(f.returncode == into_->returncode);
  }

 private:
  std::shared_ptr<diary> into_;
};

struct scene_of {
  explicit scene_of(const io::command& what, io::subprocess_actor_options options = {})
      : heard(spawn<owner>(pages)), child(spawn<io::subprocess_actor>(what, heard, options)) {}
  std::shared_ptr<diary> pages = std::make_shared<diary>();
  actor_ref<io::subprocess_events> heard;
  subprocess_ref child;
};

inline constexpr std::size_t plenty = std::size_t{1} << 40;

}  // namespace

TEST_CASE(
    "a subprocess tells of its start, its output, its exit, and at last that it has finished") {
  struct scene {
    static coro<> run() {
      scene_of here(io::command::shell("echo out; echo err >&2; exit 3", piped));
      here.child.tell(io::demand{plenty});
      co_await here.pages->until_finished();
      CHECK(here.pages->order.front() == 's');
      CHECK(here.pages->said[1] == "out\n");
      CHECK(here.pages->said[2] == "err\n");
      CHECK(here.pages->ends == 2);
      CHECK(here.pages->returncode == 3);
      CHECK_FALSE(here.pages->reason);
      CHECK(here.pages->pid > 0);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE(
    "a subprocess gives no more output than it has credit for, and knows of the end without any") {
  struct scene {
    static coro<> run() {
      scene_of here(io::command::shell("head -c 100000 /dev/zero", reading),
                    {.largest_chunk = 3000});
      here.child.tell(io::demand{10});
      co_await poll_until([&] { return here.pages->said[1].size() == 10; });
      co_await turns();
      CHECK(here.pages->said[1].size() == 10);
      here.child.tell(io::demand{50'000});
      co_await poll_until([&] { return here.pages->said[1].size() == 50'010; });
      here.child.tell(io::demand{49'990});
      co_await here.pages->until_finished();
      CHECK(here.pages->said[1].size() == 100'000);
      // What was read ahead without credit may be a chunk of its own.
      CHECK(here.pages->largest <= 4096);
      CHECK(here.pages->ends == 1);

      scene_of silent(io::command("true", {}, piped));
      co_await silent.pages->until_finished();
      CHECK(silent.pages->ends == 2);
      CHECK(silent.pages->returncode == 0);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE(
    "the exit of a subprocess is told while its output waits for credit, and none of that is "
    "lost") {
  struct scene {
    static coro<> run() {
      scene_of here(io::command::shell("head -c 30000 /dev/zero", reading), {.drain_timeout = 1ms});
      co_await poll_until([&] { return here.pages->exits == 1; });
      co_await sleep(20ms);
      CHECK(here.pages->finishes == 0);
      here.child.tell(io::demand{plenty});
      co_await here.pages->until_finished();
      CHECK(here.pages->said[1].size() == 30'000);
      CHECK_FALSE(here.pages->reason);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("input of a subprocess is answered as there is room, and all of it arrives") {
  struct scene {
    static coro<> run() {
      const io::process_options both = {.input = io::stdio::pipe, .output = io::stdio::pipe};
      scene_of here(io::command("cat", {}, both), {.input_window = 10'000});
      here.pages->demand_for_each = 1;
      here.child.tell(io::demand{20'000});
      const std::string much = pattern(2'000'000);
      for (std::size_t at = 0; at < much.size(); at += 8000)
        co_await here.child.ask(io::input(std::string_view(much).substr(at, 8000)), 60s);
      here.child.tell(io::write_eof{});
      co_await here.pages->until_finished();
      CHECK(same(here.pages->said[1], much));
      CHECK(here.pages->returncode == 0);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a subprocess refuses input beyond its windows, and is ended by what it is told beyond") {
  struct scene {
    static coro<> run() {
      const io::process_options only = {.input = io::stdio::pipe};
      scene_of here(io::command("sleep", io::args("3600"), only), {.input_window = 1000});
      const std::string much(200'000, 'x');
      co_await here.child.ask(io::input(much));  // nothing was before it
      std::vector<future<void>> asked;
      for (int each = 0; each < 12; ++each)
        asked.push_back(here.child.ask(io::input(std::string(900, 'y')), 60s));
      co_await turns();
      std::size_t refused = 0;
      for (const auto& each : asked) {
        if (!each.done()) continue;
        const answered how = co_await ending(each);
        CHECK(how.code == std::errc::no_buffer_space);
        ++refused;
      }
      CHECK(refused >= 2);
      CHECK(refused < 12);
      here.child.tell(io::input(std::string(900, 'z')));
      co_await here.pages->until_finished();
      CHECK(here.pages->reason == std::errc::no_buffer_space);
      for (const auto& each : asked) {
        const answered how = co_await ending(each);
        CHECK_FALSE(how.ok);
      }
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("input for a subprocess that reads no more fails") {
  struct scene {
    static coro<> run() {
      scene_of here(io::command::shell("exec 0<&-; echo; exec sleep 3600", piped));
      here.child.tell(io::demand{plenty});
      co_await poll_until([&] { return !here.pages->said[1].empty(); });
      answered how = co_await ending(here.child.ask(io::input("too late")));
      CHECK(how.code == std::errc::broken_pipe);
      how = co_await ending(here.child.ask(io::input("again")));
      CHECK(how.code == std::errc::broken_pipe);
      here.child.tell(io::kill{});
      co_await here.pages->until_finished();
      CHECK(here.pages->returncode == -SIGKILL);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a subprocess takes signals") {
  struct scene {
    static coro<> run() {
      scene_of here(io::command("sleep", io::args("3600")));
      const bool sent = co_await here.child.ask(io::send_signal{SIGCONT});
      CHECK(sent);
      CHECK_THROWS_WITH(co_await here.child.ask(io::send_signal{1234}),
                        Catch::Contains("no signal"));
      here.child.tell(io::terminate{});
      co_await here.pages->until_finished();
      CHECK(here.pages->returncode == -SIGTERM);
      CHECK_FALSE(here.pages->reason);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a subprocess that is stopped ends its child, be it stubborn, and says so once") {
  struct scene {
    static coro<> run() {
      io::process_options options = reading;
      options.grace = 20ms;
      scene_of here(
          io::command::shell("trap '' TERM; echo; while :; do sleep 0.01; done", options));
      here.child.tell(io::demand{plenty});
      co_await poll_until([&] { return !here.pages->said[1].empty(); });
      here.child.stop();
      co_await here.child.stopped();
      co_await here.pages->until_finished();
      CHECK(here.pages->returncode == -SIGKILL);
      CHECK(here.pages->reason == std::errc::operation_canceled);
      CHECK(state_of(here.pages->pid) == '\0');
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a subprocess whose output somebody else holds finishes, and says that it was cut") {
  struct scene {
    static coro<> run() {
      scene_of here(io::command::shell("echo mine; sleep 3600 & exit 0", reading),
                    {.drain_timeout = 20ms});
      here.child.tell(io::demand{plenty});
      co_await here.pages->until_finished();
      CHECK(here.pages->said[1] == "mine\n");
      CHECK(here.pages->reason == std::errc::timed_out);
      CHECK(here.pages->returncode == 0);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a subprocess that cannot be started is an error of who spawns it") {
  struct scene {
    static coro<> run() {
      auto pages = std::make_shared<diary>();
      actor_ref<io::subprocess_events> heard = spawn<owner>(pages);
      CHECK_THROWS_AS(spawn<io::subprocess_actor>(io::command("/no/such/program"), heard),
                      io::spawn_error);
      CHECK_THROWS_AS(
          spawn<io::subprocess_actor>(io::command("true"), actor_ref<io::subprocess_events>()),
          std::invalid_argument);
      CHECK_THROWS_AS(io::command(""), std::invalid_argument);
      CHECK_THROWS_AS(io::command::shell(""), std::invalid_argument);
      co_return;
    }
  };
  run_with_children(scene::run());
}

namespace {

/// Supervises a program as transient.
class guardian : public actor<protocol<>> {
 public:
  guardian(io::command what, io::bad_end crash_when, actor_ref<io::subprocess_events> heard) {
    supervise<io::subprocess_actor>({.when = restart::transient}, std::move(what), std::move(heard),
                                    io::subprocess_actor_options{.crash_when = crash_when});
  }
};

/// Ends badly the first time that it is run, and well the second.
io::command second_time_well(const scratch_folder& in, const std::string& badly) {
  return io::command::shell("cd " + in.file("") + "; if [ -e been ]; then exit 0; fi; : > been; " +
                            badly);
}

/// What is heard of it, up to its last word, and what was reported.
struct supervised_end {
  std::string order;
  std::string reports;
};
supervised_end ends_of(const std::string& badly, io::bad_end crash_when, std::size_t finishes) {
  scratch_folder folder;
  failure_log expected;
  const auto pages = std::make_shared<diary>();
  auto body = [&]() -> coro<> {
    auto heard = spawn<owner>(pages);
    auto top = spawn<guardian>(second_time_well(folder, badly), crash_when, heard);
    co_await poll_until([&] { return pages->finishes == finishes; });
    co_await sleep(50ms);  // nothing follows
  };
  run_with_children(body(), 1, &expected);
  return {pages->order, expected.text()};
}

}  // namespace

TEST_CASE("a program that ends badly is a crash where that is wanted, and is restarted then") {
  const supervised_end killed = ends_of("kill -SEGV $$", io::bad_end::by_signal, 2);
  CHECK(killed.order == "sx.sx.");
  CHECK(killed.reports.find("'/bin/sh' was ended by signal 11") != std::string::npos);
  const supervised_end failed = ends_of("exit 3", io::bad_end::failure, 2);
  CHECK(failed.order == "sx.sx.");
  CHECK(failed.reports.find("'/bin/sh' has ended with status 3") != std::string::npos);
}

TEST_CASE("a program that ends badly has done its work where nothing else is said") {
  CHECK(ends_of("kill -SEGV $$", io::bad_end::none, 1).order == "sx.");
  CHECK(ends_of("exit 3", io::bad_end::by_signal, 1).order == "sx.");
}

TEST_CASE("a child has less time to end than a supervisor gives the actor that ends it") {
  CHECK(io::process_options().grace < child_options().shutdown);
}

TEST_CASE("subprocesses of every loop end with the runtime") {
  struct scene {
    static coro<> run() {
      auto pages = std::make_shared<diary>();
      for (std::size_t index = 0; index < 2; ++index) {
        actor_ref<io::subprocess_events> heard =
            spawn<owner>(place::on(index), std::make_shared<diary>());
        spawn<io::subprocess_actor>(place::on(index), io::command("sleep", io::args("3600"), piped),
                                    heard);
      }
      co_await sleep(20ms);
    }
  };
  run_with_children(scene::run(), 2);
}
