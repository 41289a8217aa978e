#pragma once

#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/future.hpp>

#include <coroutine>
#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

namespace troupe {

/// Trivially destructible on purpose: g++ 12 destroys an aggregate with a destructor twice when it is a temporary of a
/// co_await expression, as in `co_await create_task(f(), {.name = "loader"})`.
struct task_options {
  std::string_view name = {};  ///< shown in reports, copied; "task-N" when empty
};

/// A coroutine on its way: what the loop steps, what can be cancelled, what somebody may wait for.
///
/// Life: owned by a `task_list` (the loop's, or an actor's) until its coroutine has ended, and counted by its handles. Its
/// frame is destroyed when the coroutine ends, its result when the last handle goes.
/// Invariants: while it is not done it either waits for one suspension, or is running, or is in the loop's ready chain.
/// Threads: its home loop's.
class task_base : public future_base {
 public:
  /// The task that runs on this thread, or null.
  static task_base* current() noexcept { return internal::this_thread.current_task; }

  /// Asks the task to end: `cancelled` is thrown where it waits, or at its next suspension; before its first step it never
  /// runs, and when no suspension follows its value is dropped. Counted, as in asyncio: each accepted request raises
  /// `cancelling`; requests that meet before they are delivered are one `cancelled`. Returns false when it is done already.
  bool cancel() noexcept override;

  /// Accepted requests to cancel, less those taken back.
  int cancelling() const noexcept { return cancel_requests_; }
  /// Takes one request back and returns how many are left; with none left a request not yet delivered is dropped.
  int uncancel() noexcept;

  /// Ends the task for good: every suspension from now on throws `cancelled`, until its coroutine has ended. What stops an
  /// actor uses it, so that a `catch (...)` cannot keep the actor alive.
  void cancel_for_good() noexcept;

  std::string name() const;
  const std::source_location& created_at() const noexcept { return created_at_; }

  /// Steps the task for the first time in the loop's next round. Called once, by whoever made it.
  void start(std::coroutine_handle<> body) noexcept;
  /// Steps it for the first time at once. Pre: no task runs on this thread.
  void start_now(std::coroutine_handle<> body) noexcept;

 protected:
  task_base(loop& home, task_options options, std::source_location created_at);
  ~task_base() override;

  /// Takes the result over from the coroutine, which has ended, destroys its frame, and tells how it ended.
  virtual status collect() noexcept = 0;
  /// Told after `collect` and before those who wait.
  virtual void on_ended(status) noexcept {}

 private:
  friend class suspension;
  friend class internal::task_list;

  static void first_step(work& item) noexcept;
  static void step(work& item) noexcept;
  void end() noexcept;

  suspension* waiting_ = nullptr;      ///< what it waits for; null when ready or running
  std::coroutine_handle<> resume_at_;  ///< the innermost coroutine, to be resumed
  std::coroutine_handle<> body_;       ///< the outermost
  int cancel_requests_ = 0;
  bool must_cancel_ = false;  ///< a request waits for the next suspension
  bool for_good_ = false;
  bool passing_on_ = false;  ///< its request is on the way to what it waits for
  std::uint32_t number_ = 0;
  internal::task_list* owner_ = nullptr;
  task_base* previous_ = nullptr;  ///< neighbours in the owner's list
  task_base* next_ = nullptr;
  std::string* name_ = nullptr;  ///< owned; null when it has only its number
  std::source_location created_at_;
};

namespace internal {

/// Tasks that have one owner, which winds them up. Holds a count of each until it has ended.
class task_list {
 public:
  task_list() = default;
  task_list(const task_list&) = delete;
  task_list& operator=(const task_list&) = delete;
  ~task_list();

  void add(task_base& added) noexcept;
  void remove(task_base& removed) noexcept;
  bool empty() const noexcept { return first_ == nullptr; }

  void cancel_all() noexcept;
  void cancel_all_for_good() noexcept;
  /// Lets go of tasks that refuse to end: they never run again, and their frames are not freed.
  void abandon() noexcept;
  /// Calls `told(context)` once, when the last task has gone. Pre: not empty.
  void when_empty(void (*told)(void*) noexcept, void* context) noexcept {
    told_when_empty_ = told;
    context_ = context;
  }

  template <class Function>
  void for_each(Function function) const {
    for (task_base* item = first_; item != nullptr;) {
      task_base* const next = item->next_;
      function(*item);
      item = next;
    }
  }

 private:
  task_base* first_ = nullptr;
  task_base* last_ = nullptr;
  void (*told_when_empty_)(void*) noexcept = nullptr;
  void* context_ = nullptr;
};

bool is_cancelled_error(const std::exception_ptr& error) noexcept;
void report_unseen_error(const task_base& failed, const std::exception_ptr& error) noexcept;
[[noreturn]] void throw_awaits_itself(const task_base& awaited);

/// A task whose coroutine ends with a `T`.
template <class T>
class typed_task : public task_base, public pooled {
 public:
  typed_task(loop& home, coro<T> body, task_options options, std::source_location created_at)
      : task_base(home, options, created_at), body_(body.release()) {}

