#pragma once

#include <troupe/runtime/callable.hpp>
#include <troupe/runtime/calls.hpp>
#include <troupe/runtime/context.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/inbox.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/ref_count.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/runtime/timer.hpp>
#include <troupe/runtime/work.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <source_location>
#include <string>
#include <utility>

namespace troupe {

class loop;
class future_base;
class runtime;
class task_base;
template <class T>
class coro;
template <class T>
class task;

namespace internal {
class backend;
class simulated_loop;
class simulator;
class task_list;

}  // namespace internal

/// Something that lives on a loop and has to be wound up before the loop closes; the actors of a loop are one.
class loop_service {
 public:
  virtual ~loop_service() = default;
  /// Starts winding up; called once, on the loop.
  virtual void begin_shutdown() = 0;
  /// The second notice: what still goes on is to end come what may.
  virtual void insist() {}
  /// Gives up on what has not ended: it is never to run again. Called after the loop's last round, where works of it may still
  /// be in the ready chain.
  virtual void abandon() noexcept {}
  /// Gives up its memory. Called after `abandon`, when the chains are empty.
  virtual void let_go() noexcept {}
  /// Whether nothing is left. Asked on the loop, until it is true.
  virtual bool finished() const = 0;
  /// What is left, for the message about a shutdown that does not end.
  virtual std::string unfinished() const = 0;
  /// Calls `visit` for each task that something of this owns.
  virtual void each_task(const callable<void(task_base&)>&) const {}

 private:
  friend class loop;
  const void* key_ = nullptr;  ///< stands for its type
  loop_service* next_ = nullptr;
};

/// How much there is on a loop, for a report: `runtime::loads` gives those of all.
struct loop_load {
  std::size_t index;   ///< of the loop
  std::size_t actors;  ///< that live on it, or are on their way there
  std::uint64_t
      works;  ///< it has done since it began: messages handled, steps of tasks, calls; somewhat less than up to now
};

struct loop_options {
  runtime* owner = nullptr;
  std::size_t index = 0;  ///< which loop of its runtime it is
  /// Time stands still while anything is ready, then jumps to the next timer.
  bool virtual_time = false;
  /// `create_task` takes the first step at once, unless it is given a loop.
  bool eager_tasks = false;
  bool debug =
      false;  ///< see `loop::set_debug`; TROUPE_DEBUG=1 in the environment turns it on as well
  failure_handler on_failure = print_failure;
  /// Who runs it in the place of the system; the test kit.
  internal::simulator* simulator = nullptr;
};

/// An event loop: one thread, one chain of ready works, one timer queue, one poller.
///
/// It runs rounds. A round runs every work that was ready when it began, in order; what becomes ready meanwhile belongs to
/// the next one. After a batch of works, whose size follows from how long works take, it looks at its inbox, its timers and
/// its sockets, so a busy actor starves neither. It sleeps in the operating system only when nothing is ready.
///
/// Life: `open`, any number of runs, `close` or the handle's end. Once the handle is gone the memory of a closed loop is kept
/// and used again for the next one: a ref or promise that outlives its loop still points at a loop, which refuses what it posts.
/// Most programs never touch one: `run` makes it.
///
/// Threads: everything is for the loop's own thread, except `post`, `call_soon_threadsafe`, `post_call` and `index`.
class loop {
 public:
  /// Closes the loop when it goes.
  class handle {
   public:
    handle() noexcept = default;
    explicit handle(loop* opened) noexcept : loop_(opened) {}
    handle(handle&& other) noexcept : loop_(std::exchange(other.loop_, nullptr)) {}
    handle& operator=(handle other) noexcept {
      std::swap(loop_, other.loop_);
      return *this;
    }
    ~handle() {
      if (loop_ != nullptr) loop_->retire();
    }
    loop& operator*() const noexcept { return *loop_; }
    loop* operator->() const noexcept { return loop_; }
    loop* get() const noexcept { return loop_; }

