// CAF as it comes: event-based actors on CAF's own scheduler with one or two workers, and
// (`caf-detached`) two actors that each own a thread. Messages are a std::int64_t, so nothing has
// to be registered. With `echo` in front it is an echo server made of one broker.
#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include <atomic>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

#include "../echo_server.hpp"
#include "../harness.hpp"

namespace {

using caf::actor;
using caf::actor_system;
using caf::anon_send;
using caf::behavior;
using caf::event_based_actor;
using caf::exit_reason;

constexpr std::int64_t next_chunk = -1;

struct config : caf::actor_system_config {
  explicit config(int workers) { set("scheduler.max-threads", static_cast<std::size_t>(workers)); }
};

// A system with so many workers, and the watch that runs from `start` to `finish`.
class stage {
 public:
  explicit stage(int workers) : config_{workers}, system_{config_} {
    if (system_.scheduler().num_workers() != static_cast<std::size_t>(workers)) {
      throw std::runtime_error("CAF did not take scheduler.max-threads");
    }
  }

  actor_system& system() { return system_; }

  // Threads: any; once.
  void finish() { finished_.set_value(); }

  // Sends the first message and waits for `finish`.
  double start(const actor& first, std::int64_t message) {
    bench::stopwatch watch;
    anon_send(first, message);
    finished_.get_future().wait();
    return watch.nanoseconds();
  }

  // The system waits for all its actors when it goes, so each has to be told.
  void dismiss(const std::vector<actor>& actors) {
    for (const actor& each : actors) anon_send_exit(each, exit_reason::user_shutdown);
  }

