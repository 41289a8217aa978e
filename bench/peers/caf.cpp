// CAF as it comes: event-based actors on CAF's own scheduler with one or two workers, and
// (`caf-detached`) two actors that each own a thread. With `echo` in front it is an echo server made of one broker.
#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include <atomic>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

#include "../caf_cases.hpp"
#include "../echo_server.hpp"
#include "../harness.hpp"

namespace {

using caf::actor;
using caf::actor_system;
using caf::anon_send;
using caf::behavior;
using caf::event_based_actor;
using caf::exit_reason;

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
  using cases = bench::caf_cases<stage>;
  return bench::main(argc, argv,
                     {{"pingpong", "caf", 1, "ns", cases::ring<2, pooled>},
                      {"pingpong", "caf", 2, "ns", cases::ring<2, pooled>},
                      {"pingpong", "caf-detached", 2, "ns", cases::ring<2, caf::detached>},
                      {"fanin1", "caf", 1, "ns", cases::fan_in<1>},
                      {"fanin1", "caf", 2, "ns", cases::fan_in<1>},
                      {"fanin8", "caf", 1, "ns", cases::fan_in<8>},
                      {"fanin8", "caf", 2, "ns", cases::fan_in<8>},
                      {"ask", "caf", 1, "ns", cases::ask},
                      {"ask", "caf", 2, "ns", cases::ask},
                      {"spawn", "caf", 1, "ns", cases::spawn},
                      {"spawn", "caf", 2, "ns", cases::spawn},
                      {"ring", "caf", 1, "ns", cases::ring<bench::ring_size, pooled>},
                      {"ring", "caf", 2, "ns", cases::ring<bench::ring_size, pooled>},
                      {"pipeline", "caf", 1, "ns", cases::pipeline},
                      {"pipeline", "caf", 2, "ns", cases::pipeline},
                      {"idle", "caf", 1, "bytes", cases::idle},
                      {"echo64", "caf", 1, "req/s", nullptr},
                      {"echo16k", "caf", 1, "req/s", nullptr}});
}
