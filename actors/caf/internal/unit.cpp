#include <troupe/actors/caf/internal/unit.hpp>

#include <troupe/actors/caf/internal/core.hpp>

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/logger.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace troupe::internal {

namespace {
constexpr std::size_t first_look_through = 64;

bool lives(const ::caf::weak_actor_ptr& actor) noexcept {
  const ::caf::strong_actor_ptr known = actor.lock();
  return known != nullptr && !known->get()->getf(::caf::abstract_actor::is_terminated_flag);
}
}  // namespace

/// A job on its way from another thread.
struct caf_unit::posted final : work, pooled {
  posted(caf_unit& given, ::caf::resumable* what) noexcept
      : work(&posted::arrive), to(given), job(what) {}
  static void arrive(work& item) noexcept {
    const owned<posted> self(static_cast<posted*>(&item));
    self->to.push(self->job);
  }
  caf_unit& to;
  ::caf::resumable* job;
};

/// One job, in a simulation: a work of its own, so that each order can be tried.
struct caf_unit::step final : work, pooled {
  step(caf_unit& given, ::caf::resumable* what) noexcept
      : work(&step::take), by(given), job(what) {}
  static void take(work& item) noexcept {
    auto* const taken = static_cast<step*>(&item);
    const owned<step> self(taken);
    if (taken->job == nullptr) return;  // taken away
    std::erase(taken->by.steps_, taken);
    taken->by.put_back(taken->job, taken->by.wants_more(*taken->job, 1));
  }
  caf_unit& by;
  ::caf::resumable* job;
};

caf_unit::caf_unit(caf_core& owner, loop& home)
    : execution_unit(nullptr),
      work(&caf_unit::run_turn),
      owner_(owner),
      home_(home),
      timeouts_(*this),
      look_through_at_(first_look_through) {}

void caf_unit::open() noexcept {
  // CAF's logger is that of the thread, and a system does not end before all threads have let go of it.
  ::caf::logger::set_current_actor_system(&system());
}

void caf_unit::exec_later(::caf::resumable* job) {
  caf_unit& place = owner_.unit_of(job, *this);
  if (&place.home_ == loop::current()) {
    place.push(job);
  } else {
    place.enqueue(job);
  }
}

void caf_unit::enqueue(::caf::resumable* job) noexcept {
  if (&home_ == loop::current()) return push(job);
  auto* const sent = new posted(*this, job);
  if (home_.post(*sent)) return;
  delete sent;
  owner_.enqueue_late(job);
}

void caf_unit::push(::caf::resumable* job) noexcept {
  if (closed_) [[unlikely]]
    return owner_.enqueue_late(job);
  if (::caf::scheduled_actor* const actor = as_actor(job);
      actor != nullptr && !actor->getf(::caf::abstract_actor::is_initialized_flag)) [[unlikely]]
    note_new(*actor);
  if (home_.simulator() != nullptr) [[unlikely]] {
    auto* const made = new step(*this, job);
    steps_.push_back(made);
    home_.push(*made);
    return;
  }
  if (takes_next_) {
    takes_next_ = false;
    next_ = job;
    return;
  }
  ready_.push_back(job);
  schedule();
}

void caf_unit::schedule() noexcept {
  if (std::exchange(scheduled_, true)) return;
  home_.push(*this);
}

time_point caf_unit::time() noexcept {
  if (!in_turn_) return home_.time();
  if (turn_time_ == time_point{}) turn_time_ = home_.time();
  return turn_time_;
}

duration caf_unit::behind() const noexcept {
  return turn_time_ == time_point{} ? duration{} : home_.time() - turn_time_;
}

void caf_unit::run_turn(work& item) noexcept { static_cast<caf_unit&>(item).turn(); }

void caf_unit::turn() noexcept {
  if (next_job_ == batch_.size()) {
    batch_.clear();
    next_job_ = 0;
    batch_.swap(ready_);
  }
  const std::size_t limit = home_.turn_limit();
  std::size_t handled = 0;
  in_turn_ = true;
  while (handled < limit && (running_.job != nullptr || take_job()))
    handled += resume(limit - handled);
  in_turn_ = false;
  turn_time_ = {};
  home_.spent(handled);
  scheduled_ = false;
  if (running_.job != nullptr || next_ != nullptr || next_job_ != batch_.size() || !ready_.empty())
    schedule();
}

/// Whose turn is next? False if the batch is at its end.
bool caf_unit::take_job() noexcept {
  // The first that the last one has sent to comes right behind it, while the messages are in the cache; who that sends to does not.
  ::caf::resumable* const told = std::exchange(next_, nullptr);
  if (told == nullptr && next_job_ == batch_.size()) return false;
  running_.job = told != nullptr ? told : batch_[next_job_++];
  running_.takes_next = told == nullptr;
  running_.left = 1;
  if (::caf::scheduled_actor* const actor = as_actor(running_.job))
    running_.left = std::clamp<std::size_t>(actor->mailbox().size(), 1, owner_.most_messages());
  return true;
}

/// Goes on with the one whose turn it is. Returns how many messages that was for, at most `most`.
std::size_t caf_unit::resume(std::size_t most) noexcept {
  const std::size_t messages = std::min(most, running_.left);
  running_.left -= messages;
  takes_next_ = running_.takes_next && next_ == nullptr;
  const bool goes_on = wants_more(*running_.job, messages);
  takes_next_ = false;
  // Who had only a part of them, and went behind the others, would fall ever farther behind those that send to it.
  if (!goes_on || running_.left == 0) put_back(std::exchange(running_.job, nullptr), goes_on);
  return messages;
}

/// Resumes it. False when it has ended, or waits, or says what is for CAF's own workers.
bool caf_unit::wants_more(::caf::resumable& job, std::size_t messages) noexcept {
  return job.resume(this, messages) == ::caf::resumable::resume_later;
}

void caf_unit::put_back(::caf::resumable* job, bool goes_on) noexcept {
  if (goes_on) return push(job);
  intrusive_ptr_release(job);
}

/// It is to run for the first time: remembers it for the end. Those that have ended meanwhile are forgotten when there are twice as many as were left the last time.
void caf_unit::note_new(::caf::scheduled_actor& begun) {
  if (begun_.size() >= look_through_at_) {
    std::erase_if(begun_, [](const auto& each) { return !lives(each); });
    look_through_at_ = std::max(first_look_through, 2 * begun_.size());
  }
  begun_.emplace_back(begun.ctrl());
}

void caf_unit::tell_to_exit(whom these, ::caf::exit_reason why) noexcept {
  for (const ::caf::weak_actor_ptr& each : begun_) {
    const ::caf::strong_actor_ptr known = each.lock();
    if (known != nullptr &&
        (these == whom::all || known->get()->getf(::caf::abstract_actor::is_registered_flag)))
      ::caf::anon_send_exit(::caf::actor_cast<::caf::actor>(known), why);
  }
}

bool caf_unit::anyone_left() const noexcept {
  return std::any_of(begun_.begin(), begun_.end(), &lives);
}

void caf_unit::close() noexcept {
  closed_ = true;
  for (::caf::resumable* const job :
       {std::exchange(running_.job, nullptr), std::exchange(next_, nullptr)})
    if (job != nullptr) owner_.enqueue_late(job);
  for (; next_job_ != batch_.size(); ++next_job_) owner_.enqueue_late(batch_[next_job_]);
  for (::caf::resumable* const job : std::exchange(ready_, {})) owner_.enqueue_late(job);
  for (step* const each : std::exchange(steps_, {}))
    owner_.enqueue_late(std::exchange(each->job, nullptr));
  timeouts_.clear();
  ::caf::logger::set_current_actor_system(nullptr);
}

}  // namespace troupe::internal
