// How actors begin, stop and end, and the family on which that depends: children, and those that have no parent.
#include <troupe/actors/cell.hpp>

#include <troupe/actors/actor_roots.hpp>
#include <troupe/actors/internal/belongings.hpp>
#include <troupe/actors/internal/interceptor.hpp>
#include <troupe/actors/keeper.hpp>
#include <troupe/actors/order.hpp>
#include <troupe/actors/trace.hpp>
#include <troupe/actors/traced_step.hpp>
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/internal/simulator.hpp>

#include <utility>

namespace troupe::internal {

constinit thread_local interceptor* intercepting = nullptr;

void cell::join_parent() noexcept {
  expects(parent_->life_ != life::dead,
          "an actor spawned a child in its destructor: nobody would stop it");
  previous_ = parent_->last_child_;
  if (previous_ != nullptr) previous_->next_ = this;
  parent_->last_child_ = this;
}

void cell::begin() noexcept {
  constructed_ = true;
  if (home_->simulator() != nullptr) [[unlikely]] {
    gate_ |= gate_simulated;
    if (intercepting != nullptr) gate_ |= gate_watched;
    home_->simulator()->born(*this);
  }
  if (parent_ == nullptr) actor_roots::of_current_loop().add(*this);
  if (maybe_traced()) [[unlikely]]
    trace_begin();
  if (class_->start == nullptr && !stop_wanted_ && !draining_ && !begins_slowly_) {
    life_ = life::running;
    attention_ = noticed();
    // The constructor may have sent to itself.
    scheduled_ = !mailbox_.empty();
  }
  if (scheduled_) home_->push(*this);
}

void cell::begin_without_object(const std::exception_ptr& error) noexcept {
  if (parent_ == nullptr) actor_roots::of_current_loop().add(*this);
  if (maybe_traced()) trace_begin();
  crashed(error);
  stop_wanted_ = true;
  // Before their first step, which would find no object.
  extra().tasks.cancel_all_for_good();
  home_->push(*this);
}

void cell::request_stop(exit_reason::kind why) noexcept {
  if (home_ == loop::current()) [[likely]] {
    const cell_extra* const known = known_extra();
    if (known != nullptr && known->drain_for != duration{} && !resting_ && !falling_) [[unlikely]]
      return request_drain(why, known->drain_for);
    request_stop_now(why);
  } else {
    send_order(*this, [why](cell& to) noexcept { to.request_stop(why); });
  }
}

void cell::request_kill() noexcept {
  if (home_ != loop::current()) {
    send_order(*this, [](cell& to) noexcept { to.request_kill(); });
    return;
  }
  if (life_ == life::dead || resting_ || ended_as_ == exit_reason::kind::killed) return;
  ended_as_ = exit_reason::kind::killed;
  stop_wanted_ = on_stop_done_ = true;
  // Not by its turn: a child further down may be waiting in its on_stop.
  for (cell* child = last_child_; child != nullptr; child = child->previous_) child->request_kill();
  if (life_ == life::stopping && (busy_ || has_process())) tasks().cancel_all_for_good();
  pay_attention();
}

void cell::tell_touched() noexcept { home_->simulator()->touch(*this); }

bool cell::ask_interceptor(envelope& item, bool urgent) noexcept {
  if (intercepting == nullptr) return false;
  if ((gate_ & gate_watched) == 0) {
    gate_ |= gate_watched;
    attention_ = true;
  }
  if (item.run == &arrive<&cell::accept> || item.run == &arrive<&cell::accept_urgent> ||
      item.run == &arrive<&cell::accept_sent>) {
    // It was looked at where it was sent. Whoever passes it on sends it anew.
    item.run = nullptr;
    return false;
  }
  // What is marked is none that was sent; and the dead get nothing.
  return item.run == nullptr && !closed() &&
         intercepting->take(*this, item,
                            urgent ? &arrive<&cell::accept_urgent> : &arrive<&cell::accept>);
}

void cell::tell_interceptor(const envelope& item) noexcept {
  if (intercepting != nullptr) intercepting->ends(item);
}

bool cell::acts_now() const noexcept {
  const cell_extra* const known = known_extra();
  const task_base* const task = task_base::current();
  if (task != nullptr) return known != nullptr && task->owner() == &known->tasks;
  return home_->simulator() != nullptr && home_->simulator()->stepped() == this;
}

void cell::pay_attention() noexcept {
  touched();
  attention_ = true;
  if (busy_) {
    // The handler in hand is told to end, and its end makes the cell ready; on_stop is left to finish.
    if (life_ < life::stopping) tasks().cancel_all_for_good();
  } else {
    make_ready();
  }
}

void cell::insist() noexcept {
  // Children stop one after the other, so the youngest is the one that is waited for; those of a process stop after it.
  cell* waited_for = this;
  while (waited_for->home_ == home_ && waited_for->last_child_ != nullptr &&
         !waited_for->has_process())
    waited_for = waited_for->last_child_;
  if (waited_for->home_ != home_) {
    send_order(*waited_for, [](cell& to) noexcept { to.insist(); });
    return;
  }
  if (cell_extra* const known = waited_for->known_extra()) {
    known->tasks.cancel_all_for_good();
  }
}

void cell::begin_stop() noexcept {
  life_ = life::stopping;
  gate_ |= gate_closed;
  const bool plain = known_extra() == nullptr;
  if (!plain) take_up_waiting();
  while (envelope* const left = mailbox_.pop()) refuse(*left);
  if (!plain) {
    cancel_monitors();
    refuse_set_aside();
    stop_process();
  }
  advance_stop();
}

void cell::advance_stop() noexcept {
  // Each step that has to wait returns, and what it waits for makes the cell ready again. on_stop may start more, which
  // then goes the same way.
  scheduled_ = false;
  for (;;) {
    cell_extra* const known = known_extra();
    if (known != nullptr) {
      if (known->process != nullptr) return;
      if (!known->tasks.empty()) {
        known->tasks.when_empty(
            [](void* self) noexcept { static_cast<cell*>(self)->pay_attention(); }, this);
        known->tasks.cancel_all_for_good();
        return;
      }
    }
    if (last_child_ != nullptr) {
      if (!last_child_->stop_sent_) {
        last_child_->stop_sent_ = true;
        last_child_->request_stop(exit_reason::kind::parent);
        if (known != nullptr && known->children != nullptr && last_child_ != nullptr)
          known->children->limit_stop(*last_child_);
      }
      return;
    }
    if (on_stop_done_) break;
    on_stop_done_ = true;
    run_on_stop();
    if (busy_) {
      scheduled_ = true;
      // The shutdown has lost its patience while others stopped.
      if (actor_roots::of_current_loop().insists()) tasks().cancel_all_for_good();
      return;
    }
  }
  finish();
}

void cell::run_on_stop() noexcept {
  if (!constructed_ || class_->stop == nullptr) return;
  try {
    const traced_step step(*this);
    class_->stop(*this);
  } catch (...) {
    home_->report({"on_stop of " + description() + " threw", std::current_exception()});
  }
}

void cell::finish() noexcept {
  life_ = life::dead;
  cell_extra* const known = known_extra();
  if (known != nullptr) cancel_monitors();  // its on_stop may have set one
  if (constructed_) class_->destroy(*this);
  if (known != nullptr) {
    if (retries()) drop_copy();
    drop_keeper();
    break_links();
    if (falling_) return rest();
    if (traced()) trace_end();
    tell_watchers();
  }
  home_->moves_out();
  if (parent_ == nullptr) {
    actor_roots::of_current_loop().remove(*this);
    release();
    return;
  }
  // The parent takes over the count of this life.
  tell_parent([](cell& to, cell* about) noexcept { to.child_gone(*about); });
}

void cell::child_gone(cell& child) noexcept {
  if (child.previous_ != nullptr) child.previous_->next_ = child.next_;
  (child.next_ != nullptr ? child.next_->previous_ : last_child_) = child.previous_;
  if (child.supervised_) [[unlikely]]
    if (cell_extra* const known = known_extra(); known != nullptr && known->children != nullptr)
      known->children->gone(child);
  child.release();
  if (life_ == life::stopping) pay_attention();
}

void cell::abandon() noexcept {
  if (life_ != life::dead) home_->moves_out();
  life_ = life::dead;
  stop_wanted_ = true;
  ended_as_ = exit_reason::kind::killed;
  run = [](work&) noexcept {};
  gate_ |= gate_closed;
  refuse_waiting();
  if (cell_extra* const known = known_extra()) {
    cancel_monitors();
    drop_keeper();
    known->tasks.destroy_pending();
  }
  for (cell* child = last_child_; child != nullptr; child = child->previous_) child->abandon();
  if (known_extra() != nullptr) {
    break_links();
    if (traced()) trace_end();
    tell_watchers();
  }
}

void cell::let_go() noexcept {
  for (cell* child = last_child_; child != nullptr;) {
    cell* const older = child->previous_;
    child->let_go();
    child = older;
  }
  last_child_ = nullptr;
  if (cell_extra* const known = known_extra()) known->tasks.let_go();
  if (constructed_) class_->destroy(*this);
  constructed_ = false;
  release();
}

void cell::each_task(const callable<void(task_base&)>& visit) const {
  if (const cell_extra* const known = known_extra())
    known->tasks.for_each([&](task_base& each) { visit(each); });
  for (const cell* child = last_child_; child != nullptr; child = child->previous_) {
    if (child->home_ == home_) child->each_task(visit);
  }
}

void cell::free() noexcept {
  const std::size_t size = class_->size;
  this->~cell();
  deallocate(this, size);
}

// --- those without a parent --------------------------------------------------------------------------------------------

// In this file, where a spawn and a stop reach the thread's variable an instruction sooner.
constinit std::atomic<std::uint32_t> actor_roots::ended{0};
constinit thread_local actor_roots::found actor_roots::cached{};

void actor_roots::find() {
  loop* const running = loop::current();
  expects(running != nullptr, "actors need a running loop, and none runs on this thread");
  actor_roots& roots = running->service<actor_roots>();
  cached = {running, &roots, ended.load(std::memory_order_relaxed)};
  if (running->simulator() != nullptr) [[unlikely]] {
    running->simulator()->set_forgotten(*running,
                                        [&roots](const callable<void(const std::string&)>& visit) {
                                          return roots.each_forgotten(visit);
                                        });
  }
}

actor_roots::~actor_roots() {
  expects(last_ == nullptr, "a loop closed before its actors had ended");
  trace_by(nullptr);
  ended.fetch_add(1, std::memory_order_relaxed);
}

void actor_roots::abandon() noexcept {
  for (cell* root = last_; root != nullptr; root = root->previous_) root->abandon();
}

void actor_roots::let_go() noexcept {
  for (cell* root = std::exchange(last_, nullptr); root != nullptr;) {
    cell* const older = root->previous_;
    root->let_go();
    root = older;
  }
}

void actor_roots::begin_shutdown() {
  shutting_down_ = true;
  stop_last();
}

void actor_roots::insist() {
  insists_ = true;
  for (cell* root = last_; root != nullptr; root = root->previous_) {
    root->request_stop_now(exit_reason::kind::shutdown);
    root->insist();
  }
}

void actor_roots::stop_last() noexcept {
  if (last_ != nullptr) last_->request_stop(exit_reason::kind::shutdown);
}

void actor_roots::each_task(const callable<void(task_base&)>& visit) const {
  for (const cell* root = last_; root != nullptr; root = root->previous_) root->each_task(visit);
}

bool actor_roots::forgotten(const cell& who) noexcept {
  if (who.count_.value() != 1 || who.life_ != cell::life::running || who.scheduled_ || who.busy_ ||
      who.stop_wanted_ || who.draining_ || who.last_child_ != nullptr || !who.mailbox_.empty())
    return false;
  const cell_extra* const known = who.known_extra();
  if (known == nullptr) return true;
  if (!known->tasks.empty() || known->process != nullptr || known->monitors != nullptr ||
      !known->links.empty() || known->beside != 0 || !known->urgent.empty())
    return false;
  return known->kept == nullptr || (known->kept->timers.empty() && !known->kept->idle.is_set());
}

std::size_t actor_roots::each_forgotten(const callable<void(const std::string&)>& visit) const {
  std::size_t seen = 0;
  if (shutting_down_) return seen;
  for (const cell* root = last_; root != nullptr; root = root->previous_, ++seen) {
    if (forgotten(*root)) visit(root->description());
  }
  return seen;
}

std::string actor_roots::unfinished() const {
  std::string names;
  for (const cell* root = last_; root != nullptr; root = root->previous_) {
    names += "\n  actor " + root->description();
  }
  return names;
}

}  // namespace troupe::internal
