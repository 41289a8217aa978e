#include <troupe/runtime/task.hpp>

#include <troupe/runtime/check.hpp>

#include <atomic>

namespace troupe {

namespace internal {
constinit thread_local thread_state this_thread{};

bool is_cancelled_error(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const cancelled&) {
    return true;
  } catch (...) {
    return false;
  }
}

void report_unseen_error(const task_base& failed, const std::exception_ptr& error) noexcept {
  report_unseen({"task '" + failed.name() + "' failed and nobody looked at its result", error,
                 failed.created_at()});
}

void throw_awaits_itself(const task_base& awaited) {
  throw invalid_state("task '" + awaited.name() + "' awaits itself");
}
}  // namespace internal

task_base::task_base(loop& home, task_options options, std::source_location created_at)
    : future_base(&task_base::step, home, 2), created_at_(created_at) {
  static std::atomic<std::uint32_t> made{0};
  number_ = internal::multi_threaded() ? made.fetch_add(1, std::memory_order_relaxed) + 1
                                       : made.load(std::memory_order_relaxed) + 1;
  if (!internal::multi_threaded()) made.store(number_, std::memory_order_relaxed);
  if (!options.name.empty()) name_ = new std::string(options.name);
}

task_base::~task_base() { delete name_; }

std::string task_base::name() const { return name_ ? *name_ : "task-" + std::to_string(number_); }

void task_base::start(std::coroutine_handle<> body) noexcept {
  body_ = resume_at_ = body;
  run = &task_base::first_step;
  home().push(*this);
}

void task_base::start_now(std::coroutine_handle<> body) noexcept {
  body_ = resume_at_ = body;
  step(*this);
}

void task_base::first_step(work& item) noexcept {
  auto& self = static_cast<task_base&>(item);
  self.run = &task_base::step;
  if (self.must_cancel_ || self.for_good_) [[unlikely]] {
    self.end();
  } else {
    step(item);
  }
}

void task_base::step(work& item) noexcept {
  auto& self = static_cast<task_base&>(item);
  internal::this_thread.current_task = &self;
  internal::resume(self.resume_at_);
  internal::this_thread.current_task = nullptr;
  if (self.body_.done()) self.end();
}

void task_base::end() noexcept {
  status how = collect();
  body_ = resume_at_ = nullptr;
  // A request that met no suspension is not lost. What ends a task for good minds only that it ends.
  if (must_cancel_ && !for_good_ && how == status::value) [[unlikely]]
    how = status::cancelled;
  on_ended(how);
  complete(how);
  owner_->remove(*this);
}

bool task_base::cancel() noexcept {
  // Asked again while it passes a request on: tasks that await each other in a circle.
  if (done() || passing_on_) return false;
  ++cancel_requests_;
  // What it waits for takes the request, or nobody does and it is kept for the next suspension.
  passing_on_ = true;
  if (waiting_ == nullptr || !waiting_->cancel()) must_cancel_ = true;
  passing_on_ = false;
  return true;
}

int task_base::uncancel() noexcept {
  if (cancel_requests_ > 0 && --cancel_requests_ == 0) must_cancel_ = false;
  return cancel_requests_;
}

void task_base::cancel_for_good() noexcept {
  for_good_ = true;
  cancel();
}

void suspension::park(std::coroutine_handle<> handle) {
  task_base* const current = task_base::current();
  expects(current != nullptr, "an await outside a task: run the coroutine by create_task or run");
  task_ = current;
  current->resume_at_ = handle;
  current->waiting_ = this;
  if ((current->must_cancel_ || current->for_good_) && cancel()) current->must_cancel_ = false;
}

void suspension::wake() noexcept {
  task_->waiting_ = nullptr;
  task_->home().push(*task_);
}

bool suspension::waiting() const noexcept { return task_ != nullptr && task_->waiting_ == this; }

bool suspension::for_good() const noexcept { return task_->for_good_; }

bool suspension::take_cancelled() noexcept {
  if (!cancelled_ && !task_->must_cancel_ && !task_->for_good_) [[likely]]
    return false;
  task_->must_cancel_ = false;
  return true;
}

namespace internal {

task_list::~task_list() {
  expects(empty(), "a list of tasks was destroyed before its tasks ended");
}

void task_list::add(task_base& added) noexcept {
  added.owner_ = this;
  added.previous_ = last_;
  added.next_ = nullptr;
  (last_ != nullptr ? last_->next_ : first_) = &added;
  last_ = &added;
}

void task_list::remove(task_base& removed) noexcept {
  (removed.previous_ != nullptr ? removed.previous_->next_ : first_) = removed.next_;
  (removed.next_ != nullptr ? removed.next_->previous_ : last_) = removed.previous_;
  removed.owner_ = nullptr;
  removed.release();
  if (first_ == nullptr && told_when_empty_ != nullptr)
    std::exchange(told_when_empty_, nullptr)(context_);
}

void task_list::abandon() noexcept {
  for_each([](task_base& item) {
    item.run = [](work&) noexcept {};  // somebody may still hold a promise or timer that wakes it
    item.owner_ = nullptr;
  });
  first_ = last_ = nullptr;
}

void task_list::cancel_all() noexcept {
  for_each([](task_base& item) { item.cancel(); });
}

void task_list::cancel_all_for_good() noexcept {
  for_each([](task_base& item) { item.cancel_for_good(); });
}

}  // namespace internal
}  // namespace troupe
