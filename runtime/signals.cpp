#include <troupe/runtime/internal/backend.hpp>
#include <troupe/runtime/signals.hpp>

#include <asio/signal_set.hpp>

#include <map>
#include <memory>
#include <utility>

namespace troupe {

namespace {

/// The signal handlers of one loop.
class loop_signals final : public loop_service {
 public:
  void begin_shutdown() override {}
  bool finished() const override { return true; }
  std::string unfinished() const override { return {}; }

  void set(loop& home, int signal, std::function<void()> handler) {
    auto made = std::make_unique<entry>(home, signal, std::move(handler));
    made->watch();
    entries_[signal] = std::move(made);
  }
  bool remove(int signal) { return entries_.erase(signal) != 0; }

 private:
  struct entry {
    entry(loop& home, int signal, std::function<void()> given)
        : set(internal::context_of(home)), handler(std::make_shared<std::function<void()>>(std::move(given))) {
      set.add(signal);
    }
    void watch() {
      set.async_wait([this](const asio::error_code& error, int) {
        if (error) return;
        // The handler may remove itself.
        const std::shared_ptr<std::function<void()>> running = handler;
        watch();
        try {
          (*running)();
        } catch (...) {
          loop::current()->report({"a signal handler threw", std::current_exception()});
        }
      });
    }
    asio::signal_set set;
    std::shared_ptr<std::function<void()>> handler;
  };

  std::map<int, std::unique_ptr<entry>> entries_;
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
