#include <troupe/runtime/internal/simulator.hpp>
#include <troupe/runtime/task.hpp>

#include <troupe/runtime/check.hpp>
#include <troupe/runtime/scope.hpp>

#include <atomic>

namespace troupe {

namespace {
constexpr std::uint16_t most_requests = 65'535;
}  // namespace

namespace internal {
constinit thread_local thread_state this_thread{};

cancellation cancellation_of(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const cancelled& caught) {
    return caught.reason.empty() ? cancellation::plain : cancellation::with_reason;
  } catch (...) {
    return cancellation::none;
  }
}

void report_unseen_error(const task_base& failed, const std::exception_ptr& error) noexcept {
  const loop* const running = loop::current();
  const char* const when =
      running != nullptr && running->shutting_down() ? " during the shutdown" : "";
  report_unseen({"task '" + failed.name() + "' failed" + when + " and nobody looked at its result",
                 error, failed.created_at()});
}

void throw_awaits_itself(const task_base& awaited) {
  throw invalid_state("task '" + awaited.name() + "' awaits itself");
}

loop& running_loop(const char* what) {
  loop* const home = loop::current();
  if (home == nullptr)
    throw invalid_state(std::string(what) + " needs a running loop, and none runs on this thread");
  return *home;
}
}  // namespace internal

task_base::task_base(loop& home, std::coroutine_handle<> body, const task_options& options,
                     std::source_location created_at)
    : future_base(&task_base::step, home, 2),
      resume_at_(body),
      body_(body),
      context_(internal::current_context()),
      created_at_(created_at) {
  static std::atomic<std::uint32_t> made{0};
  if (home.simulator() != nullptr) [[unlikely]] {
    number_ = home.simulator()->number_task();
  } else if (internal::multi_threaded()) {
    number_ = made.fetch_add(1, std::memory_order_relaxed) + 1;
  } else {
    number_ = made.load(std::memory_order_relaxed) + 1;
    made.store(number_, std::memory_order_relaxed);
  }
  internal::context_data::retain(context_);
  if (!options.name.empty()) set_name(options.name);
}

task_base::~task_base() {
  internal::context_data::release(context_);
  delete rarities_;
}

std::string task_base::name() const {
  return rarities_ != nullptr && !rarities_->name.empty() ? rarities_->name
                                                          : "task-" + std::to_string(number_);
}

void task_base::set_name(std::string_view name) { rare().name = name; }

std::string_view task_base::reason() const noexcept {
  return rarities_ != nullptr ? std::string_view(rarities_->reason) : std::string_view();
}

void task_base::keep_reason_of_request(std::string_view reason) noexcept {
  if (rarities_ != nullptr || !reason.empty()) rare().reason = reason;
}

task_base* task_base::stepped_by(work& item) noexcept {
  const bool is_task = item.run == &task_base::first_step || item.run == &task_base::step ||
                       item.run == &task_base::retry_step;
  return is_task ? static_cast<task_base*>(&item) : nullptr;
}

void task_base::start() noexcept {
  run = &task_base::first_step;
  home().push(*this);
}

void task_base::start_now() noexcept {
  auto& here = internal::this_thread;
  task_base* const outer = here.current_task;
  const int transfers_left = here.transfers_left;
  step(*this);
  here.transfers_left = transfers_left;
  here.current_task = outer;
}

void task_base::first_step(work& item) noexcept {
  auto& self = static_cast<task_base&>(item);
  self.run = &task_base::step;
  if (self.is_due(kept | pressed)) [[unlikely]] {
    self.end();
  } else {
    step(item);
  }
}

void task_base::step(work& item) noexcept {
  auto& self = static_cast<task_base&>(item);
  internal::this_thread.current_task = &self;
  internal::resume(self.resume_at_);
  // It may have moved to another loop, which runs it by now.
  if (internal::this_thread.current_task != &self) [[unlikely]]
    return;
  internal::this_thread.current_task = nullptr;
  if (self.body_.done()) self.end();
}

void task_base::retry_step(work& item) noexcept {
  auto& self = static_cast<task_base&>(item);
  self.run = &task_base::step;
  if (self.waiting_ != nullptr && !self.waiting_->retry()) return;
  self.waiting_ = nullptr;
  step(item);
}

void task_base::end_at_home(work& item) noexcept { static_cast<task_base&>(item).end(); }

void task_base::end() noexcept {
  if (away_.load(std::memory_order_relaxed)) [[unlikely]] {
    // Whoever waits for it is at home, which does not close before.
    run = &task_base::end_at_home;
    away_.store(false, std::memory_order_release);
    static_cast<void>(home().post(*this));
    return;
  }
  status how = collect(body_);
  std::exchange(body_, nullptr).destroy();
  resume_at_ = nullptr;
  // A request that met no suspension is not lost. What ends a task for good minds only that it ends.
  if (is_due(kept) && !for_good_ && how == status::value) [[unlikely]]
    how = status::cancelled;
  on_ended(how);
  // At the end of all nobody may be left to look, though somebody holds a handle.
  if (how == status::error && home().shutting_down() && !awaited() && !retrieved_) [[unlikely]] {
    internal::report_unseen_error(*this, error());
  }
  complete(how);
  owner_->remove(*this);
}

