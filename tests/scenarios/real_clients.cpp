// Programs that know nothing of us talk to our servers, and our streams to theirs: nc, socat, curl, Python's asyncio. What is not installed is
// left out, and said.
#include <troupe/io/open_connection.hpp>
#include <troupe/io/process.hpp>
#include <troupe/io/server.hpp>
#include <troupe/runtime/timeout.hpp>

#include "scenarios/children.hpp"
#include "scenarios/scratch.hpp"
#include "scenarios/support.hpp"

#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

using words = std::vector<std::string>;

/// Whether a program is there; says so otherwise. Python is started, for a stub may stand in its place.
coro<bool> installed(std::string program, words arguments) {
  try {
    io::process probe = co_await io::subprocess_exec(
        program, std::move(arguments),
        {.input = io::stdio::null, .output = io::stdio::null, .errors = io::stdio::null});
    static_cast<void>(co_await probe.wait());
    co_return true;
  } catch (const io::spawn_error& error) {
    WARN("skipped: " << error.what());
    co_return false;
  }
}

/// Gives a program its input and the end of that, and takes all it prints.
coro<std::string> output_of(std::string program, words arguments, std::string input) {
  io::process child = co_await io::subprocess_exec(program, std::move(arguments), piped);
  const io::communicated said = co_await child.communicate(std::move(input));
  INFO(*said.errors);
  CHECK(said.returncode == 0);
  co_return *said.output;
}

/// Sends back a line in brackets, and ends.
coro<> answer_once(io::stream client) {
  auto line = co_await client.next_line();
  client.write("[", line.value_or("nothing"), "]\n");
}

/// Sends back all, once the end of it has come.
coro<> answer_all(io::stream client) {
  io::bytes all = co_await client.read_all();
  client.write(std::move(all));
}

/// HTTP as far as a client needs it who asks for one page.
coro<> serve_page(io::stream client) {
  const std::string request = co_await client.read_until("\r\n\r\n");
  const std::string body = request.starts_with("GET /page HTTP/1.1\r\n") ? "a page\n" : "what?\n";
  client.write("HTTP/1.1 200 OK\r\nContent-Length: ", std::to_string(body.size()),
               "\r\nConnection: close\r\n\r\n", body);
}

std::string port_of(const io::server& of) { return std::to_string(of.local().port()); }

/// Says something to a stream that answers it all at the end.
coro<> expect_echo(io::stream to) {
  const std::string text = pattern(300'000);
  to.write(text);
  to.write_eof();
  const io::bytes back = co_await to.read_all();
  CHECK(same(back.text(), text));
}

constexpr const char* python_client = R"(
import asyncio, sys
async def main():
    reader, writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    data = bytes(range(256)) * 4000
    writer.write(data)
    writer.write_eof()
    back = await reader.read()
    writer.close()
    await writer.wait_closed()
    print("same" if back == data else "different")
asyncio.run(main())
)";

constexpr const char* python_server = R"(
import asyncio, sys
async def serve(reader, writer):
    writer.write(await reader.read())
    await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
asyncio.run(main())
)";

}  // namespace

TEST_CASE("nc talks to our server, over TCP and a Unix socket") {
  auto body = []() -> coro<> {
    const bool there = co_await installed("nc", io::args("-h"));
    if (!there) co_return;
    io::server tcp = io::start_server(answer_once, io::endpoint::loopback(0));
    std::string got = co_await output_of("nc", io::args("127.0.0.1", port_of(tcp)), "hello\n");
    CHECK(got == "[hello]\n");
    const scratch_folder here;
    const io::unix_endpoint where(here.file("socket"));
    io::server local = io::start_server(answer_once, where);
    io::process child = co_await io::subprocess_exec("nc", io::args("-U", where.name()), piped);
    const io::communicated said = co_await child.communicate("hello\n");
    if (said.returncode != 0) {
      WARN("skipped: this nc knows no Unix sockets");  // the traditional one
    } else {
      CHECK(*said.output == "[hello]\n");
    }
  };
  run_with_children(body());
}

TEST_CASE("socat talks to our server, each half ended by itself") {
  auto body = []() -> coro<> {
    const bool there = co_await installed("socat", io::args("-V"));
    if (!there) co_return;
    io::server serving = io::start_server(answer_all, io::endpoint::loopback(0));
    const std::string text = pattern(1'000'000);
    const std::string got = co_await output_of(
        "socat", io::args("-t60", "-", "TCP:127.0.0.1:" + port_of(serving)), text);
    CHECK(same(got, text));
    const io::unix_endpoint name("@troupe-socat-" + std::to_string(::getpid()));
    io::server local = io::start_server(answer_all, name);
    const std::string abstract = co_await output_of(
        "socat", io::args("-t60", "-", "ABSTRACT-CONNECT:" + name.name().substr(1)), text);
    CHECK(same(abstract, text));
  };
  run_with_children(body());
}

TEST_CASE("our stream talks to a server of socat") {
  auto body = []() -> coro<> {
    const bool there = co_await installed("socat", io::args("-V"));
    if (!there) co_return;
    io::process server = co_await io::subprocess_exec(
        "socat", io::args("-d", "-d", "-t60", "TCP-LISTEN:0,bind=127.0.0.1", "EXEC:cat"), piped);
    std::string port;
    while (auto line = co_await server.errors().next_line()) {
      if (line->find("listening on") == std::string::npos) continue;
      port = line->substr(line->rfind(':') + 1);
      break;
    }
    io::stream client = co_await io::open_connection(io::endpoint::parse("127.0.0.1:" + port));
    co_await expect_echo(std::move(client));
    const io::bytes rest = co_await server.errors().read_all();
    const int status = co_await server.wait();
    INFO(rest.text());
    CHECK(status == 0);
  };
  run_with_children(body());
}

TEST_CASE("curl gets a page from our server") {
  auto body = []() -> coro<> {
    const bool there = co_await installed("curl", io::args("--version"));
    if (!there) co_return;
    io::server serving = io::start_server(serve_page, io::endpoint::loopback(0));
    const std::string got = co_await output_of(
        "curl", io::args("-sS", "--noproxy", "*", "http://127.0.0.1:" + port_of(serving) + "/page"),
        "");
    CHECK(got == "a page\n");
    const scratch_folder here;
    io::server local = io::start_server(serve_page, io::unix_endpoint(here.file("socket")));
    const std::string page = co_await output_of(
        "curl", io::args("-sS", "--unix-socket", here.file("socket"), "http://localhost/page"), "");
    CHECK(page == "a page\n");
  };
  run_with_children(body());
}

TEST_CASE("Python's asyncio talks to our server, and our stream to its server") {
  auto body = []() -> coro<> {
    const bool there = co_await installed("python3", io::args("-c", ""));
    if (!there) co_return;
    io::server serving = io::start_server(answer_all, io::endpoint::loopback(0));
    const std::string got =
        co_await output_of("python3", io::args("-c", python_client, port_of(serving)), "");
    CHECK(got == "same\n");

    io::process server =
        co_await io::subprocess_exec("python3", io::args("-c", python_server), piped);
    const std::string port = co_await server.output().read_line();
    io::stream client = co_await io::open_connection(
        io::endpoint::parse("127.0.0.1:" + port.substr(0, port.size() - 1)));
    co_await expect_echo(std::move(client));
    server.input().close();
    const int status = co_await server.wait();
    CHECK(status == 0);
  };
  run_with_children(body());
}