   private:
    loop* loop_ = nullptr;
  };

  /// Errors: std::system_error when the operating system has no descriptor left.
  static handle open(loop_options options = {});

  /// The loop that runs on this thread, or null.
  static loop* current() noexcept { return internal::this_thread.current_loop; }

  /// Runs until `stop`. On virtual time it also returns when nothing can ever become ready.
  /// Errors: `invalid_state` when it is closed or runs already, or another loop runs on this thread.
  void run_forever();

  /// Runs until `awaited` has ended, and returns its result.
  /// Errors: what it threw; `cancelled`; `invalid_state` when the loop was stopped before, which leaves the task as it is, or
  /// as `run_forever`; `deadlock_error` on virtual time when nothing can ever become ready.
  template <class T>
  decltype(auto) run_until_complete(const task<T>& awaited);
  /// The same with `body` as a task.
  template <class T>
  T run_until_complete(coro<T> body,
                       std::source_location created_at = std::source_location::current());

  /// Makes the run return at the end of the current round; before a run, makes that run one round long.
  void stop() noexcept { stopping_ = true; }

  /// Ends it: what is ready runs, tasks that wait are cancelled for good, those that refuse are destroyed and reported, and nothing
  /// is accepted any more. Does nothing the second time.
  /// Errors: `invalid_state` when it runs.
  void close();

  bool running() const noexcept { return running_.load(std::memory_order_relaxed); }
  bool closed() const noexcept { return backend_ == nullptr; }
  /// Errors: `invalid_state` when it is closed.
  void expect_open() const {
    if (backend_ == nullptr || debug_) [[unlikely]]
      throw_misused();
  }

  /// Debug mode: works that take long and coroutines that are never awaited are reported; calls from the wrong thread throw.
  bool debug() const noexcept { return debug_; }
  void set_debug(bool debug) noexcept { debug_ = debug; }
  /// From when on a work takes long, in debug mode: 100 ms unless it is set.
  duration slow_callback_duration() const noexcept { return slow_; }
  void set_slow_callback_duration(duration slow) noexcept { slow_ = slow; }

  /// Makes `item` ready. Pre: on the loop's thread. Cost: four instructions.
  void push(work& item) noexcept { ready_.push(item); }

  /// Makes `item` ready from any thread; wakes the loop only if it sleeps. Items of one thread keep their order.
  /// Returns false, and leaves `item` to the caller, when the loop is closed.
  [[nodiscard]] bool post(work& item) noexcept {
    if (!inbox_.push(item)) return false;
    if (inbox_.claim_wake()) wake();
    return true;
  }

  /// Calls `function()` in the next round, in the context of now. What it throws goes to the failure handler.
  /// Errors: `invalid_state` when the loop is closed.
  template <class Function>
  call_handle call_soon(Function function) {
    expect_open();
    if (!running()) [[unlikely]]
      take_inbox();  // what was asked for before, from anywhere, comes first
    auto* const made =
        new internal::call_of<Function, internal::scheduled_call>(std::move(function));
    push(*made);
    made->retain();
    return call_handle(*made);
  }

  /// As `call_soon`, from any thread; the calls that one thread asks for keep their order.
  /// Errors: `invalid_state` when the loop is closed.
  template <class Function>
  void call_soon_threadsafe(Function function) {
    if (!post_call(std::move(function))) throw_closed();
  }
  /// As `call_soon_threadsafe`, but returns false when the loop is closed.
  template <class Function>
  bool post_call(Function function) {
    auto* const made =
        new internal::call_of<Function, internal::scheduled_call>(std::move(function));
    if (current() == this && !closed()) {
      push(*made);
      return true;
    }
    if (post(*made)) return true;
    made->release();
    return false;
  }

