// How a loop begins and ends; what it does in between is in loop.cpp.
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/internal/backend.hpp>
#include <troupe/runtime/internal/simulator.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/task.hpp>

#include <cstdlib>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace troupe {

namespace {

constexpr std::size_t first_budget = 64;

// What a closing loop still runs; more is a work that makes itself ready for ever.
constexpr int closing_rounds = 10'000;

bool debug_wanted() {
  const char* const set = std::getenv("TROUPE_DEBUG");
  return set != nullptr && *set != '\0' && std::string_view(set) != "0";
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
  auto backend = std::make_unique<internal::backend>(options.simulator != nullptr);
  tasks_ = new internal::task_list;
  backend_ = backend.release();
  owner_ = options.owner;
  index_ = options.index;
  virtual_time_ = options.virtual_time || options.simulator != nullptr;
  eager_tasks_ = options.eager_tasks;
  debug_ = options.debug || debug_wanted();
  slow_ = std::chrono::milliseconds(100);
  on_failure_ = std::move(options.on_failure);
  virtual_now_ = {};
  stopping_ = stalled_ = discarding_ = timer_due_ = false;
  rested_until_ = {};
  simulator_ = options.simulator;
  // Simulated, each message is a turn of its own, and all that is between two of them may be.
  budget_ = simulator_ != nullptr ? 1 : first_budget;
  spinning_ = false;
  skip_ = backoff_ = 0;
  inbox_.open();
  if (simulator_ != nullptr) simulator_->opened(*this);
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
  if (simulator_ != nullptr) simulator_->closes(*this);
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
  simulator_ = nullptr;
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
