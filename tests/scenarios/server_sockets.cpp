// What a server may listen on: Unix sockets and their files, sockets that were handed over.
#include <troupe/io/open_connection.hpp>
#include <troupe/io/server.hpp>
#include <troupe/runtime/on.hpp>
#include <troupe/runtime/timeout.hpp>

#include "scenarios/echo.hpp"
#include "scenarios/scratch.hpp"
#include "scenarios/support.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

using namespace troupe;
using namespace troupe::testing;

namespace {

io::unix_endpoint socket_in(const scratch_folder& folder, const char* name = "socket") {
  return io::unix_endpoint(folder.file(name));
}

coro<> greet(io::stream client) {
  client.write("hello\n");
  co_await client.drain();
}

coro<> expect_greeting(io::unix_endpoint where) {
  io::stream client = co_await io::open_connection(where);
  const std::string got = co_await client.read_line();
  CHECK(got == "hello\n");
}

std::error_code code_of_listening(const io::unix_endpoint& where) {
  try {
    io::listening_socket made(where);
  } catch (const std::system_error& error) {
    CHECK(std::string(error.what()).find("listening on " + where.text() + ": ") == 0);
    return error.code();
  }
  return {};
}

coro<std::error_code> code_of_connecting(io::unix_endpoint where) {
  try {
    static_cast<void>(co_await io::connect(where));
  } catch (const std::system_error& error) {
    CHECK(std::string(error.what()).find("connecting to " + where.text() + ": ") == 0);
    co_return error.code();
  }
  co_return std::error_code();
}

std::string refusal_of(io::descriptor given) {
  try {
    io::listening_socket made(std::move(given));
  } catch (const std::invalid_argument& error) {
    const std::string text = error.what();
    return text.substr(text.find(" is ") + 4);
  }
  return "";
}

/// What `inherited_sockets` gives or says in a process that was started with `listening` as its third descriptor, and these variables.
std::string inherited_by_a_child(const io::listening_socket& listening, const char* count,
                                 const char* names, bool meant = true) {
  int answer[2];
  REQUIRE(::pipe(answer) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(answer[1], 9);
    ::dup2(listening.native(), 3);
    ::setenv("LISTEN_PID", std::to_string(::getpid() + (meant ? 0 : 1)).c_str(), 1);
    ::setenv("LISTEN_FDS", count, 1);
    if (names != nullptr) ::setenv("LISTEN_FDNAMES", names, 1);
    std::string told;
    try {
      for (const io::inherited_socket& each : io::inherited_sockets())
        told += each.name + "=" + each.listening.name() + ";";
      const bool again = !io::inherited_sockets().empty();
      told += again ? "again" : std::getenv("LISTEN_FDS") != nullptr ? "still set" : "";
    } catch (const std::invalid_argument& error) {
      told = error.what();
    }
    static_cast<void>(::write(9, told.data(), told.size()));
    ::_exit(0);
  }
  ::close(answer[1]);
  const io::descriptor reading(answer[0]);
  char text[500];
  const ssize_t got = ::read(reading.get(), text, sizeof text);
  REQUIRE(got >= 0);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  return std::string(text, static_cast<std::size_t>(got));
}

io::descriptor raw(int family, int type) { return io::descriptor(::socket(family, type, 0)); }

}  // namespace

