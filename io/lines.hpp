#pragma once

#include <troupe/io/codec.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

namespace troupe::io {

struct lines_options {
  std::size_t limit = std::size_t{1} << 16;  ///< bytes of a line, without its end, at most
  bool rest_is_frame =
      true;           ///< what is left at the end of data is a line, though without a newline
  bool crlf = false;  ///< lines are sent with "\r\n" instead of "\n"
};

/// Lines of text, which end with "\n" or "\r\n" and are given out without that.
///
/// A line that is longer than the limit is dropped up to and with its end, as it comes and whatever its length; the next one is fine.
class lines {
 public:
  using frame = std::string;

  lines() noexcept = default;
  explicit lines(lines_options options) noexcept : options_(options) {}

  decoded decode(std::string_view so_far, bool at_end);
  frame make(std::string_view content) const { return std::string(content); }
  /// Errors: `bad_frame` when it holds a newline, ends with "\r", which would not come back, or is too long.
  encoded encode(std::string_view content) const;
  std::string explain(std::error_code why) const;

 private:
  lines_options options_;
  std::size_t looked_ = 0;  ///< bytes that hold no newline
  bool dropping_ = false;   ///< what comes belongs to a line that is too long
};

}  // namespace troupe::io
