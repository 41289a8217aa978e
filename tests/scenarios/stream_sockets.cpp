// The contract of streams, over TCP and over Unix sockets.
#include <troupe/io/internal/socket_transport.hpp>
#include <troupe/io/listening.hpp>
#include <troupe/io/open_connection.hpp>
#include <troupe/io/server.hpp>
#include <troupe/runtime/runtime.hpp>

#include "io/stream_contract.hpp"
#include "scenarios/tcp_ends.hpp"
#include "support/catch.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing::streams;

namespace {

void run_in_real_time(coro<> body) {
  run_options options;
  options.handle_interrupt = false;
  troupe::run(std::move(body), options);
}

coro<ends> over_unix(io::stream_options options) {
  int both[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, both) != 0)
    throw std::runtime_error("no socket pair");
  const auto end = [&](int of) {
    return io::stream(std::make_unique<io::internal::socket_transport>(io::descriptor(of), "unix"),
                      options);
  };
  co_return ends(end(both[0]), end(both[1]));
}

}  // namespace

TEST_CASE("the contract of streams holds over TCP") { run_in_real_time(contract(over_tcp)); }
TEST_CASE("the contract of streams holds over Unix sockets") {
  run_in_real_time(contract(over_unix, {.resets = false}));
}

TEST_CASE("a stream over TCP names both its ends") {
  struct scene {
    static coro<> run() {
      ends two = co_await over_tcp({});
      CHECK(two.first.local_name().starts_with("127.0.0.1:"));
      CHECK(two.first.peer_name().starts_with("127.0.0.1:"));
      CHECK(two.first.native() >= 0);
    }
  };
  run_in_real_time(scene::run());
}

TEST_CASE("small writes leave at once at both ends of a connection: neither waits for the other") {
  struct scene {
    static bool at_once(const io::stream& of) {
      int on = 0;
      socklen_t size = sizeof on;
      CHECK(::getsockopt(of.native(), IPPROTO_TCP, TCP_NODELAY, &on, &size) == 0);
      return on != 0;
    }
    static coro<> serve(io::stream client) {
      CHECK(at_once(client));
      client.write("seen");
      co_return;
    }
    static coro<> run() {
      const io::server serving = io::start_server(serve, io::endpoint::loopback(0));
      io::stream to = co_await io::open_connection(serving.local());
      CHECK(at_once(to));
      const io::bytes answer = co_await to.read_exactly(4);
      CHECK(answer.text() == "seen");
    }
  };
  run_in_real_time(scene::run());
}

TEST_CASE("open_connection says whom it could not reach") {
  struct scene {
    static coro<> run() {
      std::string text;
      io::endpoint nobody = io::endpoint::loopback(0);
      {
        // A port that was free a moment ago.
        const io::listening_socket listening(nobody);
        nobody = listening.local();
      }
      try {
        co_await io::open_connection(nobody);
      } catch (const std::system_error& error) {
        CHECK(error.code() == std::errc::connection_refused);
        text = error.what();
      }
      CHECK(text.find(nobody.text()) != std::string::npos);
    }
  };
  run_in_real_time(scene::run());
}

TEST_CASE("a stream that outlives its loop is closed, and says so") {
  struct scene {
    static coro<ends> run() { co_return co_await over_tcp({}); }
  };
  run_options options;
  options.handle_interrupt = false;
  ends two = troupe::run(scene::run(), options);
  CHECK(two.first.is_closing());
  two.first.write("nobody hears");
  CHECK(two.first.unsent() == 0);
}
