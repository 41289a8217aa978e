#pragma once

#include <cstddef>

namespace troupe {

/// On which loop a new actor lives.
struct place {
  enum class kind : unsigned char { here, spread, on };

  kind what = kind::here;
  std::size_t index = 0;

  static const place here;    ///< the loop of whoever spawns it
  static const place spread;  ///< the loops of the runtime in turn
  static constexpr place on(std::size_t loop_index) noexcept { return {kind::on, loop_index}; }
};
inline constexpr place place::here{kind::here, 0};
inline constexpr place place::spread{kind::spread, 0};

}  // namespace troupe
