// Actors that own a UDP socket.
#include <troupe/io/udp_actor.hpp>
#include <troupe/runtime/task.hpp>

#include "scenarios/support.hpp"

#include <map>

using namespace troupe;
using namespace troupe::testing;
namespace udp = io::udp;

namespace {

using port_ref = actor_ref<udp::commands>;
const io::endpoint anywhere = io::endpoint::loopback(0);

/// What an owner has heard.
struct diary {
  std::vector<std::string> received;
  io::endpoint from;
  std::size_t truncated = 0;
  std::size_t notices = 0;  ///< of trouble
  std::size_t troubles = 0;
  std::error_code last_trouble;
  int closings = 0;
  std::error_code reason;
  udp::counters counts;
};

class owner : public actor<udp::events> {
 public:
  explicit owner(std::shared_ptr<diary> pages) : pages_(std::move(pages)) {}
  void on(udp::received r) {
    pages_->received.emplace_back(r.message.content.text());
    pages_->from = r.message.from;
    if (r.message.truncated()) ++pages_->truncated;
  }
  void on(udp::trouble t) {
    ++pages_->notices;
    pages_->troubles += t.times;
    pages_->last_trouble = t.error;
  }
  void on(udp::closed c) {
    ++pages_->closings;
    pages_->reason = c.reason;
    pages_->counts = c.counts;
  }

 private:
  std::shared_ptr<diary> pages_;
};

/// An actor with a socket, its owner, and a plain socket beside it.
struct stage {
  explicit stage(io::udp_socket socket = io::udp_socket(anywhere), udp::actor_options options = {})
      : where(socket.local()),
        shared(std::make_shared<diary>()),
        pages(*shared),
        boss(spawn<owner>(shared)),
        port(spawn<io::udp_actor>(std::move(socket), boss, options)) {}

  io::endpoint where;
  std::shared_ptr<diary> shared;
  diary& pages;
  actor_ref<udp::events> boss;
  port_ref port;
};

coro<std::error_code> error_of(future<void> answer) {
  try {
    co_await answer;
  } catch (const std::system_error& error) {
    co_return error.code();
  } catch (const actor_dead&) {
    co_return std::make_error_code(std::errc::owner_dead);
  }
  co_return std::error_code();
}

udp::send mail(std::string_view text, const io::endpoint& to) {
  return udp::send(io::bytes(text), to);
}
udp::send mail(std::string_view text) { return udp::send(io::bytes(text)); }

coro<> see_the_end(diary& pages) {
  co_await poll_until([&pages] { return pages.closings != 0; });
  co_await turns();
  CHECK(pages.closings == 1);
}

}  // namespace

TEST_CASE("an actor passes on the datagrams that its owner has asked for, and no more") {
  auto body = []() -> coro<> {
    stage on;
    io::udp_socket other(anywhere);
    for (int index = 0; index < 100; ++index)
      co_await other.send_to(std::to_string(index), on.where);
    co_await turns();
    CHECK(on.pages.received.empty());
    on.port.tell(udp::demand{10});
    co_await poll_until([&] { return on.pages.received.size() >= 10; });
    co_await turns();
    CHECK(on.pages.received.size() == 10);
    CHECK(on.pages.from == other.local());
    on.port.tell(udp::demand{1000});
    co_await poll_until([&] { return on.pages.received.size() >= 100; });
    for (std::size_t index = 0; index < 100; ++index)
      CHECK(on.pages.received[index] == std::to_string(index));
    const udp::counters counts = co_await on.port.ask(udp::count{});
    CHECK(counts.received == 100);
    CHECK(counts.dropped == 0);
    on.port.tell(udp::close{});
    co_await see_the_end(on.pages);
    CHECK_FALSE(on.pages.reason);
    CHECK(on.pages.counts.received == 100);
  };
  run_scenario(body());
}

