// The actor cases of the benchmark suite on troupe: `bench-troupe CASE --loops N [--seconds S]` runs one repetition and
// prints `CASE troupe LOOPS UNIT VALUE`; `--list` names the cases. What each case does stands in bench/README.md.
#include <troupe/troupe.hpp>

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using troupe::actor;
using troupe::actor_ref;
using troupe::coro;
using troupe::place;
using troupe::protocol;

using steady = std::chrono::steady_clock;

double ns_each(steady::time_point start, std::int64_t count) {
  return std::chrono::duration<double, std::nano>(steady::now() - start).count() / static_cast<double>(count);
}

/// Tells the main coroutine that a round is over, from whichever loop.
using finished = troupe::promise<int>;

// --- pingpong: two actors, one message in flight ----------------------------------------------------------------------

struct ball {};
struct partner_is {
  actor_ref<protocol<ball>> partner;
};
struct serve {
  std::int64_t hits;
  finished done;
};
using player_protocol = protocol<ball, partner_is, serve>;

class player : public actor<player_protocol> {
 public:
  void on(ball) {
    if (--left_ == 0) done_.set_value(0);
    else partner_.tell(ball{});
  }
  void on(partner_is p) { partner_ = std::move(p.partner); }
  void on(serve s) {
    left_ = s.hits;
    done_ = std::move(s.done);
    partner_.tell(ball{});
  }

 private:
  actor_ref<protocol<ball>> partner_;
  std::int64_t left_ = 0;
  finished done_;
};

class returner : public actor<protocol<ball, partner_is>> {
 public:
  void on(ball) { partner_.tell(ball{}); }
  void on(partner_is p) { partner_ = std::move(p.partner); }

 private:
  actor_ref<protocol<ball>> partner_;
};

coro<double> pingpong(std::size_t loops) {
  auto a = troupe::spawn<player>();
  auto b = troupe::spawn<returner>(loops > 1 ? place::on(1) : place::here);
  a.tell(partner_is{b});
  b.tell(partner_is{a});
  const std::int64_t hits = loops > 1 ? 200'000 : 5'000'000;
  double result = 0;
  for (const std::int64_t count : {hits / 10, hits}) {
    finished done;
    auto over = done.get_future();
    const auto start = steady::now();
    a.tell(serve{count, std::move(done)});
    co_await over;
    result = ns_each(start, count * 2);
  }
  co_return result;
}

// --- fanin: senders to one receiver, each yielding after 256 messages --------------------------------------------------

struct item {};
struct expect_items {
  std::int64_t count;
  finished done;
};
using sink_protocol = protocol<item, expect_items>;

class sink : public actor<sink_protocol> {
 public:
  void on(item) {
    if (--left_ == 0) done_.set_value(0);
  }
  void on(expect_items e) {
    left_ += e.count;
    done_ = std::move(e.done);
  }

 private:
  std::int64_t left_ = 0;
  finished done_;
};

struct go_on {};
struct send_items {
  std::int64_t count;
};

class source : public actor<protocol<go_on, send_items>> {
 public:
  explicit source(actor_ref<sink_protocol> to) : to_(std::move(to)), me_(self()) {}
  void on(send_items s) {
    left_ = s.count;
    on(go_on{});
  }
  void on(go_on) {
    for (int chunk = 0; chunk < 256 && left_ != 0; ++chunk, --left_) to_.tell(item{});
    if (left_ != 0) me_.tell(go_on{});
  }

 private:
  actor_ref<sink_protocol> to_;
  actor_ref<protocol<go_on, send_items>> me_;
  std::int64_t left_ = 0;
};

coro<double> fanin(std::size_t senders, std::size_t loops) {
  auto to = troupe::spawn<sink>();
  std::vector<actor_ref<protocol<go_on, send_items>>> from;
  for (std::size_t index = 0; index < senders; ++index) {
    from.push_back(troupe::spawn<source>(loops > 1 ? place::on(index % 2 == 0 ? 1 : 0) : place::here, to));
  }
  const std::int64_t each = (loops > 1 ? 2'000'000 : 8'000'000) / static_cast<std::int64_t>(senders);
  double result = 0;
  for (const std::int64_t count : {each / 10, each}) {
    finished done;
    auto over = done.get_future();
    const auto total = count * static_cast<std::int64_t>(senders);
    to.tell(expect_items{total, std::move(done)});
    const auto start = steady::now();
    for (auto& sender : from) sender.tell(send_items{count});
    co_await over;
    result = ns_each(start, total);
  }
  co_return result;
}

// --- ask: request and answer ------------------------------------------------------------------------------------------

struct question {
  using reply = std::int64_t;
  std::int64_t value;
};

class oracle : public actor<protocol<question>> {
 public:
  std::int64_t on(question q) { return q.value + 1; }
};

