// Listening without descriptors left, and with a socket that accepts no more.
#include <troupe/io/tcp.hpp>

#include "scenarios/descriptors.hpp"
#include "scenarios/listening.hpp"
#include "scenarios/support.hpp"

using namespace troupe;
using namespace troupe::testing;

// --- no descriptors left -------------------------------------------------------------------------------------------------------

TEST_CASE("without descriptors a listener says so once, pauses, and recovers by itself") {
  if (skipped_without_descriptors()) return;
  failure_log log;
  auto body = [](failure_log& reports) -> coro<> {
    reception at;
    std::vector<peer> callers;
    for (int index = 0; index < 10; ++index) callers.push_back(connect_peer(at.where.port()));
    {
      const descriptor_limit few(static_cast<rlim_t>(next_descriptor()) + 3);
      spawn<io::tcp_listener>(std::move(at.listening), at.owner);
      co_await poll_until([&] { return !reports.reports().empty(); });
      CHECK(at.all.count == 3);
      const duration before = processor_time();
      co_await sleep(500ms);  // it tries again several times
      CHECK(processor_time() - before < 250ms);
      CHECK(at.all.count == 3);
      CHECK(reports.reports().size() == 1);
      // A descriptor that becomes free is taken, and the rest goes on waiting; that is no new shortage.
      at.all.sockets.pop_back();
      co_await poll_until([&] { return at.all.count == 4; });
      co_await sleep(100ms);
      CHECK(reports.reports().size() == 1);
    }
    co_await poll_until([&] { return at.all.count == 10; });
    CHECK(reports.reports().size() == 1);
    CHECK(reports.count("the listener on " + at.where.text() +
                        " cannot accept connections and tries again soon") == 1);
    CHECK(reports.count("Too many open files") == 1);
    // Everything works again, and another shortage is said again.
    peer late = connect_peer(at.where.port());
    co_await poll_until([&] { return at.all.count == 11; });
    peer later[2] = {connect_peer(at.where.port()), connect_peer(at.where.port())};
    const descriptor_limit none(static_cast<rlim_t>(next_descriptor()));
    co_await poll_until([&] { return reports.reports().size() == 2 || at.all.count == 13; });
    at.all.sockets.clear();
  };
  run_scenario(body(log), 1, &log);
}

TEST_CASE("a listener that is stopped while it pauses for descriptors is gone") {
  if (skipped_without_descriptors()) return;
  failure_log log;
  auto body = [](failure_log& reports) -> coro<> {
    reception at;
    peer caller = connect_peer(at.where.port());
    const descriptor_limit none(static_cast<rlim_t>(next_descriptor()));
    auto listener = spawn<io::tcp_listener>(std::move(at.listening), at.owner);
    co_await poll_until([&] { return !reports.reports().empty(); });
    listener.stop();
    co_await poll_until([&] { return listener.cell()->state() == internal::cell::life::dead; });
    none.lift();
    co_await caller.receive_all();
    CHECK(caller.error() == ECONNRESET);
    co_await sleep(50ms);
    CHECK(at.all.count == 0);
  };
  run_scenario(body(log), 1, &log);
  CHECK(log.reports().size() == 1);
}

TEST_CASE(
    "a listener whose socket can accept no more says so and stops instead of trying for ever") {
  failure_log log;
  auto body = [](failure_log& reports) -> coro<> {
    const int native = next_descriptor();
    reception at;
    auto listener = spawn<io::tcp_listener>(std::move(at.listening), at.owner);
    co_await turns();
    REQUIRE(::shutdown(native, SHUT_RDWR) == 0);  // behind its back
    co_await poll_until([&] { return listener.cell()->state() == internal::cell::life::dead; });
    CHECK(reports.reports().size() == 1);
    CHECK(reports.count("the listener on " + at.where.text() +
                        " can accept no more connections and stops") == 1);
    CHECK_FALSE(failure_of_listening(at.where).code());
  };
  run_scenario(body(log), 1, &log);
}
