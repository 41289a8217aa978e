// What the lives of actors cost on troupe: a million at once, and restarts. What each case does stands in bench/README.md, what the
// program prints in harness.hpp.
#include <troupe/troupe.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <stdexcept>
#include <vector>

#include "actors.hpp"
#include "harness.hpp"

namespace {

using troupe::actor;
using troupe::actor_ref;
using troupe::coro;
using troupe::protocol;

constexpr std::int64_t million = 1'000'000;

struct fill {
  using reply = double;  // the nanoseconds it took
};

/// The parent of a million actors.
class nursery : public actor<protocol<fill>> {
 public:
  double on(fill) {
    const bench::stopwatch watch;
    for (std::int64_t made = 0; made != million; ++made) spawn<bench::mayfly>();
    return watch.nanoseconds();
  }
};

coro<double> born(bench::request) {
  auto parent = troupe::spawn<nursery>();
  const double took = co_await parent.ask(fill{}, troupe::infinite);
  co_return took / million;
}

coro<double> stopped(bench::request) {
  auto parent = troupe::spawn<nursery>();
  co_await parent.ask(fill{}, troupe::infinite);
  const bench::stopwatch watch;
  parent.stop();
  co_await parent.stopped();
  co_return watch.nanoseconds() / million;
}

struct fall {};
struct alive {
  using reply = int;
};
using falling = protocol<fall, alive>;

class faller : public actor<falling> {
 public:
  void on(fall) { throw std::runtime_error("fell"); }
  int on(alive) { return 1; }
};

class keeper : public actor<protocol<>> {
 public:
  explicit keeper(actor_ref<falling>& out) {
    supervise_as({.max_restarts = 1'000, .within = std::chrono::nanoseconds(1)});
    out = supervise<faller>({});
  }
};

/// From the message that makes it crash to the answer of the one behind it.
coro<double> restart(bench::request wanted) {
  actor_ref<falling> child;
  troupe::spawn<keeper>(std::ref(child));
  bench::course trials(wanted);
  while (trials.goes_on()) {
    const bench::stopwatch watch;
    for (std::int64_t fallen = 0; fallen != trials.count(); ++fallen) {
      child.tell(fall{});
      co_await child.ask(alive{});
    }
    trials.took(watch.nanoseconds());
  }
  co_return trials.per_operation();
}

template <coro<double> (*Body)(bench::request)>
double alone(const bench::request& wanted) {
  return troupe::run(Body(wanted), {.on_failure = [](const troupe::failure_report&) {}});
}

}  // namespace

int main(int argc, char** argv) {
  return bench::main(argc, argv,
                     {{"million-born", "troupe", 1, "ns", alone<born>},
                      {"million-stopped", "troupe", 1, "ns", alone<stopped>},
                      {"restart", "troupe", 1, "ns", alone<restart>}});
}
