#include <troupe/runtime/check.hpp>
#include <troupe/runtime/internal/backend.hpp>
#include <troupe/runtime/internal/simulator.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/task.hpp>

#include <algorithm>
#include <string>
#include <thread>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace troupe {

namespace {

constexpr std::size_t least_budget = 1;
constexpr std::size_t most_budget = 8192;
// A batch of works is made as long as lies between these: long enough to make a look at the system cheap, short enough
// that a timer or socket never waits for more than about a millisecond.
constexpr duration short_batch = std::chrono::microseconds(100);
constexpr duration long_batch = std::chrono::milliseconds(1);

// Spinning before sleep pays when works arrive from other threads sooner than the system would wake us, and only with a
// processor to spare.
constexpr duration longest_spin = std::chrono::microseconds(50);
constexpr duration short_sleep = std::chrono::microseconds(100);
constexpr int pauses_per_look = 16;
constexpr unsigned most_skipped = 63;

// Timers that follow each other closely share one look: an idle loop that has just fired some rests before it looks for more,
// the longer the more there were, else a million in a second would keep it looking all the time.
constexpr duration rest_per_timer = std::chrono::microseconds(8);
constexpr duration longest_rest = std::chrono::microseconds(256);

constexpr int rounds_per_event = 4;

constexpr std::size_t busy_rounds_per_jump = 10'000;

void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

}  // namespace

void loop::throw_closed() const { throw invalid_state("this loop has been closed"); }

/// In debug mode: a call of the loop from elsewhere, while it runs.
void loop::throw_misused() const {
  if (closed()) throw_closed();
  if (running() && current() != this)
    throw invalid_state(
        "a loop was used from another thread than its own: use call_soon_threadsafe, "
        "run_coroutine_threadsafe or a promise");
}

void loop::enter() {
  expect_open();
  if (running_) throw invalid_state("this loop runs already");
  if (current() != nullptr)
    throw invalid_state("a loop cannot be run inside another one on the same thread");
  internal::this_thread.current_loop = this;
  internal::enable_pool();
  running_ = true;
  stalled_ = false;
  last_poll_ = {};
}

void loop::leave() noexcept {
  stopping_ = false;
  running_ = false;
  internal::disable_pool();
  internal::this_thread.current_loop = nullptr;
}

void loop::run_forever() {
  if (simulator_ != nullptr) return simulator_->run(*this);
  enter();
  std::size_t busy_rounds = 0;
  take_inbox();
  if (stopping_) poll();  // one round, with a look at everything
  for (;;) {
    if (virtual_time_ && timers_.due(virtual_now_)) fire_timers();
    run_round();
    if (on_wound_up_ && !stopping_) {
      if (wound_up()) on_wound_up_();
      // What refuses to end and is never idle must not hold up the time that the shutdown has.
      if (virtual_time_ && ++busy_rounds % busy_rounds_per_jump == 0 && !timers_.empty()) jump();
    }
    if (stopping_) break;
    if (ready_.empty() && !timer_due_) {
      idle();
      if (stalled_ || (stopping_ && ready_.empty())) break;
    }
  }
  leave();
}

namespace {
/// Stops the loop when something has ended.
struct stop_when_done : internal::observer {
  stop_when_done(loop& given, future_base& awaited) noexcept
      : observer(&stop_when_done::on_done), home(given), target(awaited) {
    target.add_observer(*this);
  }
  ~stop_when_done() {
    if (!target.done()) target.remove_observer(*this);
  }
  static void on_done(observer& self) noexcept { static_cast<stop_when_done&>(self).home.stop(); }
  loop& home;
  future_base& target;
};
}  // namespace

void loop::drive(future_base& awaited) {
  expects(&awaited.home() == this, "a loop was to wait for a task of another one");
  expect_open();
  if (awaited.done()) return;
  {
    const stop_when_done watcher(*this, awaited);
    run_forever();
  }
  if (awaited.done()) return;
  if (!stalled_)
    throw invalid_state("the loop was stopped before what it was to wait for had ended");
  throw deadlock_error("nothing is ready, no timer is armed, and these still wait:" + unfinished());
}

