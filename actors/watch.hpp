#pragma once

#include <troupe/actors/exit_reason.hpp>
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/ref_count.hpp>
#include <troupe/runtime/work.hpp>

#include <cstdint>
#include <string_view>

namespace troupe::internal {

class cell;
class monitor_watch;

/// One who is told when an actor has ended.
///
/// Life: counted. The watched actor's list holds a count; being told, or being let go, gives that up.
/// Threads: whether it is in the list is known on the watched actor's loop only.
class watcher {
 public:
  /// It has ended, on this thread. Takes over the list's count.
  virtual void told(const exit_reason& why) noexcept = 0;
  virtual void keep() noexcept = 0;
  virtual void let_go() noexcept = 0;

 protected:
  watcher() = default;
  /// One that is told before those who are not of this kind.
  enum priority : bool { comes_first = true };
  explicit watcher(priority given) noexcept : first_(given == comes_first) {}
  ~watcher() = default;
  watcher(const watcher&) = delete;
  watcher& operator=(const watcher&) = delete;

 private:
  friend class watchers;
  bool linked_ = false;
  const bool first_ = false;
  watcher* previous_ = nullptr;
  watcher* next_ = nullptr;
};

/// Those who watch an actor, in the order in which they began, but for those who come first.
class watchers {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  /// Takes over a count.
  void add(watcher& added) noexcept;
  /// Takes `left` out if it is in the list, and lets go of it.
  void remove(watcher& left) noexcept;
  void tell_all(const exit_reason& why) noexcept;

 private:
  void unlink(watcher& left) noexcept;

  watcher* first_ = nullptr;
  watcher* last_ = nullptr;
};

/// The future of an actor's end. Two own it: the future's handles and the actor's list.
class stopped_state final : public arriving<exit_reason>, public watcher, public pooled {
 public:
  /// Keeps `watched` until it is done.
  stopped_state(loop& home, cell& watched) noexcept;
  bool cancel(std::string_view reason) noexcept override;

  void told(const exit_reason& why) noexcept override;
  void keep() noexcept override { this->retain(); }
  void let_go() noexcept override { this->release(); }

 private:
  ~stopped_state() override;
  void destroy() noexcept override { delete this; }
  cell& watched_;
};

/// The future of an actor's readiness; likewise.
class started_state final : public arriving<void>, public watcher, public pooled {
 public:
  started_state(loop& home, cell& watched) noexcept;
  bool cancel(std::string_view reason) noexcept override;

  /// It is up, or has ended; its state says which.
  void told(const exit_reason& why) noexcept override;
  void keep() noexcept override { this->retain(); }
  void let_go() noexcept override { this->release(); }

 private:
  ~started_state() override;
  void destroy() noexcept override { delete this; }
  cell& watched_;
};

/// Has `added` told when `watched` has ended, at once if it has. Takes over a count of `added`. Threads: any.
void watch(cell& watched, watcher& added) noexcept;
/// Does nothing when it has been told already. Threads: any.
void unwatch(cell& watched, watcher& left) noexcept;

future<exit_reason> when_stopped(cell& watched);
future<void> when_started(cell& watched);

}  // namespace troupe::internal
