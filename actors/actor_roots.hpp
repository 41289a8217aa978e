#pragma once

#include <troupe/actors/cell.hpp>
#include <troupe/runtime/callable.hpp>
#include <troupe/runtime/loop.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace troupe {
struct dead_letter;
}

namespace troupe::internal {

class trace;
template <class T>
class counted;

/// The actors of one loop that have no parent, and what the loop counts about its actors.
class actor_roots final : public loop_service {
 public:
  static actor_roots& of_current_loop() {
    if (cached.by != loop::current() || cached.when != ended.load(std::memory_order_relaxed))
        [[unlikely]]
      find();
    return *cached.roots;
  }

  void begin_shutdown() override;
  /// Stops all at once, and ends every on_stop that still goes on.
  void insist() override;
  /// Whether an on_stop that begins now is to end at its first await.
  bool insists() const noexcept { return insists_; }
  void abandon() noexcept override;
  void let_go() noexcept override;
  bool finished() const override { return last_ == nullptr; }
  std::string unfinished() const override;
  void each_task(const callable<void(task_base&)>& visit) const override;
  /// Those that nothing can ever come to any more, though they go on: for a simulation, between two steps.
  std::size_t each_forgotten(const callable<void(const std::string&)>& visit) const;
  ~actor_roots() override;

  void add(cell& root) noexcept {
    root.previous_ = last_;
    if (last_ != nullptr) last_->next_ = &root;
    last_ = &root;
    if (shutting_down_) [[unlikely]]
      stop_last();
  }
  void remove(cell& root) noexcept {
    if (root.previous_ != nullptr) root.previous_->next_ = root.next_;
    (root.next_ != nullptr ? root.next_->previous_ : last_) = root.previous_;
    if (shutting_down_) [[unlikely]]
      stop_last();
  }

  /// Messages that nobody will handle: of all kinds, and those of them for which there was no room, refused or dropped.
  std::uint64_t dead_letters = 0;
  std::uint64_t refused_as_full = 0;
  std::uint64_t dropped = 0;
  callable<void(const dead_letter&)> letters;  ///< told of each; mostly empty
  std::uint64_t late_replies = 0;
  trace* traced_by = nullptr;  ///< counted; see trace.hpp
  /// Has it trace this loop, or nobody when it is null.
  void trace_by(trace* by) noexcept;
  counted<trace> counted_trace() const noexcept;

 private:
  static void find();
  /// Whether it has neither anything to do, nor a ref by which anything could come. Never so of a process, and of a parent.
  static bool forgotten(const cell& who) noexcept;
  void stop_last() noexcept;

  // A loop may be closed on another thread than it ran on, and its memory used again for the next.
  static constinit std::atomic<std::uint32_t> ended;
  struct found {
    loop* by = nullptr;
    actor_roots* roots = nullptr;
    std::uint32_t when = 0;
  };
  static constinit thread_local found cached;

  cell* last_ = nullptr;
  bool shutting_down_ = false;
  bool insists_ = false;
};

}  // namespace troupe::internal
