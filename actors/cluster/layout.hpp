#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::cluster {

/// Bytes that cannot be what was sent: cut off, too many, or of another layout.
struct malformed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// How values of a type lie in a message, as a peer tells it: it is compared with one's own, and what one does not know of is passed over.
///
///     b  i1 i2 i4 i8  u1 u2 u4 u8  f4 f8  s  B  R          bool, numbers by their bytes, text, bytes, a ref
///     ?X   *X   #3X   (XYZ)   <XYZ>   d1/1000X   tX         optional, list, array, struct, variant, duration, point in time
///     ^0 ^1                                                  the innermost struct around it, the one around that
struct layout {
  enum class kind : std::uint8_t {
    number,
    text,
    bytes,
    ref,
    optional,
    list,
    array,
    structure,
    variant,
    duration,
    time,
    again
  };

  kind what = kind::structure;
  std::uint32_t size = 0;  ///< of a number, in bytes; of an array; of `again`, how far out
  std::string name;        ///< of a number: "i8"; of a duration its period
  std::vector<layout> parts;

  /// Errors: `malformed` for what is none, is longer than 16 KiB, or deeper than 32.
  static layout parse(std::string_view text);
  std::string text() const;
  bool operator==(const layout&) const = default;
};

/// Whether a value that was written as `theirs` can be read as `mine`: they are the same, but for fields that were added at the end of structs,
/// on either side. What one lacks keeps the value it begins with; what one does not know is passed over.
bool readable(const layout& mine, const layout& theirs);

}  // namespace troupe::cluster
