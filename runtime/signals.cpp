#include <troupe/runtime/internal/poller.hpp>
#include <troupe/runtime/signals.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <exception>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace troupe {

namespace {

/// What the process's signal handler may touch: which signals have come, and the descriptor that tells the loop so.
struct arrival {
  std::atomic<bool> pending{false};
  std::atomic<bool> insistent{
      false};  ///< a second one that finds the first unanswered has its default effect
  std::atomic<int> tell{-1};
};
constexpr int highest_signal = NSIG;
arrival arrivals[highest_signal];

extern "C" void troupe_signal_arrived(int number) {
  const int saved = errno;
  arrival& mine = arrivals[number];
  if (mine.pending.exchange(true, std::memory_order_acq_rel) &&
      mine.insistent.load(std::memory_order_relaxed)) {
    // The loop does not come round to look: a task runs for ever.
    std::signal(number, SIG_DFL);
    std::raise(number);
  }
  const std::uint64_t one = 1;
  // A full counter means that the loop has not looked yet; it will see this signal too.
  [[maybe_unused]] const ssize_t put =
      ::write(mine.tell.load(std::memory_order_acquire), &one, sizeof one);
  errno = saved;
}

/// Event descriptors that the process's signal handler may write to. They are used again and never closed: a handler on
/// another thread may be about to write, and the number must not have become somebody's socket by then.
class spare_descriptors {
 public:
  int take() {
    {
      const std::scoped_lock lock(mutex_);
      if (!spare_.empty()) {
        const int reused = spare_.back();
        spare_.pop_back();
        return reused;
      }
    }
    const int made = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (made < 0) throw std::system_error(errno, std::generic_category(), "the eventfd of signals");
    return made;
  }
  void put(int descriptor) {
    const std::scoped_lock lock(mutex_);
    spare_.push_back(descriptor);
  }

 private:
  std::mutex mutex_;
  std::vector<int> spare_;
};

spare_descriptors& spares() {
  static auto* const only =
      new spare_descriptors;  // never destroyed: a signal may come during exit
  return *only;
}

/// The signals one loop handles. One loop at a time handles a signal.
///
/// A signal goes to all that wait for it; while nobody waits, to its handler.
class loop_signals final : public loop_service, private internal::poller::listener {
 public:
  void begin_shutdown() override {}
  bool finished() const override { return true; }
  std::string unfinished() const override { return {}; }

  ~loop_signals() override {
    while (!entries_.empty()) forget(entries_.begin());
    if (descriptor_ < 0) return;
    internal::poller_of(*home_).remove(descriptor_, *this);
    spares().put(descriptor_);
  }

  /// Returns a number that stands for this handler.
  std::uint64_t set(loop& home, int signal, callable<void()> handler, bool insistent) {
    entry& found = entry_of(home, signal);
    arrivals[signal].insistent = insistent;
    found.handler = std::move(handler);
    found.made_in = context::current();
    return found.handler_number = ++numbers_;
  }
  /// `number` 0 stands for any handler.
  bool remove(int signal, std::uint64_t number = 0) {
    check_number(signal);
    const auto found = entries_.find(signal);
    if (found == entries_.end() || !found->second.handler) return false;
    if (number != 0 && found->second.handler_number != number) return false;
    found->second.handler = {};
    forget_unused(found);
    return true;
  }

  void add_wait(loop& home, int signal, internal::signal_wait& wait) {
    entry_of(home, signal).waits.push_back(&wait);
  }
  void remove_wait(int signal, internal::signal_wait& wait) {
    const auto found = entries_.find(signal);
    if (found == entries_.end()) return;
    std::erase(found->second.waits, &wait);
    forget_unused(found);
  }

 private:
  struct entry {
    callable<void()> handler;
    context made_in;  ///< the one in which the handler was set, and runs
    std::uint64_t handler_number = 0;
    std::vector<internal::signal_wait*> waits;
    struct sigaction before{};  ///< what the process did with the signal until then
  };
  using iterator = std::map<int, entry>::iterator;

