// Actors over the simulated network, on several loops; and all orders of a small scenario.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/io/actor_per_connection.hpp>
#include <troupe/io/framed.hpp>
#include <troupe/io/length_prefixed.hpp>
#include <troupe/io/tcp.hpp>
#include <troupe/io/udp.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/on.hpp>

#include "io/testing/support.hpp"

#include <set>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::networks;

namespace {

/// Sends back what comes, and ends with its connection.
class echo_actor : public actor<io::connection_events> {
 public:
  explicit echo_actor(io::socket connected)
      : connection_(spawn<io::tcp_connection>(std::move(connected), self())) {}
  void on_start() { connection_.tell(io::demand{100}); }
  void on(io::data d) { connection_.tell(io::write(std::move(d.chunk))); }
  void on(io::drained d) { connection_.tell(io::demand{d.bytes}); }
  void on(io::end_of_data) { connection_.tell(io::close{}); }
  void on(io::closed) { stop(); }

 private:
  actor_ref<io::connection> connection_;
};

class echo_owner : public actor<io::listener_events> {
 public:
  explicit echo_owner(io::listening_socket listening)
      : listener_(spawn<io::tcp_listener>(std::move(listening), self())) {}
  void on(io::accepted a) { spawn<echo_actor>(std::move(a.connected)); }

 private:
  actor_ref<protocol<>> listener_;
};

coro<> says(io::endpoint where, std::string text) {
  io::stream peer = co_await io::open_connection(where);
  peer.write(text);
  peer.write_eof();
  const io::bytes heard = co_await peer.read_all();
  expect(heard.text() == text, "heard '" + std::string(heard.text()) + "'");
}

coro<> framed_sum(io::stream client) {
  io::framed<io::length_prefixed> peer(std::move(client));
  int sum = 0;
  while (auto each = co_await peer.read()) {
    sum += std::stoi(std::string(each->text()));
    peer.write(std::to_string(sum));
    co_await peer.drain();
  }
}

coro<> adds_up(io::endpoint where) {
  io::framed<io::length_prefixed> peer(co_await io::open_connection(where));
  int sum = 0;
  for (const int each : {1, 20, 300}) {
    sum += each;
    peer.write(std::to_string(each));
    const auto answer = co_await peer.read();
    expect(answer && answer->text() == std::to_string(sum), "the sum is another");
  }
}

}  // namespace

TEST_CASE("actors that own connections echo in each of many orders, on one loop and on several") {
  for (const std::size_t loops : {1, 3}) {
    explore({.schedules = 200, .threads = loops}, [](simulation& world) -> coro<> {
      network net(world, {.link = {.latency = 100us, .jitter = 200us}});
      runtime& here = *runtime::current();
      const std::size_t last = here.size() - 1;
      net.place(0, "10.0.0.1");
      if (last != 0) net.place(last, "10.0.0.2");
      const io::endpoint where("10.0.0.1", 7);
      auto serving = spawn<echo_owner>(io::listening_socket(where));
      auto one = on(here.loop_at(last), says(where, "one says this"));
      auto other = says(where, "the other says that");
      co_await gather(std::move(one), std::move(other));
      serving.stop();
    });
  }
}

TEST_CASE("frames are whole in each of many orders") {
  explore({.schedules = 200}, [](simulation& world) -> coro<> {
    network net(world);
    io::server serving = io::start_server(framed_sum, io::endpoint::loopback(7));
    auto one = adds_up(serving.local());
    auto other = adds_up(serving.local());
    co_await gather(std::move(one), std::move(other));
  });
}

TEST_CASE("all orders in which two datagrams come are tried, and one that is lost") {
  std::set<std::string> seen;
  const auto scenario = [&](std::size_t faults) {
    return [&, faults](simulation& world) -> coro<> {
      network net(world, {.short_transfers = false, .faults = faults});
      io::udp_socket server(io::endpoint::loopback(7));
      auto say = [](std::string what) -> coro<> {
        io::udp_socket mine = io::udp_socket::connected(io::endpoint::loopback(7));
        co_await mine.send(what);
      };
      auto listen = [](io::udp_socket& by, std::string& heard) -> coro<> {
        for (;;) {
          const io::datagram next = co_await by.receive();
          heard += next.content.text();
        }
      };
      std::string heard;
      auto listening = create_task(listen(server, heard));
      auto one = say("a");
      auto other = say("b");
      co_await gather(std::move(one), std::move(other));
      co_await sleep(1s);
      listening.cancel();
      seen.insert(heard);
    };
  };
  exploration done = explore({.schedules = 100'000, .how = search::exhaustive}, scenario(0));
  CHECK(done.complete);
  CHECK(seen == std::set<std::string>{"ab", "ba"});
  done = explore({.schedules = 100'000, .how = search::exhaustive}, scenario(1));
  CHECK(done.complete);
  CHECK(seen == std::set<std::string>{"a", "ab", "aba", "abb", "b", "ba", "baa", "bab"});
}
