#include <troupe/runtime/future_base.hpp>

#include <stdexcept>

namespace troupe {

void future_base::add_observer(internal::observer& added) noexcept {
  added.next = nullptr;
  if (first_ == nullptr) {
    added.previous = &added;
    first_ = &added;
  } else {
    added.previous = std::exchange(first_->previous, &added);
    added.previous->next = &added;
  }
}

void future_base::remove_observer(internal::observer& removed) noexcept {
  (&removed != first_ ? removed.previous->next : first_) = removed.next;
  if (internal::observer* const behind = removed.next != nullptr ? removed.next : first_)
    behind->previous = removed.previous;
}

void future_base::complete(status result) noexcept {
  status_ = result;
  while (internal::observer* const told = first_) {
    remove_observer(*told);
    told->notify(*told);
  }
}

namespace internal {

void report_unseen(const failure_report& report) noexcept {
  if (loop* const running = loop::current()) {
    running->report(report);
  } else {
    print_failure(report);
  }
}

void expect_error(const std::exception_ptr& error) {
  if (!error) throw std::invalid_argument("a promise was to be broken by an error that is none");
}

void throw_not_done() {
  throw invalid_state("a result was asked for before there is one: await it, or ask done() first");
}

void throw_moved_out() {
  throw invalid_state(
      "a result that cannot be copied was awaited a second time: the first await took it");
}

void throw_of_another_loop() {
  if (loop::current() == nullptr)
    throw invalid_state("an await outside a loop: run the coroutine by run or create_task");
  throw invalid_state(
      "an await of a task or future of another loop: `co_await on(that_loop)` first, or let a "
      "promise bring the "
      "result here");
}

std::exception_ptr cancelled_error(std::string_view reason) {
  return std::make_exception_ptr(cancelled{std::string(reason)});
}

bool completion_wait::cancel() noexcept {
  const bool accepted = target_.cancel(reason());
  if (target_.done()) return true;
  // The target ends when it will, and this wait with it; unless the waiting task is to end now, come what may, or the target
  // is passing a request on and has come round to this wait.
  if (accepted && !for_good()) return true;
  target_.remove_observer(*this);
  wake_cancelled();
  return true;
}

}  // namespace internal
}  // namespace troupe
