// A chat over several programs: rooms are topics of the cluster, members come and go, and one that is killed harms nobody.
// Run: cluster_chat                       starts three members, has them talk, kills one of them and starts it again
//      cluster_chat NAME LISTEN [SEED]    one member, in a terminal: cluster_chat ann 127.0.0.1:7000, and in another one
//                                         cluster_chat bob 127.0.0.1:0 127.0.0.1:7000; then type: text, /join ROOM, /leave ROOM, /who
// Prints: what each member hears, and who comes and goes
#include <troupe/actors/cluster/topic.hpp>
#include <troupe/io/pipe.hpp>
#include <troupe/io/process.hpp>
#include <troupe/troupe.hpp>

#include <csignal>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cluster = troupe::cluster;
namespace io = troupe::io;
using namespace std::chrono_literals;

void print(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

// [ears]
struct said {
  std::string room;
  std::string who;
  std::string text;
};

/// What a member hears: the rooms that it subscribes to, and who comes and goes.
class ears : public troupe::actor<troupe::protocol<said, cluster::node_up, cluster::node_down>> {
 public:
  void on(said s) { print("in the " + s.room + " " + s.who + " says: " + s.text); }
  void on(cluster::node_up n) { print(n.who.name + " is here"); }
  void on(cluster::node_down n) { print(n.who.name + " has gone: " + n.reason); }
};
// [/ears]

// [member]
/// One who is in rooms, and does what is typed.
class member {
 public:
  member(cluster::node& here, std::string name) : here_(here), name_(std::move(name)) {
    here_.watch_members(ears_);
    join("lobby");
  }
  void obey(const std::string& line) {
    if (line.starts_with("/join ")) return join(line.substr(6));
    if (line.starts_with("/leave ")) return leave(line.substr(7));
    for (const auto& [room, topic] : rooms_) {
      if (line == "/who") {
        print("in the " + room + ": me, and " + std::to_string(topic.nodes()) + " others");
      } else if (room == last_) {
        topic.publish(said{room, name_, line});
      }
    }
  }

 private:
  void join(const std::string& room) {
    last_ = room;
    rooms_.try_emplace(room, here_, room).first->second.subscribe(ears_);
  }
  void leave(const std::string& room) {
    const auto left = rooms_.find(room);
    if (left == rooms_.end()) return;
    left->second.unsubscribe(ears_);
    rooms_.erase(left);
    last_ = rooms_.empty() ? "" : rooms_.begin()->first;
  }

  cluster::node& here_;
  std::string name_;
  std::string last_;  // the room in which text is said
  troupe::actor_ref<ears::protocol_type> ears_ = troupe::spawn<ears>();
  std::map<std::string, cluster::topic<said>> rooms_;
};

troupe::coro<> be_member(std::string name, io::endpoint where, std::vector<io::endpoint> seeds) {
  cluster::node here({.name = name, .listen = where, .seeds = seeds});
  print(name + " is at " + here.info().address);
  member me(here, name);
  io::stream keyboard = io::make_stream(io::descriptor(0), {});
  while (auto line = co_await keyboard.next_line()) me.obey(*line);
}
// [/member]

/// A member that this program starts, whose words it passes on.
class started {
 public:
  explicit started(std::string name) : name_(std::move(name)) {}
  troupe::coro<> begin(std::string seed) {
    io::process_options pipes;
    pipes.input = pipes.output = io::stdio::pipe;
    auto arguments = io::args("cluster_chat", name_, "127.0.0.1:0");
    if (!seed.empty()) arguments.push_back(seed);
    program_ = std::make_unique<io::process>(
        co_await io::subprocess_exec("/proc/self/exe", arguments, pipes));
    const std::string line = co_await hears(" is at ");
    address_ = line.substr(line.rfind(' ') + 1);
  }
  const std::string& address() const { return address_; }
  void types(const std::string& line) { program_->input().write(line, "\n"); }
  /// Waits until it hears this.
  troupe::coro<std::string> hears(std::string what) {
    for (;;) {
      std::string line = co_await program_->output().read_line();
      line.pop_back();
      if (!line.ends_with("others")) std::printf("%-4s| %s\n", name_.c_str(), line.c_str());
      if (line.find(what) != std::string::npos) co_return line;
    }
  }
  /// Waits until it knows of so many others in each of its rooms, which takes a moment.
  troupe::coro<> sees(std::string others) {
    for (std::string line; line.find("and " + others) == std::string::npos;) {
      types("/who");
      line = co_await hears(" others");
      co_await troupe::sleep(10ms);
    }
  }
  void kill() { program_->send_signal(SIGKILL); }

 private:
  std::string name_;
  std::string address_;
  std::unique_ptr<io::process> program_;
};

troupe::coro<> talk() {
  started ann("ann"), bob("bob"), cid("cid");
  co_await ann.begin("");
  co_await bob.begin(ann.address());
  co_await cid.begin(ann.address());
  co_await ann.sees("2"), co_await bob.sees("2"), co_await cid.sees("2");
  ann.types("good morning");
  co_await bob.hears("ann says: good morning");
  co_await cid.hears("ann says: good morning");
  bob.types("/leave lobby");  // and is told no more of it
  co_await ann.sees("1");
  bob.kill();
  co_await ann.hears("bob has gone");
  ann.types("where is bob?");
  co_await cid.hears("ann says: where is bob?");
  co_await bob.begin(ann.address());
  co_await bob.sees("2");
  co_await ann.sees("2");
  bob.types("I am back");
  co_await ann.hears("bob says: I am back");
}

int main(int argc, char** argv) {
  // As a chapter of the tour it is started with its name.
  if (argc > 1 && std::string_view(argv[1]) == "cluster_chat") --argc, ++argv;
  if (argc < 3) return troupe::run_main(troupe::timeout(60s, talk()));
  std::vector<io::endpoint> seeds;
  if (argc > 3) seeds.push_back(io::endpoint::parse(argv[3]));
  return troupe::run_main(be_member(argv[1], io::endpoint::parse(argv[2]), seeds));
}
