// A store of values by keys, spread over programs that are killed and started while a client writes, reads and checks each answer.
// Each key has an actor on one of the nodes, which has a copy on another before it says that something is written.
// Run: sharded_kv [SECONDS]          starts five programs, and kills or adds one each second, for four seconds unless it is said
//      sharded_kv serve HOST:PORT    one of them, that joins whom it finds there
// Prints: what became of the requests; its status is 1 when one had a wrong answer, or the cluster did not come to rest
#include <troupe/actors/cluster/shard.hpp>
#include <troupe/io/process.hpp>
#include <troupe/troupe.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cluster = troupe::cluster;
namespace io = troupe::io;
using namespace std::chrono_literals;

// [messages]
struct put {
  using reply = void;  // it lies on two nodes now
  std::int64_t value = 0;
};
struct get {
  using reply = std::int64_t;
};
using record_protocol = troupe::protocol<put, get>;
// [/messages]

/// Of two values of a key the one of the higher version counts.
struct versioned {
  std::uint64_t version = 0;
  std::int64_t value = 0;
};
struct keep_copy {
  using reply = void;
  std::string key;
  versioned what;
};
struct newest {
  using reply = versioned;
  std::string key;
};
struct look_after {};
using copies_protocol = troupe::protocol<keep_copy, newest, look_after>;

struct server;

/// What a node keeps of its own records and others'. When nodes have come or gone, it sees to it that the two which come first for a key have it.
class copies : public troupe::actor<copies_protocol> {
 public:
  explicit copies(server& at) : at_(at) { start_periodic_timer("look", 50ms, look_after{}); }
  void on(keep_copy c) {
    versioned& known = all_[c.key];
    if (known.version < c.what.version) known = c.what;
  }
  versioned on(newest n) { return all_[n.key]; }
  void on(look_after);

 private:
  server& at_;
  std::map<std::string, versioned> all_;
  std::vector<cluster::node_id> hosts_;
};

// [record]
/// The actor of a key.
class record : public troupe::actor<record_protocol> {
 public:
  record(std::string key, server& at) : key_(std::move(key)), at_(at) {}
  troupe::coro<> on_start();  // asks all nodes for the newest copy
  troupe::coro<> on(put p) {
    now_ = {now_.version + 1, p.value};
    co_await copy();
  }
  std::int64_t on(get) { return now_.value; }

 private:
  troupe::coro<> copy();  // to this node and to the next that comes first for the key

  const std::string key_;
  server& at_;
  versioned now_;
};

struct server {
  explicit server(const io::endpoint& seed)
      : here({.name = "server", .listen = io::endpoint("127.0.0.1", 0), .seeds = {seed}}) {}
  troupe::actor_ref<copies_protocol> start_copies() {
    auto made = troupe::spawn<copies>(std::ref(*this));
    here.publish("copies", made);
    return made;
  }

  cluster::node here;
  troupe::actor_ref<copies_protocol> kept = start_copies();  // before the shard is known to others
  cluster::shard<std::string, record> records{
      here, "records", {.idle = troupe::infinite, .settle = 200ms}, std::ref(*this)};

  /// The copies of another node; nobody when it is lost.
  troupe::actor_ref<copies_protocol> copies_of(const cluster::node_id& other) {
    try {
      return here.find_on<copies_protocol>(other, "copies");
    } catch (const cluster::node_lost&) {
      return {};
    }
  }
};
// [/record]

void copies::on(look_after) {
  if (at_.records.hosts() == hosts_) return;
  hosts_ = at_.records.hosts();
  for (const auto& [key, what] : all_) {
    const std::vector<cluster::node_id> order = at_.records.ranked(key);
    for (std::size_t each = 0; each < order.size() && each < 2; ++each)
      if (auto other = at_.copies_of(order[each]); other && !(other == self()))
        other.tell(keep_copy{key, what});
  }
}

troupe::coro<> record::on_start() {
  const std::vector<cluster::node_id> all = at_.records.hosts();
  for (const cluster::node_id& each : all) {
    const auto other = at_.copies_of(each);
    if (!other) continue;
    auto asked = other.ask(newest{key_});
    try {
      const versioned found = co_await asked;
      if (found.version > now_.version) now_ = found;
    } catch (const troupe::ask_error&) {  // it is lost
    }
  }
}

