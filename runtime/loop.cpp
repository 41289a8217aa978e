#include <troupe/runtime/check.hpp>
#include <troupe/runtime/internal/backend.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/task.hpp>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace troupe {

namespace {

constexpr std::size_t least_budget = 1;
constexpr std::size_t first_budget = 64;
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

// What a closing loop still runs; more is a work that makes itself ready for ever.
constexpr int closing_rounds = 10'000;
constexpr std::size_t busy_rounds_per_jump = 10'000;

bool debug_wanted() {
  const char* const set = std::getenv("TROUPE_DEBUG");
  return set != nullptr && *set != '\0' && std::string_view(set) != "0";
}

void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

/// Closed loops, kept because refs and promises may still point at them.
class loop_park {
 public:
  template <class Make>
  loop* take(Make make) {
    const std::scoped_lock lock(mutex_);
    if (parked_.empty()) return make();
    loop* const reused = parked_.back();
    parked_.pop_back();
    return reused;
  }
  void put(loop* closed) {
    const std::scoped_lock lock(mutex_);
    parked_.push_back(closed);
  }

 private:
  std::mutex mutex_;
  std::vector<loop*> parked_;
};

loop_park& park() {
  static auto* const only =
      new loop_park;  // never destroyed: static objects of the program may hold refs
  return *only;
}

/// This thread as it is while a loop runs on it, for winding one up, which may happen inside a task of another.
class as_if_running {
 public:
  explicit as_if_running(loop& home) noexcept
      : outer_(
            std::exchange(internal::this_thread, internal::thread_state{.current_loop = &home})) {}
  ~as_if_running() {
    internal::context_data::release(internal::this_thread.context);
    internal::this_thread = outer_;
  }
  as_if_running(const as_if_running&) = delete;
  as_if_running& operator=(const as_if_running&) = delete;

 private:
  internal::thread_state outer_;
};

}  // namespace

loop::loop() = default;
loop::~loop() = default;

loop::handle loop::open(loop_options options) {
  loop* const opened = park().take([] { return new loop; });
  try {
    opened->reset(std::move(options));
  } catch (...) {
    park().put(opened);
    throw;
  }
  return handle(opened);
}

void loop::reset(loop_options options) {
  auto backend = std::make_unique<internal::backend>();
  tasks_ = new internal::task_list;
  backend_ = backend.release();
  owner_ = options.owner;
  index_ = options.index;
  virtual_time_ = options.virtual_time;
  eager_tasks_ = options.eager_tasks;
  debug_ = options.debug || debug_wanted();
  slow_ = std::chrono::milliseconds(100);
  on_failure_ = std::move(options.on_failure);
  virtual_now_ = {};
  stopping_ = stalled_ = discarding_ = timer_due_ = false;
  rested_until_ = {};
  budget_ = first_budget;
  spinning_ = false;
  skip_ = backoff_ = 0;
  inbox_.open();
}

void loop::throw_closed() const { throw invalid_state("this loop has been closed"); }

/// In debug mode: a call of the loop from elsewhere, while it runs.
void loop::throw_misused() const {
  if (closed()) throw_closed();
  if (running() && current() != this)
    throw invalid_state(
        "a loop was used from another thread than its own: use call_soon_threadsafe, "
        "run_coroutine_threadsafe or a promise");
}

void loop::close() {
  if (running_) throw invalid_state("a loop cannot be closed while it runs: stop it first");
  if (!closed()) wind_up();
}

/// The end of the handle.
void loop::retire() noexcept {
  expects(!running_, "the handle of a loop went while it runs");
  if (!closed()) wind_up();
  park().put(this);
}

void loop::wind_up() noexcept {
  // What arrived too late for a round is still run: it may hold memory or somebody's answer.
  const as_if_running here(*this);
  for (work* late = inbox_.close(); late != nullptr;) {
    work* const item = late;
    late = late->next;
    item->run(*item);
  }
  int left = closing_rounds;
  const auto run_rest = [&] {
    while ((!ready_.empty() || timer_due_) && left-- > 0) run_round();
  };
  run_rest();
  // Tasks that the late works have made, too late for a shutdown.
  tasks_->cancel_all_for_good();
  run_rest();
  if (!wound_up()) {
    report({"the loop closed; destroyed while still pending:" + unfinished(), nullptr});
    abandon();
    let_go();
  }
  // A service may be made anew by the last works of another.
  do {
    end_services();
    run_rest();
  } while (services_ != nullptr);
  // What goes may let other things go, which then are ready or armed.
  for (left = closing_rounds;
       left > 0 && (!ready_.empty() || !timers_.empty() || bound_ != nullptr); --left) {
    discard_ready();
    timers_.clear(&internal::delayed_call::forget);
    while (internal::loop_bound* const held = bound_) held->home_closes();
  }
  static_cast<void>(ready_.take_all());
  delete std::exchange(tasks_, nullptr);
  while (inbox_.waking())
    std::this_thread::yield();  // for as long as a write to a descriptor takes
  delete std::exchange(backend_, nullptr);
  owner_ = nullptr;
  on_failure_ = {};
  on_wound_up_ = {};
}

