#pragma once

#include <troupe/runtime/context.hpp>
#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/memory.hpp>

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

namespace troupe {

namespace internal {
class move_wait;
class scope;
}  // namespace internal

/// Trivially destructible on purpose: g++ 12 destroys an aggregate with a destructor twice when it is a temporary of a
/// co_await expression, as in `co_await create_task(f(), {.name = "loader"})`.
struct task_options {
  std::string_view name = {};  ///< shown in reports, copied; "task-N" when empty
  bool eager = false;  ///< takes its first step inside create_task, up to where it first suspends
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
  /// `cancelling`; requests that meet before they are delivered are one `cancelled`, with the last `reason`. Returns false when
  /// it is done already.
  bool cancel(std::string_view reason = {}) noexcept override;

  /// Accepted requests to cancel, less those taken back.
  int cancelling() const noexcept { return cancel_requests_; }
  /// Those of them that no shield holds.
  int requests_let_through() const noexcept { return cancel_requests_ - held(); }
  /// Takes one request back and returns how many are left; with none left a request not yet delivered is dropped.
  int uncancel() noexcept;

  /// Ends the task for good: every suspension from now on throws `cancelled`, until its coroutine has ended. What stops an
  /// actor uses it, so that a `catch (...)` cannot keep the actor alive.
  void cancel_for_good() noexcept;

  std::string name() const;
  void set_name(std::string_view name);
  const std::source_location& created_at() const noexcept { return created_at_; }
  const task_base* as_task() const noexcept override { return this; }

  /// What it waits for; null when it is ready, running or done.
  const suspension* waiting_for() const noexcept { return waiting_; }
  /// The innermost coroutine that it is in. Null when done.
  std::coroutine_handle<> innermost() const noexcept { return resume_at_; }

  /// The task that running `item` steps, or null.
  static task_base* stepped_by(work& item) noexcept;
  /// Whether that is the first one.
  static bool begins(const work& item) noexcept { return item.run == &task_base::first_step; }

  /// Steps the task for the first time in the loop's next round. Called once, by whoever made it.
  void start() noexcept;
  /// Steps it for the first time at once. Nothing else of the calling task goes on meanwhile.
  void start_now() noexcept;

  /// Whose task it is, which a task that it creates may share.
  internal::task_list* owner() const noexcept { return owner_; }

  /// The loop on which it takes its steps: its home, unless it moved (see on.hpp). Its handles belong to its home all the same.
  loop& here() const noexcept {
    return away_.load(std::memory_order_acquire) ? where_away() : home();
  }

 protected:
  /// Takes over `body`, the frame.
  task_base(loop& home, std::coroutine_handle<> body, const task_options& options,
            std::source_location created_at);
  ~task_base() override;

  /// Takes the result over from the coroutine at `body`, which has ended or never began, and tells how it ended.
  virtual status collect(std::coroutine_handle<> body) noexcept = 0;
  /// Told after `collect` and before those who wait.
  virtual void on_ended(status) noexcept {}
  std::string_view reason() const noexcept;

 private:
  friend class suspension;
  friend class internal::task_list;
  friend class internal::scope;
  friend class internal::move_wait;
  friend internal::context_data*& internal::current_context() noexcept;
  friend internal::context_data*& internal::context_of(task_base& task) noexcept;

  /// What few tasks have, so that the others are small.
  struct rarities : internal::pooled {
    std::string name;
    std::string reason;
    internal::scope* scope = nullptr;  ///< the innermost of its scopes
    std::uint32_t held = 0;            ///< requests that wait for a shielded scope to be left
    std::uint32_t bound =
        0;  ///< time limits and the like, of its present loop, that it is inside of
    std::atomic<loop*> away_on{nullptr};  ///< where it is, when that is not its home
  };

  static void first_step(work& item) noexcept;
  static void step(work& item) noexcept;
  static void retry_step(work& item) noexcept;
  static void end_at_home(work& item) noexcept;
  void end() noexcept;
  bool request_cancel(std::string_view reason, const internal::scope* around) noexcept;
  loop* elsewhere() const noexcept;
  loop& where_away() const noexcept;
  /// Pre: it has `rarities`.
  void set_here(loop& there) noexcept;
  template <class Order>
  bool send_to(loop& at, Order order) noexcept;
  void keep_reason_of_request(std::string_view reason) noexcept;
  /// Ends it as it is, with the frame destroyed; nothing of it runs any more but the destructors in the frame.
  void destroy_pending() noexcept;

