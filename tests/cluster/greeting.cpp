// Connections that end before both sides have said who they are.
#include "cluster/nodes.hpp"

#include <troupe/io/open_connection.hpp>
#include <troupe/io/server.hpp>
#include <troupe/runtime/timeout.hpp>

#include <cstddef>
#include <string_view>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::clusters;

namespace {

struct greet {
  using reply = int;
};
class greeter : public actor<protocol<greet>> {
 public:
  int on(greet) { return 1; }
};

// As a node begins: the protocol and its version, how long its greeting is, and the first of that.
constexpr std::string_view begun("trup\x01\x20\0\0\0\x01", 10);

}  // namespace

TEST_CASE("a node goes on to look for one that went in the midst of its greeting") {
  naturally([](simulation& world, network&) -> coro<> {
    io::server half = io::start_server(
        [](io::stream wire) -> coro<> {
          wire.write(begun);
          wire.write_eof();
          co_await wire.drain();
          co_await wire.read_all();
        },
        io::endpoint("127.0.0.2", 7000));
    cluster::node second(at("second", "127.0.0.1", {io::endpoint("127.0.0.2", 7000)}));
    co_await world.advance(3s);
    CHECK(second.members().empty());
    half.close();
    co_await world.advance(1s);
    cluster::node first(at("first", "127.0.0.2"));
    auto there = spawn<greeter>();
    first.publish("greeter", there);
    auto looking = second.lookup<protocol<greet>>("greeter");
    auto found = co_await timeout(1min, std::move(looking));
    const int answer = co_await found.ask(greet{});
    CHECK(answer == 1);
  });
}

TEST_CASE("who leaves in the midst of the greeting is no failure of the node that he called") {
  naturally([](simulation& world, network&) -> coro<> {
    cluster::node first(at("first", "127.0.0.2"));
    for (std::size_t size = 0; size <= begun.size(); ++size) {
      io::stream caller = co_await io::open_connection(io::endpoint("127.0.0.2", 7000));
      caller.write(begun.substr(0, size));
      co_await caller.drain();
      caller.write_eof();
      co_await world.advance(1s);
    }
    CHECK(first.members().empty());
  });
}