  std::coroutine_handle<> body() const noexcept { return body_; }

  T take() {
    this->retrieved_ = true;
    if (this->was_cancelled()) throw cancelled{};
    return result_.take();
  }
  typename outcome<T>::value_type& get() {
    if (!this->done())
      throw invalid_state("the result of " + this->name() + " was asked for before it ended");
    this->retrieved_ = true;
    if (this->was_cancelled()) throw cancelled{};
    return result_.get();
  }
  std::exception_ptr error() {
    if (!this->done())
      throw invalid_state("the error of " + this->name() + " was asked for before it ended");
    this->retrieved_ = true;
    if (this->was_cancelled()) throw cancelled{};
    return result_.has_error() ? result_.error() : nullptr;
  }

 protected:
  ~typed_task() override = default;

  future_base::status collect() noexcept override {
    auto& ended = body_.promise().result;
    auto how = future_base::status::cancelled;
    // Empty: cancelled before its first step.
    if (ended.has_value() || (ended.has_error() && !is_cancelled_error(ended.error()))) [[likely]] {
      result_.take_from(ended);
      how = result_.has_value() ? future_base::status::value : future_base::status::error;
    }
    body_.destroy();
    body_ = nullptr;
    return how;
  }

  void destroy() noexcept override {
    if (result_.has_error() && !this->retrieved_) {
      report_unseen_error(*this, result_.error());
    }
    delete this;
  }

  outcome<T> result_;
  typename coro<T>::handle_type body_;
};

}  // namespace internal

/// A handle of a running coroutine. Handles are counted; dropping the last one does not stop the task, which belongs to
/// the loop (or the actor) that it was made on. A failure that no handle ever looks at is reported with the task's name and
/// the place where it was created.
///
/// Threads: the task's loop.
/// Cancel: cancelling a task that awaits this one cancels this one, as in asyncio.
template <class T = void>
class task {
 public:
  using state = internal::typed_task<T>;

  /// Takes over one count of `owned`.
  explicit task(state& owned) noexcept : state_(&owned) {}
  task(const task& other) noexcept : state_(other.state_) {
    if (state_ != nullptr) state_->retain();
  }
  task(task&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  task& operator=(task other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~task() {
    if (state_ != nullptr) state_->release();
  }

  bool done() const { return checked().done(); }
  bool was_cancelled() const { return checked().was_cancelled(); }
  bool cancel() const { return checked().cancel(); }
  int cancelling() const { return checked().cancelling(); }
  int uncancel() const { return checked().uncancel(); }
  std::string name() const { return checked().name(); }

  /// Errors: what the coroutine threw; `cancelled`; `invalid_state` when it has not ended.
  decltype(auto) result() const { return checked().get(); }
  std::exception_ptr exception() const { return checked().error(); }

  /// Waits for the end and moves the result out; awaited again, the result is what the first await left of it.
  /// Errors: what the coroutine threw; `cancelled`; `invalid_state` when a task awaits itself.
  auto operator co_await() const { return awaiter(checked()); }

  task_base& base() const { return checked(); }

 private:
  class awaiter : public internal::completion_wait {
   public:
    explicit awaiter(state& target) noexcept : completion_wait(target), target_(target) {}
    void await_suspend(std::coroutine_handle<> handle) {
      if (task_base::current() == &target_) [[unlikely]]
        internal::throw_awaits_itself(target_);
      completion_wait::await_suspend(handle);
    }
    T await_resume() {
      check();
      return target_.take();
    }

   private:
    state& target_;
  };

  state& checked() const {
    if (state_ == nullptr) throw invalid_state("use of a task handle that was moved from");
    return *state_;
  }

  state* state_;
};

namespace internal {

/// Makes `body` a task of `home`, owned by `owner`. Pre: on the thread of `home`, or `home` does not run yet.
template <class T>
task<T> make_task(loop& home, task_list& owner, coro<T> body, task_options options,
                  std::source_location created_at) {
  auto* const made = new typed_task<T>(home, std::move(body), options, created_at);
  owner.add(*made);
  made->start(made->body());
  return task<T>(*made);
}

}  // namespace internal

/// Makes `body` a task of the running loop; its first step runs in the loop's next round.
/// Errors: `invalid_state` when no loop runs on this thread, or `body` was used before.
/// Cost: one pooled allocation beside the coroutine's frame.
template <class T>
task<T> create_task(coro<T> body, task_options options = {},
                    std::source_location created_at = std::source_location::current()) {
  loop* const home = loop::current();
  if (home == nullptr)
    throw invalid_state("create_task needs a running loop, and none runs on this thread");
  return internal::make_task(*home, home->tasks(), std::move(body), options, created_at);
}

}  // namespace troupe
