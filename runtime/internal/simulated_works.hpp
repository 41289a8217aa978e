#pragma once

#include <troupe/runtime/work.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace troupe::internal {

/// The works that are ready on the loops of a simulation. Any of them may be next, but for those that stand in a line, of which only the
/// first may: calls of a loop, and what one loop has posted to another.
class simulated_works {
 public:
  struct ready {
    work* item;
    std::uint64_t since;  ///< the lower, the older
    std::uint32_t loop;
    std::uint32_t who;
  };
  class line {
   private:
    friend class simulated_works;
    std::deque<ready> waiting_;
  };

  bool empty() const noexcept { return count_ == 0; }
  void add(work& item, std::size_t loop, std::uint32_t who) {
    free_.push_back({&item, ++ages_, static_cast<std::uint32_t>(loop), who});
    ++count_;
  }
  void add_to(line& to, work& item, std::size_t loop, std::uint32_t who) {
    if (to.waiting_.empty()) heads_.push_back(&to);
    to.waiting_.push_back({&item, ++ages_, static_cast<std::uint32_t>(loop), who});
    ++count_;
  }

  /// How many may be next. They are numbered, and the oldest is 0, until one is taken.
  std::size_t candidates() noexcept {
    const std::size_t count = heads_.size() + free_.size();
    oldest_ = free_.empty() ? 0 : heads_.size();
    for (std::size_t place = 0; place < heads_.size(); ++place) {
      if (at(place).since < at(oldest_).since) oldest_ = place;
    }
    return count;
  }
  std::uint32_t who(std::size_t candidate) const noexcept { return at(place_of(candidate)).who; }
  ready take(std::size_t candidate) {
    const std::size_t place = place_of(candidate);
    const ready taken = at(place);
    if (place < heads_.size()) {
      std::deque<ready>& waiting = heads_[place]->waiting_;
      waiting.pop_front();
      if (waiting.empty()) heads_.erase(heads_.begin() + static_cast<std::ptrdiff_t>(place));
    } else {
      free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(place - heads_.size()));
    }
    --count_;
    return taken;
  }

  /// All of them, the oldest first; there are none afterwards.
  std::vector<ready> take_all() {
    std::vector<ready> all(free_.begin(), free_.end());
    for (line* const each : heads_) {
      all.insert(all.end(), each->waiting_.begin(), each->waiting_.end());
      each->waiting_.clear();
    }
    std::sort(all.begin(), all.end(),
              [](const ready& one, const ready& other) { return one.since < other.since; });
    heads_.clear();
    free_.clear();
    count_ = 0;
    return all;
  }

 private:
  const ready& at(std::size_t place) const noexcept {
    return place < heads_.size() ? heads_[place]->waiting_.front() : free_[place - heads_.size()];
  }
  /// The oldest has changed places with the first.
  std::size_t place_of(std::size_t candidate) const noexcept {
    return candidate == 0 ? oldest_ : candidate == oldest_ ? 0 : candidate;
  }

  std::deque<ready> free_;    ///< those in no line, the oldest first
  std::vector<line*> heads_;  ///< lines that are not empty
  std::size_t count_ = 0;
  std::size_t oldest_ = 0;
  std::uint64_t ages_ = 0;
};

}  // namespace troupe::internal
