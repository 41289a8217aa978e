// How children are started, and what is said when they cannot be.
#include "scenarios/children.hpp"
#include "scenarios/descriptors.hpp"
#include "scenarios/scratch.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <csignal>
#include <stdexcept>

using namespace troupe;
using namespace troupe::testing;
using step = io::spawn_error::step;

namespace {

coro<std::string> output_of(std::string command, io::process_options options = reading) {
  io::process child = co_await io::subprocess_shell(std::move(command), options);
  io::communicated said = co_await child.communicate();
  CHECK(said.returncode == 0);
  co_return said.output.value_or("no pipe");
}

}  // namespace

TEST_CASE("a program that is not there is named in the error") {
  struct scene {
    static coro<> run() {
      failed_start how = co_await start_failing("no-such-program-here", {}, {});
      CHECK(how.at == step::program);
      CHECK(how.code == std::errc::no_such_file_or_directory);
      CHECK(how.text.find("'no-such-program-here'") != std::string::npos);
      CHECK(how.text.find("in no folder of PATH") != std::string::npos);
      how = co_await start_failing("/no/such/program", {}, piped);
      CHECK(how.at == step::program);
      CHECK(how.code == std::errc::no_such_file_or_directory);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a file that is no program is told from one that is missing") {
  struct scene {
    static coro<> run() {
      const scratch_folder folder;
      failed_start how = co_await start_failing(folder.write("plain", "text"), {}, {});
      CHECK(how.at == step::program);
      CHECK(how.code == std::errc::permission_denied);
      CHECK(how.text.find("may not be executed") != std::string::npos);

      const std::string garbage = folder.write("garbage", "neither a script nor a program");
      REQUIRE(::chmod(garbage.c_str(), 0755) == 0);
      how = co_await start_failing(garbage, {}, {});
      CHECK(how.at == step::program);
      CHECK(how.code == std::errc::executable_format_error);

      const std::string script = folder.write("script", "#!/no/such/interpreter\n");
      REQUIRE(::chmod(script.c_str(), 0755) == 0);
      how = co_await start_failing(script, {}, {});
      CHECK(how.code == std::errc::no_such_file_or_directory);
      CHECK(how.text.find("interpreter") != std::string::npos);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a folder that is missing is told from a program that is") {
  struct scene {
    static coro<> run() {
      const failed_start how = co_await start_failing("true", {}, {.cwd = "/no/such/folder"});
      CHECK(how.at == step::cwd);
      CHECK(how.code == std::errc::no_such_file_or_directory);
      CHECK(how.text.find("'/no/such/folder'") != std::string::npos);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a program, argument or setting that cannot be one is refused before anything starts") {
  struct scene {
    static coro<> run() {
      const auto refused = [](std::string program, std::vector<std::string> arguments,
                              const io::process_options& options) {
        try {
          static_cast<void>(io::subprocess_exec(std::move(program), std::move(arguments), options));
        } catch (const std::invalid_argument& error) {
          return std::string(error.what());
        }
        return std::string("not refused");
      };
      CHECK_THAT(refused("", {}, {}), Catch::Contains("the name of its program is empty"));
      CHECK_THAT(refused(std::string("tr\0ue", 5), {}, {}), Catch::Contains("zero byte"));
      CHECK_THAT(refused("true", {std::string("a\0b", 3)}, {}),
                 Catch::Contains("an argument has a zero byte in it"));
      const std::vector<std::string> no_setting{"NAME"};
      CHECK_THAT(refused("true", {}, {.env = no_setting}), Catch::Contains("write NAME=value"));
      CHECK_THAT(refused("true", {}, {.output = io::stdio::merged}),
                 Catch::Contains("only its errors can be merged"));
      CHECK_THAT(refused("true", {}, {.input = io::stdio::use(-1)}), Catch::Contains("none"));
      CHECK_THAT(refused("true", {}, {.output = io::stdio::file("")}),
                 Catch::Contains("empty name"));
      const int low[] = {1};
      CHECK_THAT(refused("true", {}, {.pass = low}), Catch::Contains("standard streams"));
      CHECK_THROWS_AS(io::subprocess_shell(""), std::invalid_argument);
      co_return;
    }
  };
  run_with_children(scene::run());
}

TEST_CASE(
    "a file for a standard stream that cannot be opened, and a descriptor that is not open, are "
    "named") {
  struct scene {
    static coro<> run() {
      failed_start how =
          co_await start_failing("true", {}, {.input = io::stdio::file("/no/such/input")});
      CHECK(how.at == step::streams);
      CHECK(how.code == std::errc::no_such_file_or_directory);
      CHECK(how.text.find("'/no/such/input'") != std::string::npos);
      how = co_await start_failing("true", {}, {.output = io::stdio::use(987'654)});
      CHECK(how.at == step::streams);
      CHECK(how.code == std::errc::bad_file_descriptor);
      static const int closed[] = {987'654};
      how = co_await start_failing("true", {}, {.pass = closed});
      CHECK(how.at == step::descriptors);
      CHECK(how.code == std::errc::bad_file_descriptor);
      static const io::resource_limit wrong[] = {{RLIMIT_CPU, 20, 10}};
      how = co_await start_failing("true", {}, {.limits = wrong});
      CHECK(how.at == step::limits);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("at the descriptor limit a start fails whole, and succeeds when there is room again") {
  if (skipped_without_descriptors()) return;
  struct scene {
    static coro<> run() {
      // What the first child makes for its loop is there from now on.
      io::process first = co_await io::subprocess_exec("true");
      co_await first.wait();
      const descriptor_limit low(static_cast<rlim_t>(next_descriptor()) + 16);
      std::vector<io::descriptor> taken;
      for (io::descriptor made(::dup(0)); made; made = io::descriptor(::dup(0)))
        taken.push_back(std::move(made));
      // With none left, and with room for some of what is needed, but not for all.
      bool at_process = false;
      for (int room = 0; room <= 6; ++room) {
        const failed_start how = co_await start_failing("cat", {}, piped);
        CHECK(how.failed);
        CHECK(how.code == std::errc::too_many_files_open);
        CHECK((how.at == step::streams || how.at == step::process));
        CHECK(how.text.find("'cat'") != std::string::npos);
        // The pipes take six; of processes there may be as many as before.
        if (how.at == step::process) at_process = how.text.find("no descriptor") < how.text.size();
        taken.pop_back();
      }
      CHECK(at_process);
      taken.clear();
      io::process child = co_await io::subprocess_exec("cat", {}, piped);
      const io::communicated said = co_await child.communicate("room again");
      CHECK(said.output == "room again");
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a child has the environment it was given, and is looked for in the PATH of that") {
  struct scene {
    static coro<> run() {
      const std::vector<std::string> whole{"ONLY=this", "PATH=/usr/bin:/bin"};
      io::process child =
          co_await io::subprocess_exec("env", {}, {.output = io::stdio::pipe, .env = whole});
      io::communicated said = co_await child.communicate();
      CHECK(said.output == "ONLY=this\nPATH=/usr/bin:/bin\n");

      ::setenv("TROUPE_TEST_KEPT", "kept", 1);
      ::setenv("TROUPE_TEST_REPLACED", "before", 1);
      const std::vector<std::string> added{"TROUPE_TEST_REPLACED=after", "TROUPE_TEST_NEW=new"};
      std::string text =
          co_await output_of("echo $TROUPE_TEST_KEPT $TROUPE_TEST_REPLACED $TROUPE_TEST_NEW",
                             {.output = io::stdio::pipe, .add_env = added});
      CHECK(text == "kept after new\n");
      ::unsetenv("TROUPE_TEST_KEPT");
      ::unsetenv("TROUPE_TEST_REPLACED");

      const std::vector<std::string> nowhere{"PATH=/no/such/folder"};
      const failed_start how = co_await start_failing("env", {}, {.env = nowhere});
      CHECK(how.code == std::errc::no_such_file_or_directory);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a child begins in the folder, with the limits and the umask, that it was given") {
  struct scene {
    static coro<> run() {
      std::string text = co_await output_of("pwd", {.output = io::stdio::pipe, .cwd = "/"});
      CHECK(text == "/\n");
      static const io::resource_limit few[] = {{RLIMIT_NOFILE, 33, 44}};
      text =
          co_await output_of("ulimit -Sn; ulimit -Hn", {.output = io::stdio::pipe, .limits = few});
      CHECK(text == "33\n44\n");
      text = co_await output_of("umask", {.output = io::stdio::pipe, .umask = 027});
      CHECK(text == "0027\n");
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a child can read from files and write to them") {
  struct scene {
    static coro<> run() {
      const scratch_folder folder;
      const std::string from = folder.write("from", "one\n");
      const std::string to = folder.file("to");
      const io::process_options first = {.input = io::stdio::file(from),
                                         .output = io::stdio::file(to)};
      io::process child = co_await io::subprocess_exec("cat", {}, first);
      int code = co_await child.wait();
      CHECK(code == 0);
      const io::process_options second = {.input = io::stdio::file(from),
                                          .output = io::stdio::append(to)};
      child = co_await io::subprocess_exec("cat", {}, second);
      code = co_await child.wait();
      CHECK(code == 0);
      CHECK(folder.read("to") == "one\none\n");
      const io::descriptor open(::open(to.c_str(), O_RDWR | O_CLOEXEC));
      child = co_await io::subprocess_shell(
          "cat; echo three >&0", {.input = io::stdio::use(open.get()), .output = io::stdio::pipe});
      const io::communicated said = co_await child.communicate();
      CHECK(said.output == "one\none\n");
      CHECK(folder.read("to") == "one\none\nthree\n");
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a child has its standard streams and what was passed on, and no other descriptor") {
  struct scene {
    static coro<> run() {
      // Without close-on-exec, as libraries open them that do not know better.
      const io::descriptor forgotten(::open("/dev/null", O_RDONLY));
      const io::descriptor passed(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      REQUIRE(forgotten);
      const int pass[] = {passed.get()};
      // One that lists them would see the descriptor that it lists them by.
      const char* const look =
          "n=0; while [ $n -lt 100 ]; do if [ -e /proc/$$/fd/$n ]; then echo $n; fi; n=$((n+1)); "
          "done";
      const io::process_options options = {.input = io::stdio::null,
                                           .output = io::stdio::pipe,
                                           .errors = io::stdio::null,
                                           .pass = pass};
      const std::string text = co_await output_of(look, options);
      CHECK(text == "0\n1\n2\n" + std::to_string(passed.get()) + "\n");
      CHECK(text.find("\n" + std::to_string(forgotten.get()) + "\n") == std::string::npos);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("a child whose parent's standard streams are closed gets its pipes all the same") {
  struct scene {
    static coro<> run() {
      // What is opened next gets the numbers 0 and 1.
      io::descriptor held[] = {io::descriptor(::fcntl(0, F_DUPFD_CLOEXEC, 10)),
                               io::descriptor(::fcntl(1, F_DUPFD_CLOEXEC, 10))};
      std::string got;
      std::string also;
      ::close(0);
      ::close(1);
      try {
        io::process child = co_await io::subprocess_shell("cat; echo error >&2", piped);
        const io::communicated said = co_await child.communicate("through low numbers");
        got = said.output.value_or("");
        also = said.errors.value_or("");
      } catch (const std::exception& error) {
        got = error.what();
      }
      for (int each = 0; each < 2; ++each) {
        if (held[each]) ::dup2(held[each].get(), each);
      }
      CHECK(got == "through low numbers");
      CHECK(also == "error\n");
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("no signal is blocked or ignored in a child, but what nohup would have ignored") {
  struct scene {
    static coro<> run() {
      const std::string text = co_await output_of("exec grep -E '^Sig(Blk|Ign)' /proc/self/status");
      CHECK(text == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000001\n");  // SIGHUP
    }
  };
  struct sigaction before_pipe{};
  struct sigaction before_hup{};
  struct sigaction before_usr1{};
  struct sigaction ignored{};
  ignored.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignored, &before_pipe);
  ::sigaction(SIGHUP, &ignored, &before_hup);
  ::sigaction(SIGUSR1, &ignored, &before_usr1);
  sigset_t blocked;
  sigset_t before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  ::sigaddset(&blocked, SIGUSR2);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  run_with_children(scene::run());
  sigset_t now;
  ::pthread_sigmask(SIG_SETMASK, &before, &now);
  CHECK(::sigismember(&now, SIGTERM) == 1);
  CHECK(::sigismember(&now, SIGINT) == 0);
  ::sigaction(SIGPIPE, &before_pipe, nullptr);
  ::sigaction(SIGHUP, &before_hup, nullptr);
  ::sigaction(SIGUSR1, &before_usr1, nullptr);
}

TEST_CASE("a child has a group of its own, or a session, or stays in this one's") {
  struct scene {
    static coro<std::pair<int, int>> ids_of(io::process_group group) {
      io::process child =
          co_await io::subprocess_exec("cat", {}, {.input = io::stdio::pipe, .group = group});
      const std::pair<int, int> ids(
          ::getpgid(child.pid()) == child.pid() ? 0 : ::getpgid(child.pid()),
          ::getsid(child.pid()) == child.pid() ? 0 : ::getsid(child.pid()));
      if (group == io::process_group::same)
        CHECK_THROWS_AS(child.signal_group(SIGTERM), invalid_state);
      child.input().close();
      co_await child.wait();
      co_return ids;
    }
    static coro<> run() {
      std::pair<int, int> ids = co_await ids_of(io::process_group::own);
      CHECK((ids == std::pair<int, int>(0, ::getsid(0))));
      ids = co_await ids_of(io::process_group::same);
      CHECK((ids == std::pair<int, int>(::getpgid(0), ::getsid(0))));
      ids = co_await ids_of(io::process_group::session);
      CHECK((ids == std::pair<int, int>(0, 0)));
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("what the shell does not find is its returncode of 127") {
  struct scene {
    static coro<> run() {
      io::process child =
          co_await io::subprocess_shell("no-such-program-here", {.errors = io::stdio::null});
      const int code = co_await child.wait();
      CHECK(code == 127);
    }
  };
  run_with_children(scene::run());
}

TEST_CASE("off a loop, and on virtual time, no child is started") {
  struct scene {
    static coro<> run() {
      std::string text = co_await failure_of(io::subprocess_exec("true"));
      CHECK(text.find("virtual time") != std::string::npos);
    }
  };
  REQUIRE_FALSE(has_children());
  troupe::testing::run(scene::run());
  CHECK_FALSE(has_children());
}
