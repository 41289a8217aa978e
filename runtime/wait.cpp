#include <troupe/runtime/wait.hpp>

#include <stdexcept>

namespace troupe::internal {

void several_wait::stop_watching() noexcept {
  stop();
  if (armed()) resumes_on().timers().cancel(*this);
}

bool several_wait::enough(const future_base& done) const noexcept {
  return enough_ == return_when::first_completed ||
         (enough_ == return_when::first_exception && !done.succeeded() && !done.was_cancelled());
}

bool several_wait::await_ready() noexcept {
  bool pending = false;
  bool over = false;
  for (std::size_t number = 0; number < count(); ++number) {
    if (target(number).done()) {
      over |= enough(target(number));
    } else {
      pending = true;
    }
  }
  return over || !pending;
}

void several_wait::await_suspend(std::coroutine_handle<> handle, std::source_location here) {
  if (limit_ != infinite) {
    // Before it parks, for it may throw. Without time it still lets run what is ready: who polls starves nobody.
    loop& home = running_loop("wait");
    home.timers().arm(*this, limit_ <= duration::zero() ? time_point::min()
                                                        : saturating_add(home.time(), limit_));
  }
  park(handle, here);
  if (waiting()) start();
}

void several_wait::await_resume() {
  stop_watching();
  if (suspended()) finish();
}

void several_wait::told(std::size_t number) noexcept {
  if ((left() == 0 || enough(target(number))) && waiting()) wake();
}

void several_wait::on_due(timer& due) noexcept {
  auto& all = static_cast<several_wait&>(due);
  if (all.waiting()) all.wake();
}

bool several_wait::cancel() noexcept {
  stop_watching();
  wake_cancelled();
  return true;
}

void several_wait::each_awaited(const visitor<const future_base>& visit) const {
  for (std::size_t number = 0; number < count(); ++number) {
    if (!target(number).done()) visit(target(number));
  }
}

coro<> until_done(future_base& target) {
  several_wait waiting(1, return_when::all_completed, infinite);
  waiting.add(target);
  co_await waiting;
}

void throw_nothing_to_wait_for() {
  throw std::invalid_argument("wait needs at least one task or future");
}

}  // namespace troupe::internal