troupe::coro<> record::copy() {
  at_.kept.tell(keep_copy{key_, now_});
  for (;;) {
    const std::vector<cluster::node_id> order = at_.records.ranked(key_);
    const bool first = !order.empty() && order[0] == at_.here.info().id;
    if (order.size() <= (first ? 1U : 0U)) co_return;  // there is no other
    if (const auto other = at_.copies_of(order[first ? 1 : 0])) {
      auto asked = other.ask(keep_copy{key_, now_}, 1s);
      try {
        co_await asked;
        co_return;
      } catch (const troupe::ask_error&) {  // it is lost: the next
      }
    }
    co_await troupe::sleep(5ms);
  }
}

troupe::coro<> serve(io::endpoint seed) {
  server one(seed);
  do {
    co_await troupe::sleep(10s);
  } while (!one.here.members().empty());  // as long as there is anybody
}

// --- the client -------------------------------------------------------------------------------------------------------

struct tally {
  bool over = false;
  int done = 0;
  int failed = 0;
  int wrong = 0;
  troupe::duration longest{};
};

// [client]
/// Writes and reads a key, of which nobody else knows.
troupe::coro<> use(const cluster::shard_client<std::string, record_protocol>& records,
                   std::string key, tally& all) {
  std::int64_t written = 0;
  std::set<std::int64_t> perhaps = {};  // what may have been written, or not, or may be yet
  for (std::int64_t next = 1; !all.over; ++next) {
    const auto begin = std::chrono::steady_clock::now();
    try {
      if (next % 2 == 0) {
        perhaps.insert(next);
        co_await records.ask(key, put{next});
        perhaps.erase(next);
        written = next;
      } else {
        const std::int64_t value = co_await records.ask(key, get{});
        if (value != written && perhaps.erase(value) == 0) ++all.wrong;
        written = value;
      }
      ++all.done;
    } catch (const std::exception&) {  // its node was lost
      ++all.failed;
    }
    all.longest = std::max<troupe::duration>(all.longest, std::chrono::steady_clock::now() - begin);
  }
}
// [/client]

troupe::coro<int> kill_and_add(int seconds) {
  cluster::node here({.name = "client", .listen = io::endpoint("127.0.0.1", 0)});
  cluster::shard_client<std::string, record_protocol> records(here, "records");
  const std::vector<std::string> words = {"sharded_kv", "serve", here.info().address};
  const auto hosts = [&](std::size_t count) -> troupe::coro<bool> {
    for (int tries = 0; records.hosts().size() != count && tries < 3000; ++tries)
      co_await troupe::sleep(10ms);
    co_return records.hosts().size() == count;
  };
  std::vector<io::process> servers;
  for (int each = 0; each < 5; ++each)
    servers.push_back(co_await io::subprocess_exec("/proc/self/exe", words));
  if (!co_await hosts(5)) co_return 1;
  tally all;
  std::vector<troupe::task<>> users;
  for (int each = 0; each < 24; ++each)
    users.push_back(troupe::create_task(use(records, "key " + std::to_string(each), all)));
  for (int second = 0; second < seconds; ++second) {
    co_await troupe::sleep(1s);
    if (second % 2 == 0) {
      servers.front().kill();  // the oldest
      co_await servers.front().wait();
      servers.erase(servers.begin());
    } else {
      servers.push_back(co_await io::subprocess_exec("/proc/self/exe", words));
    }
  }
  const bool rests = co_await hosts(servers.size());
  all.over = true;
  for (auto& each : users) co_await each;
  const auto longest = std::chrono::duration_cast<std::chrono::milliseconds>(all.longest);
  std::printf(
      "%d requests were answered, %d with what cannot be; %d failed; none took longer than "
      "%d ms\n",
      all.done, all.wrong, all.failed, static_cast<int>(longest.count()));
  co_return all.done > 0 && all.wrong == 0 && rests ? 0 : 1;
}

int main(int argc, char** argv) {
  // As a chapter of the tour it is started with its name.
  if (argc > 1 && std::string_view(argv[1]) == "sharded_kv") --argc, ++argv;
  if (argc == 3 && std::string_view(argv[1]) == "serve")
    return troupe::run_main(serve(io::endpoint::parse(argv[2])));
  return troupe::run_main(kill_and_add(argc > 1 ? std::atoi(argv[1]) : 4));
}
