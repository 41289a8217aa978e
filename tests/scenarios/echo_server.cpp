// The example echo_server, as a program of its own.
#include "scenarios/support.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <string>
#include <vector>

using namespace troupe::testing;
namespace io = troupe::io;

namespace {

/// The example as a child process. Killed and reaped when this goes.
class program {
 public:
  explicit program(std::vector<std::string> arguments) {
    int out[2];
    int err[2];
    REQUIRE(::pipe(out) == 0);
    REQUIRE(::pipe(err) == 0);
    std::string path = TROUPE_EXAMPLES "/echo_server";
    std::vector<char*> words{path.data()};
    for (std::string& each : arguments) words.push_back(each.data());
    words.push_back(nullptr);
    child_ = ::fork();
    REQUIRE(child_ >= 0);
    if (child_ == 0) {
      ::dup2(out[1], 1);
      ::dup2(err[1], 2);
      for (int* each : {out, err}) {
        ::close(each[0]);
        ::close(each[1]);
      }
      ::execv(path.c_str(), words.data());
      ::_exit(127);
    }
    ::close(out[1]);
    ::close(err[1]);
    out_ = io::descriptor(out[0]);
    err_ = io::descriptor(err[0]);
  }
  ~program() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  program(const program&) = delete;
  program& operator=(const program&) = delete;

  /// Waits for its first line and returns the port in it.
  std::uint16_t port() {
    while (output.find('\n') == std::string::npos) {
      if (!read_some(out_, output)) break;
    }
    const std::string intro = "listening on port ";
    INFO(output);
    REQUIRE(output.find(intro) == 0);
    return static_cast<std::uint16_t>(std::stoi(output.substr(intro.size())));
  }
  void send(int signal) const { REQUIRE(::kill(child_, signal) == 0); }

