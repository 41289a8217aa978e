// Datagrams to and from other programs, where they are installed, and the example as a program of its own.
#include <troupe/io/udp.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/timeout.hpp>

#include "scenarios/support.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// A child with pipes. Killed and reaped when this goes.
class program {
 public:
  explicit program(std::vector<std::string> words) {
    int in[2];
    int out[2];
    REQUIRE(::pipe2(in, O_CLOEXEC) == 0);
    REQUIRE(::pipe2(out, O_CLOEXEC) == 0);
    std::vector<char*> arguments;
    for (std::string& each : words) arguments.push_back(each.data());
    arguments.push_back(nullptr);
    child_ = ::fork();
    REQUIRE(child_ >= 0);
    if (child_ == 0) {
      ::dup2(in[0], 0);
      ::dup2(out[1], 1);
      ::execvp(arguments[0], arguments.data());
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    in_ = io::descriptor(in[1]);
    out_ = io::descriptor(out[0]);
    REQUIRE(::fcntl(out_.get(), F_SETFL, O_NONBLOCK) == 0);
  }
  ~program() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  program(const program&) = delete;
  program& operator=(const program&) = delete;

  void type(std::string_view text) const {
    REQUIRE(::write(in_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void send(int signal) const { REQUIRE(::kill(child_, signal) == 0); }
  /// Waits until its output holds `text`, or ends.
  coro<> until_says(std::string text) {
    while (output.find(text) == std::string::npos) {
      char buffer[1024];
      const ssize_t got = ::read(out_.get(), buffer, sizeof buffer);
      if (got == 0) break;
      if (got > 0) output.append(buffer, static_cast<std::size_t>(got));
      if (got < 0) co_await sleep(1ms);
    }
  }

  std::string output;

 private:
  pid_t child_ = -1;
  io::descriptor in_;
  io::descriptor out_;
};

bool installed(const std::string& name) {
  const char* const path = ::getenv("PATH");
  std::string folders = path != nullptr ? path : "";
  for (std::size_t at = 0; at <= folders.size();) {
    const std::size_t end = std::min(folders.find(':', at), folders.size());
    if (::access((folders.substr(at, end - at) + "/" + name).c_str(), X_OK) == 0) return true;
    at = end + 1;
  }
  return false;
}

/// Skips a test for want of a program.
bool lacks(const std::string& name) {
  if (installed(name)) return false;
  WARN("skipped: this machine has no " << name);
  return true;
}

/// Takes a datagram from a program and answers it.
coro<> hold_conversation(io::udp_socket& socket, program& other) {
  other.type("hello\n");
  const io::datagram got = co_await socket.receive();
  CHECK(got.content.text() == "hello\n");
  co_await socket.send_to("answer\n", got.from);
  co_await other.until_says("answer\n");
  CHECK(other.output == "answer\n");
}

}  // namespace

TEST_CASE("nc talks to a UDP socket") {
  if (lacks("nc")) return;
  auto body = []() -> coro<> {
    io::udp_socket socket(io::endpoint::loopback(0));
    program other({"nc", "-u", "127.0.0.1", std::to_string(socket.local().port())});
    co_await hold_conversation(socket, other);
  };
  run_scenario(body());
}

TEST_CASE("socat talks to a UDP socket") {
  if (lacks("socat")) return;
  auto body = []() -> coro<> {
    io::udp_socket socket(io::endpoint::loopback(0));
    program other({"socat", "-", "UDP4:127.0.0.1:" + std::to_string(socket.local().port())});
    co_await hold_conversation(socket, other);
  };
  run_scenario(body());
}

TEST_CASE("an echo server in Python's asyncio answers a UDP socket") {
  if (lacks("python3")) return;
  auto body = []() -> coro<> {
    program server(
        {"python3", "-c",
         "import asyncio\n"
         "class Echo(asyncio.DatagramProtocol):\n"
         "    def connection_made(self, transport): self.transport = transport\n"
         "    def datagram_received(self, data, addr): self.transport.sendto(data, addr)\n"
         "async def main():\n"
         "    loop = asyncio.get_running_loop()\n"
         "    t, _ = await loop.create_datagram_endpoint(Echo, local_addr=('127.0.0.1', 0))\n"
         "    print(t.get_extra_info('sockname')[1], flush=True)\n"
         "    await asyncio.Event().wait()\n"
         "asyncio.run(main())\n"});
    co_await server.until_says("\n");
    REQUIRE_FALSE(server.output.empty());
    io::udp_socket client = io::udp_socket::connected(
        io::endpoint::loopback(static_cast<std::uint16_t>(std::stoi(server.output))));
    for (const std::size_t size : {std::size_t{1}, std::size_t{1400}, std::size_t{65507}}) {
      const std::string sent = pattern(size);
      co_await client.send(sent);
      const io::datagram got = co_await client.receive();
      CHECK(same(got.content.text(), sent));
    }
  };
  run_scenario(body());
}

TEST_CASE("udp_ping as a server answers udp_ping as a client, and ends when it is interrupted") {
  auto body = []() -> coro<> {
    program server({TROUPE_EXAMPLES "/udp_ping", "server", "localhost:0"});
    co_await server.until_says("\n");
    const std::string intro = "answering on ";
    REQUIRE(server.output.find(intro) == 0);
    const std::string where =
        server.output.substr(intro.size(), server.output.size() - intro.size() - 1);
    program client({TROUPE_EXAMPLES "/udp_ping", "client", where});
    co_await client.until_says("us\n");
    CHECK(client.output.find("50 datagrams sent to " + where) == 0);
    CHECK(client.output.find("round trip min/avg/max") != std::string::npos);
    server.send(SIGINT);
    co_await server.until_says("nothing more");
  };
  run_scenario(body());
}
