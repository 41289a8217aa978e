// Streams over pipes and other descriptors.
#include <troupe/io/pipe.hpp>
#include <troupe/runtime/timeout.hpp>

#include "io/stream_contract.hpp"
#include "scenarios/support.hpp"
#include "support/catch.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;
using troupe::testing::streams::contract;
using troupe::testing::streams::end_of;
using troupe::testing::streams::ends;
using troupe::testing::streams::everything;

namespace {

coro<ends> over_pipes(io::stream_options options) {
  io::pipe_ends there = io::open_pipe();
  io::pipe_ends back = io::open_pipe();
  io::stream first = io::make_stream(std::move(back.read), std::move(there.write), options);
  io::stream second = io::make_stream(std::move(there.read), std::move(back.write), options);
  co_return ends(std::move(first), std::move(second));
}

/// One descriptor for both directions.
coro<ends> over_single_descriptors(io::stream_options options) {
  int both[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) == 0);
  io::stream first = io::make_stream(io::descriptor(both[0]), options);
  io::stream second = io::make_stream(io::descriptor(both[1]), options);
  co_return ends(std::move(first), std::move(second));
}

bool non_blocking(int descriptor) { return (::fcntl(descriptor, F_GETFL) & O_NONBLOCK) != 0; }

}  // namespace

TEST_CASE("the contract of streams holds over pipes") {
  run_scenario(contract(over_pipes, {.resets = false}));
}

TEST_CASE("the contract of streams holds over one descriptor for both ways") {
  run_scenario(contract(over_single_descriptors, {.resets = false}));
}

TEST_CASE("a write to a pipe that nobody reads loses the stream and raises no signal") {
  struct scene {
    static coro<> run() {
      io::pipe_ends made = io::open_pipe();
      io::stream to = io::make_stream({}, std::move(made.write));
      made.read.close();
      to.write("to whom?");
      std::error_code code;
      try {
        co_await to.drain();
      } catch (const std::system_error& error) {
        code = error.code();
      }
      CHECK(code == std::errc::broken_pipe);
      sigset_t pending;
      ::sigpending(&pending);
      CHECK(::sigismember(&pending, SIGPIPE) == 0);
      sigset_t blocked;
      ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
      CHECK(::sigismember(&blocked, SIGPIPE) == 0);
    }
  };
  // Its default effect would end this program.
  struct sigaction before{};
  struct sigaction plain{};
  plain.sa_handler = SIG_DFL;
  REQUIRE(::sigaction(SIGPIPE, &plain, &before) == 0);
  run_scenario(scene::run());
  ::sigaction(SIGPIPE, &before, nullptr);
}

TEST_CASE("a stream over a descriptor leaves those who share it blocking") {
  struct scene {
    static coro<> run() {
      io::pipe_ends made = io::open_pipe();
      const io::descriptor other_reader(::dup(made.read.get()));
      const io::descriptor other_writer(::dup(made.write.get()));
      io::stream to = io::make_stream({}, std::move(made.write));
      io::stream from = io::make_stream(std::move(made.read), {});
      CHECK_FALSE(non_blocking(other_reader.get()));
      CHECK_FALSE(non_blocking(other_writer.get()));
      CHECK(non_blocking(from.native()));
      CHECK((::fcntl(from.native(), F_GETFD) & FD_CLOEXEC) != 0);
      to.write("still one pipe\n");
      const std::string line = co_await from.read_line();
      CHECK(line == "still one pipe\n");
    }
  };
  run_scenario(scene::run());
}

TEST_CASE("a stream over a pipe ends when its last writer goes, and tells a reader that waits") {
  struct scene {
    static coro<> run() {
      io::pipe_ends made = io::open_pipe();
      io::stream from = io::make_stream(std::move(made.read), {});
      auto reading = create_task(everything(from));
      co_await turns();
      REQUIRE(::write(made.write.get(), "last", 4) == 4);
      made.write.close();
      const std::string got = co_await reading;
      CHECK(got == "last");
      CHECK(from.at_eof());
    }
  };
  run_scenario(scene::run());
}

TEST_CASE("who writes to a stream that only reads, or the other way, is told so") {
  struct scene {
    static coro<> run() {
      io::pipe_ends made = io::open_pipe();
      io::stream from = io::make_stream(std::move(made.read), {});
      io::stream to = io::make_stream({}, std::move(made.write));
      from.write("wrong way");
      std::error_code code;
      try {
        co_await from.drain();
      } catch (const std::system_error& error) {
        code = error.code();
      }
      CHECK(code == std::errc::bad_file_descriptor);
      code.clear();
      try {
        co_await to.read_some();
      } catch (const std::system_error& error) {
        code = error.code();
      }
      CHECK(code == std::errc::bad_file_descriptor);
    }
  };
  run_scenario(scene::run());
}

TEST_CASE("a device that is always ready can be read and written as a stream") {
  struct scene {
    static coro<> run() {
      io::stream zero = io::make_stream(io::descriptor(::open("/dev/zero", O_RDONLY | O_CLOEXEC)));
      const io::bytes some = co_await zero.read_exactly(100'000);
      CHECK(some.size() == 100'000);
      io::stream null = io::make_stream(io::descriptor(::open("/dev/null", O_RDWR | O_CLOEXEC)));
      null.write(std::string(100'000, 'x'));
      CHECK(null.unsent() == 0);
      const io::bytes none = co_await null.read_some();
      CHECK(none.empty());
    }
  };
  run_scenario(scene::run());
}

TEST_CASE("a terminal is a stream, whose end is that of the other side") {
  struct scene {
    static coro<> run() {
      io::descriptor master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
      REQUIRE(master);
      REQUIRE(::grantpt(master.get()) == 0);
      REQUIRE(::unlockpt(master.get()) == 0);
      char name[64];
      REQUIRE(::ptsname_r(master.get(), name, sizeof name) == 0);
      io::stream terminal =
          io::make_stream(io::descriptor(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)));
      io::stream person = io::make_stream(std::move(master));
      person.write("who is there?\n");
      const std::string asked = co_await terminal.read_line();
      CHECK(asked == "who is there?\n");
      terminal.write("a child\n");
      std::string seen = co_await person.read_line();  // the echo
      CHECK(seen == "who is there?\r\n");
      seen = co_await person.read_line();
      CHECK(seen == "a child\r\n");
      terminal.close();
      co_await terminal.wait_closed();
      const io::bytes rest = co_await person.read_some();
      CHECK(rest.empty());
    }
  };
  run_scenario(scene::run());
}

TEST_CASE("a stream over a plain file, a folder, or nothing is refused") {
  struct scene {
    static coro<> run() {
      const auto open_for = [](const char* path, int how) {
        io::descriptor made(::open(path, how | O_CLOEXEC));
        REQUIRE(made);
        return made;
      };
      CHECK_THROWS_WITH(io::make_stream(open_for("/proc/self/exe", O_RDONLY)),
                        Catch::Contains("a plain file is no stream"));
      CHECK_THROWS_WITH(io::make_stream(open_for("/", O_RDONLY | O_DIRECTORY)),
                        Catch::Contains("a folder is no stream"));
      CHECK_THROWS_AS(io::make_stream(io::descriptor()), std::invalid_argument);
      CHECK_THROWS_AS(io::make_stream({}, {}), std::invalid_argument);
      CHECK_THROWS_AS(io::make_stream(io::descriptor(1'000'000)), std::system_error);
      co_return;
    }
  };
  run_scenario(scene::run());
}