  /// Calls `function()` after `delay`; at once, that is behind all that is ready when the next round begins, for zero or less.
  /// Errors: `invalid_state` when the loop is closed; std::invalid_argument for a delay that is not a number.
  /// Cost: one pooled allocation; O(log n) in the number of timers up to a hundred or so, constant beyond.
  template <class Rep, class Period, class Function>
  timer_handle call_later(std::chrono::duration<Rep, Period> delay, Function function) {
    const duration wait = internal::to_duration(delay);
    return call_timed(internal::saturating_add(time(), wait), wait <= duration::zero(),
                      std::move(function));
  }
  /// Calls `function()` when `time()` has reached `when`. Otherwise as `call_later`.
  template <class Function>
  timer_handle call_at(time_point when, Function function) {
    return call_timed(when, when <= time(), std::move(function));
  }

  /// Calls `reader()` whenever `descriptor` has something to read, or `writer()` whenever it takes something, until it is taken
  /// away or another replaces it. For descriptors of the user's own; streams do better.
  /// Errors: `invalid_state` when the loop is closed; std::system_error for what cannot be watched, such as a plain file.
  void add_reader(int descriptor, callable<void()> reader);
  void add_writer(int descriptor, callable<void()> writer);
  /// Returns false when there was none.
  bool remove_reader(int descriptor) noexcept;
  bool remove_writer(int descriptor) noexcept;

  /// The loop's time, read afresh. Cost: some 20 ns.
  time_point time() const noexcept { return virtual_time_ ? virtual_now_ : clock::now(); }

  /// How much one work may do in a turn, in units of some ten nanoseconds or what else the works of late have cost; a work
  /// that handles several things, such as an actor its messages, says afterwards how many they were.
  std::size_t turn_limit() const noexcept { return budget_; }
  void spent(std::size_t units) noexcept { done_ += units; }

  /// How much there is on this loop. Threads: any.
  loop_load load() const noexcept {
    return {index_, residents_.value(), works_done_.load(std::memory_order_relaxed)};
  }
  /// One who lives here from now on, or no more: an actor. Threads: any.
  void moves_in() noexcept { residents_.add(); }
  void moves_out() noexcept { static_cast<void>(residents_.drop()); }

  timer_queue& timers() noexcept { return timers_; }
  std::size_t index() const noexcept { return index_; }
  /// The runtime this loop is part of, or null.
  runtime* owner() const noexcept { return owner_; }
  bool is_virtual() const noexcept { return virtual_time_; }
  /// Who runs it in the place of the system, or null.
  internal::simulator* simulator() const noexcept { return simulator_; }

  /// True after `run_forever` returned because nothing could ever become ready (virtual time only).
  bool stalled() const noexcept { return stalled_; }

  /// Hands a failure that nobody else receives to the failure handler.
  void report(const failure_report& report) noexcept;
  void set_failure_handler(failure_handler handler) { on_failure_ = std::move(handler); }

  /// Whether `create_task` takes the first step of a task at once.
  bool eager_tasks() const noexcept { return eager_tasks_; }
  void set_eager_tasks(bool eager) noexcept { eager_tasks_ = eager; }

  /// The tasks this loop owns itself, that is, those not owned by an actor.
  internal::task_list& tasks() noexcept { return *tasks_; }
  internal::backend& io() noexcept { return *backend_; }

  /// The loop's service of type `Service`, made by its default constructor when first asked for.
  template <class Service>
  Service& service() {
    for (loop_service* each = services_; each != nullptr; each = each->next_) {
      if (each->key_ == &service_key<Service>) return static_cast<Service&>(*each);
    }
    auto* const made = new Service;
    add_service(*made, &service_key<Service>);
    return *made;
  }

  /// Cancels the loop's tasks and winds up its services. `on_wound_up` is called on the loop, each time it finds nothing
  /// ready and nothing left.
  void begin_shutdown(callable<void()> on_wound_up);
  bool shutting_down() const noexcept { return static_cast<bool>(on_wound_up_); }
  /// The second notice: tasks that caught their cancellation are cancelled for good.
  void insist_on_shutdown();
  /// Gives up on what has not ended: it never runs again. The frames of tasks are destroyed.
  void abandon() noexcept;
  /// Gives up the memory of what was abandoned, on all loops that it may be spread over.
  void let_go() noexcept;

