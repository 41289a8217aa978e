// A node whose port is flooded, and peers that are killed or stand still in the midst of an ask.
#include <troupe/runtime/errors.hpp>

#include "scenarios/counting.hpp"

#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

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

}  // namespace

TEST_CASE(
    "a node whose port is flooded with connections serves its peers, in bounded memory, and has "
    "room again") {
  auto body = []() -> coro<> {
    counting other;
    const io::endpoint where = co_await other.address();
    cluster::node here({.name = "test", .seeds = {where}});
    auto counter = co_await found(here);
    const int first = co_await counter.ask(count{}, 60s);
    CHECK(first == 1);
    const long before = memory_of(other.program().id());
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
    CHECK(memory_of(other.program().id()) < before + (96 << 10));
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
    counting other;
    const io::endpoint where = co_await other.address();
    cluster::node here({.name = "test", .seeds = {where}});
    auto counter = co_await found(here);
    co_await counter.ask(count{}, 60s);
    other.program().send(SIGSTOP);
    std::vector<future<int>> waiting;
    for (int each = 0; each < 100; ++each) waiting.push_back(counter.ask(count{}, infinite));
    std::vector<future<exit_reason>> watching;
    for (int each = 0; each < 10; ++each) watching.push_back(counter.stopped());
    co_await sleep(20ms);
    other.program().send(SIGKILL);
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
