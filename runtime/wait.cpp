#include <troupe/runtime/wait.hpp>

#include <stdexcept>

namespace troupe::internal {

several_wait::several_wait(const std::vector<future_base*>& targets, return_when enough,
                           duration limit)
    : watches_(targets.size()), enough_(enough), limit_(limit), timer_(*this) {
  for (std::size_t index = 0; index < targets.size(); ++index) {
    expect_of_this_loop(*targets[index]);
    watches_[index].target = targets[index];
  }
}

several_wait::~several_wait() { stop_watching(); }

void several_wait::stop_watching() noexcept {
  for (watch& each : watches_) {
    if (std::exchange(each.all, nullptr) != nullptr) each.target->remove_observer(each);
  }
  if (timer_.armed()) resumes_on().timers().cancel(timer_);
}

bool several_wait::enough(const future_base& done) const noexcept {
  return enough_ == return_when::first_completed ||
         (enough_ == return_when::first_exception && !done.succeeded() && !done.was_cancelled());
}

bool several_wait::await_ready() noexcept {
  left_ = 0;
  bool over = false;
  for (const watch& each : watches_) {
    if (!each.target->done()) {
      ++left_;
    } else {
      over |= enough(*each.target);
    }
  }
  return over || left_ == 0;
}

void several_wait::await_suspend(std::coroutine_handle<> handle, std::source_location here) {
  park(handle, here);
  if (!waiting()) return;
  for (watch& each : watches_) {
    if (each.target->done()) continue;
    each.all = this;
    each.target->add_observer(each);
  }
  if (limit_ == infinite) return;
  loop& home = resumes_on();
  // Without time it still lets run what is ready: who polls starves nobody.
  home.timers().arm(
      timer_, limit_ <= duration::zero() ? time_point::min() : saturating_add(home.time(), limit_));
}

void several_wait::await_resume() {
  stop_watching();
  if (suspended()) finish();
}

void several_wait::watch::on_done(observer& self) noexcept {
  auto& one = static_cast<watch&>(self);
  several_wait& all = *std::exchange(one.all, nullptr);
  --all.left_;
  if ((all.left_ == 0 || all.enough(*one.target)) && all.waiting()) all.wake();
}

void several_wait::on_due(timer& due) noexcept {
  several_wait& all = static_cast<limit_timer&>(due).all;
  if (all.waiting()) all.wake();
}

bool several_wait::cancel() noexcept {
  stop_watching();
  wake_cancelled();
  return true;
}

void several_wait::each_awaited(const callable<void(const future_base&)>& visit) const {
  for (const watch& each : watches_) {
    if (each.all != nullptr) visit(*each.target);
  }
}

coro<> until_done(future_base& target) {
  std::vector<future_base*> targets;
  targets.push_back(&target);
  several_wait waiting(targets, return_when::all_completed, infinite);
  co_await waiting;
}

void throw_nothing_to_wait_for() {
  throw std::invalid_argument("wait and as_completed need at least one task or future");
}

}  // namespace troupe::internal
