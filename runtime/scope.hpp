#pragma once

#include <troupe/runtime/task.hpp>

namespace troupe::internal {

/// A stretch of a task that can be cancelled as a whole, level-triggered; what `cancel_scope` is built on.
///
/// Invariants: the scopes of a task form a chain from the innermost outwards, in its frames. A task is *pressed*, and each of its
/// suspensions throws, while a scope of the chain is cancelled and no shield lies further in, or when it was cancelled for good
/// and no scope shields it. A plain request to cancel that comes from outside a shield is held until the shield is left.
/// A task does not move to another loop while it is in one.
/// Threads: the task's loop.
class scope {
 public:
  scope() = default;
  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;

  /// The innermost scope of `of`, or null.
  static scope* innermost(const task_base& of) noexcept { return of.scope(); }
  /// Keeps the current task on its loop, for as long as something of that loop is inside its frames, and lets it go again.
  static void bind(task_base& current) { ++current.rare().bound; }
  static void unbind(task_base& current) noexcept { --current.rarities_->bound; }
  static bool bound(const task_base& of) noexcept {
    return of.rarities_ != nullptr && of.rarities_->bound != 0;
  }
  /// Whether a scope around what `of` runs now, or its end for good, makes each of its suspensions throw.
  static bool pressed(const task_base& of) noexcept { return of.is_due(task_base::pressed); }
  /// Asks `target` to end, from within its scope `around` (null: from outside of all): a shield outside of that does not hold
  /// the request.
  static void cancel_task(task_base& target, const scope* around) noexcept;

 protected:
  ~scope() { abandon(); }

  /// Joins the current task's chain. Errors: `invalid_state` outside a task, or when it has been used before.
  void enter();
  /// Leaves the chain. Returns true when `cancelled`, which ended what ran in it, was this scope's alone.
  bool leave(bool ended_cancelled) noexcept;
  /// Leaves the chain because the frame that ran in it is destroyed unfinished. Does nothing when it is in none.
  void abandon() noexcept;

  void press() noexcept;
  void set_shielded(bool shielded) noexcept;
  bool cancel_called() const noexcept { return cancelled_; }
  bool shielded() const noexcept { return shielded_; }
  bool active() const noexcept { return task_ != nullptr; }
  /// The loop of the task that is in it. Pre: active().
  loop& home() const noexcept { return task_->here(); }

 private:
  friend class troupe::task_base;
  /// Whether a shield lies between the innermost scope of `of` and `around`.
  static bool shields(const task_base& of, const scope* around) noexcept;
  /// Works out anew whether `of` is pressed, and lets go of a request that was held when nothing holds it any more.
  static void update(task_base& of) noexcept;
  /// Interrupts what `of` waits for, because it is pressed or a request is due. Whoever takes the request, it is delivered.
  static void interrupt(task_base& of) noexcept;

  task_base* task_ = nullptr;
  scope* parent_ = nullptr;
  int cancelling_before_ = 0;
  bool used_ = false;
  bool cancelled_ = false;
  bool shielded_ = false;
};

}  // namespace troupe::internal
