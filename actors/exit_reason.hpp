#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <utility>

namespace troupe {

/// Why an actor has ended.
class exit_reason {
 public:
  enum class kind : std::uint8_t {
    stopped,   ///< it was asked to stop, by itself or by somebody who has a ref of it
    parent,    ///< its parent stopped
    shutdown,  ///< the runtime ends
    crashed,   ///< its constructor, on_start or a handler threw: see `error`
    killed,    ///< by `kill`
  };

  explicit exit_reason(kind what = kind::stopped, std::exception_ptr error = nullptr) noexcept
      : what_(what), error_(std::move(error)) {}

  kind what() const noexcept { return what_; }
  /// What it threw when it crashed, else null.
  const std::exception_ptr& error() const noexcept { return error_; }
  /// Whether it crashed or was killed.
  bool failed() const noexcept { return what_ == kind::crashed || what_ == kind::killed; }
  /// For messages to people: "crashed: no funds".
  std::string text() const;

 private:
  kind what_;
  std::exception_ptr error_;
};

}  // namespace troupe
