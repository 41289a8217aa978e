#pragma once

#include <troupe/runtime/check.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/outcome.hpp>
#include <troupe/runtime/ref_count.hpp>
#include <troupe/runtime/suspension.hpp>
#include <troupe/runtime/thread_pool.hpp>
#include <troupe/runtime/waiters.hpp>
#include <troupe/runtime/work.hpp>

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

// How calls that may block, such as those on files, are made for a loop: on a few threads of its own.

namespace troupe::io::internal {

class file_core;
class file_wait;

/// What a loop and its calls share: the threads, and how many calls are under way. Counted, for a call that never ends outlives
/// its loop.
struct file_ledger {
  /// More wait for one another in the disk, not in here.
  static constexpr std::size_t most_threads = 4;

  void retain() noexcept { count.add(); }
  void release() noexcept {
    if (count.drop()) delete this;
  }

  troupe::internal::ref_count count{1};
  thread_pool threads{most_threads};
  std::size_t under_way = 0;  ///< the loop's
};

/// The files of one loop. A shutdown waits for what is under way with them: what was to be written is written, what was dropped is
/// closed.
class files_of_loop final : public loop_service {
 public:
  files_of_loop() : ledger_(new file_ledger) {}
  ~files_of_loop() override;

  void begin_shutdown() override {}
  bool finished() const override { return ledger_->under_way == 0; }
  std::string unfinished() const override;

  file_ledger& ledger() const noexcept { return *ledger_; }
  /// Counted here until it leaves.
  void add(file_core& opened) noexcept;

 private:
  file_ledger* ledger_;
  troupe::internal::chain<file_core> files_;
};

/// A call on a thread of the loop's. Counted by whoever waits for it and by the call itself, until that has come home.
///
/// Life: `start`; then it is performed on a thread, comes home, and wakes who waits; one that nobody waits for any more is then
/// destroyed. With a loop that closed meanwhile those who waited have gone: it ends where it is.
/// Threads: the loop's, but for `perform` and `stopped`.
class file_job : public work,
                 private troupe::internal::thread_job,
                 public troupe::internal::pooled {
 public:
  /// Errors: std::system_error when there is no thread; `invalid_state` off a loop.
  void start();
  /// Nobody waits for it any more: it is not made if it has not begun, else what it gives is dropped.
  void abandon() noexcept;
  /// Whether nobody wants it any more, for calls of several steps.
  bool stopped() const noexcept { return stopped_.load(std::memory_order_relaxed); }
  /// Gives up one count.
  void release() noexcept {
    if (count_.drop()) delete this;
  }

 protected:
  explicit file_job(file_wait* waiter) noexcept;
  virtual ~file_job();
  virtual void perform() noexcept = 0;
  /// At home, when nobody waits.
  virtual void came_home() noexcept {}

 private:
  friend class file_wait;
  static void run_on_thread(troupe::internal::thread_job& job) noexcept;
  static void arrive(work& item) noexcept;
  static void run_here(work& item) noexcept;
  void start_here();

  loop* home_ = nullptr;
  file_ledger* ledger_ = nullptr;
  file_wait* waiter_;
  troupe::internal::ref_count count_;
  std::atomic<bool> stopped_{false};
};

/// The wait for a call. Cancel: gives the call up, as `file_job::abandon` says.
class file_wait : public suspension {
 public:
  file_wait(const file_wait&) = delete;
  ~file_wait();

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle,
                     std::source_location here = std::source_location::current()) {
    job_->start();
    started_ = true;
    park(handle, here);
  }
  bool cancel() noexcept override;
  std::string_view what() const noexcept override { return "a file"; }

 protected:
  friend class file_job;
  explicit file_wait(file_job& job) noexcept : job_(&job) {}
  void arrived() noexcept {
    home_again_ = true;
    wake();
  }
  void settle() { finish(); }
  file_job& job() const noexcept { return *job_; }

 private:
  file_job* job_;
  bool started_ = false;
  bool home_again_ = false;
};

template <class Function, bool TakesJob>
struct file_result {
  using type = std::invoke_result_t<Function&>;
};
template <class Function>
struct file_result<Function, true> {
  using type = std::invoke_result_t<Function&, const file_job&>;
};

template <class Function>
class file_job_of final : public file_job {
  static constexpr bool takes_job = std::is_invocable_v<Function&, const file_job&>;

 public:
  using result = typename file_result<Function, takes_job>::type;

  file_job_of(file_wait* waiter, Function&& function)
      : file_job(waiter), function_(std::move(function)) {}

  troupe::internal::outcome<result> ended;

 private:
  void perform() noexcept override {
    ended.set_from([this]() -> result {
      if constexpr (takes_job) {
        return function_(static_cast<const file_job&>(*this));
      } else {
        return function_();
      }
    });
  }
  Function function_;
};

/// Calls `function()`, or `function(job)` that looks at `job.stopped()`, on a thread:
///
///     file_call call([path] { return read(path); });
///     bytes got = co_await call;
///
/// What the function holds is destroyed on the loop, after the await, or when an abandoned call has come home.
/// Errors: what the function throws. Cancel: see `file_wait`.
template <class Function>
class file_call final : public file_wait {
  using job_type = file_job_of<Function>;

 public:
  explicit file_call(Function function) : file_wait(*new job_type(this, std::move(function))) {}

  typename job_type::result await_resume() {
    settle();
    return static_cast<job_type&>(job()).ended.take();
  }
};

template <class Function>
class file_job_aside final : public file_job {
 public:
  explicit file_job_aside(Function&& function) noexcept
      : file_job(nullptr), function_(std::move(function)) {}
  void perform() noexcept override { function_(); }

 private:
  Function function_;
};

/// Whether a loop runs here that takes calls.
bool may_do_aside() noexcept;

/// Calls `function()`, which throws nothing, on a thread of the running loop, without waiting for it; here, where none runs.
template <class Function>
void do_aside(Function function) noexcept {
  if (!may_do_aside()) return function();
  auto* const job = new file_job_aside<Function>(std::move(function));
  try {
    job->start();
  } catch (const std::exception&) {  // no thread: there is no other way then
    job->perform();
    job->release();
  }
}

void close_now(int descriptor) noexcept;

/// A descriptor that may block when it is closed.
class slow_descriptor {
 public:
  explicit slow_descriptor(int owned) noexcept : value_(owned) {}
  slow_descriptor(slow_descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  slow_descriptor& operator=(slow_descriptor&&) = delete;
  ~slow_descriptor() {
    if (value_ >= 0) do_aside([closed = value_] { close_now(closed); });
  }
  int get() const noexcept { return value_; }
  int release() noexcept { return std::exchange(value_, -1); }

 private:
  int value_;
};

}  // namespace troupe::io::internal
