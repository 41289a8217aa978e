#include <troupe/actors/cell.hpp>

#include <troupe/actors/bounds.hpp>
#include <troupe/actors/dead_letter.hpp>
#include <troupe/actors/errors.hpp>
#include <troupe/actors/keeper.hpp>
#include <troupe/actors/open_ask.hpp>
#include <troupe/actors/system_message.hpp>

#include <troupe/runtime/check.hpp>

#include <stdexcept>
#include <utility>

namespace troupe::internal {

namespace {

/// What tells an actor on another loop to stop for that reason.
system_message::function_type stop_order(exit_reason::kind why) noexcept {
  using kind = exit_reason::kind;
  switch (why) {
    case kind::parent:
      return [](cell& to, cell*) noexcept { to.request_stop(kind::parent); };
    case kind::shutdown:
      return [](cell& to, cell*) noexcept { to.request_stop(kind::shutdown); };
    default:
      return [](cell& to, cell*) noexcept { to.request_stop(kind::stopped); };
  }
}

bool is_rejected(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const rejected&) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace

std::string cell::description() const {
  std::string text(class_->name);
  const cell_extra* const known = extra_.load(std::memory_order_acquire);
  if (known != nullptr && !known->name.empty()) text += " '" + known->name + "'";
  return text;
}

std::string cell::condition() const {
  if (home_ != loop::current()) return "on loop " + std::to_string(home_->index());
  switch (life_) {
    case life::dead:
      return "dead";
    case life::stopping:
      return "stopping";
    case life::starting:
      return resting_ ? "down, to be restarted" : "starting";
    case life::running:
      break;
  }
  // Many asks may time out together: no walk along a long queue for each.
  constexpr std::size_t most = 1000;
  const cell_extra* const known = extra_.load(std::memory_order_relaxed);
  std::size_t queued = mailbox_.length(most + 1);
  if (known != nullptr) queued += known->kept_waiting.length(most + 1 - queued);
  std::string text =
      queued > most ? "alive, over " + std::to_string(most) : "alive, " + std::to_string(queued);
  text += queued == 1 ? " message queued" : " messages queued";
  if (known != nullptr && known->in_hand != nullptr)
    text += ", handling " + std::string(known->in_hand->name);
  return text;
}

// --- messages --------------------------------------------------------------------------------------------------------

void cell::post(envelope& item, work::function arrival) noexcept {
  retain();
  item.target = this;
  item.run = arrival;
  if (!home_->post(item)) {
    refuse(item);
    release();
  }
}

cell& cell::arrived(envelope& item) noexcept { return *std::exchange(item.target, nullptr); }

void cell::arrive(work& item) noexcept {
  auto& delivered = static_cast<envelope&>(item);
  cell& target = arrived(delivered);
  target.accept(delivered);
  target.release();
}

void cell::refuse(envelope& item) noexcept {
  if (item.reply != nullptr) {
    if (item.reply->withdrawn()) {
      item.reply->skip();
    } else {
      item.reply->fail(dead_error(*this, item));
    }
    return;
  }
  // What only keeps a place in the mailbox is no letter.
  if (item.info->reached == item.info->free)
    count_dead_letter(dead_letter::reason::dead, this, *item.info);
  item.info->free(item);
}

void cell::handler_failed(reply_slot* reply, std::exception_ptr error) noexcept {
  if (cancellation_of(error) != cancellation::none) error = stray_cancellation();
  if (!is_rejected(error)) {
    stop_after_crash(error);
  } else if (reply == nullptr) {
    // Nobody asked, so nobody would hear of a rejection.
    home_->report({description() + " rejected a message that was told, not asked", error});
  }
  // Last, and given away: what is posted to another loop is not looked at here any more.
  if (reply != nullptr) reply->fail(std::move(error));
}

void cell::stop_after_crash(const std::exception_ptr& error) noexcept {
  crashed(error);
  // Its supervisor reports what is done about it.
  if (!supervised_ || !will_fall())
    home_->report({description() + " crashed and is stopped", error});
  stop_wanted_ = attention_ = true;
}

void cell::crashed(const std::exception_ptr& error) noexcept {
  if (ended_as_ == exit_reason::kind::killed) return;
  ended_as_ = exit_reason::kind::crashed;
  extra().crash = error;
}

std::exception_ptr cell::stray_cancellation() const {
  return std::make_exception_ptr(std::runtime_error(
      "a handler of " + description() + " let a `cancelled` escape that was not meant for it"));
}

void cell::end_turn() noexcept {
  // A busy cell stays out of the ready chain until its handler ends.
  if (busy_) return;
  if (attention_) [[unlikely]] {
    if (!attend_to_life()) return;
    if (has_urgent()) {
      attention_ = true;
      home_->push(*this);
      return;
    }
  }
  if (mailbox_.empty()) {
    scheduled_ = false;
    backlog_ = no_backlog;
  } else {
    home_->push(*this);
  }
}

// --- coroutine handlers ----------------------------------------------------------------------------------------------

void cell::run_activity(task_base& activity, const message_info* message) noexcept {
  extra().in_hand = message;
  extra().at_work = &activity;
  busy_ = entering_ = true;
  tasks().add(activity);
  activity.start_now();
  activity.release();  // the list holds it
  entering_ = false;
}

void cell::activity_ended() noexcept {
  busy_ = false;
  extra().in_hand = nullptr;
  extra().at_work = nullptr;
  if (!entering_) home_->push(*this);
}

// --- life ------------------------------------------------------------------------------------------------------------

void cell::join_parent() noexcept {
  expects(parent_->life_ != life::dead,
          "an actor spawned a child in its destructor: nobody would stop it");
  previous_ = parent_->last_child_;
  if (previous_ != nullptr) previous_->next_ = this;
  parent_->last_child_ = this;
}

void cell::begin() noexcept {
  constructed_ = true;
  if (parent_ == nullptr) actor_roots::of_current_loop().add(*this);
  if (class_->start == nullptr && !stop_wanted_) {
    life_ = life::running;
    attention_ = counted();
    // The constructor may have sent to itself.
    scheduled_ = !mailbox_.empty();
  }
  if (scheduled_) home_->push(*this);
}

void cell::begin_without_object(const std::exception_ptr& error) noexcept {
  if (parent_ == nullptr) actor_roots::of_current_loop().add(*this);
  crashed(error);
  stop_wanted_ = true;
  // Before their first step, which would find no object.
  extra().tasks.cancel_all_for_good();
  home_->push(*this);
}

void cell::request_stop(exit_reason::kind why) noexcept {
  if (home_ != loop::current()) {
    retain();
    system_message::send(*this, nullptr, stop_order(why));
    return;
  }
  const cell_extra* const known = extra_.load(std::memory_order_relaxed);
  if (known != nullptr && known->drain_for != duration{} && !resting_ && !falling_) [[unlikely]]
    return request_drain(why, known->drain_for);
  request_stop_now(why);
}

void cell::request_kill() noexcept {
  if (home_ != loop::current()) {
    retain();
    system_message::send(*this, nullptr, [](cell& to, cell*) noexcept { to.request_kill(); });
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

void cell::pay_attention() noexcept {
  attention_ = true;
  if (busy_) {
    // The handler in hand is told to end, and its end makes the cell ready; on_stop is left to finish.
    if (life_ < life::stopping) tasks().cancel_all_for_good();
  } else if (!scheduled_) {
    scheduled_ = true;
    home_->push(*this);
  }
}

void cell::insist() noexcept {
  // Children stop one after the other, so the youngest is the one that is waited for; those of a process stop after it.
  cell* waited_for = this;
  while (waited_for->home_ == home_ && waited_for->last_child_ != nullptr &&
         !waited_for->has_process())
    waited_for = waited_for->last_child_;
  if (waited_for->home_ != home_) {
    waited_for->retain();
    system_message::send(*waited_for, nullptr, [](cell& to, cell*) noexcept { to.insist(); });
    return;
  }
  if (cell_extra* const known = waited_for->extra_.load(std::memory_order_relaxed)) {
    known->tasks.cancel_all_for_good();
  }
}

bool cell::attend() noexcept {
  if (!attend_to_life()) return false;
  if (has_urgent()) {
    message_queue& urgent = extra().urgent;
    mailbox_.push_front(*urgent.pop());
    attention_ = attentive() || !urgent.empty();
  }
  // The turn takes what is in front now.
  if (counted() && !mailbox_.empty()) taken(*mailbox_.front());
  return true;
}

bool cell::attend_to_life() noexcept {
  if (busy_) return false;
  if (life_ == life::stopping) {
    advance_stop();
    return false;
  }
  if (stop_wanted_ || drained()) {
    if (supervised_ && will_fall()) {
      begin_fall();
    } else {
      begin_stop();
    }
    return false;
  }
  if (resting_) {
    scheduled_ = false;
    return false;
  }
  attention_ = attentive();
  if (life_ == life::running) {
    if (coming_up_) came_up();
    return true;
  }
  // Starting. Whatever on_start does, messages come after it.
  life_ = life::running;
  attention_ = attention_ || coming_up_;
  if (class_->start != nullptr) {
    try {
      class_->start(*this);
    } catch (...) {
      stop_after_crash(std::current_exception());
    }
    if (busy_) return false;
  }
  return !attention_ || attend_to_life();
}

void cell::begin_stop() noexcept {
  life_ = life::stopping;
  gate_ |= gate_closed;
  const bool plain = extra_.load(std::memory_order_relaxed) == nullptr;
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
    cell_extra* const known = extra_.load(std::memory_order_relaxed);
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
    class_->stop(*this);
  } catch (...) {
    home_->report({"on_stop of " + description() + " threw", std::current_exception()});
  }
}

void cell::finish() noexcept {
  life_ = life::dead;
  cell_extra* const known = extra_.load(std::memory_order_relaxed);
  if (known != nullptr) cancel_monitors();  // its on_stop may have set one
  if (constructed_) class_->destroy(*this);
  if (known != nullptr) {
    drop_keeper();
    break_links();
    if (falling_) return rest();
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
    if (cell_extra* const known = extra_.load(std::memory_order_relaxed);
        known != nullptr && known->children != nullptr)
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
  if (cell_extra* const known = extra_.load(std::memory_order_relaxed)) {
    cancel_monitors();
    drop_keeper();
    known->tasks.destroy_pending();
  }
  for (cell* child = last_child_; child != nullptr; child = child->previous_) child->abandon();
  if (extra_.load(std::memory_order_relaxed) != nullptr) {
    break_links();
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
  if (cell_extra* const known = extra_.load(std::memory_order_relaxed)) known->tasks.let_go();
  if (constructed_) class_->destroy(*this);
  constructed_ = false;
  release();
}

void cell::free() noexcept {
  const std::size_t size = class_->size;
  this->~cell();
  deallocate(this, size);
}

// --- roots -----------------------------------------------------------------------------------------------------------

constinit std::atomic<std::uint32_t> actor_roots::ended{0};
constinit thread_local std::uint32_t actor_roots::cached_when = 0;
constinit thread_local loop* actor_roots::cached_loop = nullptr;
constinit thread_local actor_roots* actor_roots::cached = nullptr;

void actor_roots::find() {
  loop* const running = loop::current();
  expects(running != nullptr, "actors need a running loop, and none runs on this thread");
  cached_when = ended.load(std::memory_order_relaxed);
  cached = &running->service<actor_roots>();
  cached_loop = running;
}

actor_roots::~actor_roots() {
  expects(last_ == nullptr, "a loop closed before its actors had ended");
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

void actor_roots::add(cell& root) noexcept {
  root.previous_ = last_;
  if (last_ != nullptr) last_->next_ = &root;
  last_ = &root;
  if (shutting_down_) stop_last();
}

void actor_roots::remove(cell& root) noexcept {
  if (root.previous_ != nullptr) root.previous_->next_ = root.next_;
  (root.next_ != nullptr ? root.next_->previous_ : last_) = root.previous_;
  if (shutting_down_) stop_last();
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

void cell::each_task(const callable<void(task_base&)>& visit) const {
  if (const cell_extra* const known = extra_.load(std::memory_order_relaxed))
    known->tasks.for_each([&](task_base& each) { visit(each); });
  for (const cell* child = last_child_; child != nullptr; child = child->previous_) {
    if (child->home_ == home_) child->each_task(visit);
  }
}

void actor_roots::each_task(const callable<void(task_base&)>& visit) const {
  for (const cell* root = last_; root != nullptr; root = root->previous_) root->each_task(visit);
}

std::string actor_roots::unfinished() const {
  std::string names;
  for (const cell* root = last_; root != nullptr; root = root->previous_) {
    names += "\n  actor " + root->description();
  }
  return names;
}

}  // namespace troupe::internal
