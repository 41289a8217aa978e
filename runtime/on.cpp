#include <troupe/runtime/on.hpp>

#include <troupe/runtime/scope.hpp>

namespace troupe::internal {

void move_wait::await_suspend(std::coroutine_handle<> handle, std::source_location here) {
  task_base* const current = task_base::current();
  if (current == nullptr)
    throw invalid_state("a move to another loop outside a task: use create_task or run");
  if (internal::scope::bound(*current) && !coming_back_)
    throw invalid_state(
        "a task cannot move to another loop inside a time limit, scope or task group: move first, "
        "and make "
        "those there");
  current->rare();  // before anything changes, for it may throw
  park(handle, here);
  if (!waiting()) return;  // a cancellation was due
  under_way_ = true;
  current->waiting_ = nullptr;
  this_thread.current_task = nullptr;
  loop& from = *loop::current();
  current->set_here(there_);
  if (there_.post(*current)) return;  // and is gone: nothing of the task is touched here any more
  // Closed in the meantime.
  current->set_here(from);
  under_way_ = false;
  this_thread.current_task = current;
  from.push(*current);
}

void move_wait::await_resume() {
  if (!suspended()) return;
  if (coming_back_) return;
  finish();
  if (!under_way_) throw invalid_state("a task cannot move to a loop that has been closed");
}

bool move_wait::cancel() noexcept {
  if (coming_back_) return false;
  wake_cancelled();
  return true;
}

}  // namespace troupe::internal
