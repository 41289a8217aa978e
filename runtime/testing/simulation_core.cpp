// The simulation as its loops see it: what is next, and when.
#include <troupe/runtime/testing/internal/simulation_core.hpp>

#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/task.hpp>

#include <algorithm>

namespace troupe::testing {

namespace {

// What refuses to end and is never idle must not hold up the time that a shutdown has.
constexpr std::size_t busy_steps_per_jump = 10'000;
// For the end of what has failed.
constexpr std::size_t steps_to_end = 200'000;

}  // namespace

// --- loops ------------------------------------------------------------------------------------------------------------

simulation::core::members::iterator simulation::core::find(const loop& home) noexcept {
  const auto found = std::find_if(members_.begin(), members_.end(),
                                  [&](const auto& each) { return &each->steps.home() == &home; });
  expects(found != members_.end(), "a loop of a simulation was not known to it");
  return found;
}

void simulation::core::opened(loop& home) {
  members_.push_back(std::make_unique<member>(home, members_.size() + 1));
  for (const auto& each : members_) each->posts.resize(members_.size());
  members_.back()->steps.set_time(now_);
  if (asks_who_) members_.back()->timers.who = ++numbers_;
  if (on_opened_) on_opened_(home);
}

void simulation::core::closes(loop& home) noexcept {
  members_.erase(find(home));
  if (members_.empty()) has_shut_down();
}

void simulation::core::run(loop& home) {
  if (loop::current() != nullptr)
    throw invalid_state("a loop cannot be run inside another one on the same thread");
  const auto found = find(home);
  const struct on_this_thread {
    explicit on_this_thread(core& given) : world(given) {
      internal::enable_pool();
      for (const auto& each : world.members_) each->steps.enter();
    }
    ~on_this_thread() {
      world.put_back();
      for (const auto& each : world.members_) each->steps.leave();
      internal::this_thread.current_loop = nullptr;
      internal::disable_pool();
    }
    core& world;
  } here(*this);
  try {
    return drive(**found);
  } catch (...) {
    wind_up_after_failure();
    // A runtime that goes cannot throw: it is told of at the end.
    if (!shutting_down()) throw;
    if (late_error_ == nullptr) late_error_ = std::current_exception();
  }
  drive(**found);
}

/// What is about to end is let end; then those that wait are left behind.
void simulation::core::look_for_leaks(runtime& ended) {
  if (!options_.leaks) return;
  settling_ = true;
  ended.get_loop().run_forever();
  settling_ = false;
  std::string left;
  for (std::size_t index = 0; index < ended.size(); ++index) {
    ended.loop_at(index).tasks().for_each([&](task_base& each) {
      const bool spared = std::any_of(spared_.begin(), spared_.end(),
                                      [&each](const auto& belongs) { return belongs(each); });
      if (!spared) left += "\n  task '" + each.name() + "'";
    });
  }
  if (left.empty()) return;
  wind_up_after_failure();
  throw leak_error("the scenario ended and left behind, still waiting:" + left);
}

void simulation::core::set_forgotten(loop& home, forgotten visit) {
  (*find(home))->actors = std::move(visit);
}

/// Nothing is ready. An actor to which nothing can come now is one for ever, so it is early enough to look now and then: each time for a few of
/// them, on the average.
void simulation::core::look_for_forgotten() {
  constexpr std::size_t actors_per_look = 8;
  if (quiet_ > 0) {
    --quiet_;
    return;
  }
  std::string left;
  std::size_t seen = 0;
  for (const auto& each : members_) {
    if (!each->actors) continue;
    seen += each->actors([&](const std::string& who) {
      const bool spared = std::any_of(spared_actors_.begin(), spared_actors_.end(),
                                      [&who](const auto& belongs) { return belongs(who); });
      if (!spared) left += "\n  actor " + who;
    });
  }
  quiet_ = seen / actors_per_look;
  if (left.empty()) return;
  wind_up_after_failure();
  throw leak_error(
      "actors are left behind: they have not stopped, and nobody has a ref of them any more:" +
      left);
}

void simulation::core::finish() {
  if (late_error_ != nullptr) std::rethrow_exception(std::exchange(late_error_, nullptr));
  if (!failures_.empty() && !failed_) throw_failures();
}

void simulation::core::wind_up_after_failure() noexcept {
  failed_ = true;
  limit_ = steps_ + steps_to_end;
}

void simulation::core::throw_failures() {
  failure_log all;
  for (const failure_report& each : failures_) all.add(each);
  throw unexpected_failure(all.text());
}

void simulation::core::report(const failure_report& report) {
  if (options_.expects && options_.expects(report)) return;
  for (const auto& belongs : belonging_) {
    if (belongs(report)) return;
  }
  if (log_ != nullptr) {
    log_->add(report);
  } else if (options_.expected != nullptr) {
    options_.expected->add(report);
  } else if (!failed_) {
    failures_.push_back(report);
  }
}

// --- steps ------------------------------------------------------------------------------------------------------------

void simulation::core::drive(member& until) {
  for (std::size_t index = 0; index < members_.size(); ++index) take_in(index);
  while (!until.steps.stopping()) {
    if (!works_.empty()) {
      step();
      if (steps_ < limit_) continue;
      if (!failed_) throw_livelock();
      until.steps.set_stalled();  // and is given up
      return;
    }
    idle();
    if (until.steps.stopping() || !works_.empty()) continue;
    if (!waiting_.empty()) {
      tell_waiting(true);
      for (std::size_t index = 0; index < members_.size(); ++index) take_in(index);
      if (!works_.empty()) {
        decides_.time_went_on();
        continue;
      }
    }
    if (settling_) return;
    const time_point next = next_deadline();
    if (!works_.empty()) continue;  // who armed a timer lazily was told, and did something
    if (next == time_point::max()) {
      after_step();
      until.steps.set_stalled();
      return;
    }
    if (options_.leaks && !failed_) look_for_forgotten();
    jump(next);
    decides_.time_went_on();
    after_step();
  }
}

void simulation::core::step() {
  if (lag_left_ > duration::zero()) maybe_lag();
  std::size_t answer = 0;
  const std::size_t count = works_.candidates();
  if ((count > 1 || wants_steps_) && !failed_) {
    if (asks_who_) {
      who_.clear();
      for (std::size_t each = 0; each < count; ++each) who_.push_back(works_.who(each));
    }
    answer = ask({choice::kind::next, count, who_.data()});
  }
  const internal::simulated_works::ready next = works_.take(answer);
  mix(static_cast<std::uint64_t>(now_.time_since_epoch().count()) * 8 + next.loop);
  if (wants_steps_) begin_step(next);
  stepped_ = next.item;
  members_[next.loop]->steps.run(*next.item);
  // By number: one that acts may add another.
  for (std::size_t each = 0; each < acts_.size() && !failed_; ++each) {
    const callable<void()> act = acts_[each];
    act();
  }
  if (!waiting_.empty()) tell_waiting(false);
  stepped_ = nullptr;
  take_in(next.loop);
  if (wants_steps_ && !failed_) decides_.stepped(touched_);
  ++steps_;
  after_step();
  if (steps_ % busy_steps_per_jump == 0) jump_for_shutdown();
}

/// Whoever it is, it touches itself, and may touch anything on its loop.
void simulation::core::begin_step(const internal::simulated_works::ready& next) {
  touched_.clear();
  touch(object(thing::somebody, next.who), true);
  if (!options_.isolated) touch(object(thing::loop, next.loop), true);
  // What looks at everything, or may do anything, depends on everything.
  if (!invariants_.empty() || !acts_.empty()) touch(object(thing::all, 0), true);
}

void simulation::core::touch(const work& actor) noexcept {
  if (!wants_steps_) return;
  const auto found = known_.find(&actor);
  if (found != known_.end()) touch(object(thing::somebody, found->second.number), true);
}

void simulation::core::after_step() {
  if (failed_) return;
  if (what_was_met() != nullptr) [[unlikely]]
    throw not_simulated(std::string("in a simulation, ") + what_was_met());
  if (!failures_.empty()) [[unlikely]]
    throw_failures();
  for (std::size_t each = 0; each < invariants_.size(); ++each) {
    const callable<void()> holds = invariants_[each];  // it may add another
    holds();
  }
}

/// Nothing is ready.
void simulation::core::idle() {
  for (std::size_t index = 0; index < members_.size(); ++index) {
    members_[index]->steps.idle();
    take_in(index);
  }
}

coro<> simulation::core::wait_for(callable<bool()> holds) {
  const struct place {
    explicit place(core& given, callable<bool()> when) : world(given) {
      world.waiting_.push_back({number, {}, std::move(when)});
    }
    ~place() {
      std::erase_if(world.waiting_, [this](const waiting& each) { return each.number == number; });
    }
    core& world;
    const std::uint64_t number = ++world.last_waiting_;
  } mine(*this, std::move(holds));
  future<void> told = waiting_.back().told.get_future();
  co_await told;
}

void simulation::core::tell_waiting(bool nothing_is_ready) {
  for (std::size_t each = 0; each < waiting_.size();) {
    if (waiting_[each].holds ? !waiting_[each].holds() : !nothing_is_ready) {
      ++each;
      continue;
    }
    promise<void> told = std::move(waiting_[each].told);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(each));
    told.set_value();
  }
}

