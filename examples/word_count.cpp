// Counts words with whoever joins: a master cuts a text into pieces, worker processes count them, and what a killed one had in hand is counted by another.
// Run: word_count [FILE] [WORKERS]    a page of troupe's guide unless it is given another; 4 workers, which it starts, kills at random, starts again
//      word_count work HOST:PORT      one more worker, in another terminal
// Prints: where the master listens, who is killed, and whether all was counted right
#include <troupe/actors/cluster/node.hpp>
#include <troupe/io/file.hpp>
#include <troupe/io/process.hpp>
#include <troupe/troupe.hpp>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cluster = troupe::cluster;
namespace io = troupe::io;
using namespace std::chrono_literals;

using table = std::map<std::string, std::uint64_t>;  // how often each word is there

table count_words(const std::string& text) {
  table counted;
  std::istringstream words(text);
  for (std::string word; words >> word;) ++counted[word];
  return counted;
}

// [worker]
struct piece {
  using reply = table;
  std::string text;
};
using counting = troupe::protocol<piece>;

class counter : public troupe::actor<counting> {
 public:
  table on(piece p) { return count_words(p.text); }
};

/// A worker: it lets others start counters here, and ends when the master does.
troupe::coro<> work(io::endpoint master) {
  cluster::node here({.name = "worker", .seeds = {master}});
  here.offer<counter>("counter");
  auto looked_up = here.lookup<counting>("master");
  auto found = co_await std::move(looked_up);
  std::puts("joined");
  std::fflush(stdout);
  co_await found.stopped();
}
// [/worker]

// [master]
/// Counts as a counter does, with the help of whoever joins.
class master : public troupe::actor<troupe::protocol<piece, cluster::node_up, cluster::node_down>> {
 public:
  using interleave = troupe::messages<cluster::node_up, cluster::node_down>;  // while it counts

  explicit master(std::shared_ptr<cluster::node> here) : here_(std::move(here)) {}
  void on(cluster::node_up up) { troupe::create_task(feed(up.who.id)); }
  void on(cluster::node_down) {}  // what it had in hand fails

  troupe::coro<table> on(piece whole) {
    std::vector<troupe::future<table>> counts;
    for (std::size_t begin = 0, end = 0; end != std::string::npos; begin = end) {
      end = whole.text.find_first_of(" \n", begin + 1024);
      part next{{whole.text.substr(begin, end - begin)}, {}};
      counts.push_back(next.counted.get_future());
      parts_.put_nowait(std::move(next));
    }
    table sum;
    for (auto& each : counts)
      for (const auto& [word, times] : co_await each) sum[word] += times;
    co_return sum;
  }

 private:
  struct part {
    piece what;
    troupe::promise<table> counted;
  };

  /// Has one worker count piece after piece, until its node is lost.
  troupe::coro<> feed(cluster::node_id worker) {
    std::optional<part> in_hand;
    try {
      auto starting = here_->spawn_on<counting>(worker, "counter");
      auto there = co_await std::move(starting);
      for (;;) {
        in_hand = co_await parts_.get();
        auto asked = there.ask(in_hand->what, troupe::infinite);
        in_hand->counted.try_set_value(co_await asked);
        in_hand.reset();
      }
    } catch (const troupe::ask_error&) {
      if (!in_hand) co_return;
      std::puts("a piece is counted once more, by another");
      parts_.put_nowait(std::move(*in_hand));
    }
  }

  std::shared_ptr<cluster::node> here_;
  troupe::queue<part> parts_;
};
// [/master]

/// Runs a worker, kills it while it works, and again, each time a little later.
troupe::coro<> run_and_kill(std::string master, int number, int& unharmed) {
  std::minstd_rand random(std::random_device{}());
  for (int times = 1;; ++times) {
    io::process worker = co_await io::subprocess_exec(
        "/proc/self/exe", io::args("word_count", "work", master), {.output = io::stdio::pipe});
    co_await worker.output().read_line();  // it has joined
    co_await troupe::sleep(1ms * (random() % (20 * times)));
    worker.kill();
    if (co_await worker.wait() != -SIGKILL) throw std::runtime_error("a worker ended by itself");
    std::printf("worker %d was killed\n", number);
    if (times == 1) --unharmed;
  }
}

troupe::coro<> count(std::string path, std::string number) {
  const io::bytes content = co_await io::read_file(path);
  const std::string text(content.text());
  const table right = count_words(text);
  const auto here = std::make_shared<cluster::node>(
      cluster::node_options{.name = "master", .listen = io::endpoint::loopback(0)});
  const auto counter = troupe::spawn<master>(here);
  here->watch_members(counter);
  here->publish("master", troupe::actor_ref<counting>(counter));
  std::printf("the master listens at %s\n", here->info().address.c_str());
  std::fflush(stdout);
  int unharmed = std::stoi(number);
  troupe::task_group group;
  auto body = [&]() -> troupe::coro<> {
    for (int each = unharmed; each > 0; --each)
      group.create_task(run_and_kill(here->info().address, each, unharmed));
    do {
      auto asked = counter.ask(piece{text}, 60s);
      if (co_await asked != right) throw std::runtime_error("the count is wrong");
      std::printf("%zu different words, all counted right\n", right.size());
    } while (unharmed > 0);
    group.cancel();
  };
  co_await group.run(body);
}

int main(int argc, char** argv) {
  // As a chapter of the tour it is started with its name.
  if (argc > 1 && std::string_view(argv[1]) == "word_count") --argc, ++argv;
  if (argc == 3 && std::string_view(argv[1]) == "work")
    return troupe::run_main(work(io::endpoint::parse(argv[2])));
  return troupe::run_main(count(argc > 1 ? argv[1] : TROUPE_TEXT, argc > 2 ? argv[2] : "4"));
}
