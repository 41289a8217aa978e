// Other people's TLS against ours, both ways round, where it is installed.
#include <troupe/io/open_connection.hpp>

#include "io/tls/support.hpp"
#include "scenarios/programs.hpp"
#include "scenarios/scratch.hpp"
#include "scenarios/support.hpp"

#include <sys/socket.h>

#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// The certificates, for those who want files: where these are.
struct files {
  scratch_folder folder;
  std::string authority = folder.write("ca.pem", tls::authority().certificate);
  std::string certificate = folder.write("cert.pem", tls::server_certificate().certificate);
  std::string key = folder.write("key.pem", tls::server_certificate().key);
};

/// Its errors are among what it says.
real_program start(std::vector<std::string> command) {
  return real_program(std::move(command), real_program::errors::to_output);
}

/// A port of ours to which one client comes.
class port {
 public:
  port() {
    io::listening_socket made(io::endpoint::loopback(0));
    where_ = made.local();
    listening_ = made.release();
  }
  std::string number() const { return std::to_string(where_.port()); }
  coro<io::stream> accepted() {
    io::descriptor found;
    for (;;) {
      found = io::descriptor(
          ::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (found) break;
      co_await sleep(1ms);
    }
    co_return io::make_stream(io::socket(std::move(found), where_));
  }

 private:
  io::endpoint where_;
  io::descriptor listening_;
};

coro<io::stream> accept_over_tls(port& at) {
  io::stream plain = co_await at.accepted();
  auto accepting = io::accept_tls(std::move(plain), tls::server_context());
  co_return co_await std::move(accepting);
}

coro<> echo_lines(port& at) {
  io::stream peer = co_await accept_over_tls(at);
  while (auto line = co_await peer.next_line()) peer.write("you said ", *line, "\n");
  peer.close();
  co_await peer.wait_closed();
}

std::uint16_t number_after(const std::string& text, const std::string& mark) {
  const std::size_t at = text.find(mark);
  INFO(text);
  REQUIRE(at != std::string::npos);
  return static_cast<std::uint16_t>(std::stoi(text.substr(at + mark.size())));
}

}  // namespace

TEST_CASE("openssl s_client speaks with our TLS server") {
  if (lacks("openssl")) return;
  struct scene {
    static coro<> run(std::string version) {
      const files with;
      port at;
      auto serving = create_task(echo_lines(at));
      real_program client =
          start({"openssl", "s_client", "-connect", "127.0.0.1:" + at.number(), "-CAfile",
                 with.authority, "-servername", "localhost", "-verify_hostname", "localhost",
                 "-verify_return_error", "-quiet", "-no_ign_eof", version});
      client.say("hello\n");
      co_await client.until("you said hello\n");
      client.end_input();
      const int status = co_await client.status();
      INFO(client.said());
      CHECK(status == 0);
      CHECK(client.said().find("you said hello\n") != std::string::npos);
      co_await serving;
    }
  };
  run_scenario(scene::run("-tls1_3"));
  run_scenario(scene::run("-tls1_2"));
}

TEST_CASE("our TLS client speaks with openssl s_server") {
  if (lacks("openssl")) return;
  struct scene {
    static coro<> run(std::string version) {
      const files with;
      real_program server =
          start({"openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", with.certificate, "-key",
                 with.key, "-rev", "-naccept", "1", version});
      co_await server.until("ACCEPT 127.0.0.1:");
      co_await server.until("\n");
      const io::endpoint there =
          io::endpoint::loopback(number_after(server.said(), "ACCEPT 127.0.0.1:"));
      auto connecting = io::connect_tls(there, "localhost", tls::client_context());
      io::stream peer = co_await std::move(connecting);
      const io::tls_info info = io::tls_info_of(peer).value();
      CHECK(info.peer_verified);
      CHECK(info.version == (version == "-tls1_3" ? "TLSv1.3" : "TLSv1.2"));
      peer.write("hello\n");
      const std::string line = co_await peer.read_line();
      CHECK(line == "olleh\n");
      peer.write("CLOSE\n");  // which it does
      const io::bytes rest = co_await peer.read_all();
      CHECK(rest.empty());
      peer.close();
      co_await peer.wait_closed();
    }
  };
  run_scenario(scene::run("-tls1_3"));
  run_scenario(scene::run("-tls1_2"));
}

