#pragma once

#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/time.hpp>

#include <atomic>
#include <cstddef>
#include <exception>
#include <source_location>
#include <stdexcept>
#include <utility>
#include <vector>

namespace troupe {

class thread_pool;

struct run_options {
  std::size_t threads = 1;  ///< loops, each on a thread of its own; the first is the caller's
  /// How long the shutdown waits for tasks and actors: once after cancelling them, and once more after insisting.
  duration shutdown_timeout = std::chrono::seconds(10);
  bool handle_interrupt =
      true;  ///< the first SIGINT cancels the main task, a second ends the process;
             ///< of several runtimes at once the first one answers it
  bool virtual_time = false;  ///< for tests: time jumps instead of passing; one thread only
  failure_handler on_failure = print_failure;
  std::size_t pool_threads =
      0;  ///< most threads for `to_thread`; zero: four more than processors, at most 32
  bool eager_tasks = false;  ///< see `loop::set_eager_tasks`
  bool debug =
      false;  ///< see `loop::set_debug`; TROUPE_DEBUG=1 in the environment turns it on as well
};

/// `run` was interrupted by SIGINT, and the main task ended by the cancellation that followed.
struct interrupted : std::runtime_error {
  interrupted() : std::runtime_error("interrupted by SIGINT") {}
};

/// The loops of a program and the threads they run on: what `run` makes for one coroutine, for those who run several on the same
/// loops, or who ask for the loops by number. asyncio calls it Runner.
///
/// Life: made; any number of `run`, one after another; `close`, which winds up everything that is left: tasks are cancelled,
/// actors stopped, on each loop in the reverse order of their start, threads joined. What refuses to end within
/// `shutdown_timeout` is cancelled for good at each suspension; what refuses that too is named to the failure handler and
/// destroyed. Between two runs the first loop, which is the caller's, stands still, and the others go on.
/// Threads: `loop_at`, `size`, `next_spread`, `least_loaded` and `loads` may be called on any of its loops; the rest on the thread that made it.
class runtime {
 public:
  /// Errors: std::invalid_argument for zero threads or several on virtual time; std::system_error when the operating
  /// system refuses a thread or descriptor.
  explicit runtime(const run_options& options = {});
  /// Closes it, which may take as long as `close` does.
  ~runtime();
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// The runtime of the running loop, or null.
  static runtime* current() noexcept;

  std::size_t size() const noexcept { return size_; }
  loop& loop_at(std::size_t index) noexcept { return *loops_[index]; }
  /// The first loop. Errors: `invalid_state` when it is closed.
  loop& get_loop();

  /// The threads of `to_thread`.
  thread_pool& pool() noexcept { return *pool_; }

  /// The loops in turn: where `place::spread` puts the next one.
  loop& next_spread() noexcept;
  /// The loop with the fewest actors, the first of them: where `place::least_loaded` puts the next one.
  loop& least_loaded() noexcept;
  /// How much there is on each loop.
  std::vector<loop_load> loads() const;

  /// Runs `body` as the main task and returns its result. SIGINT cancels it meanwhile, a second one ends the process.
  /// Errors: what `body` throws; `cancelled`; `interrupted`; on virtual time `deadlock_error`; `invalid_state` when somebody
  /// stopped the loop, when this is closed, or inside a running loop; std::system_error when the operating system refuses a
  /// thread or descriptor.
  template <class T>
  T run(coro<T> body, std::source_location created_at = std::source_location::current()) {
    expect_idle();
    const task<T> main = create_task(get_loop(), std::move(body), {.name = "main"}, created_at);
    drive(main.base());
    if (main.cancelled() && interrupted_) throw interrupted();
    return main.base().take(1);
  }

  /// Winds up everything; see above. Does nothing the second time.
  /// Errors: `invalid_state` inside a running loop.
  void close();

 private:
  class threads;

  /// Errors: `invalid_state` when it cannot be run or closed from here.
  static void expect_idle();
  void drive(task_base& main);
  void shut_down() noexcept;

  run_options options_;
  loop::handle* loops_ = nullptr;  ///< owned, `size_` of them, until closed
  std::size_t size_ = 0;
  thread_pool* pool_ = nullptr;  ///< owned
  threads* threads_ = nullptr;   ///< owned, from the first run until closed
  std::atomic<std::size_t> spread_{0};
  std::atomic<std::size_t> not_empty_{0};  ///< loops that have not counted as empty, at the end
  std::atomic<unsigned> counting_{0};      ///< which counting it is
  bool interrupted_ = false;
};

/// What asyncio calls it.
using runner = runtime;

/// Runs `body` to its end on a runtime of its own and returns its result: the one call in a program's `main`.
/// Errors: what `body` throws; `interrupted` after SIGINT; `invalid_state` when a loop runs on this thread already.
template <class T>
T run(coro<T> body, const run_options& options = {},
      std::source_location created_at = std::source_location::current()) {
  if (loop::current() != nullptr)
    throw invalid_state("run was called inside a running loop: await the coroutine instead");
  runtime made(options);
  return made.run(std::move(body), created_at);
}

}  // namespace troupe
