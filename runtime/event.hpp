#pragma once

#include <troupe/runtime/suspension.hpp>
#include <troupe/runtime/waiters.hpp>

#include <coroutine>
#include <string_view>

namespace troupe {

class event;

namespace internal {

class event_wait final : public suspension, public chain_link {
 public:
  explicit event_wait(event& awaited) noexcept : event_(&awaited) {}
  event_wait(event_wait&&) noexcept = default;

  bool await_ready() const noexcept;
  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current());
  /// True, as asyncio's; there is no other end but an error.
  bool await_resume() {
    if (suspended()) settle();
    return true;
  }
  bool cancel() noexcept override;
  std::string_view what() const noexcept override { return "an event"; }

 private:
  friend class troupe::event;
  void settle();
  event* event_;  ///< null when it has gone before it was set
};

}  // namespace internal

/// Something that happens once, or is true until further notice, and that tasks of one loop wait for; asyncio's `Event`.
/// For something that comes with a value, or from another loop, use a promise and its future.
///
/// Life: when it goes, tasks that still wait for it throw `invalid_state`; those that it has been set for do not mind.
/// Threads: one loop's, that of the first task that had to wait.
class event {
 public:
  event() noexcept = default;
  event(const event&) = delete;
  event& operator=(const event&) = delete;
  ~event();

  /// Lets all go on that wait, in the order they came, and nobody wait from now on.
  /// Errors: `invalid_state` on another loop than that of the tasks that wait.
  void set();
  /// Makes those wait who come from now on; who has been let go goes on.
  void clear() noexcept { set_ = false; }
  bool is_set() const noexcept { return set_; }

  /// `co_await` waits until it is set; not at all when it is.
  /// Errors: `invalid_state` when it serves another loop, or goes meanwhile.
  /// Cancel: nothing happens to the event. Cost: no allocation.
  [[nodiscard]] auto wait() noexcept { return internal::event_wait(*this); }

 private:
  friend class internal::event_wait;

  bool set_ = false;
  internal::chain<internal::event_wait> waiting_;
  internal::served_loop served_;
};

inline bool internal::event_wait::await_ready() const noexcept { return event_->is_set(); }

}  // namespace troupe