  /// Waits for its end; what it printed is in `output` and `errors` then. Returns its status, or -signal.
  int wait() {
    while (read_some(out_, output)) {
    }
    while (read_some(err_, errors)) {
    }
    int status = 0;
    REQUIRE(::waitpid(std::exchange(child_, -1), &status, 0) > 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  /// Waits until its errors hold `words`.
  void wait_for_error(std::string_view words) {
    while (errors.find(words) == std::string::npos) {
      if (!read_some(err_, errors)) break;
    }
  }

  std::string output;
  std::string errors;

 private:
  /// False at the end, or when nothing comes for a minute.
  static bool read_some(const io::descriptor& from, std::string& into) {
    pollfd readable{from.get(), POLLIN, 0};
    if (::poll(&readable, 1, 60'000) != 1) return false;
    char buffer[1024];
    const ssize_t got = ::read(from.get(), buffer, sizeof buffer);
    if (got > 0) into.append(buffer, static_cast<std::size_t>(got));
    return got > 0;
  }

  pid_t child_ = -1;
  io::descriptor out_;
  io::descriptor err_;
};

/// A client that waits for its answers.
class client {
 public:
  explicit client(std::uint16_t port) : socket_(connect_peer(port)) {
    const timeval limit{60, 0};
    REQUIRE(::setsockopt(socket_.native(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
  }
  void send(std::string_view text) {
    REQUIRE(::send(socket_.native(), text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
  }
  std::string receive(std::size_t size) {
    std::string text(size, '\0');
    std::size_t done = 0;
    while (done < size) {
      const ssize_t got = ::recv(socket_.native(), text.data() + done, size - done, 0);
      if (got < 0) error = errno;
      if (got <= 0) break;
      done += static_cast<std::size_t>(got);
    }
    text.resize(done);
    return text;
  }
  std::string round(std::string_view text) {
    send(text);
    return receive(text.size());
  }
  void end_sending() { socket_.end_sending(); }

  int error = 0;

 private:
  peer socket_;
};

}  // namespace

TEST_CASE("the echo server says its port and gives back what it gets") {
  program server({"--port", "0"});
  const std::uint16_t port = server.port();
  client one(port);
  client other(port);
  CHECK(one.round("hello") == "hello");
  CHECK(other.round("good day") == "good day");
  CHECK(one.round(pattern(50'000)) == pattern(50'000));
  one.end_sending();
  CHECK(one.receive(1) == "");
  CHECK(one.error == 0);
}

TEST_CASE("the echo server ends on SIGTERM or SIGINT with status 0 and a summary") {
  const int signal = GENERATE(SIGTERM, SIGINT);
  program server({"--port", "0"});
  const std::uint16_t port = server.port();
  client one(port);
  client other(port);
  CHECK(one.round("hello") == "hello");
  CHECK(other.round("hello") == "hello");
  server.send(signal);
  CHECK(server.wait() == 0);
  CHECK(server.output == "listening on port " + std::to_string(port) + "\nsignal " +
                             std::to_string(signal) + ", finishing\nserved 2 connections\n");
  CHECK(server.errors == "");
  // The clients are told.
  CHECK(one.receive(1) == "");
}

TEST_CASE("a connection of the echo server that says crash dies alone, and the crash is reported") {
  program server({"--port", "0"});
  const std::uint16_t port = server.port();
  client unlucky(port);
  client lucky(port);
  CHECK(unlucky.round("hello") == "hello");
  CHECK(lucky.round("hello") == "hello");
  unlucky.send("crash\n");
  CHECK(unlucky.receive(1) == "");
  server.wait_for_error("a client said crash");
  CHECK(lucky.round("still here?") == "still here?");
  client late(port);
  CHECK(late.round("and new ones?") == "and new ones?");
  server.send(SIGTERM);
  CHECK(server.wait() == 0);
  CHECK(server.output.find("served 3 connections\n") != std::string::npos);
}

TEST_CASE("the echo server ends with status 1 and a clear line when its port is in use") {
  const io::listening_socket taken(io::endpoint::loopback(0));
  program server({"--port", std::to_string(taken.local().port())});
  CHECK(server.wait() == 1);
  CHECK(server.output == "");
  CHECK(server.errors ==
        "echo_server: listening on " + taken.local().text() + ": Address already in use\n");
}

TEST_CASE("the echo server ends with status 1 and a clear line when its port is no port") {
  const std::string port = GENERATE(as<std::string>(), "http", "65536", "-1", "", "80 80");
  program server({"--port", port});
  CHECK(server.wait() == 1);
  CHECK(server.output == "");
  CHECK(server.errors ==
        "echo_server: '127.0.0.1:" + port + "' ends in no port number between 0 and 65535\n");
}

TEST_CASE("the echo server ends with status 2 and its usage when the arguments are wrong") {
  const std::vector<std::string> arguments =
      GENERATE(std::vector<std::string>{"--port"}, std::vector<std::string>{"--prot", "0"},
               std::vector<std::string>{"--help"}, std::vector<std::string>{"--port", "0", "more"},
               std::vector<std::string>{""});
  program server(arguments);
  CHECK(server.wait() == 2);
  CHECK(server.output == "");
  CHECK(server.errors.find("usage: echo_server [--port N]\n") == 0);
}

TEST_CASE("the echo server ends cleanly with a thousand connections open, and counts them") {
  program server({"--port", "0"});
  const std::uint16_t port = server.port();
  std::vector<client> all;
  all.reserve(1000);
  for (int index = 0; index < 1000; ++index) {
    all.emplace_back(port);
    all.back().send("x");
  }
  std::size_t served = 0;
  for (client& each : all) served += each.receive(1).size();
  CHECK(served == 1000);
  server.send(SIGTERM);
  CHECK(server.wait() == 0);
  CHECK(server.output.find("served 1000 connections\n") != std::string::npos);
  CHECK(server.errors == "");
}

TEST_CASE("the echo server survives clients that reset, flood and vanish") {
  program server({"--port", "0"});
  const std::uint16_t port = server.port();
  for (int turn = 0; turn < 50; ++turn) {
    peer rude = connect_peer(port);
    const std::string flood(100'000, 'x');
    while (rude.send_now(flood) != 0) {
    }
    if (turn % 2 == 0) {
      rude.reset();
    } else {
      rude.close();
    }
  }
  client polite(port);
  CHECK(polite.round("hello") == "hello");
  server.send(SIGTERM);
  CHECK(server.wait() == 0);
  CHECK(server.errors == "");
}
