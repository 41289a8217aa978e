#pragma once

#include <troupe/runtime/testing/simulation.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace troupe::testing {

/// Where values at random come from, such as the arguments of commands: from the choices of a simulation, so that they are replayed with it.
/// Of each the simplest is told, towards which what has failed is simplified.
/// Errors: std::invalid_argument for a range that is empty or has 2^32 values or more.
class draw {
 public:
  explicit draw(simulation& world) noexcept : world_(world) {}

  /// Less than `count`; 0 is the simplest.
  std::size_t below(std::size_t count);
  /// The simplest is the one nearest to zero, and rather positive.
  template <std::integral T>
  T between(T least, T most) {
    return static_cast<T>(
        between_numbers(static_cast<std::int64_t>(least), static_cast<std::int64_t>(most)));
  }
  /// The simplest is no.
  bool yes() { return below(2) == 1; }
  /// The simplest is the first.
  template <class T>
  T one_of(std::initializer_list<T> all) {
    return all.begin()[below(all.size())];
  }
  template <class T>
  const T& one_of(const std::vector<T>& all) {
    return all[below(all.size())];
  }
  /// Small letters, up to `most` of them; the simplest is none.
  std::string text(std::size_t most);
  /// As many as `most` of what `make()` makes; the simplest is none.
  template <class Make>
  auto list(std::size_t most, Make make) -> std::vector<decltype(make())> {
    std::vector<decltype(make())> all;
    while (all.size() < most) {
      const std::size_t begin = world_.choices().size();
      if (below(most + 1) == 0) break;
      all.push_back(make());
      world_.mark_part(begin);
    }
    return all;
  }

 private:
  std::int64_t between_numbers(std::int64_t least, std::int64_t most);
  simulation& world_;
};

}  // namespace troupe::testing
