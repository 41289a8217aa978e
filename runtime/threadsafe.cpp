#include <troupe/runtime/threadsafe.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace troupe::internal {

struct remote_task::sync {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
};

remote_task::remote_task(loop& home) : home_(home), sync_(new sync) {}

remote_task::~remote_task() { delete sync_; }

bool remote_task::wait(duration limit) {
  std::unique_lock lock(sync_->mutex);
  if (sync_->done) return true;
  if (loop::current() != nullptr)
    throw invalid_state(
        "a blocking wait on a thread that runs a loop: `co_await on(that_loop, body)` instead");
  const auto over = [this] { return sync_->done; };
  if (limit == infinite) {
    sync_->changed.wait(lock, over);
    return true;
  }
  constexpr duration longest = std::chrono::hours(24 * 365);
  return sync_->changed.wait_until(lock, clock::now() + std::min(limit, longest), over);
}

bool remote_task::done() const {
  const std::scoped_lock lock(sync_->mutex);
  return sync_->done;
}

bool remote_task::cancel() {
  if (done()) return false;
  struct counted {
    explicit counted(remote_task& given) noexcept : self(&given) { self->retain(); }
    counted(counted&& other) noexcept : self(std::exchange(other.self, nullptr)) {}
    ~counted() {
      if (self != nullptr) self->release();
    }
    remote_task* self;
  };
  return home_.post_call([held = counted(*this)] {
    if (held.self->task_ != nullptr) held.self->task_->cancel();
  });
}

void remote_task::began(task_base& made) noexcept {
  made.retain();
  task_ = &made;
}

void remote_task::ended(bool by_cancellation) noexcept {
  if (task_base* const over = std::exchange(task_, nullptr)) over->release();
  const std::scoped_lock lock(sync_->mutex);
  cancelled_ = by_cancellation;
  sync_->done = true;
  sync_->changed.notify_all();
}

}  // namespace troupe::internal
