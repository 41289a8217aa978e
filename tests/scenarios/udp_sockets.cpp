// UDP sockets: closing them, moving them, their options and groups.
#include <troupe/io/tcp.hpp>
#include <troupe/io/udp.hpp>
#include <troupe/runtime/task.hpp>

#include "scenarios/datagrams.hpp"
#include "scenarios/descriptors.hpp"
#include "scenarios/support.hpp"

#include <memory>
#include <string>
#include <system_error>

using namespace troupe;
using namespace troupe::testing;

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
    CHECK(descriptors_come_to(before - 1));
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