TEST_CASE("the file of a Unix socket that nobody listens on is replaced",
          "[conformance][server-11]") {
  auto body = []() -> coro<> {
    const scratch_folder here;
    const io::unix_endpoint where = socket_in(here);
    // What a server that was killed leaves behind.
    {
      const io::descriptor dead = raw(AF_UNIX, SOCK_STREAM);
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      where.name().copy(address.sun_path, sizeof address.sun_path - 1);
      REQUIRE(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }
    io::server serving = io::start_server(greet, where);
    co_await expect_greeting(where);
    // One that is alive is not.
    CHECK(code_of_listening(where) == std::errc::address_in_use);
    co_await expect_greeting(where);
    CHECK(serving.name() == "unix:" + where.name());
    serving.close();
    CHECK_FALSE(std::filesystem::exists(where.name()));
    const std::error_code late = co_await code_of_connecting(where);
    CHECK(late == std::errc::no_such_file_or_directory);
  };
  run_scenario(body());
}

TEST_CASE("a file that is no socket is left alone", "[conformance][server-11]") {
  const scratch_folder here;
  const io::unix_endpoint where = socket_in(here);
  here.write("socket", "precious");
  CHECK(code_of_listening(where) == std::errc::address_in_use);
  CHECK(here.read("socket") == "precious");
  std::filesystem::create_directory(here.file("directory"));
  CHECK(code_of_listening(socket_in(here, "directory")) == std::errc::address_in_use);
  CHECK(code_of_listening(socket_in(here, "missing/socket")) ==
        std::errc::no_such_file_or_directory);
}

TEST_CASE("only stream sockets that listen can be handed over", "[conformance][server-11]") {
  CHECK(refusal_of(raw(AF_INET, SOCK_DGRAM)) == "no stream socket");
  CHECK(refusal_of(raw(AF_UNIX, SOCK_DGRAM)) == "no stream socket");
  CHECK(refusal_of(raw(AF_INET, SOCK_STREAM)) == "a socket that does not listen");
  CHECK(refusal_of(raw(AF_NETLINK, SOCK_RAW)) == "neither an internet nor a Unix socket");
  CHECK(refusal_of(io::descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC))) == "no socket");
}

TEST_CASE("a socket that listened before is served, whoever opened it") {
  auto body = []() -> coro<> {
    io::listening_socket first(io::endpoint::loopback(0));
    const io::endpoint where = first.local();
    io::descriptor handed(::dup(first.native()));
    first = io::listening_socket(std::move(handed));
    CHECK(first.local() == where);
    io::server serving = io::start_server(greet, std::move(first));
    peer guest = connect_peer(where.port());
    const std::string got = co_await guest.receive(6);
    CHECK(got == "hello\n");
  };
  run_scenario(body());
}

TEST_CASE(
    "the sockets that a service manager has opened are taken over once, by whom they are meant "
    "for") {
  const io::listening_socket listening(io::endpoint::loopback(0));
  const std::string name = listening.local().text();
  CHECK(inherited_by_a_child(listening, "1", "web") == "web=" + name + ";");
  CHECK(inherited_by_a_child(listening, "1", nullptr) == "=" + name + ";");
  CHECK(inherited_by_a_child(listening, "0", "web") == "");
  CHECK(inherited_by_a_child(listening, "1", "web", false) == "still set");
  CHECK(inherited_by_a_child(listening, "one", "web") == "LISTEN_FDS is no number: 'one'");
  CHECK(inherited_by_a_child(listening, "5000", "web") ==
        "LISTEN_FDS names more descriptors than there may be");
}

TEST_CASE("a server whose file another has replaced leaves that one") {
  auto body = []() -> coro<> {
    const scratch_folder here;
    const io::unix_endpoint where = socket_in(here);
    io::server first = io::start_server(greet, where);
    std::filesystem::remove(where.name());
    io::server second = io::start_server(greet, where);
    first.close();
    co_await expect_greeting(where);
    second.close();
    CHECK_FALSE(std::filesystem::exists(where.name()));
  };
  run_scenario(body());
}

TEST_CASE("an abstract name needs no file") {
  auto body = []() -> coro<> {
    const io::unix_endpoint where("@troupe-abstract-" + std::to_string(::getpid()));
    io::server serving = io::start_server(greet, where);
    CHECK(serving.name() == "unix:" + where.name());
    co_await expect_greeting(where);
    CHECK(code_of_listening(where) == std::errc::address_in_use);
    serving.close();
    const std::error_code late = co_await code_of_connecting(where);
    CHECK(late == std::errc::connection_refused);
  };
  run_scenario(body());
}

TEST_CASE("who connects to a Unix socket with a full backlog waits, and may give up") {
  auto body = []() -> coro<> {
    const scratch_folder here;
    const io::unix_endpoint where = socket_in(here);
    io::server_options options;
    options.listen.backlog = 1;
    options.start_serving = false;
    io::server serving = io::start_server(greet, where, options);
    std::vector<io::stream> early;
    std::vector<task<>> waiting;
    for (int index = 0; index < 6; ++index) waiting.push_back(create_task(expect_greeting(where)));
    co_await turns(3);
    const std::size_t before = open_descriptors();
    for (int turn = 0; turn < 20; ++turn) {
      coro<> late = expect_greeting(where);
      CHECK_THROWS_AS(co_await timeout(2ms, std::move(late)), timeout_error);
    }
    CHECK(descriptors_come_to(before));
    serving.start_serving();
    for (const auto& each : waiting) co_await each;
  };
  run_scenario(body());
}

