#pragma once

#include <cstddef>
#include <cstdint>

namespace troupe::testing {

/// Numbers that are the same with every standard library (xorshift64).
class random_numbers {
 public:
  explicit random_numbers(std::uint64_t seed) noexcept : state_(seed * 2654435769u + 1) {}
  std::uint64_t next() noexcept {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    return state_ ^= state_ << 17;
  }
  std::size_t below(std::size_t bound) noexcept { return static_cast<std::size_t>(next() % bound); }

 private:
  std::uint64_t state_;
};

}  // namespace troupe::testing
