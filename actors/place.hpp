#pragma once

#include <cstddef>

namespace troupe {

/// On which loop a new actor lives.
struct place {
  enum class kind : unsigned char { here, spread, least_loaded, on };

  kind what = kind::here;
  std::size_t index = 0;

  static const place here;          ///< the loop of whoever spawns it
  static const place spread;        ///< the loops of the runtime in turn
  static const place least_loaded;  ///< the loop of the runtime that has the fewest actors
  static constexpr place on(std::size_t loop_index) noexcept { return {kind::on, loop_index}; }
};
inline constexpr place place::here{kind::here, 0};
inline constexpr place place::spread{kind::spread, 0};
inline constexpr place place::least_loaded{kind::least_loaded, 0};

}  // namespace troupe