void simulation::core::throw_livelock() {
  std::string what = "the scenario has not ended after " + std::to_string(steps_) +
                     " steps, and still goes on; pending are:";
  for (const auto& each : members_) what += each->steps.home().unfinished();
  throw livelock_error(what);
}

/// Takes in what a step on that loop has made ready there, and posted elsewhere.
void simulation::core::take_in(std::size_t ran) {
  take_ready(ran);
  for (std::size_t to = 0; to < members_.size(); ++to) {
    for (work* next = members_[to]->steps.take_posted(); next != nullptr;) {
      work& item = *std::exchange(next, next->next);
      works_.add_to(members_[to]->posts[ran], item, to, number_of(item));
      touch(object(thing::posts, to * members_.size() + ran), true);
    }
  }
  take_timers(ran);
  if (outside() != nullptr) take_in_outside();
}

/// When timers are due there its loop has a turn for them, in which all of them are fired: as by a loop that looks at its clock once.
void simulation::core::take_timers(std::size_t index) {
  timer_turn& turn = members_[index]->timers;
  if (!turn.steps.due() || std::exchange(turn.queued, true)) return;
  works_.add(turn, index, turn.who);
  touch(object(thing::somebody, turn.who), true);
}

void simulation::core::timer_turn::take(work& item) noexcept {
  auto& self = static_cast<timer_turn&>(item);
  self.queued = false;
  self.steps.fire();
}

