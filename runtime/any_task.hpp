#pragma once

#include <troupe/runtime/task.hpp>

#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe {

/// A handle of a task, whatever its result; what `current_task` and `all_tasks` give. A `task<T>` converts to it.
/// Threads: the task's loop.
class any_task {
 public:
  /// None.
  any_task() noexcept = default;
  explicit any_task(task_base* held) noexcept : task_(held) {
    if (task_ != nullptr) task_->retain();
  }
  template <class T>
  any_task(const task<T>& held)  // NOLINT(*-explicit-*): as a handle of a base
      : any_task(&held.base()) {}
  any_task(const any_task& other) noexcept : any_task(other.task_) {}
  any_task(any_task&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
  any_task& operator=(any_task other) noexcept {
    std::swap(task_, other.task_);
    return *this;
  }
  ~any_task() {
    if (task_ != nullptr) task_->release();
  }

  explicit operator bool() const noexcept { return task_ != nullptr; }
  friend bool operator==(const any_task&, const any_task&) noexcept = default;

  /// See `task_base`. Errors, all of them: `invalid_state` when it is none.
  bool done() const { return base().done(); }
  bool cancelled() const { return base().was_cancelled(); }
  bool cancel(std::string_view reason = {}) const { return base().cancel(reason); }
  int cancelling() const { return base().cancelling(); }
  int uncancel() const { return base().uncancel(); }
  std::string name() const { return base().name(); }
  void set_name(std::string_view name) const { base().set_name(name); }
  const std::source_location& created_at() const { return base().created_at(); }
  /// The error, `cancelled` among them, or null after a success. Errors: `invalid_state` when it has not ended.
  std::exception_ptr exception() const;

  task_base& base() const;

 private:
  task_base* task_ = nullptr;
};

/// The task that runs here; none in a callback, a plain handler of an actor, or off a loop.
any_task current_task() noexcept;

/// The tasks of the running loop that have not ended, those of its actors among them, in the order of their owners.
/// Errors: `invalid_state` off a loop.
std::vector<any_task> all_tasks();
/// Those of `home`. Threads: that of `home`.
std::vector<any_task> all_tasks(loop& home);

}  // namespace troupe