  /// For tests that drive a loop by hand, on virtual time: one round, with what is due now. Returns whether anything is left ready.
  bool run_once();
  /// Lets time go on to the next timer, but not beyond `limit`. False when it stands at `limit` already with nothing due.
  bool advance(time_point limit);
  /// Lets time go on to the next timer. False when there is none.
  bool advance_to_next();
  /// What has not ended, one per line.
  std::string unfinished() const;
  /// Calls `visit` for each task of the loop and of its services.
  void each_task(const callable<void(task_base&)>& visit) const;

 private:
  template <class Service>
  static constexpr char service_key = 0;

  loop();
  ~loop();
  void retire() noexcept;
  void wind_up() noexcept;
  void discard_ready() noexcept;
  /// Runs until `awaited` is done.
  void drive(future_base& awaited);
  void enter();
  void leave() noexcept;
  [[noreturn]] void throw_closed() const;
  void throw_misused() const;
  void run_watched(work& item) noexcept;
  void schedule(internal::delayed_call& made, time_point when, bool due);
  template <class Function>
  timer_handle call_timed(time_point when, bool due, Function&& function) {
    expect_open();
    auto* const made =
        new internal::call_of<std::decay_t<Function>, internal::delayed_call>(std::move(function));
    schedule(*made, when, due);
    made->retain();
    return timer_handle(*made);
  }
  void reset(loop_options options);

  void run_round() noexcept;
  void poll() noexcept;
  void count_works() noexcept;
  void settle_by_hand();
  void idle();
  bool cancel_late_tasks() noexcept;
  void jump();
  bool spin() noexcept;
  void sleep();
  bool take_inbox() noexcept;
  void fire_timers();
  void fire_rested();
  void wake() noexcept;
  bool wound_up() const;
  void add_service(loop_service& made, const void* key) noexcept;
  void end_services() noexcept;

  friend class internal::loop_bound;
  friend class internal::scheduled_call;
  friend class internal::simulated_loop;
  friend class runtime;

  work_queue ready_;
  timer_queue timers_;
  bool stopping_ = false;
  bool debug_ = false;
  std::atomic<bool> running_{false};  ///< debug mode asks on other threads
  bool timer_due_ =
      false;  ///< one was armed for a time that has come: they are looked at before the next round
  bool discarding_ = false;  ///< calls are dropped instead of made
  bool eager_tasks_ = false;
  bool virtual_time_ = false;
  bool stalled_ = false;
  std::size_t budget_ = 0;  ///< works between two looks at inbox, timers and sockets
  std::size_t done_ = 0;    ///< works since the last look
  std::atomic<std::uint64_t> works_done_{0};  ///< up to the last look
  internal::ref_count residents_{0};
  bool spinning_ = false;  ///< the next time nothing is ready: the last sleep was short
  unsigned skip_ = 0;      ///< short sleeps to let pass before spinning again
  unsigned backoff_ = 0;   ///< what `skip_` was set to when spinning last failed; 0 after a success
  duration slow_ = std::chrono::milliseconds(100);
  time_point last_poll_{};
  time_point rested_until_{};  ///< an idle loop fires no timers before
  time_point virtual_now_{};
  runtime* owner_ = nullptr;
  std::size_t index_ = 0;
  failure_handler on_failure_;
  callable<void()> on_wound_up_;
  internal::backend* backend_ = nullptr;  ///< owned, between open and close
  internal::task_list* tasks_ = nullptr;  ///< likewise
  loop_service* services_ = nullptr;      ///< likewise; the newest first
  internal::loop_bound* bound_ = nullptr;
  internal::simulator* simulator_ = nullptr;
  alignas(64) internal::inbox inbox_;  ///< written by other threads: on cache lines of its own
};

}  // namespace troupe
