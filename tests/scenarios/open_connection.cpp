// Connections by name, their options, and what asyncio asks of sockets, in terms of streams.
#include <troupe/io/open_connection.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/timeout.hpp>

#include "scenarios/descriptors.hpp"
#include "scenarios/full_port.hpp"
#include "scenarios/support.hpp"

#include <type_traits>

using namespace troupe;
using namespace troupe::testing;

static_assert(std::is_trivially_destructible_v<io::connect_options>);  // see decision 3

namespace {

struct outcome {
  bool connected = false;
  bool cancelled = false;
  std::error_code error;
  std::string text;
};

template <class T>
coro<outcome> outcome_of(coro<T> connecting) {
  outcome result;
  try {
    const T made = co_await std::move(connecting);
    result.connected = true;
  } catch (const std::system_error& error) {
    result.error = error.code();
    result.text = error.what();
  } catch (const cancelled&) {
    result.cancelled = true;
  } catch (const std::invalid_argument& error) {
    result.text = error.what();
  }
  co_return result;
}

int option(int socket, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  REQUIRE(::getsockopt(socket, level, name, &value, &size) == 0);
  return value;
}

peer accept_one(int listening) {
  io::descriptor made(::accept4(listening, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  REQUIRE(made);
  return peer(std::move(made));
}

/// A stream and the plain socket at its other end.
struct line {
  io::stream ours;
  peer theirs;
};
coro<line> new_line(int buffers = 0) {
  io::listening_socket listening(io::endpoint::loopback(0));
  const io::endpoint where = listening.local();
  const io::descriptor waiting = listening.release();
  if (buffers != 0) set_buffer(waiting.get(), SO_RCVBUF, buffers);
  io::stream ours = co_await io::open_connection(where);
  if (buffers != 0) set_buffer(ours.native(), SO_SNDBUF, buffers);
  co_return line{std::move(ours), accept_one(waiting.get())};
}

coro<> write_all(io::stream& to, std::string text) {
  constexpr std::size_t part = 10'000;
  for (std::size_t at = 0; at < text.size(); at += part) {
    to.write(std::string_view(text).substr(at, part));
    co_await to.drain();
  }
}

}  // namespace

TEST_CASE("a connection to a port where nobody listens is refused and leaves no descriptor",
          "[conformance][sock-01]") {
  auto body = []() -> coro<> {
    const deaf_port port;
    const std::size_t before = open_descriptors();
    const outcome result =
        co_await outcome_of(io::open_connection(io::endpoint::loopback(port.port())));
    CHECK(result.error == std::errc::connection_refused);
    const outcome by_name = co_await outcome_of(
        io::open_connection("localhost", port.port(), {.family = io::address_family::ipv4}));
    CHECK(by_name.error == std::errc::connection_refused);
    CHECK(by_name.text ==
          "connecting to 127.0.0.1:" + std::to_string(port.port()) + ": Connection refused");
    CHECK(descriptors_come_to(before));
  };
  run_scenario(body());
}

TEST_CASE("a thousand connects that are cancelled, or run out of time, leave no descriptor",
          "[conformance][sock-03]") {
  auto body = []() -> coro<> {
    const full_port port;
    const std::size_t before = open_descriptors();
    for (int turn = 0; turn < 500; ++turn) {
      auto connecting = create_task(outcome_of(io::open_connection(port.where())));
      for (int round = 0; round < turn % 4; ++round) co_await sleep(0s);
      connecting.cancel();
      outcome result;
      try {
        result = co_await connecting;
      } catch (const cancelled&) {
        result.cancelled = true;  // before its first step
      }
      CHECK(result.cancelled);
      auto limited =
          io::connect("localhost", port.where().port(), {.family = io::address_family::ipv4});
      CHECK_THROWS_AS(co_await timeout(0s, std::move(limited)), timeout_error);
    }
    CHECK_THROWS_AS(co_await timeout(5ms, io::open_connection(port.where())), timeout_error);
    CHECK(descriptors_come_to(before));
  };
  run_scenario(body());
}

TEST_CASE("a drain that is cancelled leaves the stream usable, and what follows comes last",
          "[conformance][sock-05]") {
  auto body = []() -> coro<> {
    line both = co_await new_line(4096);
    const std::string much = pattern(2'000'000);
    struct filler {
      static coro<> run(io::stream& to, const std::string& text) {
        to.write(text);
        co_await to.drain();
      }
    };
    auto filling = create_task(filler::run(both.ours, much));
    co_await turns();
    CHECK_FALSE(filling.done());
    filling.cancel();
    CHECK_THROWS_AS(co_await filling, cancelled);
    both.ours.write("world");
    auto draining = create_task(write_all(both.ours, ""));
    both.ours.write_eof();
    const std::string got = co_await both.theirs.receive_all();
    co_await draining;
    CHECK(got.size() == much.size() + 5);
    CHECK(same(got, much + "world"));
  };
  run_scenario(body());
}

TEST_CASE("a read that is cancelled leaves the socket to the next reader") {
  auto body = []() -> coro<> {
    line both = co_await new_line();
    struct reader {
      static coro<std::string> run(io::stream& from) {
        const io::bytes got = co_await from.read_some();
        co_return std::string(got.text());
      }
    };
    auto first = create_task(reader::run(both.ours));
    co_await turns();
    first.cancel();
    auto second = create_task(reader::run(both.ours));
    both.theirs.send_now("world");
    const std::string got = co_await second;
    CHECK(got == "world");
    CHECK_THROWS_AS(co_await first, cancelled);
  };
  run_scenario(body());
}

TEST_CASE("megabytes go both ways at once and come back in order", "[conformance][sock-07]") {
  auto body = []() -> coro<> {
    line both = co_await new_line(8192);
    struct parts {
      static coro<> reflect(peer& at) {
        std::string held;
        while (!at.at_end()) {
          held.clear();
          if (at.receive_now(held) == 0) co_await sleep(100us);
          co_await at.send(held);
        }
        at.end_sending();
      }
      static coro<> send(io::stream& to, const std::string& text) {
        co_await write_all(to, text);
        to.write_eof();
      }
    };
    const std::string much = pattern(4'000'000);
    auto reflecting = create_task(parts::reflect(both.theirs));
    auto sending = create_task(parts::send(both.ours, much));
    const io::bytes got = co_await both.ours.read_all();
    co_await sending;
    co_await reflecting;
    CHECK(same(got.text(), much));
  };
  run_scenario(body());
}

TEST_CASE("localhost is connected to by the family that somebody listens on") {
  auto body = []() -> coro<> {
    const io::listening_socket four(io::endpoint::loopback(0));
    io::stream made = co_await io::open_connection("localhost", four.local().port());
    CHECK(made.peer_name() == four.local().text());
    if (has_ipv6()) {
      const io::listening_socket six(io::endpoint("::1", 0));
      io::stream other = co_await io::open_connection(std::string("::1"), six.local().port());
      CHECK(other.peer_name() == six.local().text());
    }
  };
  run_scenario(body());
}

TEST_CASE("without descriptors a connection by name says so") {
  if (skipped_without_descriptors()) return;
  auto body = []() -> coro<> {
    const io::listening_socket listening(io::endpoint::loopback(0));
    const descriptor_limit limit(static_cast<rlim_t>(next_descriptor()));
    const outcome result =
        co_await outcome_of(io::open_connection("127.0.0.1", listening.local().port()));
    limit.lift();
    CHECK(result.error == std::errc::too_many_files_open);
    const outcome after =
        co_await outcome_of(io::open_connection("127.0.0.1", listening.local().port()));
    CHECK(after.connected);
  };
  run_scenario(body());
}

TEST_CASE("the options of a connection are those of its socket") {
  auto body = []() -> coro<> {
    const io::listening_socket listening(io::endpoint::loopback(0));
    const io::connect_options options{
        .nodelay = false,
        .keep_alive = io::keepalive{.idle = 30s, .interval = 1500ms, .count = 3},
        .local = io::endpoint("127.0.0.2", 0)};
    const io::socket made = co_await io::connect(listening.local(), options);
    CHECK(option(made.native(), IPPROTO_TCP, TCP_NODELAY) == 0);
    CHECK(option(made.native(), SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(option(made.native(), IPPROTO_TCP, TCP_KEEPIDLE) == 30);
    CHECK(option(made.native(), IPPROTO_TCP, TCP_KEEPINTVL) == 2);
    CHECK(option(made.native(), IPPROTO_TCP, TCP_KEEPCNT) == 3);
    CHECK(made.local().address() == "127.0.0.2");
    const io::socket plain = co_await io::connect(listening.local());
    CHECK(option(plain.native(), IPPROTO_TCP, TCP_NODELAY) == 1);
    CHECK(option(plain.native(), SOL_SOCKET, SO_KEEPALIVE) == 0);
  };
  run_scenario(body());
}

TEST_CASE("two connections leave from one port when both say that they share it") {
  auto body = []() -> coro<> {
    const io::listening_socket first(io::endpoint::loopback(0));
    const io::listening_socket second(io::endpoint::loopback(0));
    io::connect_options options{.local = io::endpoint::loopback(0), .reuse_port = true};
    const io::socket one = co_await io::connect(first.local(), options);
    options.local = one.local();
    const io::socket other = co_await io::connect(second.local(), options);
    CHECK(other.local() == one.local());
    options.reuse_port = false;
    const outcome refused = co_await outcome_of(io::connect(second.local(), options));
    CHECK(refused.error == std::errc::address_in_use);
    CHECK(refused.text.find("connecting to " + second.local().text() + " from " +
                            one.local().text()) == 0);
  };
  run_scenario(body());
}

TEST_CASE("options that no connection can have are refused in words") {
  auto body = []() -> coro<> {
    const io::endpoint somewhere = io::endpoint::loopback(1);
    const auto complaint = [&](io::connect_options options) {
      return outcome_of(io::connect(somewhere, options));
    };
    outcome result = co_await complaint({.keep_alive = io::keepalive{.idle = 0s}});
    CHECK(result.text == "the idle time of keepalive is to be between 1 and 32767 seconds");
    result = co_await complaint({.keep_alive = io::keepalive{.interval = 10h}});
    CHECK(result.text == "the interval of keepalive is to be between 1 and 32767 seconds");
    result = co_await complaint({.keep_alive = io::keepalive{.count = 0}});
    CHECK(result.text == "the count of keepalive is to be between 1 and 127");
    result = co_await complaint({.local = io::endpoint("::1", 0)});
    CHECK(result.text ==
          "nobody connects to 127.0.0.1:1 from [::1]:0: they are of different families");
    result = co_await complaint({.local = io::endpoint("192.0.2.77", 0)});
    CHECK(result.error == std::errc::address_not_available);
  };
  run_scenario(body());
}

TEST_CASE("a local address chooses among the addresses of a name") {
  if (!has_ipv6()) {
    WARN("skipped: this machine has no ::1");
    return;
  }
  auto body = []() -> coro<> {
    const io::listening_socket listening(io::endpoint::loopback(0));
    const io::stream made = co_await io::open_connection("localhost", listening.local().port(),
                                                         {.local = io::endpoint::loopback(0)});
    CHECK(made.peer_name() == listening.local().text());
    const outcome none = co_await outcome_of(io::open_connection(
        "127.0.0.1", listening.local().port(), {.local = io::endpoint("::1", 0)}));
    CHECK(none.text.find("different families") != std::string::npos);
  };
  run_scenario(body());
}
