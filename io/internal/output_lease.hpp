#pragma once

#include <troupe/runtime/event.hpp>

#include <exception>
#include <memory>

namespace troupe::io::internal {

class stream_core;

/// The right to put bytes into the descriptor of a stream, past it. What is written to the stream meanwhile waits.
///
/// Life: made on the loop; waits until what was unsent has gone; `begin`; given back when it goes, which is when the last call that
/// uses it has ended. A stream that ends takes it away.
class output_lease {
 public:
  /// Pre: nobody has one of this stream.
  explicit output_lease(stream_core& of) noexcept;
  ~output_lease();
  output_lease(const output_lease&) = delete;
  output_lease& operator=(const output_lease&) = delete;

  void begin() noexcept { active_ = true; }
  bool active() const noexcept { return active_; }

  /// Errors: what the stream ended by.
  void expect_open() const {
    if (ended_by_ != nullptr) std::rethrow_exception(ended_by_);
  }

  /// For the stream: all has been sent, or more may be.
  void tell() { changed.set(); }
  void take_away(std::exception_ptr why);

  event changed;
  /// Set when it is over. Others wait here for theirs.
  std::shared_ptr<event> over = std::make_shared<event>();

 private:
  stream_core* core_;  ///< null when the stream has ended
  std::exception_ptr ended_by_;
  bool active_ = false;
};

}  // namespace troupe::io::internal