TEST_CASE("a flood costs an actor's owner what it has asked for; what is lost is counted") {
  auto body = []() -> coro<> {
    stage on(io::udp_socket(anywhere, {.receive_buffer = 16'384}));
    io::udp_socket other(anywhere);
    constexpr std::uint64_t sent = 2000;
    on.port.tell(udp::demand{5});
    for (std::uint64_t index = 0; index < sent; ++index) {
      const std::string text = pattern(200);
      co_await other.send_to(text, on.where);
      if (index % 100 == 0) co_await turns(2);
    }
    co_await turns();
    CHECK(on.pages.received.size() == 5);
    on.port.tell(udp::demand{sent});
    udp::counters counts;
    while (counts.received + counts.dropped != sent) {
      counts = co_await on.port.ask(udp::count{});
      co_await sleep(100us);
    }
    CHECK(counts.dropped > 0);
    CHECK(on.pages.received.size() == counts.received);
  };
  run_scenario(body());
}

TEST_CASE("what an actor is asked to send is answered when it has left") {
  auto body = []() -> coro<> {
    stage on;
    stage other;
    other.port.tell(udp::demand{10});
    co_await on.port.ask(mail("asked", other.where));
    on.port.tell(mail("told", other.where));
    co_await poll_until([&] { return other.pages.received.size() == 2; });
    CHECK(other.pages.received == std::vector<std::string>{"asked", "told"});
    CHECK(other.pages.from == on.where);
    const udp::counters counts = co_await on.port.ask(udp::count{});
    CHECK(counts.sent == 2);
  };
  run_scenario(body());
}

TEST_CASE("what cannot be sent is an error to who asks, and trouble to who tells") {
  auto body = []() -> coro<> {
    stage on;
    std::error_code error = co_await error_of(on.port.ask(mail(pattern(65508), anywhere)));
    CHECK(error == std::errc::message_size);
    error = co_await error_of(on.port.ask(mail("x", io::endpoint("::1", 1))));
    CHECK(error == std::errc::address_family_not_supported);
    error = co_await error_of(on.port.ask(mail("x")));
    CHECK(error == std::errc::destination_address_required);
    // Without credit the troubles are kept, and told as one.
    on.port.tell(mail(pattern(65508), anywhere));
    on.port.tell(mail("x", io::endpoint("::1", 1)));
    on.port.tell(mail("x"));
    co_await turns();
    CHECK(on.pages.notices == 0);
    on.port.tell(udp::demand{1});
    co_await poll_until([&] { return on.pages.notices == 1; });
    CHECK(on.pages.troubles == 3);
    CHECK(on.pages.last_trouble == std::errc::destination_address_required);
    const udp::counters counts = co_await on.port.ask(udp::count{});
    CHECK(counts.refused == 6);
    // The credit has been used up by that.
    io::udp_socket other(anywhere);
    co_await other.send_to("later", on.where);
    co_await turns();
    CHECK(on.pages.received.empty());
  };
  run_scenario(body());
}

TEST_CASE("an actor whose peer is not there says so and goes on") {
  auto body = []() -> coro<> {
    const io::endpoint there = io::udp_socket(anywhere).local();
    stage on(io::udp_socket::connected(there));
    on.port.tell(udp::demand{10});
    on.port.tell(mail("anybody?"));
    co_await poll_until([&] { return on.pages.notices == 1; });
    CHECK(on.pages.last_trouble == std::errc::connection_refused);
    io::udp_socket server(there);
    on.port.tell(mail("now?"));
    const io::datagram got = co_await server.receive();
    CHECK(got.content.text() == "now?");
    co_await server.send_to("yes", got.from);
    co_await poll_until([&] { return on.pages.received.size() == 1; });
    CHECK(on.pages.closings == 0);
  };
  run_scenario(body());
}

TEST_CASE("a truncated datagram is passed on as one") {
  auto body = []() -> coro<> {
    stage on(io::udp_socket(anywhere, {.largest = 4}));
    io::udp_socket other(anywhere);
    co_await other.send_to("too long", on.where);
    on.port.tell(udp::demand{1});
    co_await poll_until([&] { return on.pages.received.size() == 1; });
    CHECK(on.pages.received[0] == "too ");
    CHECK(on.pages.truncated == 1);
  };
  run_scenario(body());
}

TEST_CASE("many more datagrams than an actor takes in a turn all arrive") {
  auto body = []() -> coro<> {
    stage on;
    io::udp_socket other(anywhere);
    for (int index = 0; index < 200; ++index)
      co_await other.send_to(std::to_string(index), on.where);
    on.port.tell(udp::demand{1000});
    co_await poll_until([&] { return on.pages.received.size() == 200; });
    co_await other.send_to("and one more", on.where);
    co_await poll_until([&] { return on.pages.received.size() == 201; });
    CHECK(on.pages.received.back() == "and one more");
  };
  run_scenario(body());
}

TEST_CASE("an actor that is stopped says closed once, with a reason, and its port is free") {
  auto body = []() -> coro<> {
    stage on;
    on.port.stop();
    co_await see_the_end(on.pages);
    CHECK(on.pages.reason == std::errc::operation_canceled);
    io::udp_socket again(on.where);
    const std::error_code error = co_await error_of(on.port.ask(mail("x", anywhere)));
    CHECK(error == std::errc::owner_dead);
  };
  run_scenario(body());
}

TEST_CASE("an actor told to close twice, while data arrives, says closed once") {
  auto body = []() -> coro<> {
    stage on;
    io::udp_socket other(anywhere);
    on.port.tell(udp::demand{100});
    for (int index = 0; index < 20; ++index) co_await other.send_to("x", on.where);
    on.port.tell(udp::close{});
    on.port.tell(udp::close{});
    on.port.tell(mail("late", other.local()));
    co_await see_the_end(on.pages);
    CHECK_FALSE(on.pages.reason);
  };
  run_scenario(body());
}

TEST_CASE("an actor needs an owner, and a socket that no task uses") {
  auto body = []() -> coro<> {
    failure_log log;
    io::udp_socket used(anywhere);
    auto waiting = create_task([](io::udp_socket& of) -> coro<> { co_await of.receive(); }(used));
    co_await turns();
    auto pages = std::make_shared<diary>();
    auto boss = spawn<owner>(pages);
    CHECK_THROWS_AS(spawn<io::udp_actor>(io::udp_socket(anywhere), actor_ref<udp::events>()),
                    std::invalid_argument);
    CHECK_THROWS_AS(spawn<io::udp_actor>(std::move(used), boss), invalid_state);
    waiting.cancel();
  };
  run_scenario(body());
}

TEST_CASE("two actors play ping-pong over sockets on two loops") {
  class player : public actor<udp::events> {
   public:
    player(int rounds, std::shared_ptr<std::atomic<int>> score)
        : rounds_(rounds), score_(std::move(score)) {}
    void on(udp::received r) {
      score_->fetch_add(1);
      if (--rounds_ == 0) return;
      r.from.tell(udp::demand{1});
      r.from.tell(udp::send(std::move(r.message.content), r.message.from));
    }
    void on(udp::trouble) {}
    void on(udp::closed) {}

   private:
    int rounds_;
    std::shared_ptr<std::atomic<int>> score_;
  };
  auto body = []() -> coro<> {
    auto score = std::make_shared<std::atomic<int>>(0);
    io::udp_socket first(anywhere);
    io::udp_socket second(anywhere);
    const io::endpoint there = second.local();
    auto left = spawn<player>(place::on(0), 1000, score);
    auto right = spawn<player>(place::on(1), 1000, score);
    auto one = spawn<io::udp_actor>(place::on(0), std::move(first), left);
    auto other = spawn<io::udp_actor>(place::on(1), std::move(second), right);
    one.tell(udp::demand{1});
    other.tell(udp::demand{1});
    one.tell(mail("ball", there));
    co_await poll_until([&] { return score->load() >= 1999; });
    one.tell(udp::close{});
    other.tell(udp::close{});
  };
  run_scenario(body(), 2);
}

TEST_CASE("a program may end while actors own UDP sockets") {
  auto body = []() -> coro<> {
    stage on;
    on.port.tell(udp::demand{100});
    on.port.tell(mail("x", on.where));
    co_return;
  };
  run_scenario(body());
}

// --- a system that is full --------------------------------------------------------------------------------------------

namespace {

/// An actor over a Unix socket, whose system holds on to datagrams instead of dropping them, and the other end.
struct full_stage {
  explicit full_stage(udp::actor_options options) {
    int both[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, both) == 0);
    other.emplace(io::udp_socket::adopt(io::descriptor(both[1])));
    on.emplace(io::udp_socket::adopt(io::descriptor(both[0])), options);
  }
  /// Tells it to send until it keeps some. How many have left.
  coro<std::uint64_t> fill() {
    udp::counters counts;
    for (std::uint64_t told = 0; counts.sent == told; ++told) {
      on->port.tell(mail(std::to_string(told)));
      counts = co_await on->port.ask(udp::count{});
      if (counts.sent == told) break;
    }
    co_return counts.sent;
  }
  coro<std::string> receive() {
    const io::datagram got = co_await other->receive();
    co_return std::string(got.content.text());
  }

  std::optional<io::udp_socket> other;
  std::optional<stage> on;
};

}  // namespace

TEST_CASE("what an actor cannot send yet it sends later, in order, before it closes") {
  auto body = []() -> coro<> {
    full_stage with({});
    const std::uint64_t held = co_await with.fill();
    auto asked = with.on->port.ask(mail("asked"));
    with.on->port.tell(udp::close{});
    co_await turns();
    CHECK(with.on->pages.closings == 0);
    const std::error_code late = co_await error_of(with.on->port.ask(mail("late")));
    CHECK(late == std::errc::operation_canceled);
    for (std::uint64_t index = 0; index <= held; ++index) {
      const std::string got = co_await with.receive();
      CHECK(got == std::to_string(index));
    }
    co_await asked;
    const std::string got = co_await with.receive();
    CHECK(got == "asked");
    co_await see_the_end(with.on->pages);
    CHECK_FALSE(with.on->pages.reason);
    CHECK(with.on->pages.counts.sent == held + 2);
  };
  run_scenario(body());
}

TEST_CASE("an actor keeps no more than its window to be sent, and counts what it drops") {
  auto body = []() -> coro<> {
    full_stage with({.window = 3});
    co_await with.fill();  // of three the first
    auto withdrawn = with.on->port.ask(mail("withdrawn"));
    auto waiting = with.on->port.ask(mail("waiting"));
    co_await turns();
    std::error_code error = co_await error_of(with.on->port.ask(mail("one too many")));
    CHECK(error == std::errc::no_buffer_space);
    with.on->port.tell(mail("another"));
    udp::counters counts = co_await with.on->port.ask(udp::count{});
    CHECK(counts.refused == 2);
    withdrawn.cancel();
    auto after = with.on->port.ask(mail("after"));
    co_await turns();
    std::string got;
    while (got != "after") {
      got = co_await with.receive();
      CHECK(got != "withdrawn");
      CHECK(got != "another");
    }
    co_await waiting;
    co_await after;
    CHECK(with.on->pages.closings == 0);
  };
  run_scenario(body());
}

TEST_CASE("an actor that cannot send what is left closes when its time is up, and says so") {
  auto body = []() -> coro<> {
    full_stage with({.close_timeout = 5ms});
    co_await with.fill();
    auto waiting = with.on->port.ask(mail("never"));
    with.on->port.tell(udp::close{});
    const std::error_code error = co_await error_of(std::move(waiting));
    CHECK(error == std::errc::timed_out);
    co_await see_the_end(with.on->pages);
    CHECK(with.on->pages.reason == std::errc::timed_out);
  };
  run_scenario(body());
}
