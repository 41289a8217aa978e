#include <troupe/runtime/lock.hpp>

namespace troupe {

namespace internal {

void lock_wait::await_suspend(std::coroutine_handle<> handle, std::source_location here) {
  lock_->served_.expect_same("a lock");
  park(handle, here);
  // A cancellation that was due has ended the wait already.
  if (waiting()) lock_->waiting_.push(*this);
}

bool lock_wait::cancel() noexcept {
  leave();
  wake_cancelled();
  return true;
}

void lock_wait::settle() {
  if (take_cancelled()) {
    if (chosen_) decline();
    throw_cancelled();
  }
  if (lock_ == nullptr) throw_gone("a lock");
  take();
}

void lock_wait::take() noexcept {
  chosen_ = false;
  lock_->chosen_ = nullptr;
  lock_->locked_ = true;
}

void lock_wait::decline() noexcept {
  chosen_ = false;
  lock_->chosen_ = nullptr;
  lock_->choose_next();
}

}  // namespace internal

lock::~lock() {
  held_lock::forget(held_);
  if (chosen_ != nullptr) {
    chosen_->chosen_ = false;
    chosen_->lock_ = nullptr;
  }
  while (internal::lock_wait* const left = waiting_.pop()) {
    left->lock_ = nullptr;
    left->wake();
  }
}

void lock::check_release() const {
  if (!locked_)
    throw invalid_state(
        "release of a lock that nobody holds: each release needs an acquire before it");
  served_.expect_here("a lock");
}

void lock::choose_next() noexcept {
  chosen_ = waiting_.pop();
  if (chosen_ == nullptr) return;
  chosen_->chosen_ = true;
  chosen_->wake();
}

void held_lock::release() {
  if (place_ == nullptr)
    throw invalid_state("release of a lock by an object that no longer holds it");
  if (place_ != &lock_->held_)
    throw invalid_state(
        "release of a lock whose holder waits for a condition: it is released already");
  lock_->release();
}

void held_lock::give_back() noexcept {
  if (place_ == &lock_->held_) {
    lock_->give_back();
  } else {
    forget(*place_);
  }
}

}  // namespace troupe
