#pragma once

#include <troupe/io/codec.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

namespace troupe::io {

struct delimited_options {
  std::size_t limit = std::size_t{1} << 16;  ///< bytes of a frame, without what ends it, at most
  bool rest_is_frame = false;  ///< what is left at the end of data is one, though nothing ends it
};

/// Frames that end with the same bytes, which therefore occur in none of them.
///
/// A frame that is longer than the limit is dropped up to and with its end, as it comes and whatever its length; the next one is fine.
class delimited {
 public:
  using frame = std::string;

  /// Errors: std::invalid_argument for a delimiter of nothing.
  explicit delimited(std::string delimiter, delimited_options options = {});

  decoded decode(std::string_view so_far, bool at_end);
  frame make(std::string_view content) const { return std::string(content); }
  /// Errors: `bad_frame` when it holds the delimiter, or with its end makes one, or is too long.
  encoded encode(std::string_view content) const;
  std::string explain(std::error_code why) const;

 private:
  std::string delimiter_;
  delimited_options options_;
  std::size_t looked_ = 0;  ///< at so many places the delimiter does not begin
  bool dropping_ = false;   ///< what comes belongs to a frame that is too long
};

}  // namespace troupe::io
