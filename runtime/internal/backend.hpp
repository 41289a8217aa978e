#pragma once

#include <troupe/runtime/time.hpp>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <cstddef>

namespace troupe {
class loop;

namespace internal {

/// A loop's door to the operating system: the io_context, the timer descriptor that ends a sleep in time and the event
/// descriptor by which other threads end it. Not installed; the only headers that see asio are in `internal/`.
class backend {
 public:
  backend();

  asio::io_context& context() noexcept { return context_; }

  /// Runs what is ready, without waiting.
  void poll();
  /// Waits until a handler has run or `deadline` has passed, or `wake` was called.
  void wait(time_point deadline);
  /// Any thread.
  void wake() noexcept;

 private:
  void watch_wake();
  void watch_timer();
  void arm(time_point deadline);

  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  asio::posix::stream_descriptor wake_;
  asio::posix::stream_descriptor timer_;
  time_point armed_ = time_point::max();  ///< when the timer descriptor fires; max: not armed
};

/// The io_context of a loop, for the layers above that speak asio in their sources.
asio::io_context& context_of(loop& owner) noexcept;

}  // namespace internal
}  // namespace troupe
