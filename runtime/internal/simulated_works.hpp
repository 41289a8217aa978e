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
  static constexpr std::uint64_t held_for = 64;

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
    oldest_ = free_.empty() ? 0 : heads_.size();
    for (std::size_t place = 0; place < heads_.size(); ++place) {
      if (at(place).since < at(oldest_).since) oldest_ = place;
    }
    const std::size_t first_held = heads_.size() + free_.size();
    if (!held_.empty() && (first_held == 0 || held_.front().since < at(oldest_).since))
      oldest_ = first_held;
    return first_held + held_.size();
  }
  std::uint32_t who(std::size_t candidate) const noexcept { return at(place_of(candidate)).who; }
  /// When it is another than the oldest, that one is held back: as if it had become ready `held_for` works later.
  ready take(std::size_t candidate) {
    const std::size_t place = place_of(candidate);
    const ready taken = at(place);
    if (candidate == 0) {
      remove(place);
    } else if (place > oldest_) {
      remove(place);
      hold(oldest_);
    } else {
      hold(oldest_);
      remove(place);
    }
    --count_;
    return taken;
  }

  /// All of them, the oldest first; there are none afterwards.
  std::vector<ready> take_all() {
    std::vector<ready> all(free_.begin(), free_.end());
    all.insert(all.end(), held_.begin(), held_.end());
    for (line* const each : heads_) {
      all.insert(all.end(), each->waiting_.begin(), each->waiting_.end());
      each->waiting_.clear();
    }
    std::sort(all.begin(), all.end(),
              [](const ready& one, const ready& other) { return one.since < other.since; });
    heads_.clear();
    free_.clear();
    held_.clear();
    count_ = 0;
    return all;
  }

 private:
  const ready& at(std::size_t place) const noexcept {
    if (place < heads_.size()) return heads_[place]->waiting_.front();
    const std::size_t free = place - heads_.size();
    return free < free_.size() ? free_[free] : held_[free - free_.size()];
  }
  void remove(std::size_t place) {
    if (place < heads_.size()) {
      std::deque<ready>& waiting = heads_[place]->waiting_;
      waiting.pop_front();
      if (waiting.empty()) heads_.erase(heads_.begin() + static_cast<std::ptrdiff_t>(place));
      return;
    }
    const std::size_t free = place - heads_.size();
    std::deque<ready>& from = free < free_.size() ? free_ : held_;
    from.erase(from.begin() +
               static_cast<std::ptrdiff_t>(free < free_.size() ? free : free - free_.size()));
  }
  void hold(std::size_t place) {
    ready late = at(place);
    late.since = ages_ + held_for;
    if (place < heads_.size()) {
      heads_[place]->waiting_.front() = late;
    } else {
      remove(place);
      held_.push_back(late);
    }
  }
  /// The oldest has changed places with the first.
  std::size_t place_of(std::size_t candidate) const noexcept {
    return candidate == 0 ? oldest_ : candidate == oldest_ ? 0 : candidate;
  }

  std::deque<ready> free_;    ///< those in no line, the oldest first
  std::deque<ready> held_;    ///< those that were passed over, in the order of their turns
  std::vector<line*> heads_;  ///< lines that are not empty
  std::size_t count_ = 0;
  std::size_t oldest_ = 0;
  std::uint64_t ages_ = 0;
};

}  // namespace troupe::internal
