// A system that is full of datagrams. The loopback takes every datagram, and drops; Unix sockets hold on to them, so the same core
// stands over those here.
#include <troupe/io/internal/udp_core.hpp>
#include <troupe/runtime/task.hpp>

#include "scenarios/datagrams.hpp"
#include "scenarios/support.hpp"

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct pair_of_cores {
  pair_of_cores() {
    int both[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, both) == 0);
    for (int index = 0; index < 2; ++index)
      cores[static_cast<std::size_t>(index)] =
          std::make_unique<io::internal::udp_core>(io::descriptor(both[index]), 1000, false);
  }
  std::array<std::unique_ptr<io::internal::udp_core>, 2> cores;
  io::internal::udp_core& sender() { return *cores[0]; }
  io::internal::udp_core& receiver() { return *cores[1]; }

  coro<> send(std::string text) {
    co_await io::internal::send_wait(sender(), std::as_bytes(std::span(text)), nullptr);
  }
  coro<std::string> receive() {
    const io::datagram got = co_await io::internal::receive_wait(receiver());
    co_return std::string(got.content.text());
  }
  /// Sends until the system takes no more; how many those were. The last one waits.
  coro<int> fill(task<>& waiting) {
    for (int count = 0;; ++count) {
      waiting = create_task(send(std::to_string(count)));
      co_await turns(3);
      if (!waiting.done()) co_return count;
    }
  }
};

}  // namespace

TEST_CASE("who sends while the system is full waits, and all arrives in order") {
  auto body = []() -> coro<> {
    pair_of_cores two;
    task<> first = create_task([]() -> coro<> { co_return; }());
    const int held = co_await two.fill(first);
    std::vector<task<>> more;
    for (int index = 1; index <= 40; ++index)
      more.push_back(create_task(two.send(std::to_string(held + index))));
    co_await turns();
    CHECK_FALSE(more.front().done());
    for (int index = 0; index <= held + 40; ++index) {
      const std::string got = co_await two.receive();
      CHECK(got == std::to_string(index));
    }
    co_await first;
    for (const task<>& each : more) co_await each;
  };
  run_scenario(body());
}

TEST_CASE("a send that is cancelled while it waits sends nothing, and others go on") {
  auto body = []() -> coro<> {
    pair_of_cores two;
    task<> first = create_task([]() -> coro<> { co_return; }());
    const int held = co_await two.fill(first);
    auto second = create_task(two.send("after"));
    co_await turns(3);
    first.cancel();
    CHECK_THROWS_AS(co_await first, cancelled);
    for (int index = 0; index < held; ++index) {
      const std::string got = co_await two.receive();
      CHECK(got == std::to_string(index));
    }
    const std::string got = co_await two.receive();
    CHECK(got == "after");
    co_await second;
  };
  run_scenario(body());
}

TEST_CASE("closing ends the waits of senders, and so does the peer's going") {
  auto body = []() -> coro<> {
    for (const bool peer_goes : {false, true}) {
      pair_of_cores two;
      task<> first = create_task([]() -> coro<> { co_return; }());
      co_await two.fill(first);
      auto waiting = create_task(ending_of(two.send("never")));
      co_await turns(3);
      if (peer_goes) {
        two.cores[1].reset();
      } else {
        two.sender().close(false);
      }
      const wait_end result = co_await waiting;
      CHECK_FALSE(result.well);
      CHECK((result.error == std::errc::operation_canceled) == !peer_goes);
      std::error_code error;
      try {
        co_await first;
      } catch (const std::system_error& caught) {
        error = caught.code();
      }
      CHECK(error);
    }
  };
  run_scenario(body());
}
