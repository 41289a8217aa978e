#pragma once

#include <troupe/runtime/internal/poller.hpp>
#include <troupe/runtime/time.hpp>

#include <memory>
#include <optional>

namespace asio {
class io_context;
}

namespace troupe {
class loop;

namespace internal {

/// A loop's door to the operating system: its poller, the timer descriptor that ends a sleep in time, the event descriptor
/// by which other threads end it, and an asio::io_context for whoever brings asio code along.
///
/// The io_context is a guest: made when it is first asked for. From then on the loop sleeps in it, and it watches the
/// poller; until then the loop sleeps in the poller and pays nothing for asio.
class backend {
 public:
  /// One `without_system` is for a loop in a simulation: it has no descriptors, and nothing is ever waited for. Errors: std::system_error.
  explicit backend(bool without_system = false);
  ~backend();

  class poller& poller() noexcept { return poller_; }
  asio::io_context& context();

  /// Runs what is ready, without waiting; calls `between(context)` after each.
  void poll(poller::function between, void* argument);
  /// Waits until something was ready, `deadline` has passed or `wake` was called.
  void wait(time_point deadline, poller::function between, void* argument);
  /// Any thread.
  void wake() noexcept;

 private:
  class guest;
  /// A descriptor of the loop's own that becomes readable to end a sleep.
  class alarm final : public poller::listener {
   public:
    /// Takes the descriptor over.
    alarm(class poller& home, int descriptor, const char* what);
    ~alarm();
    void on_events(std::uint32_t) noexcept override;
    int native() const noexcept { return descriptor_; }
    bool rang = true;

   private:
    class poller& home_;
    int descriptor_;
  };

  void arm(time_point deadline) noexcept;

  class poller poller_;
  std::optional<alarm> wake_;  ///< neither is there without the system
  std::optional<alarm> timer_;
  time_point armed_ = time_point::max();  ///< when the timer descriptor fires
  std::unique_ptr<guest> guest_;
};

}  // namespace internal
}  // namespace troupe
