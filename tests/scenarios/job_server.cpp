// The example job_server, as a program of its own: a server that is told to end.
#include <troupe/io/open_connection.hpp>
#include <troupe/runtime/timeout.hpp>

#include "scenarios/programs.hpp"
#include "scenarios/support.hpp"

#include <csignal>
#include <string>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// The port in the first line of it.
coro<io::endpoint> address_of(real_program& server) {
  co_await server.until("\n");
  const std::string intro = "serving on ";
  INFO(server.said());
  REQUIRE(server.said().starts_with(intro));
  co_return io::endpoint::parse(
      server.said().substr(intro.size(), server.said().find('\n') - intro.size()));
}

real_program job_server() { return real_program({TROUPE_EXAMPLES "/job_server", "--serve", "0"}); }

}  // namespace

TEST_CASE(
    "the job server ends at a signal when the jobs at hand are done, and keeps no idle client") {
  const int signal = GENERATE(SIGTERM, SIGINT);
  auto body = [signal]() -> coro<> {
    real_program server = job_server();
    const io::endpoint where = co_await address_of(server);
    io::stream idle = co_await io::open_connection(where);
    idle.write("0\n");
    const std::string first = co_await idle.read_line();
    CHECK(first == "done\n");
    io::stream busy = co_await io::open_connection(where);
    busy.write("0.3\n100\n");  // the second is not begun any more
    co_await server.until("a job of 0.3 s\n");
    server.send(signal);
    const io::bytes none = co_await idle.read_all();
    CHECK(none.empty());
    const io::bytes done = co_await busy.read_all();
    CHECK(done.text() == "done\n");
    const int status = co_await server.status();
    CHECK(status == 0);
    CHECK(server.said().ends_with("all have gone by themselves\n"));
  };
  run_scenario(body());
}

TEST_CASE("a second signal cuts off the job server's clients and leaves no child") {
  auto body = []() -> coro<> {
    real_program server = job_server();
    const io::endpoint where = co_await address_of(server);
    io::stream busy = co_await io::open_connection(where);
    busy.write("1000\n");
    co_await server.until("a job of 1000 s\n");
    server.send(SIGTERM);
    co_await server.until("going down");
    for (int more = 0; more < 5; ++more) server.send(SIGTERM);
    // Its output ends only when the child, which has that too, has gone.
    const int status = co_await troupe::timeout(30s, server.status());
    CHECK(status == 0);
    CHECK(server.said().ends_with("some were cut off\n"));
  };
  run_scenario(body());
}
