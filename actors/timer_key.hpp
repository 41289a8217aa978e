#pragma once

#include <cstdint>
#include <string_view>

namespace troupe {

/// What an actor calls one of its timers: a name, and a number where there are many of a name: `"retry"`, `{"order", 17}`.
/// It is only looked at during the call it is passed to, and copied when it is kept.
struct timer_key {
  constexpr timer_key(std::string_view given_name, std::uint64_t given_number = 0) noexcept
      : name(given_name), number(given_number) {}  // NOLINT(*-explicit-*)
  constexpr timer_key(const char* given_name, std::uint64_t given_number = 0) noexcept
      : name(given_name), number(given_number) {}  // NOLINT(*-explicit-*)
  /// From a std::string, without what <string> costs.
  template <class Text>
    requires requires(const Text& text) {
      text.data();
      text.size();
    }
  constexpr timer_key(const Text& given_name, std::uint64_t given_number = 0) noexcept
      : name(given_name.data(), given_name.size()), number(given_number) {}  // NOLINT(*-explicit-*)

  friend constexpr bool operator==(const timer_key&, const timer_key&) noexcept = default;

  std::string_view name;
  std::uint64_t number;
};

}  // namespace troupe