/// What has come from outside, for whichever loop.
void simulation::core::take_in_outside() {
  outside()->advance(now_);
  for (std::size_t index = 0; index < members_.size(); ++index) take_ready(index);
}

void simulation::core::take_ready(std::size_t index) {
  member& home = *members_[index];
  for (work* next = home.steps.take_ready(); next != nullptr;) {
    work& item = *std::exchange(next, next->next);
    const std::uint32_t who = number_of(item);
    if (internal::is_call(item)) {
      works_.add_to(home.calls, item, index, who);
      touch(object(thing::calls, index), true);
    } else {
      works_.add(item, index, who);
      touch(object(thing::somebody, who), true);
    }
  }
}

/// What is ready goes back to its loops, which run or drop it themselves when they close.
void simulation::core::put_back() {
  for (const internal::simulated_works::ready& each : works_.take_all()) {
    member& home = *members_[each.loop];
    if (each.item == &home.timers) {
      home.timers.queued = false;
    } else {
      home.steps.put_back(*each.item);
    }
  }
}

/// The same for the same task or actor each time; another one for each call and post. Memory is used again, so a place in it says
/// nothing: a task is known by its first step, an actor by `born`, and either by what it runs.
std::uint32_t simulation::core::number_of(work& item) {
  if (!asks_who_) return 0;
  if (internal::is_call(item)) return ++numbers_;
  const bool is_task = task_base::stepped_by(item) != nullptr;
  const work::function does = is_task ? nullptr : item.run;
  if (is_task && task_base::begins(item)) {
    known_[&item] = {does, ++numbers_};
    return numbers_;
  }
  const auto found = known_.find(&item);
  return found != known_.end() && found->second.run == does ? found->second.number : ++numbers_;
}

void simulation::core::born(work& item) noexcept {
  if (asks_who_) known_[&item] = {item.run, ++numbers_};
}

std::size_t simulation::core::ask(const choice& open) {
  const std::size_t answer = decides_.choose(open);
  expects(answer < open.count, "an oracle gave an answer that is none");
  if (open.count == 1) return 0;
  choices_.push_back(static_cast<std::uint32_t>(answer));
  kinds_.push_back(open.what);
  mix(answer * 0x10000 + open.count);
  return answer;
}

std::size_t simulation::core::choose(std::size_t count, choice::kind what) {
  return count < 2 || failed_ ? 0 : ask({what, count, nullptr});
}

// --- time -------------------------------------------------------------------------------------------------------------

time_point simulation::core::next_deadline() {
  time_point next = time_point::max();
  for (std::size_t index = 0; index < members_.size(); ++index) {
    next = std::min(next, members_[index]->steps.next_deadline());
    take_ready(index);  // those who armed a timer lazily are told of it, and may act on it
  }
  if (outside() != nullptr) next = std::min(next, outside()->next());
  return next;
}

void simulation::core::jump(time_point to) {
  now_ = std::max(now_, to);
  for (const auto& each : members_) each->steps.set_time(now_);
  for (std::size_t index = 0; index < members_.size(); ++index) take_in(index);
}

void simulation::core::maybe_lag() {
  const time_point next = next_deadline();
  if (next == time_point::max()) return;
  const duration ahead = next - now_;
  if (ahead > options_.lag || ahead > lag_left_ || choose(2, choice::kind::time) == 0) return;
  lag_left_ -= ahead;
  jump(next);
}

void simulation::core::jump_for_shutdown() {
  const bool ending = std::any_of(members_.begin(), members_.end(), [](const auto& each) {
    return each->steps.home().shutting_down();
  });
  if (!ending) return;
  const time_point next = next_deadline();
  if (next != time_point::max()) jump(next);
}

}  // namespace troupe::testing
