// Connection actors over TLS that a task has begun, on virtual time: what came with the handshake, or before the actor, is the actor's.
#include <troupe/actors/actor.hpp>
#include <troupe/io/connection.hpp>

#include "io/connections.hpp"
#include "io/tls/support.hpp"
#include "scenarios/support.hpp"
#include "support/catch.hpp"

#include <memory>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::tls;

TEST_CASE("a connection over TLS reads what had come before it") {
  testing::run([]() -> coro<> {
    for (const bool with_its_stream : {false, true}) {
      auto beginning = session();
      streams::ends two = co_await std::move(beginning);
      const auto pages = std::make_shared<history>();
      auto owner = spawn<recorder>(pages);
      two.first.write("hello");
      co_await settle();
      auto connection = with_its_stream
                            ? spawn<io::stream_connection>(std::move(two.second), owner)
                            : spawn<io::stream_connection>(two.second.take_apart().wire, owner);
      connection.tell(io::demand{100});
      co_await settle();
      CHECK(pages->received == "hello");
      connection.tell(io::write(io::bytes("good bye")));
      connection.tell(io::close{});
      const std::string answer = co_await all_of(two.first);
      CHECK(answer == "good bye");
      two.first.close();
      co_await pages->until_closed();
      CHECK_FALSE(pages->reason);
    }
  }());
}

TEST_CASE("a connection over TLS goes on with what was read of its stream") {
  testing::run([]() -> coro<> {
    auto beginning = session();
    streams::ends two = co_await std::move(beginning);
    const auto pages = std::make_shared<history>();
    auto owner = spawn<recorder>(pages);
    const std::string much = pattern(50'000);
    two.first.write("first line\n");
    auto sending = create_task(streams::send_all(two.first, much, 7000));
    const std::string line = co_await two.second.read_line();
    CHECK(line == "first line\n");
    auto connection = spawn<io::stream_connection>(std::move(two.second), owner);
    connection.tell(io::demand{much.size()});
    co_await pages->until_received(much.size());
    CHECK(same(pages->received, much));
    co_await sending;
  }());
}
