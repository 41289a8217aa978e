// Two programs, one on each of two machines: one counts, the other has it count, and goes on when it has been killed and started again.
// Run: two_nodes                      starts a second program itself, kills it with SIGKILL, and starts it again
//      two_nodes serve HOST:PORT      the one that counts; port 0 for any
//      two_nodes count HOST:PORT      the other, in another terminal: kill the first, start it again, it comes back
// Prints: what was counted, when the other node was lost, and when it was found again
#include <troupe/actors/cluster/node.hpp>
#include <troupe/io/process.hpp>
#include <troupe/troupe.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

namespace cluster = troupe::cluster;
namespace io = troupe::io;
using namespace std::chrono_literals;

// [counter]
/// A message, and its answer. Nothing else has to be said for it to go to another machine.
struct count {
  using reply = int;
  int by = 1;
};
using counter_protocol = troupe::protocol<count>;

class counter : public troupe::actor<counter_protocol> {
 public:
  int on(count c) { return sum_ += c.by; }

 private:
  int sum_ = 0;
};
// [/counter]

// [serve]
troupe::coro<> serve(io::endpoint where) {
  cluster::node here({.name = "counting", .listen = where});
  here.publish("counter", troupe::spawn<counter>());
  std::printf("counting at %s\n", here.info().address.c_str());
  std::fflush(stdout);
  co_await troupe::sleep(troupe::infinite);
}
// [/serve]

// [client]
/// Counts so often, wherever the counter is by then.
troupe::coro<int> count_to(cluster::node& here, int times) {
  auto looked_up = here.lookup<counter_protocol>("counter");
  auto there = co_await troupe::timeout(30s, std::move(looked_up));
  int sum = 0;
  for (int each = 0; each < times; ++each) {
    sum = co_await there.ask(count{});
    co_await troupe::sleep(10ms);
  }
  co_return sum;
}
// [/client]

troupe::coro<> count_for_ever(io::endpoint there) {
  cluster::node here({.name = "asking", .seeds = {there}});
  for (;;) {
    try {
      const int sum = co_await count_to(here, 100);
      std::printf("counted to %d\n", sum);
    } catch (const troupe::ask_error& lost) {
      std::printf("%s\n", lost.text());
    }
  }
}

/// Starts this program once more, as the one that counts. Gives where.
troupe::coro<std::pair<io::process, io::endpoint>> start_other(std::string where) {
  io::process_options how;
  how.output = io::stdio::pipe;
  io::process other =
      co_await io::subprocess_exec("/proc/self/exe", io::args("two_nodes", "serve", where), how);
  const std::string line = co_await other.output().read_line();
  std::printf("%s", line.c_str());
  const std::string address = line.substr(line.rfind(' ') + 1);
  co_return std::pair(std::move(other), io::endpoint::parse(address.substr(0, address.size() - 1)));
}

troupe::coro<> both() {
  auto [other, where] = co_await start_other("127.0.0.1:0");
  cluster::node here({.name = "asking", .seeds = {where}});
  const int first = co_await count_to(here, 3);
  std::printf("counted to %d\n", first);
  auto found = here.find<counter_protocol>("counter");
  auto gone = found.stopped();
  other.send_signal(SIGKILL);
  const auto why = co_await gone;
  std::printf("%s\n", why.text().c_str());
  co_await other.wait();
  auto [again, same] = co_await start_other(where.text());
  const int second = co_await count_to(here, 2);
  std::printf("counted to %d\n", second);
}

int main(int argc, char** argv) {
  // As a chapter of the tour it is started with its name.
  if (argc > 1 && std::string_view(argv[1]) == "two_nodes") --argc, ++argv;
  if (argc == 3 && std::string_view(argv[1]) == "serve") {
    troupe::run(serve(io::endpoint::parse(argv[2])));
  } else if (argc == 3 && std::string_view(argv[1]) == "count") {
    troupe::run(count_for_ever(io::endpoint::parse(argv[2])));
  } else {
    troupe::run(both());
  }
  return 0;
}
