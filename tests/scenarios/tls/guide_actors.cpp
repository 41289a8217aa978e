// What the guide to io says of TLS and actors, compiled and run.
#include <troupe/io/connection.hpp>
#include <troupe/io/server.hpp>
#include <troupe/io/tls/tls.hpp>
#include <troupe/troupe.hpp>

#include "io/tls/support.hpp"
#include "scenarios/support.hpp"

#include <memory>
#include <utility>

using namespace troupe;
using namespace troupe::testing;

namespace {

// [session]
/// One client, over whatever it comes.
class session : public troupe::actor<io::connection_events> {
 public:
  explicit session(io::stream client)
      : connection_(spawn<io::stream_connection>(std::move(client), self())) {}

  void on_start() { connection_.tell(io::demand{64 << 10}); }
  void on(io::data d) { connection_.tell(io::write(std::move(d.chunk))); }
  void on(io::drained d) { connection_.tell(io::demand{d.bytes}); }
  void on(io::end_of_data) { connection_.tell(io::close{}); }
  void on(io::closed) { stop(); }

 private:
  troupe::actor_ref<io::connection> connection_;
};

/// Gives a client that has shaken hands to an actor. The server counts it until that has ended, and has it stopped in a shutdown.
troupe::coro<> serve(io::stream client) {
  const struct stopped_with_this {
    troupe::actor_ref<io::connection_events> session;
    ~stopped_with_this() { session.stop(); }
  } serving{troupe::spawn<session>(std::move(client))};
  co_await serving.session.stopped();
}
// [/session]

}  // namespace

TEST_CASE("the guide's actors serve clients over TLS") {
  auto body = []() -> coro<> {
    int begun = 0;
    auto counted = [&](io::stream client) {
      ++begun;
      return serve(std::move(client));
    };
    io::server serving =
        io::start_server(io::over_tls(tls::server_context(), counted), io::endpoint::loopback(0));
    auto connecting = io::connect_tls(serving.local(), "localhost", tls::client_context());
    io::stream client = co_await std::move(connecting);
    co_await poll_until([&] { return begun == 1; });
    client.write("hello\n");
    const std::string line = co_await client.read_line();
    CHECK(line == "hello\n");
    CHECK(serving.connections() == 1);
    client.write_eof();
    const io::bytes rest = co_await client.read_all();  // the end was told, so it is no truncation
    CHECK(rest.empty());
    co_await poll_until([&] { return serving.connections() == 0; });
  };
  run_scenario(body());
}

TEST_CASE("the guide's actors over TLS are stopped by a shutdown of their server") {
  auto body = []() -> coro<> {
    int begun = 0;
    auto counted = [&](io::stream client) {
      ++begun;
      return serve(std::move(client));
    };
    io::server serving =
        io::start_server(io::over_tls(tls::server_context(), counted), io::endpoint::loopback(0));
    auto connecting = io::connect_tls(serving.local(), "localhost", tls::client_context());
    io::stream client = co_await std::move(connecting);
    co_await poll_until([&] { return begun == 1; });
    const bool well = co_await serving.shutdown(10ms);
    CHECK_FALSE(well);
    CHECK(serving.connections() == 0);
  };
  run_scenario(body());
}
