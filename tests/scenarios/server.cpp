// Servers of streams: what they serve, how they end, what their handlers may do. Entries of asyncio's Server.
#include <troupe/io/actor_per_connection.hpp>
#include <troupe/io/open_connection.hpp>
#include <troupe/io/server.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/timeout.hpp>

#include "scenarios/support.hpp"

#include <stdexcept>

using namespace troupe;
using namespace troupe::testing;

namespace {

const io::endpoint anywhere = io::endpoint::loopback(0);

coro<> echo_lines(io::stream client) {
  while (auto line = co_await client.next_line()) {
    client.write(*line, "\n");
    co_await client.drain();
  }
}

coro<> echo_one_line(io::stream client) {
  const std::string line = co_await client.read_line();
  client.write(line);
  co_await client.drain();
  client.close();
  co_await client.wait_closed();
}

coro<> a_long_time() { co_await sleep(1h); }

coro<> say(io::stream& to, std::string text) {
  to.write(text);
  const std::string back = co_await to.read_line();
  CHECK(back == text);
}

/// Sees the connection end, in whatever way.
coro<std::string> rest_of(io::stream& from) {
  try {
    const io::bytes got = co_await from.read_all();
    co_return std::string(got.text());
  } catch (const std::system_error&) {
    co_return "lost";
  }
}

coro<std::string> invalid_state_of(coro<> work) {
  try {
    co_await std::move(work);
  } catch (const invalid_state& error) {
    co_return error.what();
  }
  co_return "";
}

}  // namespace

TEST_CASE("a line goes to a server and comes back, over TCP and Unix sockets",
          "[conformance][writer-01]") {
  auto once = [](auto where, auto handler) -> coro<> {
    io::server serving = io::start_server(handler, where);
    {
      const auto there = [&] {
        if constexpr (std::same_as<decltype(where), io::endpoint>) {
          return serving.local();
        } else {
          return where;
        }
      }();
      io::stream client = co_await io::open_connection(there);
      co_await say(client, "hello world!\n");
      const std::string rest = co_await rest_of(client);
      CHECK(rest.empty());
      client.close();
      co_await client.wait_closed();
    }
    serving.close();
    co_await serving.wait_closed();
  };
  auto spawning = [](io::stream client) { create_task(echo_one_line(std::move(client))); };
  const io::unix_endpoint name("@troupe-test-" + std::to_string(::getpid()));
  run_scenario(once(anywhere, &echo_one_line));
  run_scenario(once(anywhere, spawning));
  run_scenario(once(name, &echo_one_line));
  run_scenario(once(name, spawning));
}

TEST_CASE("a server serves at once or when it is told to", "[conformance][server-01]") {
  auto body = []() -> coro<> {
    io::server_options later;
    later.start_serving = false;
    io::server serving = io::start_server(echo_lines, anywhere, later);
    CHECK_FALSE(serving.is_serving());
    peer early = connect_peer(serving.local().port());
    early.send_now("early\n");
    co_await turns();
    CHECK(early.waiting() == 0);
    serving.start_serving();
    CHECK(serving.is_serving());
    serving.start_serving();
    std::string got = co_await early.receive(6);
    CHECK(got == "early\n");
    serving.close();
    CHECK_FALSE(serving.is_serving());
    CHECK_THROWS_AS(serving.start_serving(), invalid_state);

    io::server forever = io::start_server(echo_lines, anywhere, later);
    auto running = create_task(forever.serve_forever());
    io::stream client = co_await io::open_connection(forever.local());
    co_await say(client, "now\n");
    CHECK(forever.is_serving());
    running.cancel();
    CHECK_THROWS_AS(co_await running, cancelled);
    CHECK_FALSE(forever.is_serving());
    co_await say(client, "still\n");
  };
  run_scenario(body());
}

TEST_CASE("one task serves forever, until the server is closed", "[conformance][server-03]") {
  auto body = []() -> coro<> {
    io::server serving = io::start_server(echo_lines, anywhere);
    auto first = create_task(serving.serve_forever());
    co_await turns(3);
    const std::string second = co_await invalid_state_of(serving.serve_forever());
    CHECK_FALSE(second.empty());
    CHECK_FALSE(first.done());
    serving.close();
    CHECK_THROWS_AS(co_await first, cancelled);
    const std::string late = co_await invalid_state_of(serving.serve_forever());
    CHECK_FALSE(late.empty());
  };
  run_scenario(body());
}

TEST_CASE("connections outlive the close of their server, and the server itself",
          "[conformance][server-05]") {
  auto body = []() -> coro<> {
    auto connect = []() -> coro<io::stream> {
      io::server serving = io::start_server(echo_lines, anywhere);
      io::stream made = co_await io::open_connection(serving.local());
      co_await say(made, "before\n");
      serving.close();
      co_await say(made, "after the close\n");
      co_return made;
    };
    io::stream client = co_await connect();
    co_await say(client, "after it has gone\n");
  };
  run_scenario(body());
}

