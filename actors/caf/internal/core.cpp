#include <troupe/actors/caf/internal/core.hpp>

#include <troupe/actors/caf/errors.hpp>

#include <troupe/actors/caf/internal/doubles.hpp>
#include <troupe/actors/caf/internal/scheduler.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/internal/simulator.hpp>
#include <troupe/runtime/runtime.hpp>

#include <caf/actor_registry.hpp>
#include <caf/defaults.hpp>
#include <caf/local_actor.hpp>
#include <caf/logger.hpp>

#include <algorithm>
#include <future>
#include <limits>
#include <utility>

namespace troupe::internal {

namespace {

constexpr duration first_pause = std::chrono::milliseconds(1);
constexpr duration longest_pause = std::chrono::milliseconds(16);

/// CAF looks at the calendar when it makes a system, for nothing that an actor sees: no simulation need know of it.
class unobserved {
 public:
  unobserved() noexcept : observer_(std::exchange(current_simulator(), nullptr)) {}
  ~unobserved() { current_simulator() = observer_; }
  unobserved(const unobserved&) = delete;
  unobserved& operator=(const unobserved&) = delete;

 private:
  simulator* observer_;
};

/// What still runs on threads of CAF's uses a core that was left behind.
void keep_for_good(std::shared_ptr<caf_core> left) {
  static std::mutex mutex;
  static auto* const all = new std::vector<std::shared_ptr<caf_core>>;  // never destroyed
  const std::scoped_lock lock(mutex);
  all->push_back(std::move(left));
}

}  // namespace

// --- making it --------------------------------------------------------------------------------------------------------

caf_core::caf_core(std::unique_ptr<::caf::actor_system_config> config)
    : timer(&caf_core::on_due),
      home_(*loop::current()),
      config_(std::move(config)),
      doubles_(std::make_unique<caf_doubles>()) {
  runtime* const owner = home_.owner();
  const std::size_t count = owner != nullptr ? owner->size() : 1;
  for (std::size_t index = 0; index < count; ++index) {
    loop& each = owner != nullptr ? owner->loop_at(index) : home_;
    units_.push_back(std::make_unique<caf_unit>(*this, each));
  }
}

caf_core::~caf_core() = default;

std::shared_ptr<caf_core> caf_core::make(std::unique_ptr<::caf::actor_system_config> config) {
  loop* const here = loop::current();
  if (here == nullptr)
    throw invalid_state("a caf_system needs a running loop, and none runs on this thread");
  auto& mine = here->service<caf_of_loop>();
  if (mine.occupied())
    throw invalid_state("this runtime has a caf_system already: shut that down first, or use it");
  if (mine.ending()) throw invalid_state("a caf_system was to be made while the runtime ends");
  std::shared_ptr<caf_core> made(new caf_core(std::move(config)));
  mine.attach(made);
  for (const auto& each : made->units_) {
    if (&each->home() == here) continue;
    static_cast<void>(
        each->home().post_call([made] { loop::current()->service<caf_of_loop>().attach(made); }));
  }
  try {
    made->open();
  } catch (...) {
    made->set_over();
    throw;
  }
  return made;
}

void caf_core::serves(::caf::actor_system& system) noexcept {
  system_ = &system;
  for (const auto& each : units_) each->serves(&system);
  last_.serves(&system);
}

void caf_core::open() {
  const auto as_caf = ::caf::defaults::scheduler::max_throughput;
  most_messages_ =
      std::max<std::size_t>(1, ::caf::get_or(*config_, "scheduler.max-throughput", as_caf));
  config_->add_error_category(caf_category, [](std::uint8_t code, ::caf::atom_value category,
                                               const ::caf::message& context) {
    return text_of(::caf::error(code, category, context));
  });
  config_->module_factories.emplace_back(
      [this](::caf::actor_system& system) -> ::caf::actor_system::module* {
        serves(system);
        return new caf_scheduler(system, *this);
      });
  try {
    const unobserved here;
    static_cast<void>(new ::caf::actor_system(*config_));  // known by `serves`
  } catch (...) {
    ::caf::logger::set_current_actor_system(nullptr);
    throw;
  }
  each_unit([](caf_unit& each) {
    if (&each.home() == loop::current()) return each.open();
    static_cast<void>(each.home().post_call([&each] { each.open(); }));
  });
}

// --- work -------------------------------------------------------------------------------------------------------------

caf_unit* caf_core::unit_here() noexcept {
  const loop* const here = loop::current();
  if (here == nullptr) return nullptr;
  for (const auto& each : units_)
    if (&each->home() == here) return each.get();
  return nullptr;
}

/// An actor stays where it has run first. Nobody but who makes it ready may look where that was.
caf_unit& caf_core::unit_of(::caf::resumable* job, caf_unit& here) noexcept {
  if (units_.size() == 1) return *units_.front();
  const ::caf::scheduled_actor* const actor = caf_unit::as_actor(job);
  if (actor == nullptr || !actor->getf(::caf::abstract_actor::is_initialized_flag)) return here;
  for (const auto& each : units_)
    if (each.get() == actor->context()) return *each;
  return here;
}

void caf_core::enqueue(::caf::resumable* job) noexcept {
  if (late_.load()) return enqueue_late(job);
  caf_unit& in_turn = *units_[next_unit_.fetch_add(1, std::memory_order_relaxed) % units_.size()];
  unit_of(job, in_turn).enqueue(job);
}

void caf_core::enqueue_late(::caf::resumable* job) noexcept {
  {
    const std::scoped_lock lock(late_mutex_);
    if (!finished_) {
      late_jobs_.push_back(job);
      return;
    }
  }
  ::caf::scheduler::abstract_coordinator::cleanup_and_release(job);
}

void caf_core::do_late_work() noexcept {
  for (;;) {
    ::caf::resumable* job = nullptr;
    {
      const std::scoped_lock lock(late_mutex_);
      if (late_jobs_.empty()) {
        finished_ = true;
        return;
      }
      job = late_jobs_.front();
      late_jobs_.pop_front();
    }
    if (job->resume(&last_, most_messages_) == ::caf::resumable::resume_later) {
      enqueue_late(job);
    } else {
      intrusive_ptr_release(job);
    }
  }
}

// --- the end ----------------------------------------------------------------------------------------------------------

std::size_t caf_core::running() const noexcept {
  return over() || system_ == nullptr ? 0 : system_->registry().running();
}

void caf_core::begin_end() noexcept {
  if (now() != state::open) return;
  state_ = state::ending;
  tell_to_exit(caf_unit::whom::not_hidden, ::caf::exit_reason::user_shutdown);
  pause_ = first_pause;
  home_.timers().arm(*this, home_.time());
}

void caf_core::request_end() noexcept {
  if (loop::current() == &home_) return begin_end();
  static_cast<void>(home_.post_call([self = shared_from_this()] { self->begin_end(); }));
}

void caf_core::kill_all() noexcept {
  if (now() == state::ending) tell_to_exit(caf_unit::whom::not_hidden, ::caf::exit_reason::kill);
}

void caf_core::tell_to_exit(caf_unit::whom these, ::caf::exit_reason why) noexcept {
  each_unit([&](caf_unit& each) {
    static_cast<void>(each.home().post_call(
        [self = shared_from_this(), &each, these, why] { each.tell_to_exit(these, why); }));
  });
}

void caf_core::on_due(timer& self) noexcept { static_cast<caf_core&>(self).look(); }

void caf_core::look() noexcept {
  if (now() == state::ending && running() == 0) return begin_to_take_apart();
  if (now() == state::taken_apart && nobody_left()) return destroy_soon();
  home_.timers().arm(*this, saturating_add(home_.time(), pause_));
  pause_ = std::min(2 * pause_, longest_pause);
}

/// Of those that have run, CAF's own among them. For a simulation, whose loops are all on this thread.
bool caf_core::nobody_left() const noexcept {
  return std::none_of(units_.begin(), units_.end(),
                      [](const auto& each) { return each->anyone_left(); });
}

/// Calls `use(unit)` on the loop of each, and then `done()`, on whichever thread is the last.
template <class Use, class Done>
void caf_core::visit_units(Use use, Done done) {
  // What a loop does not call any more is destroyed, and counts, too.
  const std::shared_ptr<void> all(this, [done](void*) { done(); });
  each_unit([&](caf_unit& each) {
    static_cast<void>(each.home().post_call([&each, use, all] { use(each); }));
  });
}

/// The same, and then calls a function of this at home.
template <class Use>
void caf_core::visit_units_and(Use use, void (caf_core::*then)() noexcept) {
  visit_units(use, [self = shared_from_this(), then] {
    static_cast<void>(self->home_.post_call([self, then] { (*self.*then)(); }));
  });
}

/// No actor is left. Once each loop has ended its turn, what the last ones have said in the end is on its way.
void caf_core::begin_to_take_apart() noexcept {
  state_ = state::taken_apart;
  visit_units_and([](caf_unit&) {}, &caf_core::take_apart);
}

void caf_core::take_apart() noexcept {
  if (over()) return;  // left behind
  doubles_->close();
  if (simulated()) {
    // On this very thread, so nothing may be left that it would wait for.
    tell_to_exit(caf_unit::whom::all, ::caf::exit_reason::kill);
    pause_ = first_pause;
    home_.timers().arm(*this, home_.time());
    return;
  }
  taking_apart_ = std::thread([self = shared_from_this()] {
    delete self->system_;
    static_cast<void>(self->home_.post_call([self] {
      if (self->over()) return;  // left behind
      self->taking_apart_.join();
      self->set_over();
    }));
  });
}

void caf_core::destroy_soon() noexcept {
  late_ = true;
  visit_units_and([](caf_unit& each) { each.close(); }, &caf_core::destroy_here);
}

void caf_core::destroy_here() noexcept {
  if (over()) return;
  {
    const unobserved here;
    delete system_;
  }
  set_over();
}

void caf_core::finish_work() noexcept {
  if (!simulated()) {
    auto closed = std::make_shared<std::promise<void>>();
    std::future<void> all = closed->get_future();
    late_ = true;
    visit_units([](caf_unit& each) { each.close(); }, [closed] { closed->set_value(); });
    all.wait();
  }
  do_late_work();
}

void caf_core::set_over() noexcept {
  system_ = nullptr;
  state_ = state::over;
  if (ended_.is_set()) return;
  ended_.set();
  // A loop that is about to close looks again whether it may.
  each_unit([](caf_unit& each) { static_cast<void>(each.home().post_call([] {})); });
}

void caf_core::abandon() noexcept {
  if (over()) return;
  home_.timers().cancel(*this);
  home_.report(
      {std::to_string(running()) +
           " CAF actors, or threads of theirs, have not ended: their system is left behind",
       nullptr});
  if (taking_apart_.joinable()) taking_apart_.detach();
  state_ = state::over;
  keep_for_good(shared_from_this());
}

// --- the loop's side --------------------------------------------------------------------------------------------------

caf_core& caf_of_loop::current(const char* who) {
  loop* const here = loop::current();
  if (here == nullptr)
    throw invalid_state(std::string(who) + " needs a running loop, and none runs on this thread");
  auto& mine = here->service<caf_of_loop>();
  if (!mine.occupied() || mine.core_->now() == caf_core::state::taken_apart)
    throw invalid_state(std::string(who) +
                        " needs a caf_system, and this runtime has none: make one first");
  return *mine.core_;
}

caf_core* caf_of_loop::find() noexcept {
  loop* const here = loop::current();
  if (here == nullptr || here->closed()) return nullptr;
  auto& mine = here->service<caf_of_loop>();
  return mine.occupied() ? mine.core_.get() : nullptr;
}

caf_unit* caf_of_loop::unit() noexcept {
  caf_core* const core = find();
  return core != nullptr ? core->unit_here() : nullptr;
}

void caf_of_loop::attach(std::shared_ptr<caf_core> made) noexcept { core_ = std::move(made); }

void caf_of_loop::begin_shutdown() {
  ending_ = true;
  if (occupied()) core_->request_end();
}

void caf_of_loop::insist() {
  if (at_home()) core_->kill_all();
}

void caf_of_loop::abandon() noexcept {
  if (core_ == nullptr) return;
  if (caf_unit* const mine = core_->unit_here()) mine->close();
  if (&core_->home() == loop::current()) core_->abandon();
}

std::string caf_of_loop::unfinished() const {
  if (!at_home()) return {};
  return "\n  " + std::to_string(core_->running()) + " CAF actors";
}

}  // namespace troupe::internal