  /// What stands in `due_`. Any of them makes the end of the present wait a `cancelled`.
  enum due : std::uint8_t {
    kept = 1,         ///< a request waits for the next suspension
    pressed = 2,      ///< every suspension throws: cancelled for good, or inside a cancelled scope
    interrupted = 4,  ///< the present suspension was ended by `wake_cancelled`
  };
  bool is_due(unsigned what) const noexcept { return (due_ & what) != 0; }
  void set_due(due what, bool is) noexcept {
    due_ = static_cast<std::uint8_t>(is ? due_ | what : due_ & ~what);
  }
  rarities& rare() {
    if (rarities_ == nullptr) rarities_ = new rarities;
    return *rarities_;
  }
  internal::scope* scope() const noexcept {
    return rarities_ != nullptr ? rarities_->scope : nullptr;
  }
  int held() const noexcept { return rarities_ != nullptr ? rarities_->held : 0; }

  std::atomic<bool> away_{
      false};  ///< is on the loop that `rarities` names; written where it leaves
  std::uint8_t due_ = 0;
  bool for_good_ = false;    ///< cancelled for good
  bool passing_on_ = false;  ///< its request is on the way to what it waits for
  std::uint16_t cancel_requests_ = 0;
  std::uint32_t number_ = 0;
  suspension* waiting_ = nullptr;      ///< what it waits for; null when ready or running
  std::coroutine_handle<> resume_at_;  ///< the innermost coroutine, to be resumed
  std::coroutine_handle<> body_;       ///< the outermost
  internal::task_list* owner_ = nullptr;
  task_base* previous_ = nullptr;  ///< neighbours in the owner's list
  task_base* next_ = nullptr;
  internal::context_data* context_;  ///< one count
  rarities* rarities_ = nullptr;     ///< owned; null while it has none of them
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
  /// Destroys the frames of tasks that refuse to end; they never run again, and count as cancelled. They stay in the list, for
  /// they may still be in their loop's ready chain.
  void destroy_pending() noexcept;
  /// Lets go of the tasks. Pre: `destroy_pending`, and they are in no chain any more.
  void let_go() noexcept;
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

enum class cancellation : std::uint8_t { none, plain, with_reason };
/// Whether `error` is `cancelled`.
cancellation cancellation_of(const std::exception_ptr& error) noexcept;
void report_unseen_error(const task_base& failed, const std::exception_ptr& error) noexcept;
[[noreturn]] void throw_awaits_itself(const task_base& awaited);

/// A task whose coroutine ends with a `T`.
template <class T>
class typed_task : public with_result<T, task_base>, public pooled {
 public:
  typed_task(loop& home, coro<T>&& body, const task_options& options,
             std::source_location created_at)
      : with_result<T, task_base>(home, body.release(), options, created_at) {}

 protected:
  ~typed_task() override = default;

  future_base::status collect(std::coroutine_handle<> body) noexcept override {
    auto& ended = coro<T>::handle_type::from_address(body.address()).promise().result;
    if (!body.done()) [[unlikely]] {  // it never began
      this->keep_reason(this->reason());
      return future_base::status::cancelled;
    }
    if (ended.has_error()) [[unlikely]] {
      const cancellation kind = cancellation_of(ended.error());
      if (kind != cancellation::plain) this->result_.take_from(ended);
      if (kind != cancellation::none) return future_base::status::cancelled;
    } else {
      this->result_.take_from(ended);
    }
    return this->result_.has_error() ? future_base::status::error : future_base::status::value;
  }

  void destroy() noexcept override {
    if (this->unseen_error()) report_unseen_error(*this, this->result_.error());
    delete this;
  }
};

}  // namespace internal

/// A handle of a running coroutine. Handles are counted; dropping the last one does not stop the task, which belongs to
/// the loop (or the actor) that it was made on. A failure that no handle ever looks at is reported with the task's name and
/// the place where it was created.
///
/// `co_await t` gives everybody who awaits the same value, copied (where it can be copied; else the first takes it);
/// `co_await std::move(t)`, as for any temporary, moves it out when this is the only handle.
/// Threads: the task's loop.
/// Cancel: cancelling a task that awaits this one cancels this one, as in asyncio.
template <class T = void>
class task : public internal::result_handle<T, internal::typed_task<T>> {
  using handle = internal::result_handle<T, internal::typed_task<T>>;

