#include <troupe/runtime/check.hpp>
#include <troupe/runtime/internal/backend.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/task.hpp>

#include <algorithm>
#include <memory>
#include <mutex>
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

constexpr int rounds_per_event = 4;

// What a closing loop still runs; more is a work that makes itself ready for ever.
constexpr int closing_rounds = 10'000;
constexpr std::size_t busy_rounds_per_jump = 10'000;

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
  on_failure_ = std::move(options.on_failure);
  virtual_now_ = {};
  stopping_ = stalled_ = false;
  budget_ = first_budget;
  spinning_ = false;
  skip_ = backoff_ = 0;
  inbox_.open();
}

void loop::close() noexcept {
  expects(current() != this, "a loop was closed while it runs");
  // What arrived too late for a round is still run: it may hold memory or somebody's answer.
  loop* const outer = std::exchange(internal::this_thread.current_loop, this);
  for (work* late = inbox_.close(); late != nullptr;) {
    work* const item = late;
    late = late->next;
    item->run(*item);
  }
  int left = closing_rounds;
  const auto run_rest = [&] {
    while (!ready_.empty() && left-- > 0) run_round();
  };
  run_rest();
  // Tasks that the late works have made, too late for a shutdown.
  tasks_->cancel_all_for_good();
  run_rest();
  if (!wound_up()) {
    report({"the loop closed; left behind:" + unfinished(), nullptr});
    abandon();
  }
  // A service may be made anew by the last works of another.
  do {
    end_services();
    run_rest();
  } while (services_ != nullptr);
  static_cast<void>(ready_.take_all());
  internal::this_thread.current_loop = outer;
  timers_.clear();
  delete std::exchange(tasks_, nullptr);
  while (inbox_.waking())
    std::this_thread::yield();  // for as long as a write to a descriptor takes
  delete std::exchange(backend_, nullptr);
  owner_ = nullptr;
  on_failure_ = {};
  on_wound_up_ = {};
  park().put(this);
}

void loop::run() {
  expects(current() == nullptr, "a loop was run inside another loop on the same thread");
  internal::this_thread.current_loop = this;
  internal::enable_pool();
  stopping_ = stalled_ = false;
  last_poll_ = {};
  std::size_t busy_rounds = 0;
  for (;;) {
    run_round();
    if (on_wound_up_ && !stopping_) {
      if (wound_up()) on_wound_up_();
      // What refuses to end and is never idle must not hold up the time that the shutdown has.
      if (virtual_time_ && ++busy_rounds % busy_rounds_per_jump == 0 && !timers_.empty()) jump();
    }
    if (stopping_) break;
    if (ready_.empty()) {
      idle();
      if (stalled_ || (stopping_ && ready_.empty())) break;
    }
  }
  internal::disable_pool();
  internal::this_thread.current_loop = nullptr;
}

void loop::run_round() noexcept {
  for (work* next = ready_.take_all(); next != nullptr;) {
    work* const item = next;
    next = item->next;
    item->run(*item);
    if (++done_ >= budget_) [[unlikely]]
      poll();
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
  backend_->wait(timers_.size() != 0 ? timers_.earliest() : time_point::max(), run_some, this);
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

void loop::wake() noexcept {
  backend_->wake();
  inbox_.wake_done();
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
  static_cast<void>(ready_.take_all());
  tasks_->abandon();
  for (loop_service* each = services_; each != nullptr; each = each->next_) each->abandon();
}

bool loop::wound_up() const {
  if (!tasks_->empty()) return false;
  for (const loop_service* each = services_; each != nullptr; each = each->next_) {
    if (!each->finished()) return false;
  }
  return true;
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