void task_base::destroy_pending() noexcept {
  run = [](work&) noexcept {};  // it may be in the ready chain
  if (!body_) return;
  // Destructors in the frame take their waits out of what would end them, and may ask who runs.
  task_base* const outer = std::exchange(internal::this_thread.current_task, this);
  std::exchange(body_, nullptr).destroy();
  internal::this_thread.current_task = outer;
  resume_at_ = nullptr;
  waiting_ = nullptr;
  on_ended(status::cancelled);  // a handler's task gives back the request that it had in hand
  complete(status::cancelled);
}

bool task_base::cancel(std::string_view reason) noexcept { return request_cancel(reason, nullptr); }

bool task_base::request_cancel(std::string_view reason, const internal::scope* around) noexcept {
  if (loop* const at = elsewhere()) [[unlikely]] {
    return send_to(*at, [text = std::string(reason)](task_base& self) {
      static_cast<void>(self.cancel(text));
    });
  }
  if (done()) {
    mark_retrieved();
    return false;
  }
  // Asked again while it passes a request on: tasks that await each other in a circle.
  if (passing_on_) return false;
  if (cancel_requests_ != most_requests) ++cancel_requests_;
  keep_reason_of_request(reason);
  if (internal::scope::shields(*this, around)) [[unlikely]] {
    ++rarities_->held;
    return true;
  }
  // What it waits for takes the request, or nobody does and it is kept for the next suspension.
  passing_on_ = true;
  if (waiting_ == nullptr || !waiting_->cancel()) set_due(kept, true);
  passing_on_ = false;
  return true;
}

/// The loop that the task is on, when that is not the one to change it from here; else null. A loop that does not run may be
/// used by whoever holds it.
loop* task_base::elsewhere() const noexcept {
  loop* const at = &here();
  if (at == loop::current() || (at == &home() && !at->running())) return nullptr;
  return at;
}

loop& task_base::where_away() const noexcept {
  return *rarities_->away_on.load(std::memory_order_acquire);
}

void task_base::set_here(loop& there) noexcept {
  if (&there != &home()) rarities_->away_on.store(&there, std::memory_order_release);
  away_.store(&there != &home(), std::memory_order_release);
}

/// Has `order` carried out where the task is. By the time it arrives the task may have moved on, or home and ended; then it is
/// sent on. Returns false when that loop is closed.
template <class Order>
bool task_base::send_to(loop& at, Order order) noexcept {
  struct counted {
    explicit counted(task_base& given) noexcept : task(&given) { task->retain(); }
    counted(counted&& other) noexcept : task(std::exchange(other.task, nullptr)) {}
    ~counted() {
      if (task != nullptr) task->release();
    }
    task_base* task;
  };
  return at.post_call([to = counted(*this), order = std::move(order)] { order(*to.task); });
}

int task_base::uncancel() noexcept {
  if (cancel_requests_ > 0) --cancel_requests_;
  if (cancel_requests_ < held()) rarities_->held = cancel_requests_;
  if (cancel_requests_ == 0) set_due(kept, false);
  return cancel_requests_;
}

void task_base::cancel_for_good() noexcept {
  if (loop* const at = elsewhere()) [[unlikely]] {
    static_cast<void>(send_to(*at, [](task_base& self) { self.cancel_for_good(); }));
    return;
  }
  if (done()) return;
  for_good_ = true;
  internal::scope::update(*this);
  cancel();
}

void suspension::park(std::coroutine_handle<> handle, std::source_location here) {
  task_base* const current = task_base::current();
  expects(current != nullptr, "an await outside a task: run the coroutine by create_task or run");
  task_ = current;
  where_ = here;
  current->resume_at_ = handle;
  current->waiting_ = this;
  using enum task_base::due;
  current->set_due(interrupted, false);
  if (current->is_due(kept | pressed) && cancel()) current->set_due(kept, false);
}

void suspension::unpark() noexcept { std::exchange(task_, nullptr)->waiting_ = nullptr; }

void suspension::wake() noexcept {
  task_->waiting_ = nullptr;
  task_->here().push(*task_);
}

void suspension::resume_now() noexcept {
  task_->waiting_ = nullptr;
  task_base::step(*task_);
}

void suspension::wake_to_retry() noexcept {
  task_->run = &task_base::retry_step;
  task_->here().push(*task_);
}

void suspension::wake_cancelled() noexcept {
  task_->set_due(task_base::interrupted, true);
  if (task_->run == &task_base::retry_step) {
    task_->waiting_ = nullptr;  // ready already, and not to ask any more
  } else {
    wake();
  }
}

bool suspension::waiting() const noexcept { return task_ != nullptr && task_->waiting_ == this; }

bool suspension::for_good() const noexcept { return task_->for_good_; }

bool suspension::pressed() const noexcept { return task_->is_due(task_base::pressed); }

std::string_view suspension::reason() const noexcept { return task_->reason(); }

loop& suspension::resumes_on() const noexcept { return task_->here(); }

bool suspension::take_cancelled() noexcept {
  using enum task_base::due;
  if (!task_->is_due(kept | pressed | interrupted)) [[likely]]
    return false;
  task_->set_due(kept, false);
  task_->set_due(interrupted, false);
  return true;
}

void suspension::throw_cancelled() { throw cancelled{std::string(reason())}; }

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

void task_list::destroy_pending() noexcept {
  for_each([](task_base& item) { item.destroy_pending(); });
}

void task_list::let_go() noexcept {
  while (first_ != nullptr) remove(*first_);
}

void task_list::cancel_all() noexcept {
  for_each([](task_base& item) { item.cancel(); });
}

void task_list::cancel_all_for_good() noexcept {
  for_each([](task_base& item) { item.cancel_for_good(); });
}

}  // namespace internal
}  // namespace troupe