 public:
  using state = internal::typed_task<T>;
  using handle::handle;

  /// See `task_base`, which says what these do.
  int cancelling() const { return this->checked().cancelling(); }
  int uncancel() const { return this->checked().uncancel(); }
  std::string name() const { return this->checked().name(); }
  void set_name(std::string_view name) const { this->checked().set_name(name); }
  const std::source_location& created_at() const { return this->checked().created_at(); }

  /// A function that is kept with its identity, so that it can be removed again: copies are equal.
  using callback = callable<void(const task&)>;
  /// Calls `function` with this task in the round after the one in which it ended, in the order of adding.
  void add_done_callback(callback function) const {
    this->template add_callback<task>(std::move(function));
  }
  /// Takes out all that are copies of `function` and have not been called for; returns how many.
  std::size_t remove_done_callback(const callback& function) const {
    return internal::done_call<task>::remove(this->checked(), function);
  }

  /// Waits for the end. Errors: what the coroutine threw; `cancelled`; `invalid_state` when a task awaits itself.
  auto operator co_await() const& { return awaiter<false>(this->checked()); }
  auto operator co_await() && { return awaiter<true>(this->checked()); }

 private:
  template <bool Last>
  class awaiter : public internal::result_wait<T, state, Last> {
   public:
    using internal::result_wait<T, state, Last>::result_wait;
    void await_suspend(std::coroutine_handle<> handle,
                       std::source_location here = std::source_location::current()) {
      auto& awaited = static_cast<state&>(this->target());
      if (task_base::current() == &awaited) [[unlikely]]
        internal::throw_awaits_itself(awaited);
      internal::completion_wait::await_suspend(handle, here);
    }
    std::string_view what() const noexcept override { return "a task"; }
  };
};

namespace internal {

/// Makes `body` a task of `home`, owned by `owner`. Pre: on the thread of `home`, or `home` does not run yet.
/// Options are passed on where they are: a copy made of pieces just written is read before they have reached the cache.
template <class T>
task<T> make_task(loop& home, task_list& owner, coro<T>&& body, const task_options& options,
                  bool eager, std::source_location created_at) {
  auto* const made = new typed_task<T>(home, std::move(body), options, created_at);
  owner.add(*made);
  if (eager) [[unlikely]] {
    made->start_now();
  } else {
    made->start();
  }
  return task<T>(*made);
}

/// The loop of this thread. Errors: `invalid_state`, saying that `what` needs one.
loop& running_loop(const char* what);

}  // namespace internal

/// Makes `body` a task of the running loop; its first step runs in the loop's next round.
/// Errors: `invalid_state` when no loop runs on this thread, or `body` was used before.
/// Cost: one pooled allocation beside the coroutine's frame.
template <class T>
task<T> create_task(coro<T> body, const task_options& options = {},
                    std::source_location created_at = std::source_location::current()) {
  loop& home = internal::running_loop("create_task");
  return internal::make_task(home, home.tasks(), std::move(body), options,
                             options.eager || home.eager_tasks(), created_at);
}

/// The same on `home`, which may not run yet.
/// Errors: `invalid_state` when it is closed.
/// Threads: that of `home`.
template <class T>
task<T> create_task(loop& home, coro<T> body, const task_options& options = {},
                    std::source_location created_at = std::source_location::current()) {
  home.expect_open();
  return internal::make_task(home, home.tasks(), std::move(body), options, false, created_at);
}

template <class T>
decltype(auto) loop::run_until_complete(const task<T>& awaited) {
  drive(awaited.base());
  return awaited.base().share();
}

template <class T>
T loop::run_until_complete(coro<T> body, std::source_location created_at) {
  const task<T> main = create_task(*this, std::move(body), {.name = "main"}, created_at);
  drive(main.base());
  return main.base().take(1);
}

}  // namespace troupe