  /// Errors: std::system_error for a signal that cannot be handled; `invalid_state` when another loop handles it.
  entry& entry_of(loop& home, int signal) {
    check_number(signal);
    if (const auto found = entries_.find(signal); found != entries_.end()) return found->second;
    watch(home);
    entry made;
    int none = -1;
    if (!arrivals[signal].tell.compare_exchange_strong(none, descriptor_)) {
      throw invalid_state("signal " + std::to_string(signal) + " is handled by another loop");
    }
    arrivals[signal].pending = false;
    struct sigaction action{};
    action.sa_handler = &troupe_signal_arrived;
    action.sa_flags = SA_RESTART;
    if (::sigaction(signal, &action, &made.before) != 0) {
      const int error = errno;
      arrivals[signal].tell = -1;
      throw std::system_error(error, std::generic_category(),
                              "handling signal " + std::to_string(signal));
    }
    return entries_.emplace(signal, std::move(made)).first->second;
  }

  /// Errors: std::invalid_argument.
  static void check_number(int signal) {
    if (signal <= 0 || signal >= highest_signal)
      throw std::invalid_argument("no signal has the number " + std::to_string(signal));
  }

 private:
  void forget_unused(iterator item) {
    if (!item->second.handler && item->second.waits.empty()) forget(item);
  }
  void forget(iterator item) {
    ::sigaction(item->first, &item->second.before, nullptr);
    arrivals[item->first].tell = -1;
    entries_.erase(item);
  }

  void watch(loop& home) {
    if (descriptor_ >= 0) return;
    const int taken = spares().take();
    try {
      internal::poller_of(home).add(taken, *this, EPOLLIN);
    } catch (...) {
      spares().put(taken);
      throw;
    }
    descriptor_ = taken;
    home_ = &home;
  }

  void on_events(std::uint32_t) noexcept override {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(descriptor_, &count, sizeof count);
    // A handler may set and remove handlers.
    for (auto next = entries_.begin(); next != entries_.end();) {
      const int signal = next->first;
      if (arrivals[signal].pending.exchange(false, std::memory_order_acq_rel))
        deliver(signal, next->second);
      next = entries_.upper_bound(signal);
    }
  }
  void deliver(int signal, entry& to) noexcept {
    if (!to.waits.empty()) {
      for (internal::signal_wait* const each : to.waits) each->received(signal);
    } else if (to.handler) {
      home_->call_soon([this, signal, number = to.handler_number] { call(signal, number); });
    }
  }
  /// Calls the handler that was there when the signal came, unless it has been replaced or taken away since.
  void call(int signal, std::uint64_t number) {
    const auto found = entries_.find(signal);
    if (found == entries_.end() || found->second.handler_number != number) return;
    const callable<void()> running = found->second.handler;
    if (!running) return;
    context in = found->second.made_in;
    try {
      in.run(running);
    } catch (...) {
      home_->report(
          {"a handler of signal " + std::to_string(signal) + " threw", std::current_exception()});
    }
  }

  loop* home_ = nullptr;
  int descriptor_ = -1;
  std::uint64_t numbers_ = 0;
  std::map<int, entry> entries_;
};

loop& running_loop() {
  loop* const home = loop::current();
  if (home == nullptr)
    throw invalid_state("signal handlers belong to a loop, and none runs on this thread");
  return *home;
}

}  // namespace

void add_signal_handler(int signal, callable<void()> handler) {
  loop& home = running_loop();
  static_cast<void>(home.service<loop_signals>().set(home, signal, std::move(handler), false));
}

bool remove_signal_handler(int signal) {
  return running_loop().service<loop_signals>().remove(signal);
}

namespace internal {

scoped_signal::scoped_signal(loop& home, int signal, callable<void()> handler)
    : home_(home),
      signal_(signal),
      number_(home.service<loop_signals>().set(home, signal, std::move(handler), true)) {}

scoped_signal::~scoped_signal() { home_.service<loop_signals>().remove(signal_, number_); }

signal_wait::signal_wait(const int* signals, std::size_t count) : signals_(signals), count_(count) {
  loop& home = running_loop();
  auto& all = home.service<loop_signals>();
  for (std::size_t added = 0; added < count; ++added) {
    try {
      all.add_wait(home, signals[added], *this);
    } catch (...) {
      for (std::size_t index = 0; index < added; ++index) all.remove_wait(signals[index], *this);
      throw;
    }
  }
}

signal_wait::~signal_wait() {
  auto& all = running_loop().service<loop_signals>();
  for (std::size_t index = 0; index < count_; ++index) all.remove_wait(signals_[index], *this);
}

void signal_wait::received(int signal) noexcept {
  // A second signal before the waiter has run is one with the first.
  if (!std::exchange(received_, true)) static_cast<void>(promise_.try_set_value(signal));
}

}  // namespace internal
}  // namespace troupe
