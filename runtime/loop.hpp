#pragma once

#include <troupe/runtime/callable.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/inbox.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/runtime/timer.hpp>
#include <troupe/runtime/work.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace troupe {

class loop;
class runtime;
class task_base;

namespace internal {
class backend;
class task_list;

/// What is running on this thread.
struct thread_state {
  loop* current_loop = nullptr;
  task_base* current_task = nullptr;
  void* pending_transfer = nullptr;  ///< see coro.hpp
  int transfers_left = 0;
};
extern constinit thread_local thread_state this_thread;
}  // namespace internal

/// Something that lives on a loop and has to be wound up before the loop closes; the actors of a loop are one.
class loop_service {
 public:
  virtual ~loop_service() = default;
  /// Starts winding up; called once, on the loop.
  virtual void begin_shutdown() = 0;
  /// The second notice: what still goes on is to end come what may.
  virtual void insist() {}
  /// Gives up on what has not ended: it is never to run again. Its memory is not freed. Called after the loop's last round.
  virtual void abandon() noexcept {}
  /// Whether nothing is left. Asked on the loop, until it is true.
  virtual bool finished() const = 0;
  /// What is left, for the message about a shutdown that does not end.
  virtual std::string unfinished() const = 0;

 private:
  friend class loop;
  const void* key_ = nullptr;  ///< stands for its type
  loop_service* next_ = nullptr;
};

struct loop_options {
  runtime* owner = nullptr;
  std::size_t index = 0;  ///< which loop of its runtime it is
  bool virtual_time =
      false;  ///< time stands still while anything is ready, then jumps to the next timer
  failure_handler on_failure = print_failure;
};

/// An event loop: one thread, one chain of ready works, one timer queue, one poller.
///
/// It runs rounds. A round runs every work that was ready when it began, in order; what becomes ready meanwhile belongs to
/// the next one. After a batch of works, whose size follows from how long works take, it looks at its inbox, its timers and
/// its sockets, so a busy actor starves neither. It sleeps in the operating system only when nothing is ready.
///
/// Life: `open`, any number of `run`, and the handle's end closes it. The memory of a closed loop is kept and used again
/// for the next one: a ref or promise that outlives its loop still points at a loop, which refuses what it posts.
///
/// Threads: everything is for the loop's own thread, except `post`, `call_soon_threadsafe` and `index`.
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
      if (loop_ != nullptr) loop_->close();
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
  /// Pre: no other loop runs on this thread, and this one on no other.
  void run();

  /// Makes `run` return at the end of the current round.
  void stop() noexcept { stopping_ = true; }

  /// Makes `item` ready. Pre: on the loop's thread. Cost: four instructions.
  void push(work& item) noexcept { ready_.push(item); }

  /// Makes `item` ready from any thread; wakes the loop only if it sleeps. Items of one thread keep their order.
  /// Returns false, and leaves `item` to the caller, when the loop is closed.
  [[nodiscard]] bool post(work& item) noexcept {
    if (!inbox_.push(item)) return false;
    if (inbox_.claim_wake()) wake();
    return true;
  }

  /// Runs `function()` in the next round. What it throws goes to the failure handler.
  template <class Function>
  void call_soon(Function function) {
    push(*new callback<Function>(std::move(function)));
  }

  /// As `call_soon`, from any thread. Returns false when the loop is closed.
  template <class Function>
  bool call_soon_threadsafe(Function function) {
    auto* const item = new callback<Function>(std::move(function));
    if (post(*item)) return true;
    delete item;
    return false;
  }

  /// The loop's time, read afresh. Cost: some 20 ns.
  time_point now() const noexcept { return virtual_time_ ? virtual_now_ : clock::now(); }

  /// How much one work may do in a turn, in units of some ten nanoseconds or what else the works of late have cost; a work
  /// that handles several things, such as an actor its messages, says afterwards how many they were.
  std::size_t turn_limit() const noexcept { return budget_; }
  void spent(std::size_t units) noexcept { done_ += units; }

  timer_queue& timers() noexcept { return timers_; }
  std::size_t index() const noexcept { return index_; }
  /// The runtime this loop is part of, or null.
  runtime* owner() const noexcept { return owner_; }
  bool is_virtual() const noexcept { return virtual_time_; }

  /// True after `run` returned because nothing could ever become ready (virtual time only).
  bool stalled() const noexcept { return stalled_; }

  /// Hands a failure that nobody else receives to the failure handler.
  void report(const failure_report& report) noexcept;
  void set_failure_handler(failure_handler handler) { on_failure_ = std::move(handler); }

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
  /// The second notice: tasks that caught their cancellation are cancelled for good.
  void insist_on_shutdown();
  /// Gives up on what has not ended: it never runs again, and its memory is not freed.
  void abandon() noexcept;
  /// What has not ended, one per line.
  std::string unfinished() const;

 private:
  template <class Function>
  struct callback final : work, internal::pooled {
    explicit callback(Function given) : work(&callback::call), function(std::move(given)) {}
    static void call(work& item) noexcept {
      auto* const self = static_cast<callback*>(&item);
      try {
        self->function();
      } catch (...) {
        internal::this_thread.current_loop->report(
            {"a callback of the loop threw", std::current_exception()});
      }
      delete self;
    }
    Function function;
  };

  template <class Service>
  static constexpr char service_key = 0;

  loop();
  ~loop();
  void close() noexcept;
  void reset(loop_options options);

  void run_round() noexcept;
  void poll() noexcept;
  void idle();
  void jump();
  bool spin() noexcept;
  void sleep();
  bool take_inbox() noexcept;
  void fire_timers();
  void wake() noexcept;
  bool wound_up() const;
  void add_service(loop_service& made, const void* key) noexcept;
  void end_services() noexcept;

  work_queue ready_;
  timer_queue timers_;
  bool stopping_ = false;
  bool virtual_time_ = false;
  bool stalled_ = false;
  std::size_t budget_ = 0;  ///< works between two looks at inbox, timers and sockets
  std::size_t done_ = 0;    ///< works since the last look
  bool spinning_ = false;   ///< the next time nothing is ready: the last sleep was short
  unsigned skip_ = 0;       ///< short sleeps to let pass before spinning again
  unsigned backoff_ = 0;  ///< what `skip_` was set to when spinning last failed; 0 after a success
  time_point last_poll_{};
  time_point virtual_now_{};
  runtime* owner_ = nullptr;
  std::size_t index_ = 0;
  failure_handler on_failure_;
  callable<void()> on_wound_up_;
  internal::backend* backend_ = nullptr;  ///< owned, between open and close
  internal::task_list* tasks_ = nullptr;  ///< likewise
  loop_service* services_ = nullptr;      ///< likewise; the newest first
  alignas(64) internal::inbox inbox_;     ///< written by other threads: on cache lines of its own
};

}  // namespace troupe
