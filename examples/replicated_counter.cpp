// A counter that each program has for itself, and that is the same everywhere in the end, also when the network was parted: each counts for itself and
// tells the others what it knows, and what two know is merged without asking anybody (a PN-counter, one of the CRDTs).
// Run: replicated_counter                        starts three programs, parts one of them from the others, and joins them again
//      replicated_counter NAME LISTEN [SEED]     one of them, in a terminal: replicated_counter a 127.0.0.1:7000, and in another one
//                                                replicated_counter b 127.0.0.1:0 127.0.0.1:7000; then type numbers, such as 5 or -2
// Prints: the sums, before, during and after
#include <troupe/actors/cluster/topic.hpp>
#include <troupe/io/open_connection.hpp>
#include <troupe/io/pipe.hpp>
#include <troupe/io/process.hpp>
#include <troupe/io/server.hpp>
#include <troupe/troupe.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace cluster = troupe::cluster;
namespace io = troupe::io;
using namespace std::chrono_literals;

void print(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

// [counter]
/// What is known of the counts of all: of each how far it has counted up, and down, which only grows.
struct counts {
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> of;

  void merge(const counts& other) {
    for (const auto& [who, theirs] : other.of) {
      auto& [up, down] = of[who];
      up = std::max(up, theirs.first);
      down = std::max(down, theirs.second);
    }
  }
  std::int64_t sum() const {
    std::int64_t all = 0;
    for (const auto& [who, each] : of) all += static_cast<std::int64_t>(each.first - each.second);
    return all;
  }
};
struct count {
  std::int64_t by = 0;
};
struct gossip {};

class replica : public troupe::actor<troupe::protocol<count, counts, gossip>> {
 public:
  explicit replica(cluster::node& here) : me_(here.info()), others_(here, "counts") {
    others_.subscribe(self());
    start_periodic_timer("gossip", 50ms, gossip{});
  }
  void on(count c) {
    auto& [up, down] = known_.of[me_.id.text()];  // nobody else ever counts there
    (c.by < 0 ? down : up) += static_cast<std::uint64_t>(std::abs(c.by));
    say();
  }
  void on(counts theirs) {
    const std::int64_t before = known_.sum();
    known_.merge(theirs);
    if (known_.sum() != before) say();
  }
  void on(gossip) { others_.publish(known_); }  // what is lost is told the next time

 private:
  void say() const { print(me_.name + " has " + std::to_string(known_.sum())); }

  cluster::node_info me_;
  counts known_;
  cluster::topic<counts> others_;
};
// [/counter]

troupe::coro<> be_replica(cluster::node_options how) {
  how.heartbeat = 100ms;
  how.silence = 1s;
  how.slowest_retry = 500ms;
  cluster::node here(how);
  print(how.name + " is at " + here.info().address);
  auto mine = troupe::spawn<replica>(std::ref(here));
  io::stream keyboard = io::make_stream(io::descriptor(0), {});
  while (auto line = co_await keyboard.next_line()) mine.tell(count{std::atoll(line->c_str())});
}

/// One of them, started here, whose last word is kept.
class started {
 public:
  troupe::coro<std::string> begin(std::string name, std::string where, std::string seed) {
    io::process_options pipes;
    pipes.input = pipes.output = io::stdio::pipe;
    auto arguments = io::args("replicated_counter", name, where);
    if (!seed.empty()) arguments.push_back(seed);
    program_ = co_await io::subprocess_exec("/proc/self/exe", arguments, pipes);
    const std::string line = co_await program_->output().read_line();
    co_return line.substr(line.rfind(' ') + 1, line.size() - line.rfind(' ') - 2);
  }
  void counts(int by) { program_->input().write(std::to_string(by), "\n"); }
  troupe::coro<> has(int sum) {
    std::string line;
    while (!line.ends_with(" has " + std::to_string(sum) + "\n"))
      line = co_await program_->output().read_line();
    std::printf("  %s", line.c_str());
  }

 private:
  std::optional<io::process> program_;
};

/// What lies between two of them, and can be cut: then nothing passes, and nobody is told.
class cable {
 public:
  explicit cable(io::endpoint to) {
    whole.set();
    auto pass_on = [this, to](io::stream one) -> troupe::coro<> {
      try {
        io::stream other = co_await io::open_connection(to);
        co_await troupe::gather(pump(one, other), pump(other, one));
      } catch (const std::system_error&) {  // one of them has given up
      }
    };
    server = io::start_server(pass_on, io::endpoint::loopback(0));
  }
  troupe::event whole;
  io::server server;

 private:
  troupe::coro<> pump(io::stream& from, io::stream& to) {
    for (;;) {
      io::bytes some = co_await from.read_some();
      co_await whole.wait();
      if (some.empty()) co_return to.write_eof();
      to.write(std::move(some));
      co_await to.drain();
    }
  }
};

troupe::coro<> part_and_join() {
  started a, b, c;
  const std::string first = co_await a.begin("a", "127.0.0.1:0", "");
  cable between(io::endpoint::parse(first));
  co_await b.begin("b", "-", first);
  co_await c.begin("c", "-",
                   between.server.local().text());  // it listens nowhere: this is its only way
  std::printf("each counts:\n");
  a.counts(10), b.counts(20), c.counts(-5);
  co_await a.has(25);
  co_await b.has(25);
  co_await c.has(25);
  std::printf("the cable to c is cut, and both sides go on:\n");
  between.whole.clear();
  a.counts(100), b.counts(-1), c.counts(1000);
  co_await a.has(124);
  co_await b.has(124);
  co_await c.has(1025);
  co_await troupe::sleep(1500ms);  // they have given each other up by now
  std::printf("the cable is whole again, and all agree:\n");
  between.whole.set();
  co_await a.has(1124);
  co_await b.has(1124);
  co_await c.has(1124);
}

int main(int argc, char** argv) {
  // As a chapter of the tour it is started with its name.
  if (argc > 1 && std::string_view(argv[1]) == "replicated_counter") --argc, ++argv;
  if (argc < 3) return troupe::run_main(troupe::timeout(60s, part_and_join()));
  cluster::node_options how{.name = argv[1]};
  if (std::string_view(argv[2]) != "-") how.listen = io::endpoint::parse(argv[2]);
  if (argc > 3) how.seeds.push_back(io::endpoint::parse(argv[3]));
  return troupe::run_main(be_replica(how));
}
