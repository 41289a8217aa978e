#include <troupe/runtime/internal/poller.hpp>
#include <troupe/runtime/signals.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace troupe {

namespace {

/// What the process's signal handler may touch: which signals have come, and the descriptor that tells the loop so.
struct arrival {
  std::atomic<bool> pending{false};
  std::atomic<int> tell{-1};
};
constexpr int highest_signal = NSIG;
arrival arrivals[highest_signal];

extern "C" void troupe_signal_arrived(int number) {
  const int saved = errno;
  arrival& mine = arrivals[number];
  mine.pending.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  // A full counter means that the loop has not looked yet; it will see this signal too.
  [[maybe_unused]] const ssize_t put = ::write(mine.tell.load(std::memory_order_acquire), &one, sizeof one);
  errno = saved;
}

/// The signal handlers of one loop. One loop at a time handles a signal.
class loop_signals final : public loop_service, private internal::poller::listener {
 public:
  void begin_shutdown() override {}
  bool finished() const override { return true; }
  std::string unfinished() const override { return {}; }

  ~loop_signals() override {
    while (!entries_.empty()) remove(entries_.begin()->first);
    if (descriptor_ >= 0) {
      internal::poller_of(*home_).remove(descriptor_, *this);
      ::close(descriptor_);
    }
  }

  void set(loop& home, int signal, std::function<void()> handler) {
    auto given = std::make_shared<std::function<void()>>(std::move(handler));
    if (const auto found = entries_.find(signal); found != entries_.end()) {
      found->second.handler = std::move(given);
      return;
    }
    if (signal <= 0 || signal >= highest_signal) {
      throw std::system_error(EINVAL, std::generic_category(), "no signal has the number " + std::to_string(signal));
    }
    watch(home);
    int none = -1;
    if (!arrivals[signal].tell.compare_exchange_strong(none, descriptor_)) {
      throw invalid_state("signal " + std::to_string(signal) + " is handled by another loop");
    }
    arrivals[signal].pending = false;
    struct sigaction action {};
    action.sa_handler = &troupe_signal_arrived;
    action.sa_flags = SA_RESTART;
    entry made{std::move(given), {}};
    if (::sigaction(signal, &action, &made.before) != 0) {
      const int error = errno;
      arrivals[signal].tell = -1;
      throw std::system_error(error, std::generic_category(), "handling signal " + std::to_string(signal));
    }
    entries_.emplace(signal, std::move(made));
  }

  bool remove(int signal) {
    const auto found = entries_.find(signal);
    if (found == entries_.end()) return false;
    ::sigaction(signal, &found->second.before, nullptr);
    arrivals[signal].tell = -1;
    entries_.erase(found);
    return true;
  }

 private:
  struct entry {
    std::shared_ptr<std::function<void()>> handler;
    struct sigaction before;  ///< what the process did with the signal until then
  };

  void watch(loop& home) {
    if (descriptor_ >= 0) return;
    const int made = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (made < 0) throw std::system_error(errno, std::generic_category(), "the eventfd of signals");
    try {
      internal::poller_of(home).add(made, *this, EPOLLIN);
    } catch (...) {
      ::close(made);
      throw;
    }
    descriptor_ = made;
    home_ = &home;
  }

  void on_events(std::uint32_t) noexcept override {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(descriptor_, &count, sizeof count);
    // A handler may set and remove handlers.
    for (auto next = entries_.begin(); next != entries_.end();) {
      const int signal = next->first;
      if (arrivals[signal].pending.exchange(false, std::memory_order_acq_rel)) {
        const std::shared_ptr<std::function<void()>> running = next->second.handler;
        try {
          (*running)();
        } catch (...) {
          home_->report({"a handler of signal " + std::to_string(signal) + " threw", std::current_exception()});
        }
      }
      next = entries_.upper_bound(signal);
    }
  }

  loop* home_ = nullptr;
  int descriptor_ = -1;
  std::map<int, entry> entries_;
};

loop& running_loop() {
  loop* const home = loop::current();
  if (home == nullptr) throw invalid_state("signal handlers belong to a loop, and none runs on this thread");
  return *home;
}

}  // namespace

void add_signal_handler(int signal, std::function<void()> handler) {
  loop& home = running_loop();
  home.service<loop_signals>().set(home, signal, std::move(handler));
}

bool remove_signal_handler(int signal) { return running_loop().service<loop_signals>().remove(signal); }

namespace internal {

scoped_signal::scoped_signal(loop& home, int signal, std::function<void()> handler)
    : home_(home), signal_(signal) {
  home.service<loop_signals>().set(home, signal, std::move(handler));
}

scoped_signal::~scoped_signal() { home_.service<loop_signals>().remove(signal_); }

signal_wait::signal_wait(const int* signals, std::size_t count)
    : signals_(signals), count_(count), received_(promise_.get_future()) {
  for (std::size_t index = 0; index < count; ++index) {
    add_signal_handler(signals[index], [this, number = signals[index]] {
      // A second signal before the waiter has run is one with the first.
      if (!received_.done()) promise_.set_value(number);
    });
  }
}

signal_wait::~signal_wait() {
  for (std::size_t index = 0; index < count_; ++index) remove_signal_handler(signals_[index]);
}

}  // namespace internal
}  // namespace troupe
