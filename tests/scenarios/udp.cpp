// Datagrams over real sockets.
#include <troupe/io/internal/udp_core.hpp>
#include <troupe/io/udp.hpp>
#include <troupe/runtime/cancel_scope.hpp>
#include <troupe/runtime/on.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/timeout.hpp>

#include "scenarios/descriptors.hpp"
#include "scenarios/support.hpp"

#include <array>
#include <cstdlib>

using namespace troupe;
using namespace troupe::testing;

namespace {

const io::endpoint anywhere = io::endpoint::loopback(0);

coro<std::string> text_from(io::udp_socket& socket) {
  const io::datagram got = co_await socket.receive();
  co_return std::string(got.content.text());
}

/// How a wait ended: the code of a std::system_error, or the text of another error.
struct wait_end {
  bool well = false;
  std::error_code error;
  std::string text;
};
template <class T>
coro<wait_end> ending_of(coro<T> wait) {
  wait_end result;
  try {
    co_await std::move(wait);
    result.well = true;
  } catch (const std::system_error& error) {
    result.error = error.code();
    result.text = error.what();
  } catch (const invalid_state& error) {
    result.text = error.what();
  }
  co_return result;
}
coro<> send_text(io::udp_socket& socket, std::string content, std::optional<io::endpoint> to = {}) {
  if (to) {
    co_await socket.send_to(content, *to);
  } else {
    co_await socket.send(content);
  }
}

template <class Function>
std::system_error error_of(Function attempt) {
  try {
    attempt();
  } catch (const std::system_error& error) {
    return error;
  }
  return std::system_error(std::error_code());
}

/// A port of the loopback where nobody has been a moment ago.
io::endpoint deaf_udp_port() { return io::udp_socket(anywhere).local(); }

}  // namespace

TEST_CASE("datagrams arrive whole, each by itself, with where they came from") {
  auto body = []() -> coro<> {
    io::udp_socket one(anywhere);
    io::udp_socket other(anywhere);
    for (const char* text : {"first", "", "a third one"}) co_await one.send_to(text, other.local());
    for (const char* text : {"first", "", "a third one"}) {
      const io::datagram got = co_await other.receive();
      CHECK(got.content.text() == text);
      CHECK(got.size == std::string(text).size());
      CHECK_FALSE(got.truncated());
      CHECK(got.from == one.local());
    }
    auto waiting = create_task(text_from(one));
    co_await turns();
    CHECK_FALSE(waiting.done());
    co_await other.send_to("back", one.local());
    const std::string back = co_await waiting;
    CHECK(back == "back");
  };
  run_scenario(body());
}

TEST_CASE("datagrams travel over IPv6") {
  if (!has_ipv6()) {
    WARN("skipped: this machine has no ::1");
    return;
  }
  auto body = []() -> coro<> {
    io::udp_socket one(io::endpoint("::1", 0));
    io::udp_socket other = io::udp_socket::connected(one.local());
    const std::string much = pattern(65527);
    co_await other.send(much);
    const io::datagram got = co_await one.receive();
    CHECK(same(got.content.text(), much));
    CHECK(got.from == other.local());
    const wait_end result = co_await ending_of(send_text(other, pattern(65528)));
    CHECK(result.error == std::errc::message_size);
    one.set_multicast_ttl(2);
    one.set_multicast_loopback(false);
    one.set_ttl(3);
    one.set_multicast_interface("lo");
  };
  run_scenario(body());
}

TEST_CASE("a connected socket has one peer") {
  auto body = []() -> coro<> {
    io::udp_socket server(anywhere);
    io::udp_socket stranger(anywhere);
    io::udp_socket client = io::udp_socket::connected(server.local());
    CHECK(client.peer() == server.local());
    CHECK_FALSE(server.peer());
    co_await client.send("hello");
    const io::datagram got = co_await server.receive();
    co_await stranger.send_to("not for you", client.local());
    co_await server.send_to("welcome", got.from);
    const std::string answer = co_await text_from(client);
    CHECK(answer == "welcome");
  };
  run_scenario(body());
}

