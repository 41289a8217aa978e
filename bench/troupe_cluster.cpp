// troupe between two processes, over the loopback. What each case does stands in bench/README.md, what the program prints in
// harness.hpp.
#include <troupe/actors/cluster/node.hpp>
#include <troupe/troupe.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <stdexcept>
#include <string>
#include <utility>

#include "harness.hpp"
#include "other_end.hpp"

namespace {

namespace cluster = troupe::cluster;
namespace io = troupe::io;
using troupe::coro;

struct small {
  using reply = bench::payload;
  bench::payload content{};
};
struct large {
  using reply = std::string;
  std::string content;
};
struct numbered {  // as long as `small`
  bench::payload content{};
};
struct tally {
  std::int64_t arrived = 0;
  std::int64_t out_of_order = 0;
};
struct counted {
  using reply = tally;
};
using serving = troupe::protocol<small, large, numbered, counted>;

class server : public troupe::actor<serving> {
 public:
  bench::payload on(small s) { return s.content; }
  std::string on(large l) { return std::move(l.content); }
  void on(numbered n) {
    if (n.content[0] != static_cast<std::uint64_t>(sum_.arrived)) ++sum_.out_of_order;
    ++sum_.arrived;
  }
  tally on(counted) { return sum_; }

 private:
  tally sum_;
};

coro<> serve() {
  cluster::node here({.name = "server", .listen = io::endpoint::loopback(0)});
  here.publish("server", troupe::spawn<server>());
  bench::other_end::announce(io::endpoint::parse(here.info().address).port());
  co_await troupe::sleep(troupe::infinite);
}

using there = troupe::actor_ref<serving>;

coro<> ask_in_turn(there to, std::int64_t count) {
  for (std::int64_t each = 0; each != count; ++each) {
    auto asked = to.ask(small{});
    co_await asked;
  }
}

/// So many asks go on at a time; a new one when the oldest has been answered.
template <class M>
coro<> ask_ahead(there to, std::int64_t count, std::size_t window, M message) {
  std::deque<troupe::future<typename M::reply>> going_on;
  for (std::int64_t each = 0; each != count; ++each) {
    if (going_on.size() == window) {
      co_await std::move(going_on.front());
      going_on.pop_front();
    }
    going_on.push_back(to.ask(M(message)));
  }
  for (auto& each : going_on) co_await std::move(each);
}

coro<> ask_window(there to, std::int64_t count) {
  return ask_ahead(std::move(to), count, bench::window_small, small());
}

coro<> ask_large(there to, std::int64_t count) {
  return ask_ahead(std::move(to), count, bench::window_large,
                   large{std::string(bench::mebibyte, 'x')});
}

coro<> tell_in_order(there to, std::int64_t count) {
  tally before = co_await to.ask(counted{});
  for (std::int64_t each = 0; each != count; ++each) {
    numbered next;
    next.content[0] = static_cast<std::uint64_t>(before.arrived + each);
    to.tell(next);
    if (each % bench::chunk == bench::chunk - 1) co_await troupe::sleep(troupe::duration::zero());
    if (each % bench::most_on_the_way == bench::most_on_the_way - 1) co_await to.ask(counted{});
  }
  const tally after = co_await to.ask(counted{});
  if (after.arrived != before.arrived + count || after.out_of_order != 0)
    throw std::runtime_error("messages were lost, or came in another order");
}

template <class Case>
coro<double> measured(Case run, const char* name, bench::course trials) {
  const bench::other_end other;
  cluster::node here({.name = "client", .seeds = {io::endpoint::loopback(other.port())}});
  auto looked_up = here.lookup<serving>("server");
  const there to = co_await std::move(looked_up);
  bench::processor_watch processors(other);
  while (trials.goes_on()) {
    const bench::stopwatch watch;
    co_await run(to, trials.count());
    processors.done(trials.count());
    trials.took(watch.nanoseconds());
  }
  processors.print(name, "troupe");
  co_return trials.per_operation();
}

template <auto Case, std::int64_t Most, std::int64_t First>
double measure(const bench::request& wanted) {
  return troupe::run(measured(Case, wanted.name, bench::course(wanted, Most, First)));
}

}  // namespace

int main(int argc, char** argv) {
  if (bench::other_end::is_wanted(argc, argv)) return troupe::run_main(serve());
  constexpr std::int64_t million = 1'000'000;
  return bench::main(argc, argv,
                     {{"remote-ask", "troupe", 1, "ns", measure<ask_in_turn, 1 << 16, 256>},
                      {"remote-window", "troupe", 1, "ns", measure<ask_window, 1 << 20, 2048>},
                      {"remote-tell", "troupe", 1, "ns", measure<tell_in_order, million, million>},
                      {"remote-large", "troupe", 1, "ns", measure<ask_large, 1 << 10, 32>}});
}