/// Empties the ready chain: calls are dropped, works that stand for something else are run. A work that makes itself ready for
/// ever is given up.
void loop::discard_ready() noexcept {
  discarding_ = true;
  for (int left = closing_rounds; !ready_.empty() && left > 0; --left) run_round();
  discarding_ = false;
  static_cast<void>(ready_.take_all());
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

bool loop::advance(time_point limit) {
  expects(virtual_time_, "only a loop on virtual time is moved on by hand");
  if (timers_.has_lazy()) timers_.settle(virtual_now_);
  const time_point next =
      timers_.empty() ? limit : std::min(limit, std::max(virtual_now_, timers_.earliest()));
  const bool moved = next > virtual_now_ || timers_.due(next);
  virtual_now_ = std::max(virtual_now_, next);
  return moved;
}

bool loop::advance_to_next() { return !timers_.empty() && advance(time_point::max()); }

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

/// A look at everything outside while works are ready.
void loop::poll() noexcept {
  done_ = 0;
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
  if (!timers_.empty()) {
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
      has_timers ? std::max(timers_.earliest(), rested_until_) : time_point::max();
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
  if (!timers_.empty()) fire_rested();
  done_ = 0;
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
  if (timers_.empty()) return;
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
  backend_->wake();
  inbox_.wake_done();
}

void internal::loop_bound::bind(loop& home) noexcept {
  bound_to_ = &home;
  bound_next_ = home.bound_;
  if (bound_next_ != nullptr) bound_next_->bound_previous_ = this;
  home.bound_ = this;
}

void internal::loop_bound::unbind() noexcept {
  if (bound_to_ == nullptr) return;
  (bound_previous_ != nullptr ? bound_previous_->bound_next_ : bound_to_->bound_) = bound_next_;
  if (bound_next_ != nullptr) bound_next_->bound_previous_ = bound_previous_;
  bound_to_ = nullptr;
  bound_previous_ = bound_next_ = nullptr;
}

void internal::scheduled_call::run_call(work& item) noexcept {
  auto& self = static_cast<scheduled_call&>(item);
  thread_state& here = this_thread;
  if (self.state_ == state::waiting && !here.current_loop->discarding_) [[likely]] {
    self.state_ = state::running;
    context_data* const outer = std::exchange(here.context, self.context_);
    try {
      self.invoke();
    } catch (...) {
      here.current_loop->report({"a callback of the loop threw", std::current_exception()});
    }
    self.context_ = std::exchange(here.context, outer);
    if (self.state_ == state::running) self.state_ = state::over;
  }
  self.drop();
  self.release();
}

void internal::scheduled_call::cancel() noexcept {
  if (state_ != state::waiting) return;
  state_ = state::cancelled;
  drop();
  if (disarm()) release();
}

void internal::delayed_call::on_due(timer& due) noexcept {
  auto& self = static_cast<delayed_call&>(due);
  self.home_->push(self);
}

void internal::delayed_call::forget(timer& armed) noexcept {
  if (armed.fire != &delayed_call::on_due) return;
  auto& self = static_cast<delayed_call&>(armed);
  self.drop();
  self.release();
}

bool internal::delayed_call::disarm() noexcept {
  if (!armed()) return false;
  home_->timers().cancel(*this);
  return true;
}

void loop::report(const failure_report& report) noexcept {
  try {
    (on_failure_ ? on_failure_ : failure_handler(print_failure))(report);
  } catch (...) {
    fail("a failure handler threw");
  }
}

void loop::begin_shutdown(callable<void()> on_wound_up) {
  on_wound_up_ = std::move(on_wound_up);
  tasks_->cancel_all();
  // One that is made from now on is told as it is made.
  for (loop_service* each = services_; each != nullptr; each = each->next_) each->begin_shutdown();
}

void loop::add_service(loop_service& made, const void* key) noexcept {
  made.key_ = key;
  made.next_ = services_;
  services_ = &made;
  if (on_wound_up_) made.begin_shutdown();
}

void loop::end_services() noexcept {
  while (loop_service* const ended = services_) {
    services_ = ended->next_;
    delete ended;
  }
}

void loop::insist_on_shutdown() {
  tasks_->cancel_all_for_good();
  for (loop_service* each = services_; each != nullptr; each = each->next_) each->insist();
}

void loop::abandon() noexcept {
  const as_if_running here(*this);
  tasks_->destroy_pending();
  for (loop_service* each = services_; each != nullptr; each = each->next_) each->abandon();
  // What was posted and not taken in: a task on its way home may be among it.
  for (work* late = inbox_.close(); late != nullptr;) {
    work* const item = late;
    late = late->next;
    ready_.push(*item);
  }
  discard_ready();
}

void loop::let_go() noexcept {
  const as_if_running here(*this);
  tasks_->let_go();
  for (loop_service* each = services_; each != nullptr; each = each->next_) each->let_go();
}

bool loop::wound_up() const {
  if (!tasks_->empty()) return false;
  for (const loop_service* each = services_; each != nullptr; each = each->next_) {
    if (!each->finished()) return false;
  }
  return true;
}

void loop::each_task(const callable<void(task_base&)>& visit) const {
  tasks_->for_each([&](task_base& each) { visit(each); });
  for (const loop_service* each = services_; each != nullptr; each = each->next_)
    each->each_task(visit);
}

std::string loop::unfinished() const {
  std::string names;
  tasks_->for_each([&](const task_base& left) { names += "\n  task '" + left.name() + "'"; });
  for (const loop_service* each = services_; each != nullptr; each = each->next_) {
    if (!each->finished()) names += each->unfinished();
  }
  return names;
}

}  // namespace troupe