TEST_CASE("waits for a server's end see its last connection go, in whatever order",
          "[conformance][server-07]") {
  auto body = []() -> coro<> {
    for (int turn = 0; turn < 20; ++turn) {
      io::server serving = io::start_server(echo_lines, anywhere);
      io::stream client = co_await io::open_connection(serving.local());
      co_await say(client, "hello\n");
      CHECK(serving.connections() == 1);
      auto waiting = create_task(serving.wait_closed());
      for (int step = 0; step < turn; ++step) co_await sleep(0s);
      CHECK_FALSE(waiting.done());
      if (turn % 2 == 0) {
        serving.close();
        client.close();
      } else {
        client.close();
        serving.close();
      }
      co_await serving.wait_closed();
      co_await waiting;
      CHECK(serving.connections() == 0);
    }
  };
  run_scenario(body());
}

TEST_CASE("a handler that throws is reported, its connection closed, and the next one served",
          "[conformance][server-09]") {
  failure_log log;
  auto body = [](failure_log& reports) -> coro<> {
    auto handler = [](io::stream client) -> coro<> {
      const std::string line = co_await client.read_line();
      if (line == "crash\n") throw std::runtime_error("a handler failed");
      client.write(line);
    };
    io::server serving = io::start_server(handler, anywhere);
    peer bad = connect_peer(serving.local().port());
    bad.send_now("crash\n");
    static_cast<void>(co_await bad.receive_all());
    CHECK((bad.at_end() || bad.error() == ECONNRESET));
    peer good = connect_peer(serving.local().port());
    good.send_now("works\n");
    const std::string got = co_await good.receive_all();
    CHECK(got == "works\n");
    co_await poll_until([&] { return serving.connections() == 0; });
    CHECK(reports.reports().size() == 1);
    CHECK(reports.count("a client handler of the server on " + serving.name()) == 1);
    CHECK(reports.count("a handler failed") == 1);
  };
  run_scenario(body(log), 1, &log);
}

TEST_CASE("a plain function that throws is reported as a coroutine is",
          "[conformance][server-09]") {
  failure_log log;
  auto body = [](failure_log& reports) -> coro<> {
    auto handler = [](io::stream) { throw std::runtime_error("at once"); };
    io::server serving = io::start_server(handler, anywhere);
    peer bad = connect_peer(serving.local().port());
    static_cast<void>(co_await bad.receive_all());
    co_await poll_until([&] { return serving.connections() == 0; });
    CHECK(reports.count("at once") == 1);
  };
  run_scenario(body(log), 1, &log);
  CHECK(log.reports().size() == 1);
}

TEST_CASE("a cancelled handler is not reported, and its connection is closed",
          "[conformance][server-09]") {
  auto body = []() -> coro<> {
    bool by_itself = true;
    std::optional<task<>> handling;
    auto handler = [&](io::stream client) -> coro<> {
      handling = create_task(a_long_time());
      if (by_itself) {
        client.close();
        task_base::current()->cancel();
      }
      co_await *handling;
    };
    io::server serving = io::start_server(handler, anywhere);
    for (int turn = 0; turn < 2; ++turn) {
      handling.reset();
      peer guest = connect_peer(serving.local().port());
      if (!by_itself) {
        co_await poll_until([&] { return handling.has_value(); });
        handling->cancel();
      }
      static_cast<void>(co_await guest.receive_all());
      CHECK(guest.at_end());
      co_await poll_until([&] { return serving.connections() == 0; });
      by_itself = false;
    }
  };
  run_scenario(body());
}

TEST_CASE("a connection that its peer resets is no failure of the handler") {
  auto body = []() -> coro<> {
    io::server serving = io::start_server(echo_lines, anywhere);
    for (int turn = 0; turn < 10; ++turn) {
      peer rude = connect_peer(serving.local().port());
      rude.send_now("hello\n");
      static_cast<void>(co_await rude.receive(6));
      rude.reset();
      co_await poll_until([&] { return serving.connections() == 0; });
    }
  };
  run_scenario(body());
}

TEST_CASE("clients who came before the loop looked are all served", "[conformance][server-15]") {
  auto body = []() -> coro<> {
    io::server_options options;
    options.listen.backlog = 100;
    io::server serving = io::start_server(echo_lines, anywhere, options);
    std::vector<peer> early;
    for (int index = 0; index < 50; ++index) {
      early.push_back(connect_peer(serving.local().port()));
      early.back().send_now(std::to_string(index) + "\n");
    }
    for (int index = 0; index < 50; ++index) {
      const std::string wanted = std::to_string(index) + "\n";
      const std::string got =
          co_await early[static_cast<std::size_t>(index)].receive(wanted.size());
      CHECK(got == wanted);
    }
    CHECK(serving.connections() == 50);
    early.clear();
    serving.close();
    co_await serving.wait_closed();
  };
  run_scenario(body());
}

