// Connecting to others.
#include <troupe/io/tcp.hpp>

#include "scenarios/descriptors.hpp"
#include "scenarios/full_port.hpp"
#include "scenarios/support.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

struct outcome_of_connecting {
  std::optional<io::socket> made;
  std::error_code error;
  std::string what;
  bool cancelled = false;
};

coro<outcome_of_connecting> try_to_connect(io::endpoint where) {
  outcome_of_connecting result;
  try {
    result.made.emplace(co_await io::connect(where));
  } catch (const std::system_error& error) {
    result.error = error.code();
    result.what = error.what();
  } catch (const cancelled&) {
    result.cancelled = true;
  }
  co_return result;
}

}  // namespace

TEST_CASE("connect gives a socket that knows both ends") {
  auto body = []() -> coro<> {
    const io::listening_socket listening(io::endpoint::loopback(0));
    const outcome_of_connecting result = co_await try_to_connect(listening.local());
    REQUIRE(result.made);
    CHECK(result.made->peer() == listening.local());
    CHECK(result.made->local().address() == "127.0.0.1");
    CHECK(result.made->native() >= 0);
  };
  run_scenario(body());
}

TEST_CASE("a connected socket given to a connection talks to the listener's connection") {
  auto body = []() -> coro<> {
    class greeter : public actor<io::listener_events> {
     public:
      greeter(io::listening_socket listening, actor_ref<io::connection_events> owner)
          : owner_(std::move(owner)) {
        spawn<io::tcp_listener>(std::move(listening), self());
      }
      void on(io::accepted a) {
        auto connection = spawn<io::tcp_connection>(std::move(a.connected), owner_);
        connection.tell(text("welcome"));
        connection.tell(io::close{});
      }

     private:
      actor_ref<io::connection_events> owner_;
    };
    io::listening_socket listening(io::endpoint::loopback(0));
    const io::endpoint where = listening.local();
    const auto server_pages = std::make_shared<history>();
    const auto client_pages = std::make_shared<history>();
    history& server_side = *server_pages;
    history& client_side = *client_pages;
    auto server_owner = spawn<recorder>(server_pages);
    auto client_owner = spawn<recorder>(client_pages);
    spawn<greeter>(std::move(listening), server_owner);
    io::socket made = co_await io::connect(where);
    auto connection = spawn<io::tcp_connection>(std::move(made), client_owner);
    connection.tell(io::demand{100});
    co_await client_side.until_end();
    CHECK(client_side.received == "welcome");
    connection.tell(io::close{});
    co_await client_side.until_closed();
    co_await server_side.until_closed();
    CHECK_FALSE(client_side.reason);
    CHECK_FALSE(server_side.reason);
  };
  run_scenario(body());
}

TEST_CASE("connecting to a port where nobody listens is refused, and the error names the peer") {
  auto body = []() -> coro<> {
    const deaf_port port;
    const outcome_of_connecting result =
        co_await try_to_connect(io::endpoint::loopback(port.port()));
    CHECK(result.error == std::errc::connection_refused);
    CHECK(result.what ==
          "connecting to 127.0.0.1:" + std::to_string(port.port()) + ": Connection refused");
  };
  run_scenario(body());
}

TEST_CASE("connecting over IPv6 to a port where nobody listens is refused") {
  if (!has_ipv6()) {
    WARN("skipped: this machine has no ::1");
    return;
  }
  auto body = []() -> coro<> {
    std::uint16_t port = 0;
    {
      const io::listening_socket listening(io::endpoint("::1", 0));
      port = listening.local().port();
    }
    const outcome_of_connecting result = co_await try_to_connect(io::endpoint("::1", port));
    CHECK(result.error == std::errc::connection_refused);
  };
  run_scenario(body());
}

TEST_CASE("an address that can never be connected to is an error") {
  auto body = []() -> coro<> {
    const outcome_of_connecting result =
        co_await try_to_connect(io::endpoint("255.255.255.255", 80));
    CHECK(result.error);
    CHECK(result.what.find("connecting to 255.255.255.255:80: ") == 0);
  };
  run_scenario(body());
}

TEST_CASE("cancelling a connect closes its socket") {
  auto body = []() -> coro<> {
    const full_port port;
    const std::size_t before = open_descriptors();
    auto connecting = create_task(try_to_connect(port.where()));
    co_await turns();
    CHECK_FALSE(connecting.done());
    CHECK(descriptors_come_to(before + 1));
    connecting.cancel();
    const outcome_of_connecting result = co_await connecting;
    CHECK(result.cancelled);
    CHECK(descriptors_come_to(before));
  };
  run_scenario(body());
}

TEST_CASE("a connect that waits when the program ends is cancelled") {
  auto body = [](const full_port& port) -> coro<> {
    create_task(try_to_connect(port.where()));
    co_await turns();
  };
  const full_port port;
  run_scenario(body(port));
}

TEST_CASE("connecting without descriptors left is an error that names the peer") {
  if (skipped_without_descriptors()) return;
  auto body = []() -> coro<> {
    const io::listening_socket listening(io::endpoint::loopback(0));
    const descriptor_limit none(static_cast<rlim_t>(next_descriptor()));
    const outcome_of_connecting result = co_await try_to_connect(listening.local());
    none.lift();
    CHECK(result.error == std::errc::too_many_files_open);
    CHECK(result.what.find("connecting to " + listening.local().text()) == 0);
  };
  run_scenario(body());
}

TEST_CASE("connecting to a port where nobody listens never connects a socket to itself") {
  auto body = []() -> coro<> {
    // Linux gives listeners odd ports and those who connect even ones, and goes round among these.
    std::uint16_t port = 0;
    while (port == 0) {
      const io::listening_socket odd(io::endpoint::loopback(0));
      try {
        const auto even = static_cast<std::uint16_t>(odd.local().port() & ~1);
        port = io::listening_socket(io::endpoint::loopback(even)).local().port();
      } catch (const std::system_error&) {
      }
    }
    const io::endpoint where = io::endpoint::loopback(port);
    std::size_t refused = 0;
    for (int turn = 0; turn < 40'000; ++turn) {
      const outcome_of_connecting result = co_await try_to_connect(where);
      if (result.error != std::errc::connection_refused) break;
      ++refused;
    }
    CHECK(refused == 40'000);
  };
  run_scenario(body());
}

TEST_CASE("a hundred connects at once succeed") {
  auto body = []() -> coro<> {
    const io::listening_socket listening(io::endpoint::loopback(0));
    std::vector<task<outcome_of_connecting>> all;
    for (int index = 0; index < 100; ++index)
      all.push_back(create_task(try_to_connect(listening.local())));
    std::size_t made = 0;
    for (auto& each : all) {
      const outcome_of_connecting result = co_await each;
      if (result.made) ++made;
    }
    CHECK(made == 100);
  };
  run_scenario(body());
}
