#include <troupe/runtime/runtime.hpp>

#include <troupe/runtime/signals.hpp>

#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>

namespace troupe {

namespace {

/// Stops the loop when the main task is done.
struct stop_when_done : internal::observer {
  explicit stop_when_done(loop& given) noexcept : observer(&stop_when_done::on_done), home(given) {}
  static void on_done(observer& self) noexcept { static_cast<stop_when_done&>(self).home.stop(); }
  loop& home;
};

}  // namespace

runtime::runtime(run_options options) : options_(std::move(options)) {
  if (options_.threads == 0) throw std::invalid_argument("a runtime needs at least one thread");
  if (options_.virtual_time && options_.threads > 1) {
    throw std::invalid_argument("virtual time needs a runtime of one thread");
  }
  loops_.reserve(options_.threads);
  for (std::size_t index = 0; index < options_.threads; ++index) {
    loops_.push_back(loop::open({.owner = this,
                                 .index = index,
                                 .virtual_time = options_.virtual_time,
                                 .on_failure = options_.on_failure}));
  }
}

runtime::~runtime() = default;

runtime* runtime::current() noexcept {
  return loop::current() != nullptr ? loop::current()->owner() : nullptr;
}

loop& runtime::next_spread() noexcept {
  return loop_at(spread_.fetch_add(1, std::memory_order_relaxed) % size());
}

void runtime::start_threads() {
  try {
    for (std::size_t index = 1; index < size(); ++index) {
      threads_.emplace_back([&running = loop_at(index)] { running.run(); });
    }
  } catch (...) {
    stop_all();
    throw;
  }
}

void runtime::stop_all() {
  for (std::size_t index = 1; index < size(); ++index) {
    // A thread that never started leaves the callback to the closing of its loop.
    loop_at(index).call_soon_threadsafe([&stopped = loop_at(index)] { stopped.stop(); });
  }
  for (std::thread& running : threads_) running.join();
  threads_.clear();
}

void runtime::drive(task_base& main) {
  loop& first = loop_at(0);
  start_threads();
  stop_when_done watcher(first);
  main.add_observer(watcher);
  std::unique_ptr<internal::scoped_signal> interrupt;
  if (options_.handle_interrupt) {
    interrupt = std::make_unique<internal::scoped_signal>(first, SIGINT, [this, &main] {
      if (interrupted_) {
        std::signal(SIGINT, SIG_DFL);
        std::raise(SIGINT);
      }
      interrupted_ = true;
      main.cancel();
    });
  }
  first.run();
  std::string waiting;
  if (!main.done()) {
    waiting = first.unfinished();
    main.remove_observer(watcher);
  }
  shut_down();
  interrupt.reset();
  if (!waiting.empty()) {
    throw deadlock_error("nothing is ready, no timer is armed, and these still wait:" + waiting);
  }
}

void runtime::shut_down() {
  loop& first = loop_at(0);
  wound_up_ = size();
  for (std::size_t index = 0; index < size(); ++index) {
    loop& each = loop_at(index);
    // Each loop counts once; the last one to find itself empty stops the first, and with it the wait.
    auto once = [this, &first, counted = false]() mutable {
      if (std::exchange(counted, true) || wound_up_.fetch_sub(1) != 1) return;
      if (loop::current() == &first) {
        first.stop();
      } else {
        first.call_soon_threadsafe([&first] { first.stop(); });
      }
    };
    each.call_soon_threadsafe([&each, once = std::move(once)]() mutable { each.begin_shutdown(std::move(once)); });
  }
  struct deadline : timer {
    explicit deadline(runtime& given) noexcept : timer(&deadline::on_due), owner(given) {}
    static void on_due(timer& self) noexcept {
      auto& limit = static_cast<deadline&>(self);
      loop& first = limit.owner.loop_at(0);
      if (std::exchange(limit.insisted, true)) {
        first.stop();
        return;
      }
      for (std::size_t index = 0; index < limit.owner.size(); ++index) {
        loop& each = limit.owner.loop_at(index);
        each.call_soon_threadsafe([&each] { each.insist_on_shutdown(); });
      }
      first.timers().arm(limit, internal::saturating_add(first.now(), limit.owner.options_.shutdown_timeout));
    }
    runtime& owner;
    bool insisted = false;
  } limit(*this);
  if (options_.shutdown_timeout != infinite) {
    first.timers().arm(limit, internal::saturating_add(first.now(), options_.shutdown_timeout));
  }
  first.run();
  first.timers().cancel(limit);
  stop_all();
  if (wound_up_ == 0) return;
  std::string left;
  for (const loop::handle& each : loops_) left += each->unfinished();
  first.report({"the shutdown did not end in time; left behind:" + left, nullptr});
  for (const loop::handle& each : loops_) each->abandon();
}

}  // namespace troupe