 private:
  config config_;
  actor_system system_;
  std::promise<void> finished_;
};

// Told once who comes next, then passes the token on; the last hop ends the run.
behavior pass_on(event_based_actor* self, std::atomic<std::int64_t>* left, stage* on) {
  return {[=](const actor& next) {
    self->become([=](std::int64_t value) {
      // One token: whoever holds it is alone, the mailboxes order the accesses.
      const std::int64_t rest = left->load(std::memory_order_relaxed) - 1;
      left->store(rest, std::memory_order_relaxed);
      if (rest == 0) return on->finish();
      if (rest > 0) self->send(next, value + 1);
    });
  }};
}

template <int Size, caf::spawn_options Options>
double ring(const bench::request& wanted) {
  return bench::per_operation(wanted, [&](std::int64_t count) {
    // Detached actors leave the workers idle.
    stage on{wanted.loops};
    std::atomic<std::int64_t> left{count};
    std::vector<actor> actors;
    for (int i = 0; i < Size; ++i) {
      actors.push_back(on.system().spawn<Options>(pass_on, &left, &on));
    }
    for (int i = 0; i < Size; ++i) anon_send(actors[i], actors[(i + 1) % Size]);
    const double took = on.start(actors[0], 0);
    on.dismiss(actors);
    return took;
  });
}

// Passes parcels on; a message is how many hops a parcel has left. The first stage counts those that have come home.
behavior pass_parcels(event_based_actor* self, std::int64_t parcels, stage* on) {
  return {[=](const actor& next) {
    self->become([=, left = parcels](std::int64_t hops) mutable {
      if (hops != 0) {
        self->send(next, hops - 1);
      } else if (--left == 0) {
        on->finish();
      }
    });
  }};
}

double pipeline(const bench::request& wanted) {
  constexpr std::int64_t stages = bench::pipeline_stages;
  constexpr std::int64_t tokens = bench::pipeline_tokens;
  return bench::per_operation(wanted, [&](std::int64_t count) {
    const std::int64_t passes = (count + stages * tokens - 1) / (stages * tokens);
    stage on{wanted.loops};
    std::vector<actor> actors;
    for (int i = 0; i < stages; ++i) actors.push_back(on.system().spawn(pass_parcels, tokens, &on));
    for (int i = 0; i < stages; ++i) anon_send(actors[i], actors[(i + 1) % stages]);
    for (int i = 1; i < tokens; ++i) anon_send(actors[0], passes * stages);
    const double took = on.start(actors[0], passes * stages);
    on.dismiss(actors);
    return took * static_cast<double>(count) / static_cast<double>(passes * stages * tokens);
  });
}

behavior receive_all(event_based_actor*, std::int64_t count, stage* on) {
  return {[=, sum = std::int64_t{0}](std::int64_t value) mutable {
    sum += value;
    if (--count == 0) on->finish();
  }};
}

// Sends a chunk, then goes to the back of the queue by a message to itself.
behavior send_all(event_based_actor* self, const actor& to, std::int64_t count) {
  return {[=](std::int64_t) mutable {
    for (std::int64_t i = 0; i < bench::chunk && count > 0; ++i, --count) self->send(to, count);
    if (count > 0) {
      self->send(self, next_chunk);
    } else {
      self->quit();
    }
  }};
}

template <int Senders>
double fan_in(const bench::request& wanted) {
  const auto run = [&](std::int64_t count) {
    stage on{wanted.loops};
    const actor to = on.system().spawn(receive_all, count, &on);
    std::vector<actor> senders;
    for (int i = 0; i < Senders; ++i) {
      senders.push_back(on.system().spawn(send_all, to, count / Senders));
    }
    bench::stopwatch watch;
    for (int i = 1; i < Senders; ++i) anon_send(senders[i], next_chunk);
    on.start(senders[0], next_chunk);
    const double took = watch.nanoseconds();
    on.dismiss({to});
    return took;
  };
  return bench::per_operation(wanted, run, 1 << 18);
}

behavior answer(event_based_actor*) {
  return {[](std::int64_t value) { return value + 1; }};
}

void ask_next(event_based_actor* self, const actor& to, std::int64_t value, std::int64_t count,
              stage* on) {
  self->request(to, caf::infinite, value).then([=](std::int64_t reply) {
    if (reply == count) return on->finish();
    ask_next(self, to, reply, count, on);
  });
}

behavior ask_all(event_based_actor* self, const actor& to, std::int64_t count, stage* on) {
  return {[=](std::int64_t first) { ask_next(self, to, first, count, on); }};
}

double ask(const bench::request& wanted) {
  return bench::per_operation(wanted, [&](std::int64_t count) {
    stage on{wanted.loops};
    const actor to = on.system().spawn(answer);
    const actor asker = on.system().spawn(ask_all, to, count, &on);
    const double took = on.start(asker, 0);
    on.dismiss({to, asker});
    return took;
  });
}

behavior die_after_one(event_based_actor* self, std::atomic<std::int64_t>* alive, stage* on) {
  return {[=](std::int64_t) {
    self->quit();
    if (alive->fetch_sub(1) == 1) on->finish();
  }};
}

behavior spawn_all(event_based_actor* self, std::int64_t count, std::atomic<std::int64_t>* alive,
                   stage* on) {
  return {[=](std::int64_t) mutable {
    for (std::int64_t i = 0; i < bench::chunk && count > 0; ++i, --count) {
      self->send(self->spawn(die_after_one, alive, on), count);
    }
    if (count > 0) {
      self->send(self, next_chunk);
    } else {
      self->quit();
    }
  }};
}

double spawn(const bench::request& wanted) {
  const auto run = [&](std::int64_t count) {
    std::atomic<std::int64_t> alive{count};
    stage on{wanted.loops};
    return on.start(on.system().spawn(spawn_all, count, &alive, &on), next_chunk);
  };
  return bench::per_operation(wanted, run, 1 << 16);
}

behavior idle_actor(event_based_actor*, std::atomic<int>* started) {
  started->fetch_add(1);
  return {[state = std::int64_t{0}](std::int64_t value) mutable { state += value; }};
}

double idle(const bench::request& wanted) {
  stage on{wanted.loops};
  std::atomic<int> started{0};
  std::vector<actor> actors;
  actors.reserve(bench::idle_actors);
  const double before = bench::resident_bytes();
  for (int i = 0; i < bench::idle_actors; ++i) {
    actors.push_back(on.system().spawn(idle_actor, &started));
  }
  while (started.load() < bench::idle_actors) std::this_thread::yield();
  const double after = bench::resident_bytes();
  on.dismiss(actors);
  // The handles live in a vector that was reserved before and is touched now.
  return (after - before) / bench::idle_actors - sizeof(actor);
}

behavior serve(caf::io::broker* self) {
  return {[=](const caf::io::new_connection_msg& accepted) {
            self->configure_read(accepted.handle,
                                 caf::io::receive_policy::at_most(bench::echo::buffer_size));
          },
          [=](const caf::io::new_data_msg& data) {
            self->write(data.handle, data.buf.size(), data.buf.data());
            self->flush(data.handle);
          },
          [](const caf::io::connection_closed_msg&) {}};
}

int serve_echo(std::uint16_t port) {
  config with_network{1};
  with_network.load<caf::io::middleman>();
  actor_system system{with_network};
  const auto server = system.middleman().spawn_server(serve, port);
  if (!server) {
    std::fprintf(stderr, "%s\n", system.render(server.error()).c_str());
    return 1;
  }
  bench::echo::announce(port);
  system.await_all_actors_done();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (const int port = bench::echo::wanted_port(argc, argv); port >= 0) {
    return serve_echo(static_cast<std::uint16_t>(port));
  }
  constexpr auto pooled = caf::no_spawn_options;
  return bench::main(argc, argv,
                     {{"pingpong", "caf", 1, "ns", ring<2, pooled>},
                      {"pingpong", "caf", 2, "ns", ring<2, pooled>},
                      {"pingpong", "caf-detached", 2, "ns", ring<2, caf::detached>},
                      {"fanin1", "caf", 1, "ns", fan_in<1>},
                      {"fanin1", "caf", 2, "ns", fan_in<1>},
                      {"fanin8", "caf", 1, "ns", fan_in<8>},
                      {"fanin8", "caf", 2, "ns", fan_in<8>},
                      {"ask", "caf", 1, "ns", ask},
                      {"ask", "caf", 2, "ns", ask},
                      {"spawn", "caf", 1, "ns", spawn},
                      {"spawn", "caf", 2, "ns", spawn},
                      {"ring", "caf", 1, "ns", ring<bench::ring_size, pooled>},
                      {"ring", "caf", 2, "ns", ring<bench::ring_size, pooled>},
                      {"pipeline", "caf", 1, "ns", pipeline},
                      {"pipeline", "caf", 2, "ns", pipeline},
                      {"idle", "caf", 1, "bytes", idle},
                      {"echo64", "caf", 1, "req/s", nullptr},
                      {"echo16k", "caf", 1, "req/s", nullptr}});
}