coro<double> ask(std::size_t loops) {
  auto to = troupe::spawn<oracle>(loops > 1 ? place::on(1) : place::here);
  double result = 0;
  const std::int64_t rounds = loops > 1 ? 200'000 : 3'000'000;
  for (const std::int64_t count : {rounds / 10, rounds}) {
    const auto start = steady::now();
    std::int64_t value = 0;
    for (std::int64_t round = 0; round < count; ++round) value = co_await to.ask(question{value});
    result = ns_each(start, count);
    if (value != count) std::abort();
  }
  co_return result;
}

// --- spawn: an actor is made, gets one message and dies ----------------------------------------------------------------

struct die {};


class mayfly : public actor<protocol<die>> {
 public:
  void on(die) { stop(); }

 private:
  std::int64_t state_ = 0;
};

coro<double> spawn_case(std::size_t loops) {
  const std::size_t other = loops > 1 ? 1 : 0;
  double result = 0;
  for (const std::int64_t count : {100'000, 2'000'000}) {
    const auto start = steady::now();
    for (std::int64_t made = 0; made < count; ++made) {
      troupe::spawn<mayfly>(place::on(other)).tell(die{});
      if (made % 256 == 255) co_await troupe::sleep(std::chrono::seconds(0));
    }
    co_await troupe::sleep(std::chrono::seconds(0));
    result = ns_each(start, count);
  }
  co_return result;
}

// --- ring: a token goes round 1000 actors ------------------------------------------------------------------------------

struct token {
  std::int64_t hops;
};
struct next_is {
  actor_ref<protocol<token>> next;
};
struct start_ring {
  std::int64_t hops;
  finished done;
};

class member : public actor<protocol<token, next_is, start_ring>> {
 public:
  void on(token t) {
    if (t.hops == 0) done_.set_value(0);
    else next_.tell(token{t.hops - 1});
  }
  void on(next_is n) { next_ = std::move(n.next); }
  void on(start_ring s) {
    done_ = std::move(s.done);
    next_.tell(token{s.hops - 1});
  }

 private:
  actor_ref<protocol<token>> next_;
  finished done_;
};

coro<double> ring(std::size_t loops) {
  constexpr std::int64_t size = 1000;
  std::vector<actor_ref<protocol<token, next_is, start_ring>>> members;
  for (std::int64_t index = 0; index < size; ++index) {
    members.push_back(troupe::spawn<member>(place::on(loops > 1 && index >= size / 2 ? 1 : 0)));
  }
  for (std::size_t index = 0; index < members.size(); ++index) {
    members[index].tell(next_is{members[(index + 1) % members.size()]});
  }
  double result = 0;
  for (const std::int64_t laps : {200, 5000}) {
    finished done;
    auto over = done.get_future();
    const auto start = steady::now();
    members[0].tell(start_ring{laps * size, std::move(done)});
    co_await over;
    result = ns_each(start, laps * size);
  }
  co_return result;
}

// --- idle: resident bytes of an actor that does nothing ----------------------------------------------------------------

std::int64_t resident_bytes() {
  long long pages = 0;
  long long total = 0;
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr || std::fscanf(file, "%lld %lld", &total, &pages) != 2) std::abort();
  std::fclose(file);
  return pages * ::sysconf(_SC_PAGESIZE);
}

coro<double> idle() {
  constexpr std::size_t count = 200'000;
  std::vector<actor_ref<protocol<die>>> all;
  all.reserve(count);
  for (std::size_t index = 0; index < count; ++index) all.emplace_back();
  const std::int64_t before = resident_bytes();
  for (auto& each : all) {
    each = troupe::spawn<mayfly>();
  }
  co_await troupe::sleep(std::chrono::seconds(0));
  co_return static_cast<double>(resident_bytes() - before) / count;
}

coro<double> chosen(std::string_view name, std::size_t loops) {
  if (name == "pingpong") return pingpong(loops);
  if (name == "fanin1") return fanin(1, loops);
  if (name == "fanin8") return fanin(8, loops);
  if (name == "ask") return ask(loops);
  if (name == "spawn") return spawn_case(loops);
  if (name == "ring") return ring(loops);
  if (name == "idle") return idle();
  std::fprintf(stderr, "bench-troupe: no case '%s'\n", std::string(name).c_str());
  std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--list") == 0) {
    for (const char* name : {"pingpong", "fanin1", "fanin8", "ask", "ring"}) std::printf("%s 1\n%s 2\n", name, name);
    std::puts("spawn 1\nidle 1");
    return 0;
  }
  if (argc < 2) {
    std::fprintf(stderr, "usage: bench-troupe CASE [--loops N] | --list\n");
    return 2;
  }
  std::size_t loops = 1;
  for (int index = 2; index + 1 < argc; index += 2) {
    if (std::strcmp(argv[index], "--loops") == 0) loops = std::strtoul(argv[index + 1], nullptr, 10);
  }
  const double value = troupe::run(chosen(argv[1], loops), {.threads = loops});
  std::printf("%s troupe %zu %s %.2f\n", argv[1], loops, std::strcmp(argv[1], "idle") == 0 ? "bytes" : "ns", value);
}
