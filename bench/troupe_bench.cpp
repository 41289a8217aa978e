// The actor cases of the benchmark suite on troupe. What each does stands in bench/README.md, what the program prints in
// harness.hpp.
#include <troupe/troupe.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include "actors.hpp"
#include "harness.hpp"

namespace {

using troupe::actor;
using troupe::actor_ref;
using troupe::coro;
using troupe::place;
using troupe::protocol;

/// Tells the main coroutine that a round is over, from whichever loop.
using finished = troupe::promise<int>;

// --- pingpong: two actors, one message in flight ----------------------------------------------------------------------

coro<double> pingpong(bench::request wanted) {
  auto a = troupe::spawn<bench::player>();
  auto b = troupe::spawn<bench::returner>(wanted.loops > 1 ? place::on(1) : place::here);
  a.tell(bench::partner_is{b});
  b.tell(bench::partner_is{a});
  bench::course trials(wanted);
  while (trials.goes_on()) {
    finished done;
    auto over = done.get_future();
    const bench::stopwatch watch;
    a.tell(bench::serve{trials.count(), std::move(done)});
    co_await over;
    trials.took(watch.nanoseconds());
  }
  co_return trials.per_operation();
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
    for (std::int64_t sent = 0; sent < bench::chunk && left_ != 0; ++sent, --left_)
      to_.tell(item{});
    if (left_ != 0) me_.tell(go_on{});
  }

 private:
  actor_ref<sink_protocol> to_;
  actor_ref<protocol<go_on, send_items>> me_;
  std::int64_t left_ = 0;
};

template <int Senders>
coro<double> fanin(bench::request wanted) {
  auto to = troupe::spawn<sink>();
  std::vector<actor_ref<protocol<go_on, send_items>>> from;
  for (int index = 0; index < Senders; ++index) {
    from.push_back(troupe::spawn<source>(
        wanted.loops > 1 ? place::on(index % 2 == 0 ? 1 : 0) : place::here, to));
  }
  bench::course trials(wanted);
  while (trials.goes_on()) {
    finished done;
    auto over = done.get_future();
    to.tell(expect_items{trials.count(), std::move(done)});
    const bench::stopwatch watch;
    for (auto& sender : from) sender.tell(send_items{trials.count() / Senders});
    co_await over;
    trials.took(watch.nanoseconds());
  }
  co_return trials.per_operation();
}

// --- ask: request and answer ------------------------------------------------------------------------------------------

coro<double> ask(bench::request wanted) {
  auto to = troupe::spawn<bench::oracle>(wanted.loops > 1 ? place::on(1) : place::here);
  bench::course trials(wanted);
  while (trials.goes_on()) {
    const bench::stopwatch watch;
    std::int64_t value = 0;
    while (value != trials.count()) value = co_await to.ask(bench::question{value});
    trials.took(watch.nanoseconds());
  }
  co_return trials.per_operation();
}

// --- spawn: an actor is made, gets one message and dies ----------------------------------------------------------------

/// How many mayflies have died on a loop. Only that loop writes it, so counting needs no locked instruction.
struct alignas(64) death_toll {
  std::atomic<std::int64_t> count{0};
};
death_toll dead[2];

