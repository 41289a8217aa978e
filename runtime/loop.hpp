#pragma once

#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/inbox.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/runtime/timer.hpp>
#include <troupe/runtime/work.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

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
  /// Whether nothing is left. Asked on the loop, until it is true.
  virtual bool finished() const = 0;
  /// What is left, for the message about a shutdown that does not end.
  virtual std::string unfinished() const = 0;
};

struct loop_options {
  runtime* owner = nullptr;
  std::size_t index = 0;       ///< which loop of its runtime it is
  bool virtual_time = false;   ///< time stands still while anything is ready, then jumps to the next timer
  failure_handler on_failure = print_failure;
};

/// An event loop: one thread, one chain of ready works, one timer queue, one asio::io_context.
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
  struct closer {
    void operator()(loop* closing) const noexcept { closing->close(); }
  };
  using handle = std::unique_ptr<loop, closer>;

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
    auto item = std::make_unique<callback<Function>>(std::move(function));
    if (!post(*item)) return false;
    static_cast<void>(item.release());
    return true;
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
    for (const service_entry& entry : services_) {
      if (entry.key == &service_key<Service>) return static_cast<Service&>(*entry.service);
    }
    services_.push_back({&service_key<Service>, std::make_unique<Service>()});
    return static_cast<Service&>(*services_.back().service);
  }

  /// Cancels the loop's tasks and winds up its services. `on_wound_up` is called on the loop, each time it finds nothing
  /// ready and nothing left.
  void begin_shutdown(std::function<void()> on_wound_up);
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
      const std::unique_ptr<callback> self(static_cast<callback*>(&item));
      try {
        self->function();
      } catch (...) {
        internal::this_thread.current_loop->report(
            {"a callback of the loop threw", std::current_exception()});
      }
    }
    Function function;
  };

  struct service_entry {
    const void* key;
    std::unique_ptr<loop_service> service;
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
  bool spin() noexcept;
  void sleep();
  bool take_inbox() noexcept;
  void fire_timers();
  void wake() noexcept;
  bool wound_up() const;

  work_queue ready_;
  timer_queue timers_;
  bool stopping_ = false;
  bool virtual_time_ = false;
  bool stalled_ = false;
  std::size_t budget_ = 0;         ///< works between two looks at inbox, timers and sockets
  std::size_t done_ = 0;           ///< works since the last look
  std::size_t spin_limit_ = 0;     ///< pauses to spin before sleeping; 0 while nothing arrives soon
  time_point last_poll_{};
  time_point virtual_now_{};
  runtime* owner_ = nullptr;
  std::size_t index_ = 0;
  failure_handler on_failure_;
  std::function<void()> on_wound_up_;
  std::unique_ptr<internal::backend> backend_;
  std::unique_ptr<internal::task_list> tasks_;
  std::vector<service_entry> services_;
  alignas(64) internal::inbox inbox_;  ///< written by other threads: on cache lines of its own
};

}  // namespace troupe
