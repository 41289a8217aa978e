// A node whose port is flooded, and peers that are killed or stand still in the midst of an ask.
#include <troupe/actors/cluster/node.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/timeout.hpp>

#include "scenarios/programs.hpp"
#include "scenarios/support.hpp"

#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

// As in the example: a message is known by its name.
struct count {
  using reply = int;
  int by = 1;
};

namespace {

using counter_protocol = protocol<count>;

/// Sockets that have connected to a port and say what they are told to.
class flood {
 public:
  flood(const io::endpoint& to, std::size_t count) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(to.port());
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (std::size_t each = 0; each < count; ++each) {
      io::descriptor made(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      if (made.get() < 0) break;  // as many as this machine lets us have
      static_cast<void>(
          ::connect(made.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where));
      all_.push_back(std::move(made));
    }
  }
  std::size_t size() const noexcept { return all_.size(); }
  void say(std::string_view text) const {
    for (const io::descriptor& each : all_)
      static_cast<void>(::send(each.get(), text.data(), text.size(), MSG_NOSIGNAL));
  }

 private:
  std::vector<io::descriptor> all_;
};

/// What a process has in memory, in KiB.
long memory_of(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stol(line.substr(6));
  return 0;
}

coro<io::endpoint> address_said(real_program& by) {
  co_await by.until("\n");
  const std::string& line = by.said();
  REQUIRE(line.starts_with("counting at "));
  co_return io::endpoint::parse(line.substr(12, line.find('\n') - 12));
}

coro<actor_ref<counter_protocol>> found(cluster::node& here) {
  auto looked_up = here.lookup<counter_protocol>("counter");
  co_return co_await timeout(60s, std::move(looked_up));
}

}  // namespace

TEST_CASE(
    "a node whose port is flooded with connections serves its peers, in bounded memory, and has "
    "room again") {
  auto body = []() -> coro<> {
    real_program other({TROUPE_EXAMPLES "/two_nodes", "serve", "127.0.0.1:0"});
    const io::endpoint where = co_await address_said(other);
    cluster::node here({.name = "test", .seeds = {where}});
    auto counter = co_await found(here);
    const int first = co_await counter.ask(count{}, 60s);
    CHECK(first == 1);
    const long before = memory_of(other.id());
    REQUIRE(before > 0);
    int sum = 1;
    for (int wave = 0; wave < 8; ++wave) {
      const flood all(where, 700);  // 5 600 in all, where nobody may have more
      REQUIRE(all.size() > 100);
      if (wave % 4 == 1) all.say("trup");
      if (wave % 4 == 2) all.say("GET / HTTP/1.1\r\n\r\n");
      if (wave % 4 == 3) all.say(std::string("trup\1\xff\xff\0\0", 9));
      for (int each = 0; each < 20; ++each) {
        const int got = co_await counter.ask(count{}, 60s);
        CHECK(got == ++sum);
      }
    }
    CHECK(memory_of(other.id()) < before + (96 << 10));
    // Who comes afterwards finds room, as soon as those are gone who said nothing.
    cluster::node late({.name = "late", .seeds = {where}});
    counter = co_await found(late);
    const int last = co_await counter.ask(count{}, 60s);
    CHECK(last == sum + 1);
  };
  run_scenario(body());
}

TEST_CASE(
    "a peer that is killed in the midst of asks is known to be gone by all who wait, and once") {
  auto body = []() -> coro<> {
    real_program other({TROUPE_EXAMPLES "/two_nodes", "serve", "127.0.0.1:0"});
    const io::endpoint where = co_await address_said(other);
    cluster::node here({.name = "test", .seeds = {where}});
    auto counter = co_await found(here);
    co_await counter.ask(count{}, 60s);
    other.send(SIGSTOP);
    std::vector<future<int>> waiting;
    for (int each = 0; each < 100; ++each) waiting.push_back(counter.ask(count{}, infinite));
    std::vector<future<exit_reason>> watching;
    for (int each = 0; each < 10; ++each) watching.push_back(counter.stopped());
    co_await sleep(20ms);
    other.send(SIGKILL);
    for (auto& each : waiting) CHECK_THROWS_AS(co_await each, cluster::node_lost);
    for (auto& each : watching) {
      const exit_reason why = co_await each;
      CHECK(why.failed());
    }
    CHECK(here.members().empty());
    CHECK_THROWS_AS(co_await counter.ask(count{}), actor_dead);
  };
  run_scenario(body());
}
