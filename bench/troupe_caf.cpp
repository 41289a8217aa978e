// The same CAF actors as in peers/caf.cpp, on troupe's loops.
#include <troupe/actors/caf/caf_system.hpp>
#include <troupe/troupe.hpp>

#include <caf/all.hpp>

#include <future>
#include <thread>
#include <vector>

#include "caf_cases.hpp"
#include "harness.hpp"

namespace {

// Loops on threads of their own, so that the measuring thread is none of them, as in CAF.
class stage {
 public:
  explicit stage(int loops)
      : running_(
            [this, loops] { troupe::run(serve(), {.threads = static_cast<std::size_t>(loops)}); }) {
    system_ = made_.get_future().get();
  }
  ~stage() {
    caf::logger::set_current_actor_system(nullptr);  // this thread has spawned
    over_.set_value();
    running_.join();
  }

  caf::actor_system& system() { return *system_; }

  // Threads: any; once.
  void finish() { finished_.set_value(); }

  double start(const caf::actor& first, std::int64_t message) {
    bench::stopwatch watch;
    caf::anon_send(first, message);
    finished_.get_future().wait();
    return watch.nanoseconds();
  }

  void dismiss(const std::vector<caf::actor>& actors) {
    for (const caf::actor& each : actors)
      caf::anon_send_exit(each, caf::exit_reason::user_shutdown);
  }

 private:
  troupe::coro<> serve() {
    troupe::caf_system system;
    auto until = over_.get_future();
    made_.set_value(&*system);
    co_await troupe::to_thread([&until] { until.wait(); });
    co_await system.shutdown();
  }

  std::promise<caf::actor_system*> made_;
  std::promise<void> over_;
  std::promise<void> finished_;
  caf::actor_system* system_ = nullptr;
  std::thread running_;
};

}  // namespace

int main(int argc, char** argv) {
  constexpr auto pooled = caf::no_spawn_options;
  using cases = bench::caf_cases<stage>;
  constexpr const char* name = "caf-on-troupe";
  return bench::main(argc, argv,
                     {{"pingpong", name, 1, "ns", cases::ring<2, pooled>},
                      {"pingpong", name, 2, "ns", cases::ring<2, pooled>},
                      {"fanin1", name, 1, "ns", cases::fan_in<1>},
                      {"fanin1", name, 2, "ns", cases::fan_in<1>},
                      {"fanin8", name, 1, "ns", cases::fan_in<8>},
                      {"fanin8", name, 2, "ns", cases::fan_in<8>},
                      {"ask", name, 1, "ns", cases::ask},
                      {"ask", name, 2, "ns", cases::ask},
                      {"spawn", name, 1, "ns", cases::spawn},
                      {"spawn", name, 2, "ns", cases::spawn},
                      {"ring", name, 1, "ns", cases::ring<bench::ring_size, pooled>},
                      {"ring", name, 2, "ns", cases::ring<bench::ring_size, pooled>},
                      {"pipeline", name, 1, "ns", cases::pipeline},
                      {"pipeline", name, 2, "ns", cases::pipeline},
                      {"idle", name, 1, "bytes", cases::idle}});
}
