#include <troupe/runtime/semaphore.hpp>

#include <stdexcept>

namespace troupe {

namespace internal {

void semaphore_wait::await_suspend(std::coroutine_handle<> handle, std::source_location here) {
  semaphore_->served_.expect_same("a semaphore");
  park(handle, here);
  // A cancellation that was due has ended the wait already.
  if (waiting()) semaphore_->waiting_.push(*this);
}

bool semaphore_wait::cancel() noexcept {
  leave();
  wake_cancelled();
  return true;
}

void semaphore_wait::settle() {
  const bool cancelled = take_cancelled();
  if (granted_) accept(!cancelled);
  if (cancelled) throw_cancelled();
  if (semaphore_ == nullptr) throw_gone("a semaphore");
}

void semaphore_wait::accept(bool wanted) noexcept {
  granted_ = false;
  leave();
  if (!wanted) ++semaphore_->value_;
  // Permits that came while this was on its way had nobody to go to, and who came meanwhile has queued.
  semaphore_->grant();
}

}  // namespace internal

semaphore::semaphore(std::ptrdiff_t value, std::ptrdiff_t limit) : value_(value), limit_(limit) {
  if (value < 0)
    throw std::invalid_argument(
        "a semaphore cannot have a negative number of permits: begin with 0 or more");
}

semaphore::~semaphore() {
  while (internal::semaphore_wait* const left = granted_.pop()) {
    left->granted_ = false;
    left->semaphore_ = nullptr;
  }
  while (internal::semaphore_wait* const left = waiting_.pop()) {
    left->semaphore_ = nullptr;
    left->wake();
  }
}

void semaphore::check_release() const {
  if (value_ >= limit_)
    throw invalid_state(
        "release of a semaphore that has all its permits: each release needs an acquire before it");
  served_.expect_here("a semaphore");
}

void semaphore::grant() noexcept {
  while (value_ > 0) {
    internal::semaphore_wait* const next = waiting_.pop();
    if (next == nullptr) return;
    --value_;
    next->granted_ = true;
    granted_.push(*next);
    next->wake();
  }
}

void held_permit::release() {
  if (!linked()) throw invalid_state("release of a permit by an object that no longer holds it");
  leave();
  from_->release();
}

void held_permit::move_from(held_permit& other) noexcept {
  from_ = other.from_;
  if (!other.linked()) return;
  other.leave();
  from_->held_.push(*this);
}

}  // namespace troupe
