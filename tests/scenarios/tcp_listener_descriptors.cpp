// Listening without descriptors left, and with a socket that accepts no more.
#include <troupe/io/tcp.hpp>

#include "scenarios/listening.hpp"
#include "scenarios/support.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

/// The number of a descriptor that would be opened next.
int next_descriptor() {
  const int probe = ::dup(0);
  REQUIRE(probe >= 0);
  ::close(probe);
  return probe;
}

}  // namespace

// --- no descriptors left -------------------------------------------------------------------------------------------------------

TEST_CASE("without descriptors a listener says so once, pauses, and recovers by itself") {
  if (needs_descriptors_itself) {
    WARN("skipped: this build cannot do without descriptors");
    return;
  }
  failure_log log;
  auto body = [](failure_log& reports) -> coro<> {
    const auto shared = std::make_shared<guests>();
    guests& all = *shared;
    io::listening_socket listening(io::endpoint::loopback(0));
    const io::endpoint where = listening.local();
    std::vector<peer> callers;
    for (int index = 0; index < 10; ++index) callers.push_back(connect_peer(where.port()));
    auto owner = spawn<host>(shared);
    {
      const descriptor_limit few(static_cast<rlim_t>(next_descriptor()) + 3);
      spawn<io::tcp_listener>(std::move(listening), owner);
      co_await poll_until([&] { return !reports.reports().empty(); });
      CHECK(all.count == 3);
      const duration before = processor_time();
      co_await sleep(500ms);  // it tries again several times
      CHECK(processor_time() - before < 250ms);
      CHECK(all.count == 3);
      CHECK(reports.reports().size() == 1);
      // A descriptor that becomes free is taken, and the rest goes on waiting; that is no new shortage.
      all.sockets.pop_back();
      co_await poll_until([&] { return all.count == 4; });
      co_await sleep(100ms);
      CHECK(reports.reports().size() == 1);
    }
    co_await poll_until([&] { return all.count == 10; });
    CHECK(reports.reports().size() == 1);
    CHECK(reports.count("the listener on " + where.text() +
                        " cannot accept connections and tries again soon") == 1);
    CHECK(reports.count("Too many open files") == 1);
    // Everything works again, and another shortage is said again.
    peer late = connect_peer(where.port());
    co_await poll_until([&] { return all.count == 11; });
    peer later[2] = {connect_peer(where.port()), connect_peer(where.port())};
    const descriptor_limit none(static_cast<rlim_t>(next_descriptor()));
    co_await poll_until([&] { return reports.reports().size() == 2 || all.count == 13; });
    all.sockets.clear();
  };
  run_scenario(body(log), 1, &log);
}

TEST_CASE("a listener that is stopped while it pauses for descriptors is gone") {
  if (needs_descriptors_itself) {
    WARN("skipped: this build cannot do without descriptors");
    return;
  }
  failure_log log;
  auto body = [](failure_log& reports) -> coro<> {
    const auto shared = std::make_shared<guests>();
    guests& all = *shared;
    io::listening_socket listening(io::endpoint::loopback(0));
    peer caller = connect_peer(listening.local().port());
    auto owner = spawn<host>(shared);
    const descriptor_limit none(static_cast<rlim_t>(next_descriptor()));
    auto listener = spawn<io::tcp_listener>(std::move(listening), owner);
    co_await poll_until([&] { return !reports.reports().empty(); });
    listener.stop();
    co_await poll_until([&] { return listener.cell()->state() == internal::cell::life::dead; });
    none.lift();
    co_await caller.receive_all();
    CHECK(caller.error() == ECONNRESET);
    co_await sleep(50ms);
    CHECK(all.count == 0);
  };
  run_scenario(body(log), 1, &log);
  CHECK(log.reports().size() == 1);
}

TEST_CASE(
    "a listener whose socket can accept no more says so and stops instead of trying for ever") {
  failure_log log;
  auto body = [](failure_log& reports) -> coro<> {
    const auto shared = std::make_shared<guests>();
    const int native = next_descriptor();
    io::listening_socket listening(io::endpoint::loopback(0));
    const io::endpoint where = listening.local();
    auto owner = spawn<host>(shared);
    auto listener = spawn<io::tcp_listener>(std::move(listening), owner);
    co_await turns();
    REQUIRE(::shutdown(native, SHUT_RDWR) == 0);  // behind its back
    co_await poll_until([&] { return listener.cell()->state() == internal::cell::life::dead; });
    CHECK(reports.reports().size() == 1);
    CHECK(reports.count("the listener on " + where.text() +
                        " can accept no more connections and stops") == 1);
    CHECK_FALSE(failure_of_listening(where).code());
  };
  run_scenario(body(log), 1, &log);
}
