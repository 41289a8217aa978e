#include <troupe/runtime/condition.hpp>

namespace troupe {

namespace internal {

/// The place of a wait with its condition, for as long as it has to do with it.
struct condition_place : chain_link {
  explicit condition_place(condition_wait& whose) noexcept : wait(whose) {}
  condition_wait& wait;
};

/// One wait for a condition: first in the condition's line; then, notified or cancelled, on its way to the lock or in the
/// lock's line. Cancelling ends only the first, as the lock has to be held afterwards.
class condition_wait final : public lock_wait {
 public:
  explicit condition_wait(condition& awaited) noexcept
      : lock_wait(*awaited.lock_), condition_(awaited), place_(*this) {}
  ~condition_wait() {
    held_lock::forget(held_);
    // The frame of a task that never ended is destroyed.
    if (notified_ && place_.linked()) condition_.notify_next();
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle);
  void await_resume();
  bool cancel() noexcept override;
  bool retry() noexcept override;
  std::string_view what() const noexcept override { return "a condition"; }

 private:
  friend class troupe::condition;

  /// Sends it on its way to the lock. Pre: in the condition's line, or just taken from there.
  void go() noexcept {
    on_its_way_ = true;
    place_.leave();
    condition_.returning_.push(place_);
    wake_to_retry();
  }
  /// Whether it has neither the lock nor a place in its line. Pre: on its way.
  bool unlocked() const noexcept { return !holds_ && !chosen_ && !linked(); }

  condition& condition_;  ///< gone when `place_` is in no chain
  condition_place place_;
  held_lock* held_ = nullptr;  ///< what is to own the lock again, if an object did
  bool on_its_way_ = false;
  bool notified_ = false;
  bool cancelled_ = false;
  bool holds_ = false;  ///< the lock was free when this came to it
};

void condition_wait::await_suspend(std::coroutine_handle<> handle) {
  condition_.expect_held("wait for a condition whose lock is not held: acquire it first");
  condition_.served_.expect_same("a condition");
  lock_->served_.expect_same("the lock of a condition");
  held_lock::hand_over(lock_->held_, held_);
  lock_->give_back();
  condition_.waiting_.push(place_);
  park(handle);
}

bool condition_wait::cancel() noexcept {
  cancelled_ = true;
  if (!on_its_way_) go();
  return true;
}

bool condition_wait::retry() noexcept {
  if (lock_ == nullptr) return true;
  holds_ = lock_->try_acquire();
  if (!holds_) lock_->waiting_.push(*this);
  return holds_;
}

void condition_wait::await_resume() {
  // Asked in any case: a request that came after the lock was handed over is delivered with this.
  const bool cancelled = take_cancelled() || cancelled_;
  const bool gone = lock_ == nullptr || !place_.linked();
  if (gone) {
    if (holds_) lock_->give_back();
    if (cancelled) throw_cancelled();
    throw_gone("a condition");
  }
  if (!holds_) take();
  held_lock::hand_over(held_, lock_->held_);
  place_.leave();
  if (!cancelled) return;
  if (notified_) condition_.notify_next();
  throw_cancelled();
}

}  // namespace internal

condition::~condition() {
  while (internal::condition_place* const left = returning_.pop()) {
    // Its own lock goes too, and tells those that stand in its line.
    if (lock_ == &own_ && left->wait.unlocked()) left->wait.lock_ = nullptr;
  }
  while (internal::condition_place* const left = waiting_.pop()) left->wait.wake();
}

coro<> condition::wait() {
  internal::condition_wait waiting(*this);
  co_await waiting;
}

void condition::notify(std::size_t count) {
  expect_held("notify of a condition whose lock is not held: acquire it first");
  if (!waiting_.empty()) served_.expect_here("a condition");
  while (count > 0 && notify_next()) --count;
}

void condition::notify_all() { notify(static_cast<std::size_t>(-1)); }

bool condition::notify_next() noexcept {
  internal::condition_place* const next = waiting_.pop();
  if (next == nullptr) return false;
  next->wait.notified_ = true;
  next->wait.go();
  return true;
}

void condition::expect_held(const char* message) const {
  if (!locked()) throw invalid_state(message);
}

}  // namespace troupe
