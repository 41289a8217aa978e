#pragma once

#include <troupe/io/bytes.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace troupe::io {

/// A stream ended before what was to be read was there.
class incomplete_read : public std::runtime_error {
 public:
  /// `expected` is nothing where only a separator could say it.
  incomplete_read(std::string partial, std::optional<std::size_t> expected);

  /// What was there. It has been taken from the stream.
  std::string_view partial() const noexcept { return *partial_; }
  std::optional<std::size_t> expected() const noexcept { return expected_; }

 private:
  std::shared_ptr<const std::string> partial_;
  std::optional<std::size_t> expected_;
};

/// No separator within the limit of the stream. What was read stays in it; `consumed` bytes of that hold no separator, nor the
/// beginning of one, and can be read without a second look.
class limit_overrun : public std::runtime_error {
 public:
  limit_overrun(const std::string& text, std::size_t consumed)
      : std::runtime_error(text), consumed_(consumed) {}
  std::size_t consumed() const noexcept { return consumed_; }

 private:
  std::size_t consumed_;
};

/// A line, or all that was to be read, is longer than the limit. What was too long has been dropped.
struct too_long : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace troupe::io
