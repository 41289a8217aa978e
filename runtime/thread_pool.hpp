#pragma once

#include <troupe/runtime/context.hpp>
#include <troupe/runtime/time.hpp>

#include <cstddef>

namespace troupe {

class loop;
class thread_pool;
template <class T>
class future;

/// Shuts the pool of the running runtime down: it takes no further calls. Waits, without blocking the loop, until those it has have
/// ended; false when some still run after `limit`. `run` does it at its end.
future<bool> shutdown_default_executor(duration limit = infinite);

namespace internal {

/// A piece of blocking work, intrusive: it lives in whatever waits for its end.
struct thread_job {
  using function = void (*)(thread_job&) noexcept;
  explicit thread_job(function given) noexcept : run(given) {}
  thread_job(const thread_job&) = delete;
  thread_job& operator=(const thread_job&) = delete;

  function run;
  thread_job* previous = nullptr;
  thread_job* next = nullptr;
  bool queued = false;  ///< guarded by the pool

 protected:
  ~thread_job() = default;
};

/// What `to_thread` uses on `home`: the pool of its runtime, or of the loop itself where it has none.
/// Errors: `invalid_state` when the loop is closed.
thread_pool& default_pool(loop& home);
[[noreturn]] void throw_pool_closed();

}  // namespace internal

/// A bounded number of threads for calls that block: files, databases, long computations. Threads are started when there is
/// work and none is idle, and kept. Every runtime has one, which `to_thread` uses; further ones keep kinds of work from
/// crowding each other out.
///
/// Life: works until `shut_down`; its destructor waits for the jobs that run.
/// Threads: any.
class thread_pool {
 public:
  /// At most `threads` at a time; zero stands for four more than there are processors, at most 32.
  explicit thread_pool(std::size_t threads = 0);
  ~thread_pool();
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;

  /// Takes no new jobs, lets those run that it has, and waits for them for at most `limit`. Returns false when some still run:
  /// their threads are left to themselves.
  bool shut_down(duration limit = infinite);
  bool closed() const;

  /// Runs `job` when a thread is free, in the order of submitting. For `to_thread`.
  /// Errors: `invalid_state` after `shut_down`; std::system_error when the operating system gives no thread and there is none.
  void submit(internal::thread_job& job);
  struct shared;
  /// What a job keeps of the pool that it was given to, which it may outlive.
  class hold {
   public:
    hold() noexcept = default;
    explicit hold(thread_pool& pool) noexcept;
    hold(const hold&) = delete;
    hold& operator=(const hold&) = delete;
    hold& operator=(hold&& other) noexcept {
      shared* const mine = shared_;
      shared_ = other.shared_;
      other.shared_ = mine;
      return *this;
    }
    ~hold();
    /// Takes a job back that has not begun; returns false when it has.
    bool withdraw(internal::thread_job& job) noexcept;

   private:
    shared* shared_ = nullptr;
  };

 private:
  friend future<bool> shutdown_default_executor(duration limit);
  static void work(shared& pool) noexcept;
  static bool shut_down(shared& pool, duration limit);
  static void release(shared& pool) noexcept;

  shared* shared_;  ///< also held by each thread
};

}  // namespace troupe
