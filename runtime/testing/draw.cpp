#include <troupe/runtime/testing/draw.hpp>

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace troupe::testing {

std::size_t draw::below(std::size_t count) {
  if (count == 0 || count > std::numeric_limits<std::uint32_t>::max())
    throw std::invalid_argument("a value is drawn from one to 2^32 - 1 values, and not from " +
                                std::to_string(count));
  return world_.choose(count);
}

/// Numbers in the order 0, 1, -1, 2, -2, as far as they are in the range; then those of the longer side.
std::int64_t draw::between_numbers(std::int64_t least, std::int64_t most) {
  if (least > most) throw std::invalid_argument("a value is drawn from a range that is empty");
  const std::uint64_t others = static_cast<std::uint64_t>(most) - static_cast<std::uint64_t>(least);
  if (others >= std::numeric_limits<std::uint32_t>::max())
    throw std::invalid_argument("a value is drawn from a range that is too large");
  const auto drawn = static_cast<std::int64_t>(below(static_cast<std::size_t>(others) + 1));
  if (least >= 0) return least + drawn;
  if (most <= 0) return most - drawn;
  const std::int64_t both_sides = std::min(most, -least);
  if (drawn <= 2 * both_sides) return drawn % 2 == 1 ? (drawn + 1) / 2 : -(drawn / 2);
  return most > -least ? drawn - both_sides : both_sides - drawn;
}

std::string draw::text(std::size_t most) {
  std::string made;
  for (const char each : list(most, [this] { return static_cast<char>('a' + below(26)); }))
    made += each;
  return made;
}

}  // namespace troupe::testing
