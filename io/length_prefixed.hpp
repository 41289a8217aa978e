#pragma once

#include <troupe/io/bytes.hpp>
#include <troupe/io/codec.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace troupe::io {

/// How the length in front of a frame is written.
enum class length_width : std::uint8_t {
  varint =
      0,  ///< seven bits to the byte, the least first, the eighth says that more follow; ten bytes at most
  one = 1,
  two = 2,
  four = 4,
  eight = 8,
};
enum class length_order : std::uint8_t { big, little };

struct length_options {
  length_width width = length_width::four;
  length_order order = length_order::big;
  bool counts_itself = false;  ///< the length is that of the frame and of the length itself
  std::size_t limit = std::size_t{1}
                      << 24;  ///< bytes of a frame at most; of what the width can say
};

/// Frames with their length in front of them.
///
/// A length above the limit, or one that cannot be, is the end of all understanding: where the next frame begins is not known.
class length_prefixed {
 public:
  using frame = bytes;

  /// Four bytes, the highest first.
  length_prefixed() : length_prefixed(length_options()) {}
  /// Errors: std::invalid_argument for a limit beyond 4 GiB, or a varint that counts itself.
  explicit length_prefixed(length_options options);

  decoded decode(std::string_view so_far, bool at_end);
  frame make(std::string_view content) const { return bytes(content); }
  /// Errors: `bad_frame` when it is too long.
  encoded encode(std::string_view content) const;
  encoded encode(const bytes& content) const { return encode(content.text()); }
  std::string explain(std::error_code why) const;

 private:
  decoded header_of(std::string_view so_far);
  decoded broken(frame_errc why) noexcept;

  length_options options_;
  std::size_t header_ = 0;  ///< bytes of the length, once it has been read
  std::size_t length_ = 0;  ///< the frame's
  std::error_code broken_;
};

}  // namespace troupe::io