class counted_mayfly : public bench::mayfly {
 public:
  ~counted_mayfly() {
    auto& count = dead[troupe::loop::current()->index()].count;
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
};

std::int64_t all_dead() {
  return dead[0].count.load(std::memory_order_relaxed) +
         dead[1].count.load(std::memory_order_relaxed);
}

coro<double> spawn(bench::request wanted) {
  const place where = wanted.loops > 1 ? place::spread : place::here;
  bench::course trials(wanted);
  while (trials.goes_on()) {
    const std::int64_t before = all_dead();
    const bench::stopwatch watch;
    for (std::int64_t made = 1; made <= trials.count(); ++made) {
      troupe::spawn<counted_mayfly>(where).tell(bench::die{});
      if (made % bench::chunk == 0) co_await troupe::sleep(std::chrono::seconds(0));
    }
    while (all_dead() - before != trials.count()) co_await troupe::sleep(std::chrono::seconds(0));
    trials.took(watch.nanoseconds());
  }
  co_return trials.per_operation();
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
    if (t.hops == 0) {
      done_.set_value(0);
    } else {
      next_.tell(token{t.hops - 1});
    }
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

coro<double> ring(bench::request wanted) {
  constexpr std::int64_t size = bench::ring_size;
  std::vector<actor_ref<protocol<token, next_is, start_ring>>> members;
  for (std::int64_t index = 0; index < size; ++index) {
    members.push_back(
        troupe::spawn<member>(place::on(wanted.loops > 1 && index >= size / 2 ? 1 : 0)));
  }
  for (std::size_t index = 0; index < members.size(); ++index) {
    members[index].tell(next_is{members[(index + 1) % members.size()]});
  }
  bench::course trials(wanted);
  while (trials.goes_on()) {
    // Whole laps, so that the token comes home to the one that was asked to start it.
    const std::int64_t hops = (trials.count() + size - 1) / size * size;
    finished done;
    auto over = done.get_future();
    const bench::stopwatch watch;
    members[0].tell(start_ring{hops, std::move(done)});
    co_await over;
    trials.took(watch.nanoseconds() * static_cast<double>(trials.count()) /
                static_cast<double>(hops));
  }
  co_return trials.per_operation();
}

// --- pipeline: a thousand tokens go through 100 actors, and enter again -------------------------------------------------

struct parcel {
  std::int64_t hops;
};
struct stage_next {
  actor_ref<protocol<parcel>> next;
};
struct expect_parcels {
  std::int64_t count;
  finished done;
};
using stage_protocol = protocol<parcel, stage_next, expect_parcels>;

class stage : public actor<stage_protocol> {
 public:
  void on(parcel p) {
    if (p.hops != 0) {
      next_.tell(parcel{p.hops - 1});
    } else if (--left_ == 0) {
      done_.set_value(0);
    }
  }
  void on(stage_next n) { next_ = std::move(n.next); }
  void on(expect_parcels e) {
    left_ = e.count;
    done_ = std::move(e.done);
  }

 private:
  actor_ref<protocol<parcel>> next_;
  std::int64_t left_ = 0;
  finished done_;
};

coro<double> pipeline(bench::request wanted) {
  constexpr std::int64_t stages = bench::pipeline_stages;
  constexpr std::int64_t tokens = bench::pipeline_tokens;
  std::vector<actor_ref<stage_protocol>> all;
  for (std::int64_t index = 0; index < stages; ++index)
    all.push_back(troupe::spawn<stage>(place::on(wanted.loops > 1 && index >= stages / 2 ? 1 : 0)));
  for (std::size_t index = 0; index < all.size(); ++index)
    all[index].tell(stage_next{all[(index + 1) % all.size()]});
  bench::course trials(wanted);
  while (trials.goes_on()) {
    // Whole passes: each parcel ends where it came in.
    const std::int64_t passes = (trials.count() + stages * tokens - 1) / (stages * tokens);
    finished done;
    auto over = done.get_future();
    all[0].tell(expect_parcels{tokens, std::move(done)});
    const bench::stopwatch watch;
    for (std::int64_t sent = 0; sent < tokens; ++sent) all[0].tell(parcel{passes * stages});
    co_await over;
    trials.took(watch.nanoseconds() * static_cast<double>(trials.count()) /
                static_cast<double>(passes * stages * tokens));
  }
  co_return trials.per_operation();
}

// --- idle: resident bytes of an actor that does nothing ----------------------------------------------------------------

coro<double> idle(bench::request) {
  std::vector<actor_ref<protocol<bench::die>>> all(bench::idle_actors);
  const double before = bench::resident_bytes();
  for (auto& each : all) each = troupe::spawn<bench::mayfly>();
  co_await troupe::sleep(std::chrono::seconds(0));
  co_return (bench::resident_bytes() - before) / bench::idle_actors;
}

template <coro<double> (*Body)(bench::request)>
double on_loops(const bench::request& wanted) {
  // Long mailboxes are what some cases are about: no reports of them.
  return troupe::run(Body(wanted), {.threads = static_cast<std::size_t>(wanted.loops),
                                    .on_failure = [](const troupe::failure_report&) {}});
}

}  // namespace

int main(int argc, char** argv) {
  return bench::main(argc, argv,
                     {{"pingpong", "troupe", 1, "ns", on_loops<pingpong>},
                      {"pingpong", "troupe", 2, "ns", on_loops<pingpong>},
                      {"fanin1", "troupe", 1, "ns", on_loops<fanin<1>>},
                      {"fanin1", "troupe", 2, "ns", on_loops<fanin<1>>},
                      {"fanin8", "troupe", 1, "ns", on_loops<fanin<8>>},
                      {"fanin8", "troupe", 2, "ns", on_loops<fanin<8>>},
                      {"ask", "troupe", 1, "ns", on_loops<ask>},
                      {"ask", "troupe", 2, "ns", on_loops<ask>},
                      {"spawn", "troupe", 1, "ns", on_loops<spawn>},
                      {"spawn", "troupe", 2, "ns", on_loops<spawn>},
                      {"ring", "troupe", 1, "ns", on_loops<ring>},
                      {"ring", "troupe", 2, "ns", on_loops<ring>},
                      {"pipeline", "troupe", 1, "ns", on_loops<pipeline>},
                      {"pipeline", "troupe", 2, "ns", on_loops<pipeline>},
                      {"idle", "troupe", 1, "bytes", on_loops<idle>}});
}
