#include <troupe/runtime/barrier.hpp>

#include <troupe/runtime/suspension.hpp>

namespace troupe {

namespace internal {

/// One wait at a barrier: perhaps in front of it for a while, then inside, then on its way out.
class barrier_wait final : public suspension, public chain_link {
 public:
  explicit barrier_wait(barrier& at) noexcept : barrier_(&at) {}
  ~barrier_wait() {
    step_out();
  }  // has a place if the frame of a task that never ended is destroyed

  /// Who breaks no rule, and need not wait, does not suspend.
  bool await_ready() {
    if (barrier_->broken()) return true;
    if (barrier_->state_ != barrier::state::filling || barrier_->inside_ + 1 < barrier_->parties_)
      return false;
    barrier_->expect_here();
    return enter();
  }
  void await_suspend(std::coroutine_handle<> handle);
  int await_resume();
  bool cancel() noexcept override {
    step_out();
    wake_cancelled();
    return true;
  }
  bool retry() noexcept override { return barrier_ == nullptr || !must_wait(); }
  std::string_view what() const noexcept override { return "a barrier"; }

 private:
  friend class troupe::barrier;

  /// Takes the place that the state of the barrier gives it; returns whether it has to wait there.
  bool must_wait() noexcept;
  /// Comes in; returns whether that makes the round complete.
  bool enter() noexcept;
  void forget_barrier() noexcept {
    barrier_ = nullptr;
    inside_ = false;
  }
  /// Leaves whatever place it has. Without one, it does not touch the barrier, which may have gone.
  void step_out() noexcept;

  barrier* barrier_;  ///< null when it has gone
  int index_ = 0;
  bool inside_ = false;
};

void barrier_wait::await_suspend(std::coroutine_handle<> handle) {
  barrier_->served_.expect_same("a barrier");
  park(handle);
  // A cancellation that was due has ended the wait already. The last party does not get here.
  if (waiting()) static_cast<void>(must_wait());
}

bool barrier_wait::must_wait() noexcept {
  leave();
  if (barrier_->broken()) return false;
  if (barrier_->closed()) {
    barrier_->queueing_.push(*this);
    return true;
  }
  return !enter();
}

bool barrier_wait::enter() noexcept {
  inside_ = true;
  index_ = barrier_->inside_++;
  if (barrier_->inside_ < barrier_->parties_) {
    barrier_->waiting_.push(*this);
    return false;
  }
  barrier_->open_up();
  return true;
}

void barrier_wait::step_out() noexcept {
  leave();
  if (!std::exchange(inside_, false)) return;
  --barrier_->inside_;
  barrier_->left();
}

int barrier_wait::await_resume() {
  if (suspended() && take_cancelled()) {
    step_out();
    throw_cancelled();
  }
  if (barrier_ == nullptr) throw_gone("a barrier");
  const barrier::state found = barrier_->state_;
  step_out();
  if (found == barrier::state::broken)
    throw broken_barrier("the barrier was aborted: reset() mends it");
  if (found == barrier::state::resetting)
    throw broken_barrier("the barrier was reset while a task waited at it");
  return index_;
}

}  // namespace internal

barrier::barrier(int parties) : parties_(parties) {
  if (parties < 1) throw std::invalid_argument("a barrier needs at least one party");
}

barrier::~barrier() {
  for (auto* const woken : {&leaving_, &entering_}) {
    while (internal::barrier_wait* const left = woken->pop()) left->forget_barrier();
  }
  for (auto* const waiting : {&waiting_, &queueing_}) {
    while (internal::barrier_wait* const left = waiting->pop()) {
      left->forget_barrier();
      left->wake();
    }
  }
}

coro<int> barrier::wait() {
  internal::barrier_wait waiting(*this);
  co_return co_await waiting;
}

void barrier::reset() {
  expect_here();
  if (inside_ > 0) {
    state_ = state::resetting;
    expel();
  } else {
    state_ = state::filling;
    admit();
  }
}

void barrier::abort() {
  expect_here();
  state_ = state::broken;
  expel();
  admit();
}

/// The round is complete.
void barrier::open_up() noexcept {
  state_ = state::draining;
  // Counted anew: of those who came before some may have been cancelled.
  int index = 0;
  while (internal::barrier_wait* const told = waiting_.pop()) {
    told->index_ = index++;
    leaving_.push(*told);
    told->wake();
  }
}

/// Wakes those inside, who look at the state.
void barrier::expel() noexcept {
  while (internal::barrier_wait* const told = waiting_.pop()) {
    leaving_.push(*told);
    told->wake();
  }
}

/// Wakes those in front, who look at the state.
void barrier::admit() noexcept {
  while (internal::barrier_wait* const told = queueing_.pop()) {
    entering_.push(*told);
    told->wake_to_retry();
  }
}

/// One that was inside has gone.
void barrier::left() noexcept {
  if (inside_ > 0) return;
  if (closed()) state_ = state::filling;
  admit();
}

void barrier::expect_here() const {
  if (!waiting_.empty() || !queueing_.empty()) served_.expect_here("a barrier");
}

}  // namespace troupe
