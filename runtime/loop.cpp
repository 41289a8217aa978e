#include <troupe/runtime/check.hpp>
#include <troupe/runtime/internal/backend.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/task.hpp>

#include <algorithm>
#include <mutex>
#include <thread>

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

// Spinning before sleep pays when works arrive from other threads within microseconds, and only with a processor to spare.
constexpr std::size_t least_spin = 64;
constexpr std::size_t most_spin = 2048;
constexpr duration short_sleep = std::chrono::microseconds(50);

constexpr int rounds_per_event = 4;

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
  static auto* const only = new loop_park;  // never destroyed: static objects of the program may hold refs
  return *only;
}

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
  backend_ = std::make_unique<internal::backend>();
  tasks_ = std::make_unique<internal::task_list>();
  owner_ = options.owner;
  index_ = options.index;
  virtual_time_ = options.virtual_time;
  on_failure_ = std::move(options.on_failure);
  virtual_now_ = {};
  stopping_ = stalled_ = false;
  budget_ = first_budget;
  spin_limit_ = 0;
  inbox_.open();
}

void loop::close() noexcept {
  expects(current() != this, "a loop was closed while it runs");
  // What arrived too late for a round is still run: it may hold memory or somebody's answer.
  internal::thread_state& thread = internal::this_thread;
  loop* const outer = std::exchange(thread.current_loop, this);
  for (work* late = inbox_.close(); late != nullptr;) {
    work* const item = late;
    late = late->next;
    item->run(*item);
  }
  // A service may be made anew by the last works of another.
  do {
    while (!ready_.empty()) run_round();
    services_.clear();
  } while (!ready_.empty());
  thread.current_loop = outer;
  tasks_.reset();
  backend_.reset();
  owner_ = nullptr;
  on_failure_ = nullptr;
  on_wound_up_ = nullptr;
  park().put(this);
}

void loop::run() {
  internal::thread_state& thread = internal::this_thread;
  expects(thread.current_loop == nullptr, "a loop was run inside another loop on the same thread");
  thread.current_loop = this;
  internal::enable_pool();
  stopping_ = stalled_ = false;
  last_poll_ = {};
  for (;;) {
    run_round();
    if (stopping_) break;
    if (ready_.empty()) {
      idle();
      if (stalled_ || (stopping_ && ready_.empty())) break;
    }
  }
  internal::disable_pool();
  thread.current_loop = nullptr;
}

void loop::run_round() noexcept {
  for (work* next = ready_.take_all(); next != nullptr;) {
    work* const item = next;
    next = item->next;
    item->run(*item);
    if (++done_ >= budget_) [[unlikely]] poll();
  }
}

/// A look at everything outside while works are ready.
void loop::poll() noexcept {
  done_ = 0;
  take_inbox();
  const time_point before = now();
  const duration batch = before - last_poll_;
  if (last_poll_ == time_point{}) {
    // The first batch since a sleep; when it began is not known.
  } else if (batch > long_batch) {
    budget_ = std::max(budget_ / 2, least_budget);
  } else if (batch < short_batch) {
    budget_ = std::min(budget_ * 2, most_budget);
  }
  fire_timers();
  backend_->poll([](void*) noexcept {}, nullptr);
  last_poll_ = before;
}

/// Nothing is ready: looks outside, and sleeps until something is.
void loop::idle() {
  if (take_inbox()) return;
  if (!timers_.empty()) {
    fire_timers();
    if (!ready_.empty()) return;
  }
  if (on_wound_up_ && wound_up()) {
    on_wound_up_();
    if (stopping_ || !ready_.empty()) return;
  }
  if (virtual_time_) {
    backend_->poll([](void*) noexcept {}, nullptr);
    if (!ready_.empty() || take_inbox()) return;
    if (timers_.empty()) {
      stalled_ = true;
      return;
    }
    timers_.settle(virtual_now_);
    virtual_now_ = std::max(virtual_now_, timers_.earliest());
    fire_timers();
    return;
  }
  if (spin_limit_ != 0 && spin()) return;
  sleep();
}

bool loop::spin() noexcept {
  for (std::size_t turn = 0; turn < spin_limit_; ++turn) {
    if (!inbox_.empty()) {
      spin_limit_ = std::min(spin_limit_ * 2, most_spin);
      return take_inbox();
    }
    pause();
  }
  spin_limit_ = spin_limit_ / 2 < least_spin ? 0 : spin_limit_ / 2;
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
    for (int round = 0; round < rounds_per_event && !home.ready_.empty(); ++round) home.run_round();
  };
  backend_->wait(timers_.size() != 0 ? timers_.earliest() : time_point::max(), run_some, this);
  if (inbox_.end_sleep() && may_spin && clock::now() - before < short_sleep) {
    spin_limit_ = std::max(spin_limit_, least_spin);
  }
  take_inbox();
  if (!timers_.empty()) fire_timers();
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
  const time_point at = now();
  timers_.settle(at);
  timers_.fire_due(at);
}

void loop::wake() noexcept { backend_->wake(); }

void loop::report(const failure_report& report) noexcept {
  try {
    (on_failure_ ? on_failure_ : failure_handler(print_failure))(report);
  } catch (...) {
    fail("a failure handler threw");
  }
}

void loop::begin_shutdown(std::function<void()> on_wound_up) {
  on_wound_up_ = std::move(on_wound_up);
  tasks_->cancel_all();
  // By index: winding up one service may make another.
  for (std::size_t index = 0; index < services_.size(); ++index) services_[index].service->begin_shutdown();
}

void loop::insist_on_shutdown() { tasks_->cancel_all_for_good(); }

void loop::abandon() noexcept {
  static_cast<void>(ready_.take_all());
  tasks_->abandon();
}

bool loop::wound_up() const {
  return tasks_->empty() &&
         std::all_of(services_.begin(), services_.end(), [](const auto& entry) { return entry.service->finished(); });
}

std::string loop::unfinished() const {
  std::string names;
  tasks_->for_each([&](const task_base& left) { names += "\n  task '" + left.name() + "'"; });
  for (const auto& entry : services_) {
    if (!entry.service->finished()) names += entry.service->unfinished();
  }
  return names;
}

}  // namespace troupe
