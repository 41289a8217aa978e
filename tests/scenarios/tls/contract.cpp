// The contract of streams over TLS over TCP, and what only sockets show.
#include <troupe/io/open_connection.hpp>

#include "io/stream_contract.hpp"
#include "io/tls/support.hpp"
#include "scenarios/support.hpp"
#include "scenarios/tcp_ends.hpp"

#include <sys/socket.h>

#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing::streams;

namespace {

coro<ends> over_tls(io::stream_options options) {
  ends two = co_await over_tcp(options);
  auto securing = testing::tls::secured(std::move(two.first), std::move(two.second));
  co_return co_await std::move(securing);
}

}  // namespace

TEST_CASE("the contract of streams holds over TLS over TCP") {
  testing::run_scenario(contract(over_tls));
}

TEST_CASE("a TLS client over TCP that sends much, reads nothing and closes loses nothing") {
  // The server's tickets come meanwhile; a socket that is closed while they are unread would reset.
  struct scene {
    static coro<> run() {
      for (int round = 0; round < 20; ++round) {
        ends two = co_await over_tls({});
        const std::string much = pattern(1'000'000, 1);
        two.first.write(much);
        two.first.close();
        const std::string got = co_await everything(two.second);
        CHECK((got == much));
        co_await two.first.wait_closed();
      }
    }
  };
  testing::run_scenario(scene::run());
}

TEST_CASE("connect_tls names whom it reached and what it is for") {
  struct scene {
    static coro<> run() {
      io::listening_socket listening(io::endpoint::loopback(0));
      const io::endpoint there = listening.local();
      const io::descriptor waiting = listening.release();
      auto connecting = create_task(testing::tls::ending_of(
          io::connect_tls(there, "wrong.test", testing::tls::client_context())));
      io::descriptor accepted;
      while (!accepted) {
        accepted = io::descriptor(
            ::accept4(waiting.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        co_await sleep(1ms);
      }
      io::stream server = io::make_stream(io::socket(std::move(accepted), there));
      auto accepting = testing::tls::ending_of(
          io::accept_tls(std::move(server), testing::tls::server_context()));
      const testing::tls::ending refused = co_await std::move(accepting);
      CHECK(refused.code == io::tls_error::certificate_refused);
      const testing::tls::ending end = co_await connecting;
      CHECK(end.code == io::tls_error::wrong_host);
      CHECK(end.text.find(there.text()) != std::string::npos);
      CHECK(end.text.find("wrong.test") != std::string::npos);
    }
  };
  testing::run_scenario(scene::run());
}

TEST_CASE("a runtime that ends in the midst of TLS sessions and handshakes leaves nothing behind") {
  struct scene {
    static coro<> echo(io::stream peer) {
      try {
        while (auto line = co_await peer.next_line()) peer.write(*line, "\n");
      } catch (const std::exception&) {  // its peer is cut off, or says too much in one line
      }
    }
    static coro<> run() {
      for (int count = 0; count < 10; ++count) {
        ends two = co_await over_tls({});
        create_task(echo(std::move(two.second)));
        two.first.write(pattern(500'000, 2));  // goes with the stream, which goes now
      }
      ends half = co_await over_tcp({});
      create_task([](io::stream of) -> coro<> {
        auto starting = io::start_tls(std::move(of), testing::tls::client_context(), "localhost");
        co_await std::move(starting);
      }(std::move(half.first)));
      co_await sleep(5ms);
    }
  };
  testing::run_scenario(scene::run());
}