bool loop::run_once() {
  enter();
  take_inbox();
  backend_->poll([](void*) noexcept {}, nullptr);
  if (!timers_.empty()) fire_timers();
  run_round();
  leave();
  return !ready_.empty() || timer_due_ || !inbox_.empty();
}

void loop::settle_by_hand() {
  if (!timers_.has_lazy() && !timers_.looking()) return;
  // Those that are told may want to know where they are.
  loop* const outer = std::exchange(internal::this_thread.current_loop, this);
  timers_.settle(virtual_now_);
  internal::this_thread.current_loop = outer;
}

bool loop::advance(time_point limit) {
  expects(virtual_time_, "only a loop on virtual time is moved on by hand");
  settle_by_hand();
  const time_point next =
      timers_.empty() ? limit : std::min(limit, std::max(virtual_now_, timers_.earliest()));
  const bool moved = next > virtual_now_ || timers_.due(next);
  virtual_now_ = std::max(virtual_now_, next);
  return moved;
}

bool loop::advance_to_next() {
  settle_by_hand();
  return timers_.size() != 0 && advance(time_point::max());
}

void loop::schedule(internal::delayed_call& made, time_point when, bool due) {
  made.home_ = this;
  made.when_ = when;
  timers_.arm(made, when);
  if (due) timer_due_ = true;
}

void loop::run_round() noexcept {
  if (timer_due_) [[unlikely]] {
    timer_due_ = false;
    fire_timers();
  }
  for (work* next = ready_.take_all(); next != nullptr;) {
    work* const item = next;
    next = item->next;
    if (debug_) [[unlikely]] {
      run_watched(*item);
    } else {
      item->run(*item);
    }
    if (++done_ >= budget_) [[unlikely]]
      poll();
  }
}

/// In debug mode: runs it, and says so when that took long.
void loop::run_watched(work& item) noexcept {
  task_base* const stepped = task_base::stepped_by(item);
  if (stepped != nullptr) stepped->retain();
  const time_point before = clock::now();
  item.run(item);
  const duration took = clock::now() - before;
  if (took >= slow_ && !virtual_time_) {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
    const std::string how =
        " ran for " + std::to_string(milliseconds) +
        " ms without an await; long work belongs into to_thread, or between sleeps of 0s";
    if (stepped != nullptr) {
      report({"task '" + stepped->name() + "'" + how, nullptr, stepped->created_at()});
    } else {
      report({"a callback or an actor's turn" + how, nullptr});
    }
  }
  if (stepped != nullptr) stepped->release();
}

void loop::count_works() noexcept {
  works_done_.store(works_done_.load(std::memory_order_relaxed) + done_, std::memory_order_relaxed);
  done_ = 0;
}

/// A look at everything outside while works are ready.
void loop::poll() noexcept {
  count_works();
  take_inbox();
  const time_point before = time();
  const duration batch = before - last_poll_;
  if (last_poll_ == time_point{}) {
    // The first batch since a sleep; when it began is not known.
  } else if (batch > long_batch) {
    budget_ = std::max(budget_ / 2, least_budget);
  } else if (batch < short_batch) {
    budget_ = std::min(budget_ * 2, most_budget);
  }
  backend_->poll([](void*) noexcept {}, nullptr);
  fire_timers();
  last_poll_ = before;
}

/// Nothing is ready: looks outside, and sleeps until something is.
void loop::idle() {
  if (take_inbox()) return;
  if (on_wound_up_ && cancel_late_tasks()) return;
  if (!timers_.empty() || timers_.looking()) {
    fire_rested();
    // A lazy timer that one of them has armed still has to get its deadline.
    if (!ready_.empty() || timers_.has_lazy()) return;
  }
  if (virtual_time_) {
    backend_->poll([](void*) noexcept {}, nullptr);
    if (!ready_.empty() || take_inbox()) return;
    if (timers_.empty()) {
      stalled_ = true;
      return;
    }
    jump();
    return;
  }
  if (spinning_ && spin()) return;
  sleep();
}

