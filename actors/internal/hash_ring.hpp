#pragma once

#include <troupe/actors/router.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace troupe::internal {

/// Who a hash belongs to: each member is at several points of a ring, and a hash belongs to the next point. Does not own its members.
/// Cost: `find` is logarithmic in the number of points, a change linear.
template <class T>
class hash_ring {
 public:
  /// `slot` decides where its points are.
  void add(T& member, std::size_t slot, std::size_t points) {
    std::vector<point> added;
    added.reserve(points);
    const std::uint64_t seed = hash_number(slot);
    for (std::size_t index = 0; index != points; ++index)
      added.push_back({hash_number(seed + index), slot, &member});
    std::sort(added.begin(), added.end());
    std::vector<point> merged(points_.size() + added.size());
    std::merge(points_.begin(), points_.end(), added.begin(), added.end(), merged.begin());
    points_.swap(merged);
  }
  void remove(const T& member) noexcept {
    std::erase_if(points_, [&](const point& each) { return each.member == &member; });
  }
  /// The one that `hash` belongs to, of those for which `usable`; null when there is none.
  template <class Usable>
  T* find(std::uint64_t hash, Usable usable) const {
    auto at = std::lower_bound(points_.begin(), points_.end(), point{hash, 0, nullptr});
    for (std::size_t tries = 0; tries != points_.size(); ++tries, ++at) {
      if (at == points_.end()) at = points_.begin();
      if (usable(*at->member)) return at->member;
    }
    return nullptr;
  }

 private:
  struct point {
    std::uint64_t hash = 0;
    std::size_t slot = 0;  ///< decides where two fall on the same point
    T* member = nullptr;
    friend bool operator<(const point& a, const point& b) noexcept {
      return a.hash != b.hash ? a.hash < b.hash : a.slot < b.slot;
    }
  };
  std::vector<point> points_;
};

}  // namespace troupe::internal
