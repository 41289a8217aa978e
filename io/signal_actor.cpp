#include <troupe/io/signal_actor.hpp>

#include <troupe/actors/errors.hpp>
#include <troupe/runtime/signals.hpp>

#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

namespace troupe::io {

/// One signal. Each has a wait of its own, for a wait of several keeps the first only.
struct signal_actor::source {
  explicit source(int signal) : number(signal) { renew(); }
  /// The next wait is there before the last one goes: in between the signal would do what it does to others.
  void renew() {
    auto next = std::make_unique<troupe::internal::signal_wait>(&number, 1);
    wait = std::move(next);
  }

  const int number;
  std::unique_ptr<troupe::internal::signal_wait> wait;
};

signal_actor::signal_actor(std::vector<int> signals, actor_ref<signal_events> owner)
    : owner_(std::move(owner)) {
  if (!owner_)
    throw std::invalid_argument("a signal_actor needs an owner: somebody has to be told");
  if (signals.empty()) throw std::invalid_argument("a signal_actor of no signals");
  for (const int each : signals) sources_.push_back(std::make_unique<source>(each));
}

signal_actor::~signal_actor() = default;

void signal_actor::on_start() {
  for (const auto& each : sources_) create_task(pass_on(*each));
}

coro<> signal_actor::pass_on(source& from) {
  for (;;) {
    const future<int> came = from.wait->first();
    co_await came;
    from.renew();
    try {
      co_await owner_.ask(signal_received{from.number}, infinite);
    } catch (const actor_dead&) {
      stop();
      co_return;
    } catch (const std::exception&) {
      // The owner has thrown, which is told of as any crash is.
    }
  }
}

}  // namespace troupe::io