TEST_CASE("a server on each loop shares one port") {
  struct scene {
    /// Serves on the loop it runs on until `over`.
    static coro<> serve(io::listening_socket listening, std::atomic<int>& served,
                        std::atomic<bool>& over) {
      auto handler = [&served](io::stream client) -> coro<> {
        ++served;
        client.write("hello\n");
        co_await client.drain();
      };
      io::server serving = io::start_server(handler, std::move(listening));
      co_await poll_until([&] { return over.load(); });
      co_await serving.shutdown(patience);
    }
    static coro<> run() {
      std::atomic<int> served[2] = {};
      std::atomic<bool> over = false;
      io::listening_socket first(io::endpoint::loopback(0), {.reuse_port = true});
      io::listening_socket second(first.local(), {.reuse_port = true});
      const std::uint16_t port = first.local().port();
      auto here = create_task(serve(std::move(first), served[0], over));
      auto there = create_task(
          on(runtime::current()->loop_at(1), serve(std::move(second), served[1], over)));
      int count = 0;
      // The system spreads them by a hash: one side gets none once in 2^40 times.
      for (; count < 500 && (count < 40 || served[0] == 0 || served[1] == 0); ++count) {
        peer guest = connect_peer(port);
        const std::string got = co_await guest.receive(6);
        CHECK(got == "hello\n");
      }
      over = true;
      co_await here;
      co_await there;
      CHECK(served[0] + served[1] == count);
      CHECK(served[0] > 0);
      CHECK(served[1] > 0);
    }
  };
  run_scenario(scene::run(), 2);
}

TEST_CASE("a listener actor and its connections work over a Unix socket as well") {
  class greeter : public actor<io::listener_events> {
   public:
    explicit greeter(io::listening_socket listening) {
      spawn<io::tcp_listener>(std::move(listening), self());
    }
    void on(io::accepted a) {
      CHECK(a.connected.is_unix());
      CHECK(a.connected.peer_name() == "unix");
      CHECK_THROWS_AS(a.connected.local(), std::invalid_argument);
      spawn<echo>(std::move(a.connected));
    }
  };
  auto body = []() -> coro<> {
    const scratch_folder here;
    auto owner = spawn<greeter>(io::listening_socket(socket_in(here)));
    io::stream client = co_await io::open_connection(socket_in(here));
    CHECK(client.peer_name() == socket_in(here).text());
    client.write("hello\n");
    client.write_eof();
    const io::bytes got = co_await client.read_all();
    CHECK(got.text() == "hello\n");
    const auto end = owner.stopped();
    owner.stop();
    static_cast<void>(co_await end);
    CHECK_FALSE(std::filesystem::exists(socket_in(here).name()));
  };
  run_scenario(body());
}

TEST_CASE("names that no Unix socket can have are told apart") {
  const auto told = [](std::string_view name) -> std::string {
    try {
      const io::unix_endpoint made(name);
    } catch (const io::bad_address& error) {
      return error.what();
    }
    return "";
  };
  CHECK(told("") == "a Unix socket needs a path, or a name after '@'");
  CHECK(told("@") == "a Unix socket needs a path, or a name after '@'");
  CHECK(told(std::string_view("a\0b", 3)) ==
        "the name of a Unix socket with a zero byte in it is none");
  const std::string longest(107, 'x');
  CHECK(told(longest).empty());
  CHECK(told(longest + "x") ==
        "'" + longest + "x' has 108 bytes: the name of a Unix socket takes 107");
}

TEST_CASE("a server may listen on several sockets of several kinds") {
  auto body = []() -> coro<> {
    const io::unix_endpoint name("@troupe-several-" + std::to_string(::getpid()));
    std::vector<io::listening_socket> sockets;
    sockets.emplace_back(io::endpoint::loopback(0));
    sockets.emplace_back(name);
    sockets.emplace_back(io::endpoint::loopback(0));
    const std::uint16_t last = sockets.back().local().port();
    io::server serving = io::start_server(greet, std::move(sockets));
    co_await expect_greeting(name);
    for (const std::uint16_t port : {serving.local().port(), last}) {
      peer guest = connect_peer(port);
      const std::string got = co_await guest.receive(6);
      CHECK(got == "hello\n");
    }
  };
  run_scenario(body());
}