TEST_CASE("a datagram longer than a socket takes is cut off, and says how long it was") {
  auto body = []() -> coro<> {
    io::udp_socket small(anywhere, {.largest = 10});
    io::udp_socket other(anywhere);
    co_await other.send_to("0123456789", small.local());
    co_await other.send_to("0123456789+", small.local());
    co_await other.send_to(pattern(60'000), small.local());
    const io::datagram whole = co_await small.receive();
    CHECK_FALSE(whole.truncated());
    const io::datagram cut = co_await small.receive();
    CHECK(cut.truncated());
    CHECK(cut.content.text() == "0123456789");
    CHECK(cut.size == 11);
    const io::datagram much = co_await small.receive();
    CHECK(much.size == 60'000);
    CHECK(much.content.size() == 10);
  };
  run_scenario(body());
}

TEST_CASE("the longest datagram arrives, and a longer one is refused in words") {
  auto body = []() -> coro<> {
    io::udp_socket one(anywhere);
    io::udp_socket other(anywhere);
    const std::string much = pattern(65507);
    co_await one.send_to(much, other.local());
    const std::string got = co_await text_from(other);
    CHECK(same(got, much));
    const wait_end result = co_await ending_of(send_text(one, pattern(65508), other.local()));
    CHECK(result.error == std::errc::message_size);
    CHECK(result.text == "sending 65508 bytes to " + other.local().text() +
                             ": a datagram holds 65507 at most: Message too long");
  };
  run_scenario(body());
}

TEST_CASE("sending where a socket cannot send says why") {
  auto body = []() -> coro<> {
    io::udp_socket one(anywhere);
    wait_end result = co_await ending_of(send_text(one, "x", io::endpoint("::1", 9)));
    CHECK(result.error == std::errc::address_family_not_supported);
    CHECK(result.text.find("sending 1 bytes to [::1]:9 over a socket for IPv4") == 0);
    result = co_await ending_of(send_text(one, "x"));
    CHECK(result.error == std::errc::destination_address_required);
    result = co_await ending_of(send_text(one, "x", io::endpoint("127.255.255.255", 9)));
    CHECK(result.error == std::errc::permission_denied);
    CHECK(error_of([&] { one.connect(io::endpoint("::1", 9)); }).code() ==
          std::errc::address_family_not_supported);
  };
  run_scenario(body());
}

TEST_CASE("a broadcast reaches those who listen for it") {
  auto body = []() -> coro<> {
    io::udp_socket everywhere(io::endpoint("0.0.0.0", 0));
    io::udp_socket sender(anywhere);
    sender.set_broadcast(true);
    co_await sender.send_to("to all", io::endpoint("127.255.255.255", everywhere.local().port()));
    const std::string got = co_await text_from(everywhere);
    CHECK(got == "to all");
  };
  run_scenario(body());
}

TEST_CASE("that nobody listens is told by a receive, and the socket goes on") {
  auto body = []() -> coro<> {
    const io::endpoint there = deaf_udp_port();
    io::udp_socket client = io::udp_socket::connected(there);
    auto waiting = create_task(ending_of(text_from(client)));
    co_await turns();
    co_await client.send("anybody?");
    const wait_end result = co_await waiting;
    CHECK(result.error == std::errc::connection_refused);
    CHECK(result.text == "receiving: nobody listens on " + there.text() + ": Connection refused");
    io::udp_socket server(there);
    co_await client.send("now?");
    const io::datagram got = co_await server.receive();
    co_await server.send_to("yes", got.from);
    const std::string answer = co_await text_from(client);
    CHECK(answer == "yes");
  };
  run_scenario(body());
}

TEST_CASE("that nobody listens is told by a send when nobody receives") {
  auto body = []() -> coro<> {
    io::udp_socket client = io::udp_socket::connected(deaf_udp_port());
    co_await client.send("anybody?");
    co_await turns();
    const wait_end result = co_await ending_of(send_text(client, "hello?"));
    CHECK(result.error == std::errc::connection_refused);
  };
  run_scenario(body());
}

TEST_CASE("a receive that is cancelled, or out of time, takes nothing") {
  auto body = []() -> coro<> {
    io::udp_socket one(anywhere);
    io::udp_socket other(anywhere);
    for (int turn = 0; turn < 1000; ++turn) {
      auto waiting = create_task(text_from(one));
      for (int round = 0; round < turn % 3 + 1; ++round) co_await sleep(0s);
      waiting.cancel();
      co_await other.send_to(std::to_string(turn), one.local());
      CHECK_THROWS_AS(co_await waiting, cancelled);
      CHECK_THROWS_AS(co_await timeout(0s,
                                       [](io::udp_socket& of) -> coro<> {
                                         co_await sleep(0s);
                                         co_await of.receive();
                                       }(one)),
                      timeout_error);
      const std::string got = co_await text_from(one);
      CHECK(got == std::to_string(turn));
    }
  };
  run_scenario(body());
}

TEST_CASE("no datagram is lost or doubled when its receiver is cancelled at any moment") {
  auto body = []() -> coro<> {
    io::udp_socket one(anywhere);
    io::udp_socket other(anywhere);
    struct receiver {
      static coro<> run(io::udp_socket& from, std::vector<int>& got) {
        for (;;) {
          const std::string text = co_await text_from(from);
          got.push_back(std::atoi(text.c_str()));
          if (got.back() % 3 == 0) co_await sleep(0s);
        }
      }
    };
    std::vector<int> got;
    constexpr int count = 3000;
    unsigned random = 1;
    int sent = 0;
    while (sent != count) {
      auto receiving = create_task(receiver::run(one, got));
      random = random * 1103515245 + 12345;
      const int more = static_cast<int>(random >> 16) % 40;
      for (int index = 0; index < more && sent != count; ++index) {
        co_await other.send_to(std::to_string(sent++), one.local());
        if (index % 7 == 0) co_await sleep(0s);
      }
      // The system keeps some two hundred; it is not to drop any here.
      while (static_cast<std::size_t>(sent) - got.size() > 100) co_await sleep(0s);
      receiving.cancel();
      CHECK_THROWS_AS(co_await receiving, cancelled);
    }
    auto last = create_task(receiver::run(one, got));
    co_await poll_until([&got] { return got.size() >= count; });
    last.cancel();
    REQUIRE(got.size() == count);
    for (int index = 0; index < count; ++index)
      CHECK(got[static_cast<std::size_t>(index)] == index);
  };
  run_scenario(body());
}

TEST_CASE("of two tasks that receive from one socket the second is told") {
  auto body = []() -> coro<> {
    io::udp_socket one(anywhere);
    io::udp_socket other(anywhere);
    auto first = create_task(text_from(one));
    co_await turns();
    const wait_end second = co_await ending_of(text_from(one));
    CHECK(second.text.find("two tasks receive from one UDP socket") == 0);
    co_await other.send_to("for the first", one.local());
    const std::string got = co_await first;
    CHECK(got == "for the first");
  };
  run_scenario(body());
}

TEST_CASE("closing a socket ends the wait for it, and later uses, with an error of its own") {
  auto body = []() -> coro<> {
    io::udp_socket one(anywhere);
    const std::size_t before = open_descriptors();
    auto waiting = create_task(ending_of(text_from(one)));
    co_await turns();
    one.close();
    one.close();
    CHECK(one.is_closed());
    CHECK(open_descriptors() == before - 1);
    const wait_end result = co_await waiting;
    CHECK(result.error == std::errc::operation_canceled);
    CHECK(result.text.find("a UDP socket that is closed") == 0);
    wait_end later = co_await ending_of(text_from(one));
    CHECK(later.error == std::errc::operation_canceled);
    later = co_await ending_of(send_text(one, "x", io::endpoint::loopback(9)));
    CHECK(later.error == std::errc::operation_canceled);
    CHECK(error_of([&] { one.local(); }).code() == std::errc::operation_canceled);
    CHECK(error_of([&] { one.join(io::endpoint("239.1.2.3", 0)); }).code() ==
          std::errc::operation_canceled);
    CHECK(one.dropped() == 0);
  };
  run_scenario(body());
}

TEST_CASE("a socket that goes while a task receives from it tells the task") {
  auto body = []() -> coro<> {
    auto one = std::make_unique<io::udp_socket>(anywhere);
    auto waiting = create_task(ending_of(text_from(*one)));
    co_await turns();
    one.reset();
    const wait_end result = co_await waiting;
    CHECK(result.text == "a UDP socket went while a task waited for it");
  };
  run_scenario(body());
}

TEST_CASE("a receiver may close or drop its socket as soon as it has a datagram") {
  auto body = []() -> coro<> {
    struct receiver {
      static coro<std::string> run(std::unique_ptr<io::udp_socket> from, bool close) {
        std::string got = co_await text_from(*from);
        if (close) from->close();
        from.reset();
        co_return got;
      }
    };
    io::udp_socket other(anywhere);
    for (const bool close : {true, false}) {
      auto one = std::make_unique<io::udp_socket>(anywhere);
      const io::endpoint there = one->local();
      auto waiting = create_task(receiver::run(std::move(one), close));
      co_await turns();
      for (int index = 0; index < 5; ++index) co_await other.send_to("ends it", there);
      const std::string got = co_await waiting;
      CHECK(got == "ends it");
    }
  };
  run_scenario(body());
}

TEST_CASE(
    "what a socket's buffer does not hold is dropped and counted, and the rest comes in order") {
  auto body = []() -> coro<> {
    io::udp_socket one(anywhere, {.receive_buffer = 16'384});
    io::udp_socket other(anywhere);
    constexpr std::uint64_t count = 1000;
    for (std::uint64_t index = 0; index < count; ++index) {
      const std::string text = std::to_string(index) + std::string(200, ' ');
      co_await other.send_to(text, one.local());
    }
    const std::uint64_t dropped = one.dropped();
    CHECK(dropped > 0);
    CHECK(dropped < count);
    for (std::uint64_t index = 0; index < count - dropped; ++index) {
      const std::string got = co_await text_from(one);
      CHECK(std::strtoull(got.c_str(), nullptr, 10) == index);
    }
    auto waiting = create_task(text_from(one));
    co_await turns();
    CHECK_FALSE(waiting.done());
    waiting.cancel();
    CHECK_THROWS_AS(co_await waiting, cancelled);
  };
  run_scenario(body());
}

TEST_CASE("a receiver that is flooded lets others run") {
  auto body = []() -> coro<> {
    io::udp_socket one(anywhere);
    io::udp_socket other(anywhere);
    constexpr int count = 150;
    for (int index = 0; index < count; ++index) co_await other.send_to("x", one.local());
    bool others_ran = false;
    loop::current()->call_soon([&others_ran] { others_ran = true; });
    int before_others = 0;
    for (int index = 0; index < count; ++index) {
      const std::string got = co_await text_from(one);
      if (!others_ran) ++before_others;
    }
    CHECK(others_ran);
    CHECK(before_others < count);
    CHECK(before_others > 10);  // but it does not wait for each
  };
  run_scenario(body());
}

TEST_CASE("a group gets what is sent to it, until it is left") {
  auto body = []() -> coro<> {
    const io::endpoint group("239.255.42.99", 0);
    io::udp_socket first(io::endpoint("0.0.0.0", 0), {.reuse_address = true});
    const io::endpoint there("239.255.42.99", first.local().port());
    io::udp_socket second(there, {.reuse_address = true});
    io::udp_socket sender(anywhere);
    first.join(group, "lo");
    second.join(group, "lo");
    sender.set_multicast_interface("lo");
    sender.set_multicast_ttl(0);
    co_await sender.send_to("to the group", there);
    for (io::udp_socket* each : {&first, &second}) {
      const std::string got = co_await text_from(*each);
      CHECK(got == "to the group");
    }
    first.leave(group, "lo");
    CHECK(error_of([&] { first.leave(group, "lo"); }).code() == std::errc::address_not_available);
    co_await sender.send_to("to those who stayed", there);
    const std::string got = co_await text_from(second);
    CHECK(got == "to those who stayed");
    sender.set_multicast_loopback(false);
  };
  run_scenario(body());
}

TEST_CASE("what is no group, no interface, or no distance is refused in words") {
  auto body = []() -> coro<> {
    io::udp_socket one(anywhere);
    CHECK_THROWS_WITH(one.join(io::endpoint("10.0.0.1", 0)), "10.0.0.1 is no multicast group");
    CHECK_THROWS_WITH(one.leave(io::endpoint("::1", 0)), "::1 is no multicast group");
    CHECK_THROWS_WITH(one.join(io::endpoint("239.1.2.3", 0), "nowhere"),
                      "no network interface is called 'nowhere'");
    CHECK_THROWS_AS(one.set_multicast_interface("nowhere"), io::bad_address);
    CHECK_THROWS_AS(one.set_multicast_ttl(256), std::invalid_argument);
    CHECK_THROWS_AS(one.set_multicast_ttl(-1), std::invalid_argument);
    CHECK_THROWS_AS(one.set_ttl(0), std::invalid_argument);
    CHECK_THROWS_AS(io::udp_socket(anywhere, {.largest = 0}), std::invalid_argument);
    one.set_ttl(1);
    co_return;
  };
  run_scenario(body());
}

TEST_CASE(
    "a port in use, or an address of others, is an error that names it; sharing has to be said") {
  auto body = []() -> coro<> {
    io::udp_socket one(anywhere);
    const std::system_error taken = error_of([&] { io::udp_socket(one.local()); });
    CHECK(taken.code() == std::errc::address_in_use);
    CHECK(std::string(taken.what()).find("a UDP socket on " + one.local().text()) == 0);
    CHECK(error_of([&] { io::udp_socket(io::endpoint("192.0.2.77", 0)); }).code() ==
          std::errc::address_not_available);
    io::udp_socket shared(anywhere, {.reuse_port = true});
    io::udp_socket sharing(shared.local(), {.reuse_port = true});
    CHECK(sharing.local() == shared.local());
    co_return;
  };
  run_scenario(body());
}

TEST_CASE("without descriptors left a UDP socket says so") {
  if (skipped_without_descriptors()) return;
  auto body = []() -> coro<> {
    const descriptor_limit limit(static_cast<rlim_t>(next_descriptor()));
    const std::system_error error = error_of([&] { io::udp_socket one(anywhere); });
    limit.lift();
    CHECK(error.code() == std::errc::too_many_files_open);
    co_return;
  };
  run_scenario(body());
}

TEST_CASE("a UDP socket that outlives its loop is closed, one that waited on none is not") {
  struct scene {
    static coro<> run(io::udp_socket& used, io::udp_socket& unused) {
      co_await unused.send_to("before", used.local());
      const std::string got = co_await text_from(used);
      CHECK(got == "before");
    }
  };
  io::udp_socket used(anywhere);
  io::udp_socket unused(anywhere);
  run_options options;
  options.handle_interrupt = false;
  troupe::run(scene::run(used, unused), options);
  CHECK(used.is_closed());
  CHECK_FALSE(unused.is_closed());
  used.close();
  io::udp_socket again(anywhere);
  troupe::run(scene::run(again, unused), options);
}

TEST_CASE("a program may end while tasks wait for datagrams") {
  auto body = []() -> coro<> {
    struct keeper {
      static coro<> run() {
        io::udp_socket own(anywhere);
        co_await text_from(own);
      }
    };
    create_task(keeper::run());
    create_task(keeper::run());
    co_await turns();
  };
  run_scenario(body());
}

TEST_CASE("a UDP socket is moved while it is waited for, and given up only before that") {
  auto body = []() -> coro<> {
    io::udp_socket one(anywhere);
    const io::endpoint there = one.local();
    auto waiting = create_task(text_from(one));
    co_await turns();
    io::udp_socket moved = std::move(one);
    CHECK_THROWS_AS(moved.release(), invalid_state);
    io::udp_socket other(anywhere);
    co_await other.send_to("found", there);
    const std::string got = co_await waiting;
    CHECK(got == "found");
    const io::descriptor given = other.release();
    CHECK(given.get() >= 0);
    CHECK(other.is_closed());
    CHECK_THROWS_AS(other.release(), std::system_error);
  };
  run_scenario(body());
}

TEST_CASE("a socket of datagrams that was made elsewhere is adopted, and nothing else is") {
  auto body = []() -> coro<> {
    io::udp_socket server(anywhere);
    io::udp_socket made = io::udp_socket::connected(server.local());
    const io::endpoint there = made.local();
    io::udp_socket adopted = io::udp_socket::adopt(made.release());
    CHECK(adopted.local() == there);
    CHECK(adopted.peer() == server.local());
    co_await adopted.send("hello");
    const io::datagram got = co_await server.receive();
    CHECK(got.from == there);
    io::listening_socket listening(anywhere);
    CHECK_THROWS_AS(io::udp_socket::adopt(listening.release()), std::invalid_argument);
    CHECK_THROWS_AS(io::udp_socket::adopt(io::descriptor()), std::invalid_argument);
    CHECK_THROWS_AS(io::udp_socket::adopt(io::descriptor(::dup(0))), std::invalid_argument);
  };
  run_scenario(body());
}

// --- a system that is full --------------------------------------------------------------------------------------------
// The loopback takes every datagram, and drops. Unix sockets hold on to them, so the same core stands over those here.

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
