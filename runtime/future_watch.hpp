#pragma once

#include <troupe/runtime/future.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace troupe::internal {

/// Several futures watched at once: what `gather`, `wait` and `as_completed` have in common.
///
/// Life: `add` them, `start`, and then one `told` for each that was not done; what is still watched at the end is let go.
/// Threads: the futures' loop.
class future_watch {
 public:
  future_watch(const future_watch&) = delete;
  future_watch& operator=(const future_watch&) = delete;

 protected:
  explicit future_watch(std::size_t room) : members_(new member[room]) {}
  ~future_watch() {
    stop();
    delete[] members_;
  }

  /// Pre: fewer than `room` were added.
  void add(future_base& target) noexcept { members_[count_++].target = &target; }
  /// Watches those that are not done.
  void start() noexcept;
  /// Leaves alone what is not done. Does nothing the second time.
  void stop() noexcept;
  /// One that was not done is; `left` no longer counts it.
  virtual void told(std::size_t number) noexcept = 0;

  std::size_t count() const noexcept { return count_; }
  std::size_t left() const noexcept { return left_; }
  future_base& target(std::size_t number) const noexcept { return *members_[number].target; }

 private:
  struct member final : observer {
    member() noexcept : observer(&member::on_done) {}
    static void on_done(observer& self) noexcept;
    future_base* target = nullptr;
    future_watch* all = nullptr;  ///< null when it does not observe
  };

  member* members_;  ///< owned
  std::size_t count_ = 0;
  std::size_t left_ = 0;  ///< that are watched
};

/// The places of those that are in `targets` for the first time, in their order. Cost: O(n log n).
std::vector<std::size_t> places_of_first(const std::vector<future_base*>& targets);

/// The handles, in their order, each once.
template <class Handle>
std::vector<Handle> each_once(std::vector<Handle> handles) {
  std::vector<future_base*> targets;
  targets.reserve(handles.size());
  for (const Handle& each : handles) targets.push_back(&each.base());
  std::vector<Handle> result;
  result.reserve(handles.size());
  for (const std::size_t place : places_of_first(targets))
    result.push_back(std::move(handles[place]));
  return result;
}

}  // namespace troupe::internal