TEST_CASE("curl reads from our TLS server, and refuses it without the authority") {
  if (lacks("curl")) return;
  struct scene {
    static coro<> answer(port& at, std::size_t size) {
      io::stream peer = co_await accept_over_tls(at);
      const std::string request = co_await peer.read_until("\r\n\r\n");
      CHECK(request.starts_with("GET /large HTTP/1.1\r\n"));
      peer.write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ", std::to_string(size),
                 "\r\n\r\n");
      peer.write(pattern(size));
      peer.close();
      co_await peer.wait_closed();
    }
    static coro<> run() {
      const files with;
      port at;
      const std::size_t size = 2'000'000;
      auto serving = create_task(answer(at, size));
      const std::string url = "https://localhost:" + at.number() + "/large";
      real_program client =
          start({"curl", "-sS", "--noproxy", "*", "--http1.1", "--cacert", with.authority,
                 "--resolve", "localhost:" + at.number() + ":127.0.0.1", url});
      int status = co_await client.status();
      CHECK(status == 0);
      CHECK((client.said() == pattern(size)));
      co_await serving;

      auto refused = create_task(tls::ending_of(accept_over_tls(at)));
      real_program distrustful = start({"curl", "-sS", "--noproxy", "*", "--resolve",
                                        "localhost:" + at.number() + ":127.0.0.1", url});
      status = co_await distrustful.status();
      CHECK(status == 60);
      const tls::ending end = co_await refused;
      CHECK(end.code == io::tls_error::certificate_refused);
    }
  };
  run_scenario(scene::run());
}

TEST_CASE("Python's asyncio speaks TLS with our server and with our client") {
  if (lacks("python3")) return;
  struct scene {
    static coro<> with_our_server() {
      const files with;
      port at;
      auto serving = create_task(echo_lines(at));
      real_program client = start({"python3", "-c", R"(
import asyncio, ssl, sys
async def main(port, authority):
    context = ssl.create_default_context(cafile=authority)
    reader, writer = await asyncio.open_connection('127.0.0.1', port, ssl=context, server_hostname='localhost')
    for text in (b'hello\n', b'x' * 30000 + b'\n'):
        writer.write(text)
        await writer.drain()
        assert await reader.readline() == b'you said ' + text
    writer.close()
    await writer.wait_closed()
    print('all is well')
asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
)",
                                   at.number(), with.authority});
      const int status = co_await client.status();
      INFO(client.said());
      CHECK(status == 0);
      CHECK(client.said() == "all is well\n");
      co_await serving;
    }
    static coro<> with_our_client() {
      const files with;
      real_program server = start({"python3", "-c", R"(
import asyncio, ssl, sys
async def main(certificate, key):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    over = asyncio.Event()
    async def serve(reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
        writer.close()
        await writer.wait_closed()
        over.set()
    server = await asyncio.start_server(serve, '127.0.0.1', 0, ssl=context)
    print('port', server.sockets[0].getsockname()[1], flush=True)
    await over.wait()
asyncio.run(main(sys.argv[1], sys.argv[2]))
)",
                                   with.certificate, with.key});
      co_await server.until("\n");
      const io::endpoint there = io::endpoint::loopback(number_after(server.said(), "port "));
      auto connecting = io::connect_tls(there, "localhost", tls::client_context());
      io::stream peer = co_await std::move(connecting);
      peer.write("hello\n");
      const std::string line = co_await peer.read_line();
      CHECK(line == "HELLO\n");
      peer.close();
      co_await peer.wait_closed();
      const int status = co_await server.status();
      INFO(server.said());
      CHECK(status == 0);
    }
  };
  run_scenario(scene::with_our_server());
  run_scenario(scene::with_our_client());
}
