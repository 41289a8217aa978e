#include <troupe/runtime/task_group.hpp>

#include <troupe/runtime/scope.hpp>

namespace troupe {

using internal::cancellation;
using internal::cancellation_of;

/// One task that goes on, watched.
struct task_group::member final : internal::observer, internal::pooled {
  member(task_group& given, task_base& watched) noexcept
      : observer(&member::on_done), group(given), child(watched) {
    child.retain();
    child.add_observer(*this);
    following = group.first_;
    if (following != nullptr) following->preceding = this;
    group.first_ = this;
  }
  ~member() {
    (preceding != nullptr ? preceding->following : group.first_) = following;
    if (following != nullptr) following->preceding = preceding;
    child.release();
  }
  static void on_done(observer& self) noexcept {
    auto& ended = static_cast<member&>(self);
    ended.group.child_ended(ended);
  }

  task_group& group;
  task_base& child;
  member* preceding = nullptr;
  member* following = nullptr;
};

/// The parent's wait for the tasks at the end of the group.
class task_group::exit_wait final : public suspension {
 public:
  explicit exit_wait(task_group& given) noexcept : group_(given) {}
  ~exit_wait() {
    if (group_.waiting_ == this) group_.waiting_ = nullptr;
  }

  bool await_ready() const noexcept { return group_.first_ == nullptr; }
  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current()) {
    group_.waiting_ = this;
    park(handle, here);
  }
  void await_resume() {
    if (suspended()) finish();
  }
  void tasks_ended() noexcept {
    group_.waiting_ = nullptr;
    if (waiting()) wake();
  }
  bool cancel() noexcept override {
    // Tasks that have been cancelled are waited for, whatever comes. What presses the parent, a scope around the group or its
    // end for good, presses them too.
    if (pressed()) {
      for (const member* each = group_.first_; each != nullptr;) {
        const member* const following = each->following;
        each->child.cancel_for_good();
        each = following;
      }
    }
    if (group_.aborting_ || !waiting()) {
      group_.ignored_ = true;
      return true;
    }
    group_.waiting_ = nullptr;
    wake_cancelled();
    return true;
  }
  void each_awaited(const visitor<const future_base>& visit) const override {
    for (const member* each = group_.first_; each != nullptr; each = each->following)
      visit(each->child);
  }
  std::string_view what() const noexcept override { return "the tasks of a group"; }
  const task_base* who() const noexcept { return suspended() ? waiter() : nullptr; }

 private:
  task_group& group_;
};

const task_base* task_group::waiter_of(internal::observer& of) noexcept {
  if (of.notify != &member::on_done) return nullptr;
  const exit_wait* const wait = static_cast<member&>(of).group.waiting_;
  return wait != nullptr ? wait->who() : nullptr;
}

task_group::~task_group() { abandon(); }

void task_group::abandon() noexcept {
  // Tasks that are left belong to the parent's owner, and end with it.
  while (first_ != nullptr) {
    first_->child.remove_observer(*first_);
    delete first_;
  }
  parent_ = nullptr;
}

void task_group::expect_running() const {
  if (parent_ == nullptr)
    throw invalid_state(
        used_ ? "a task was made in a task_group that has ended"
              : "a task was made in a task_group that does not run yet: make it in the "
                "body that is given to run()");
  if (aborting_) throw invalid_state("a task was made in a task_group that is shutting down");
  if (exiting_ && first_ == nullptr)
    throw invalid_state("a task was made in a task_group that has ended");
}

void task_group::enter() {
  task_base* const current = task_base::current();
  if (current == nullptr)
    throw invalid_state(
        "a task_group is run in a task, and none runs here: use create_task or run");
  if (used_) throw invalid_state("a task_group has been run before: make another one for each run");
  internal::scope::bind(*current);  // before anything changes, for it may throw
  used_ = true;
  parent_ = current;
  around_ = internal::scope::innermost(*current);
  cancelling_before_ = current->requests_let_through();
  if (cancel_called_) {
    aborting_ = true;
    interrupt_parent();
  }
}

void task_group::interrupt_parent() noexcept {
  if (std::exchange(parent_interrupted_, true)) return;
  const bool ignored = ignored_;
  internal::scope::cancel_task(*parent_, around_);
  ignored_ = ignored;
}

void task_group::add(task_base& made) {
  if (!made.done()) {
    new member(*this, made);
    return;
  }
  // It was started eagerly and has ended.
  made.retain();
  const bool failed = !made.succeeded() && !made.was_cancelled();
  if (failed) {
    errors_.push_back(made.error());
    if (!aborting_) {
      abort();
      interrupt_parent();
    }
  }
  made.release();
}

void task_group::abort() noexcept {
  aborting_ = true;
  for (member* each = first_; each != nullptr;) {
    member* const following = each->following;
    each->child.cancel();
    each = following;
  }
}

void task_group::child_ended(member& ended) noexcept {
  task_base& child = ended.child;
  child.retain();
  delete &ended;
  if (first_ == nullptr && waiting_ != nullptr) waiting_->tasks_ended();
  if (!child.succeeded() && !child.was_cancelled()) {
    errors_.push_back(child.error());
    if (!aborting_ && !parent_interrupted_) {
      abort();
      interrupt_parent();
    }
  }
  child.release();
}

void task_group::cancel() noexcept {
  if (exiting_ && first_ == nullptr) return;
  if (std::exchange(cancel_called_, true) || parent_ == nullptr) return;
  if (!aborting_) abort();
  interrupt_parent();
}

coro<> task_group::exit(std::exception_ptr error) {
  std::exception_ptr request;
  exiting_ = true;
  if (error) {
    if (cancellation_of(error) != cancellation::none) request = error;
    if (!aborting_) abort();
  }
  while (first_ != nullptr) {
    std::exception_ptr interruption;
    try {
      exit_wait wait(*this);
      co_await wait;
    } catch (const cancelled&) {
      interruption = std::current_exception();
    }
    if (interruption && aborting_) ignored_ = true;
    if (interruption && !aborting_) {
      request = interruption;
      abort();
    }
  }
  leave(std::move(error), std::move(request));
}

void task_group::leave(std::exception_ptr error, std::exception_ptr request) {
  task_base& parent = *std::exchange(parent_, nullptr);
  internal::scope::unbind(parent);
  if (parent_interrupted_) {
    parent.uncancel();
    if (parent.requests_let_through() == 0) request = nullptr;
  }
  // It came from outside, after the group had begun to cancel itself, and nothing has thrown it.
  if (ignored_ && !request && parent.requests_let_through() > cancelling_before_)
    request = internal::cancelled_error({});
  if (request && errors_.empty()) std::rethrow_exception(request);
  if (error && cancellation_of(error) == cancellation::none) errors_.push_back(error);
  if (errors_.empty()) return;
  // A cancellation from outside is not lost with the errors: it is due again at the next suspension.
  if (parent.requests_let_through() > 0) {
    parent.uncancel();
    parent.cancel();
  }
  throw exception_group("unhandled errors in a task group", std::move(errors_));
}

}  // namespace troupe
