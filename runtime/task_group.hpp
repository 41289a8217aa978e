#pragma once

#include <troupe/runtime/body.hpp>
#include <troupe/runtime/exception_group.hpp>
#include <troupe/runtime/task.hpp>

#include <cstddef>
#include <exception>
#include <source_location>
#include <utility>
#include <vector>

namespace troupe {

/// Tasks that end together: when its body has ended, the group waits for all tasks made in it; when one fails, the others and
/// the body are cancelled, and all failures come out as one `exception_group`. asyncio's TaskGroup.
///
///     task_group group;
///     co_await group.run([&]() -> coro<> {
///       group.create_task(fetch(a));
///       group.create_task(fetch(b));
///       co_return;
///     });                                // both have ended
///
/// Life: made, run once in a task, which owns it; tasks may be made in it while it runs, by the body and by its tasks.
/// Invariants: `run` ends only when no task of the group goes on. Of requests to cancel the parent it takes back its own only.
/// Threads: the parent's loop.
/// Cancel: cancels the tasks, waits for their end, and throws `cancelled`, or the group of what they threw meanwhile.
class task_group {
 public:
  task_group() = default;
  ~task_group();
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;

  /// Runs `body`, a coroutine or a function that makes one, and waits for the group's tasks.
  /// Errors: `exception_group` of the failures, the body's last; `cancelled`; `invalid_state` when it has been run before.
  template <internal::body_for<task_group> Body>
  coro<> run(Body body) {
    auto running = internal::body_of(std::move(body), *this);
    auto ending = running.ending();  // which throws for one that was awaited before
    enter();
    const run_guard guard{*this};
    auto& ended = co_await ending;
    auto exiting = exit(ended.failure());
    co_await exiting;
  }

  /// Makes `body` a task of the group.
  /// Errors: `invalid_state` when the group does not run, or is shutting down; `body` is destroyed then, and has not begun.
  template <class T>
  task<T> create_task(coro<T> body, const task_options& options = {},
                      std::source_location created_at = std::source_location::current()) {
    expect_running();
    loop& home = parent_->here();
    // The owner of the parent, unless that is away from home.
    internal::task_list& owner = &home == &parent_->home() ? *parent_->owner() : home.tasks();
    task<T> made = internal::make_task(home, owner, std::move(body), options,
                                       options.eager || home.eager_tasks(), created_at);
    add(made.base());
    return made;
  }

  /// Cancels the body and the tasks; `run` then ends without an error, unless one of them throws one. Called before `run`, the body
  /// runs up to its first suspension. Does nothing when the group has ended.
  void cancel() noexcept;

  /// The task that waits for the tasks of a group, when `of` is of one of those; else null. For debugging.
  static const task_base* waiter_of(internal::observer& of) noexcept;

 private:
  class exit_wait;
  struct member;
  /// In the frame of `run`, which a closing loop destroys unfinished: the group may outlive it, and its parent.
  struct run_guard {
    task_group& group;
    ~run_guard() { group.abandon(); }
  };

  void expect_running() const;
  void add(task_base& made);
  void enter();
  /// What follows the body: waits for the tasks, and throws what there is to throw.
  coro<> exit(std::exception_ptr error);
  void abort() noexcept;
  void child_ended(member& ended) noexcept;
  void leave(std::exception_ptr error, std::exception_ptr request);
  /// Lets go of the tasks, because the frame that runs the group is destroyed unfinished.
  void abandon() noexcept;
  void interrupt_parent() noexcept;

  task_base* parent_ = nullptr;        ///< while it runs
  internal::scope* around_ = nullptr;  ///< the scope of the parent that this is in
  exit_wait* waiting_ = nullptr;
  member* first_ = nullptr;  ///< its tasks that go on
  std::vector<std::exception_ptr> errors_;
  int cancelling_before_ = 0;
  bool used_ = false;
  bool exiting_ = false;
  bool aborting_ = false;
  bool parent_interrupted_ = false;  ///< by this group: a request to take back
  bool cancel_called_ = false;
  bool ignored_ = false;  ///< a request that came while the tasks were winding up
};

}  // namespace troupe
