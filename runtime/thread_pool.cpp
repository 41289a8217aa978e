#include <troupe/runtime/thread_pool.hpp>

#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/ref_count.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/to_thread.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <system_error>
#include <thread>

namespace troupe {

/// What the threads and the pool's owner share. The last one to go frees it: a job that never ends must not lose the ground.
struct thread_pool::shared {
  explicit shared(std::size_t limit) noexcept : most(limit) {}

  void unlink(internal::thread_job& job) noexcept {
    (job.previous != nullptr ? job.previous->next : first) = job.next;
    (job.next != nullptr ? job.next->previous : last) = job.previous;
    job.queued = false;
  }

  internal::ref_count count{1};
  std::mutex mutex;
  std::condition_variable work_came;
  std::condition_variable thread_ended;
  internal::thread_job* first = nullptr;
  internal::thread_job* last = nullptr;
  std::size_t waiting = 0;  ///< jobs that no thread has taken
  std::size_t threads = 0;
  std::size_t idle = 0;
  const std::size_t most;
  bool closed = false;
};

namespace {

std::size_t default_threads() {
  constexpr std::size_t more_than_processors = 4;
  constexpr std::size_t most = 32;
  return std::min<std::size_t>(std::thread::hardware_concurrency() + more_than_processors, most);
}

/// Signals are for the threads that run loops.
class signals_blocked {
 public:
  signals_blocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

thread_pool::thread_pool(std::size_t threads)
    : shared_(new shared(threads != 0 ? threads : default_threads())) {}

thread_pool::~thread_pool() {
  if (!closed()) shut_down();
  release(*shared_);
}

void thread_pool::release(shared& pool) noexcept {
  if (pool.count.drop()) delete &pool;
}

bool thread_pool::closed() const {
  const std::scoped_lock lock(shared_->mutex);
  return shared_->closed;
}

void thread_pool::submit(internal::thread_job& job) {
  shared& pool = *shared_;
  const std::scoped_lock lock(pool.mutex);
  if (pool.closed) internal::throw_pool_closed();
  if (pool.idle <= pool.waiting && pool.threads < pool.most) {
    try {
      const signals_blocked blocked;
      pool.count.add();
      std::thread([&pool] { work(pool); }).detach();
      ++pool.threads;
    } catch (const std::system_error&) {
      static_cast<void>(pool.count.drop());
      if (pool.threads == 0) throw;
    }
  }
  job.next = nullptr;
  job.previous = pool.last;
  (pool.last != nullptr ? pool.last->next : pool.first) = &job;
  pool.last = &job;
  job.queued = true;
  ++pool.waiting;
  pool.work_came.notify_one();
}

thread_pool::hold::hold(thread_pool& pool) noexcept : shared_(pool.shared_) {
  shared_->count.add();
}

thread_pool::hold::~hold() {
  if (shared_ != nullptr) release(*shared_);
}

bool thread_pool::hold::withdraw(internal::thread_job& job) noexcept {
  if (shared_ == nullptr) return false;
  const std::scoped_lock lock(shared_->mutex);
  if (!job.queued) return false;
  shared_->unlink(job);
  --shared_->waiting;
  return true;
}

void thread_pool::work(shared& pool) noexcept {
  {
    std::unique_lock lock(pool.mutex);
    for (;;) {
      ++pool.idle;
      pool.work_came.wait(lock, [&] { return pool.first != nullptr || pool.closed; });
      --pool.idle;
      internal::thread_job* const job = pool.first;
      if (job == nullptr) break;
      pool.unlink(*job);
      --pool.waiting;
      lock.unlock();
      job->run(*job);
      lock.lock();
    }
    --pool.threads;
    pool.thread_ended.notify_all();
  }
  release(pool);
}

bool thread_pool::shut_down(duration limit) { return shut_down(*shared_, limit); }

bool thread_pool::shut_down(shared& pool, duration limit) {
  std::unique_lock lock(pool.mutex);
  pool.closed = true;
  pool.work_came.notify_all();
  const auto ended = [&pool] { return pool.threads == 0; };
  if (limit == infinite) {
    pool.thread_ended.wait(lock, ended);
    return true;
  }
  return pool.thread_ended.wait_until(
      lock,
      internal::saturating_add(clock::now(), std::min(limit, duration(std::chrono::hours(24)))),
      ended);
}

namespace {
/// The pool of a loop that belongs to no runtime.
class own_pool final : public loop_service {
 public:
  void begin_shutdown() override {}
  bool finished() const override { return true; }
  std::string unfinished() const override { return {}; }
  thread_pool pool;
};
}  // namespace

void internal::throw_pool_closed() {
  throw invalid_state("a call was given to a thread_pool that has been shut down");
}

thread_pool& internal::default_pool(loop& home) {
  home.expect_open();
  if (home.owner() != nullptr) return home.owner()->pool();
  return home.service<own_pool>().pool;
}

future<bool> shutdown_default_executor(duration limit) {
  loop& home = internal::running_loop("shutdown_default_executor");
  thread_pool& pool = internal::default_pool(home);
  promise<bool> ended;
  future<bool> answer = ended.get_future();
  if (home.is_virtual()) {
    ended.set_value(pool.shut_down());
    return answer;
  }
  // Waits on a thread of its own, which may outlive the pool.
  thread_pool::shared& held = *pool.shared_;
  held.count.add();
  const signals_blocked blocked;
  std::thread waiting([&held, limit, told = std::move(ended)]() mutable {
    told.set_value(thread_pool::shut_down(held, limit));
    thread_pool::release(held);
  });
  waiting.detach();
  return answer;
}

}  // namespace troupe
