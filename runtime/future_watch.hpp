#pragma once

#include <troupe/runtime/future.hpp>
#include <troupe/runtime/memory.hpp>

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

  /// Who waits for all of several: a future, or a task; null when it is not known or does not wait for each.
  struct waiter_of_all {
    const future_base* whole = nullptr;
    const task_base* task = nullptr;
  };
  /// Of whom `of` is a part; nobody when it is something else.
  static waiter_of_all waiter_of(observer& of) noexcept {
    if (of.notify != &member::on_done) return {};
    const future_watch* const all = static_cast<member&>(of).all;
    return all != nullptr ? all->waits() : waiter_of_all{};
  }

 protected:
  virtual waiter_of_all waits() const noexcept { return {}; }
  explicit future_watch(std::size_t room) : members_(new member[room]) {}
  virtual ~future_watch() {
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
  struct member final : observer, pooled {
    member() noexcept : observer(&member::on_done) {}
    static void on_done(observer& self) noexcept;
    future_base* target = nullptr;
    future_watch* all = nullptr;  ///< null when it does not observe
  };

  member* members_;  ///< owned
  std::size_t count_ = 0;
  std::size_t left_ = 0;  ///< that are watched
};

/// Finds those of several futures that were given before.
class repeats {
 public:
  explicit repeats(std::size_t room) : given_(new one[room]) {}
  ~repeats() { delete[] given_; }
  repeats(const repeats&) = delete;
  repeats& operator=(const repeats&) = delete;

  /// Pre: fewer than `room` were added.
  void add(const future_base& target) noexcept {
    given_[count_] = {&target, count_, false};
    ++count_;
  }
  /// Cost: O(n log n).
  void find() noexcept;
  /// Whether the one that was added as number `number` had been added before. Pre: `find`.
  bool repeated(std::size_t number) const noexcept { return given_[number].repeated; }

 private:
  struct one {
    const future_base* target = nullptr;
    std::size_t number = 0;
    bool repeated = false;
  };

  one* given_;  ///< owned
  std::size_t count_ = 0;
};

/// Takes out the handles that are there before, at an earlier place.
template <class Handle>
void keep_each_once(std::vector<Handle>& handles) {
  repeats all(handles.size());
  for (const Handle& each : handles) all.add(each.base());
  all.find();
  std::size_t kept = 0;
  for (std::size_t number = 0; number < handles.size(); ++number) {
    if (all.repeated(number)) continue;
    if (kept != number) handles[kept] = std::move(handles[number]);
    ++kept;
  }
  while (handles.size() > kept) handles.pop_back();
}

}  // namespace troupe::internal
