// Prints what stands for each of a thousand runs of a scenario. ./dev check compares the builds of both compilers: a seed is one run, on any machine.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/errors.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/actors/testing/interception.hpp>
#include <troupe/io/open_connection.hpp>
#include <troupe/io/server.hpp>
#include <troupe/io/testing/network.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/testing/simulation.hpp>

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

struct add {
  using reply = int;
  int by;
};
struct tick {};

class counter : public actor<protocol<add, tick>> {
 public:
  coro<int> on(add a) {
    const int before = count_;
    co_await sleep(1ms);
    co_return count_ = before + a.by;
  }
  void on(tick) { ++count_; }

 private:
  int count_ = 0;
};

coro<> asks(actor_ref<protocol<add, tick>> whom) {
  for (int turn = 0; turn < 3; ++turn) {
    whom.tell(tick{});
    const auto answer = whom.ask(add{turn}, 10ms);
    bool late = false;
    try {
      co_await answer;
    } catch (const ask_timeout&) {
      late = true;
    }
    if (late) co_await sleep(5ms);
  }
}

coro<> talks() {
  io::stream peer = co_await io::open_connection(io::endpoint::loopback(7));
  for (int turn = 0; turn < 2; ++turn) {
    peer.write("hello\n");
    static_cast<void>(co_await peer.read_line());
  }
}

coro<> scenario(simulation& world) {
  network net(world, {.link = {.latency = 1ms, .jitter = 1ms}});
  auto echo = [](io::stream client) -> coro<> {
    for (int turn = 0; turn < 2; ++turn) client.write(co_await client.read_line());
    client.close();
    co_await client.wait_closed();
  };
  io::server serving = io::start_server(echo, io::endpoint::loopback(7));
  interception faults;
  static_cast<void>(faults.each<tick>().maybe().duplicate());
  static_cast<void>(faults.each<add>().maybe().drop_answer());
  auto here = spawn<counter>();
  auto there = spawn<counter>(place::on(1));
  co_await gather(asks(here), asks(there), asks(there), talks(), talks());
  co_await serving.shutdown(1s);
}

}  // namespace

int main() {
  for (std::uint64_t seed = 1; seed <= 1'000; ++seed) {
    random_walk walk(seed);
    simulation world(walk, {.threads = 2, .lag = 2ms});
    world.run(scenario(world));
    std::printf("%" PRIu64 " %016" PRIx64 " %zu\n", seed, world.hash(), world.steps());
  }
  return 0;
}