TEST_CASE("clients are closed or aborted by their server, which goes on serving") {
  auto body = []() -> coro<> {
    auto handler = [](io::stream client) -> coro<> {
      client.write(std::string(1000, 'x'));
      static_cast<void>(co_await client.read_some(1));
    };
    io::server serving = io::start_server(handler, anywhere);
    std::vector<peer> guests;
    for (int index = 0; index < 5; ++index) guests.push_back(connect_peer(serving.local().port()));
    for (peer& each : guests) static_cast<void>(co_await each.receive(1000));
    serving.close_clients();
    for (peer& each : guests) {
      static_cast<void>(co_await each.receive_all());
      CHECK(each.at_end());
    }
    co_await poll_until([&] { return serving.connections() == 0; });
    peer next = connect_peer(serving.local().port());
    static_cast<void>(co_await next.receive(1000));
    serving.abort_clients();
    static_cast<void>(co_await next.receive_all());
    CHECK(next.error() == ECONNRESET);
    co_await poll_until([&] { return serving.connections() == 0; });
    CHECK(serving.is_serving());
  };
  run_scenario(body());
}

TEST_CASE("a shutdown lets connections end by themselves") {
  auto body = []() -> coro<> {
    io::server serving = io::start_server(echo_lines, anywhere);
    io::stream client = co_await io::open_connection(serving.local());
    co_await say(client, "hello\n");
    auto ending = create_task(serving.shutdown(1h));
    co_await turns();
    CHECK_FALSE(ending.done());
    co_await say(client, "bye\n");
    client.close();
    const bool by_itself = co_await ending;
    CHECK(by_itself);
  };
  run_scenario(body());
}

TEST_CASE("a shutdown cuts off who stays longer than its grace, or when it is cancelled") {
  auto body = []() -> coro<> {
    int cut = 0;
    auto handler = [&](io::stream client) -> coro<> {
      client.write("x");
      try {
        co_await sleep(1h);
      } catch (const cancelled&) {
        ++cut;
        throw;
      }
    };
    for (const bool cancel : {false, true}) {
      io::server serving = io::start_server(handler, anywhere);
      peer guest = connect_peer(serving.local().port());
      static_cast<void>(co_await guest.receive(1));
      auto ending = create_task(serving.shutdown(cancel ? 1h : 1ms));
      co_await turns(5);
      if (cancel) {
        ending.cancel();
        CHECK_THROWS_AS(co_await ending, cancelled);
      } else {
        const bool by_itself = co_await ending;
        CHECK_FALSE(by_itself);
      }
      static_cast<void>(co_await guest.receive_all());
      co_await serving.wait_closed();
    }
    CHECK(cut == 2);
  };
  run_scenario(body());
}

TEST_CASE("an actor per connection serves it, and its end is that of the connection") {
  class session : public actor<io::connection_events> {
   public:
    explicit session(io::socket connected, std::string greeting)
        : connection_(spawn<io::tcp_connection>(std::move(connected), self())) {
      connection_.tell(io::write(io::bytes(greeting)));
      connection_.tell(io::demand{1000});
    }
    void on(io::data d) { connection_.tell(io::write(std::move(d.chunk))); }
    void on(io::drained) {}
    void on(io::end_of_data) { connection_.tell(io::close{}); }
    void on(io::closed) { stop(); }

   private:
    connection_ref connection_;
  };
  auto body = []() -> coro<> {
    io::server serving =
        io::start_server(io::actor_per_connection<session>(std::string("welcome\n")), anywhere);
    peer guest = connect_peer(serving.local().port());
    std::string got = co_await guest.receive(8);
    CHECK(got == "welcome\n");
    guest.send_now("hello");
    got = co_await guest.receive(5);
    CHECK(got == "hello");
    CHECK(serving.connections() == 1);
    guest.end_sending();
    static_cast<void>(co_await guest.receive_all());
    co_await poll_until([&] { return serving.connections() == 0; });

    peer other = connect_peer(serving.local().port());
    static_cast<void>(co_await other.receive(8));
    serving.abort_clients();  // stops the actor
    static_cast<void>(co_await other.receive_all());
    serving.close();
    co_await serving.wait_closed();
  };
  run_scenario(body());
}

TEST_CASE("a server that is left alone is closed with its loop, and its clients are") {
  std::vector<peer> guests;
  auto body = [](std::vector<peer>& all) -> coro<> {
    static std::optional<io::server> kept;  // outlives the loop
    kept.emplace(io::start_server(echo_lines, anywhere));
    for (int index = 0; index < 3; ++index) {
      all.push_back(connect_peer(kept->local().port()));
      all.back().send_now("hello\n");
      static_cast<void>(co_await all.back().receive(6));
    }
  };
  const std::size_t before = open_descriptors();
  troupe::run(body(guests), {.handle_interrupt = false});
  for (peer& each : guests) {
    std::string none;
    each.receive_now(none);
    CHECK((each.at_end() || each.error() == ECONNRESET));
  }
  guests.clear();
  CHECK(descriptors_come_to(before));
}