/// At the end: when only tasks are left that were made since all were cancelled, they are cancelled too. Not before: they may be
/// what the others clean up with.
bool loop::cancel_late_tasks() noexcept {
  bool any = false;
  bool others = false;
  tasks_->for_each([&](const task_base& each) {
    const bool late = &each.here() == this && each.cancelling() == 0;
    (late ? any : others) = true;
  });
  if (!any || others) return false;
  tasks_->cancel_all();
  return !ready_.empty();
}

/// Virtual time goes on to the next timer. Pre: there is one.
void loop::jump() {
  timers_.settle(virtual_now_);
  if (timers_.size() == 0) return;  // those that were told are never due, or have ended
  virtual_now_ = std::max(virtual_now_, timers_.earliest());
  fire_timers();
}

bool loop::spin() noexcept {
  const time_point until = clock::now() + longest_spin;
  do {
    for (int turn = 0; turn < pauses_per_look; ++turn) {
      if (!inbox_.empty()) {
        backoff_ = 0;
        return take_inbox();
      }
      pause();
    }
  } while (clock::now() < until);
  spinning_ = false;
  skip_ = backoff_ = std::min(backoff_ * 2 + 1, most_skipped);
  return false;
}

void loop::sleep() {
  static const bool spare_processor = std::thread::hardware_concurrency() > 1;
  const bool may_spin = spare_processor && internal::multi_threaded();
  if (!inbox_.begin_sleep()) {
    take_inbox();
    return;
  }
  const time_point before = may_spin ? clock::now() : time_point{};
  // What one event leads to is run before the next one is told: the bytes just read are still in the cache.
  const auto run_some = [](void* self) noexcept {
    auto& home = *static_cast<loop*>(self);
    for (int round = 0; round < rounds_per_event && !home.ready_.empty() && !home.stopping_;
         ++round)
      home.run_round();
  };
  const bool has_timers = timers_.size() != 0;
  const time_point deadline =
      has_timers ? std::max(timers_.next_look(), rested_until_) : time_point::max();
  backend_->wait(deadline, run_some, this);
  const bool woken = inbox_.end_sleep();
  spinning_ = false;
  if (woken && may_spin && clock::now() - before < short_sleep) {
    if (skip_ != 0) {
      --skip_;
    } else {
      spinning_ = true;
    }
  }
  take_inbox();
  if (!timers_.empty() || timers_.looking()) fire_rested();
  count_works();
  last_poll_ = {};
}

bool loop::take_inbox() noexcept {
  work* next = inbox_.take_all();
  if (next == nullptr) return false;
  while (next != nullptr) {
    work* const item = next;
    next = item->next;
    push(*item);
  }
  return true;
}

void loop::fire_timers() {
  if (timers_.empty() && !timers_.looking()) return;
  const time_point at = time();
  timers_.settle(at);
  timers_.fire_due(at);
}

/// The same for an idle loop, unless that has done so a moment ago.
void loop::fire_rested() {
  const time_point at = time();
  timers_.settle(at);
  if (at < rested_until_ && !virtual_time_) return;
  const auto fired = static_cast<duration::rep>(std::min<std::size_t>(timers_.fire_due(at), 1'000));
  rested_until_ = internal::saturating_add(at, std::min(longest_rest, fired * rest_per_timer));
}

void loop::wake() noexcept {
  if (simulator_ != nullptr) {
    simulator_->posted();
    inbox_.sleep_on();
  } else {
    backend_->wake();
  }
  inbox_.wake_done();
}

void loop::report(const failure_report& report) noexcept {
  try {
    if (simulator_ != nullptr) return simulator_->report(report);
    (on_failure_ ? on_failure_ : failure_handler(print_failure))(report);
  } catch (...) {
    fail("a failure handler threw");
  }
}

}  // namespace troupe
