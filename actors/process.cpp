#include <troupe/actors/actor_roots.hpp>
#include <troupe/actors/process.hpp>

#include <troupe/actors/activity.hpp>
#include <troupe/actors/open_ask.hpp>

#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace troupe::internal {

/// The task that a process is.
class process_task final : public typed_task<void>, public activity_base {
 public:
  process_task(process_core& core, coro<> body)
      : typed_task<void>(core.cell().home(), std::move(body), {.name = core.cell().name()},
                         std::source_location()),
        activity_base(core.cell(), nullptr),
        core_(core) {}
  const task_base& as_activity() const noexcept override { return *this; }
  process_core& core() const noexcept { return core_; }

 private:
  void on_ended(future_base::status how) noexcept override {
    retrieved_ = true;
    std::exception_ptr error = result_.failure();
    result_.clear();
    core_.ended(how, how == status::error ? std::move(error) : nullptr);
  }
  process_core& core_;
};

struct process_core::orphan final : pooled {
  reply_slot* reply;
  orphan* next;
};

// --- receive ----------------------------------------------------------------------------------------------------------

void receive_wait::await_suspend(std::coroutine_handle<> handle, std::source_location here) {
  if (core_->cell_.needs_attention()) [[unlikely]] {
    if (core_->cell_.state() >= cell::life::stopping) {
      // Nothing is for it any more, not even in a clean-up that a shield protects.
      park(handle, here);
      if (waiting()) wake_cancelled();
      return;
    }
    if (core_->cell_.closed()) core_->cell_.make_ready();  // the turn sees whether it has drained
  }
  in_wait_ = true;
  core_->waiting_ = this;
  // There may be messages that it must not take yet, because others have waited long enough.
  if (core_->has_news_for(*wanted_)) [[unlikely]]
    core_->cell_.make_ready();
  park(handle, here);
}

void receive_wait::leave() noexcept {
  in_wait_ = false;
  core_->waiting_ = nullptr;
}

bool receive_wait::cancel() noexcept {
  if (in_wait_) leave();
  wake_cancelled();
  return true;
}

void timed_receive_wait::await_suspend(std::coroutine_handle<> handle, std::source_location here) {
  if (limit_ != infinite) core_->cell().home().timers().arm_lazily(*this, limit_);
  receive_wait::await_suspend(handle, here);
}

bool timed_receive_wait::cancel() noexcept {
  disarm();
  return receive_wait::cancel();
}

void timed_receive_wait::disarm() noexcept { core_->cell().home().timers().cancel(*this); }

void timed_receive_wait::on_due(timer& due) noexcept {
  auto& self = static_cast<timed_receive_wait&>(due);
  if (self.armed()) return;  // it has only been settled
  self.leave();
  self.wake();
}

// --- the core ---------------------------------------------------------------------------------------------------------

void process_core::throw_foreign() const {
  throw invalid_state("the mailbox of " + cell_.description() +
                      " was used outside of the process: only its own coroutine receives, one "
                      "message after the other and on its own loop; let it pass on what other "
                      "tasks need");
}

bool process_core::look_up() noexcept {
  urgent_ = !cell_.urgent_messages().empty();
  return cell_.may_receive();
}

envelope* process_core::find_from(message_queue& messages, work** at, const wanted_messages& wanted,
                                  bool remember) noexcept {
  envelope* found = nullptr;
  while (*at != nullptr) [[likely]] {
    auto& item = static_cast<envelope&>(**at);
    const bool matches = wanted.contain(item.info);
    if (!matches && !wanted.all) {
      at = &item.next;
      continue;
    }
    // What has been looked at may end at the message that goes.
    if (looked_to_ == &item.next) looked_to_ = at;
    messages.take(at);
    if (cell_.counted()) [[unlikely]]
      cell_.taken(item);
    if (!matches) [[unlikely]] {
      item.info->free(item);  // taken back while it lay here
    } else if (item.reply != nullptr && item.reply->withdrawn()) [[unlikely]] {
      item.reply->skip();
    } else {
      left_ -= left_ != 0;
      cell_.home().spent(1);
      if (cell_.traced()) [[unlikely]]
        cell_.trace_delivered(item);
      found = &item;
      end_places(messages, at);
      break;
    }
  }
  if (remember) looked_to_ = at;
  return found;
}

envelope* process_core::find(const wanted_messages& wanted) noexcept {
  // Nearly always the first message that it looks at, told by an actor.
  if (!urgent_ && !cell_.noticed()) [[likely]] {
    work** const at = start_of(wanted);
    auto* const first = static_cast<envelope*>(*at);
    if (first == nullptr) return nullptr;
    if (first->reply == nullptr && wanted.contain(first->info) && looked_to_ != &first->next)
        [[likely]] {
      left_ -= left_ != 0;
      cell_.home().spent(1);
      return &cell_.messages().take(at);
    }
  }
  return find_slowly(wanted);
}

void process_core::end_places(message_queue& messages, work** at) noexcept {
  while (*at != nullptr && static_cast<envelope&>(**at).is_place()) {
    envelope& place = static_cast<envelope&>(**at);
    if (looked_to_ == &place.next) looked_to_ = at;
    messages.take(at);
    place.info->reached(place);
  }
}

envelope* process_core::find_slowly(const wanted_messages& wanted) noexcept {
  end_places(cell_.messages(), cell_.messages().first_link());
  if (urgent_) {
    message_queue& urgent = cell_.urgent_messages();
    if (envelope* const found = find_from(urgent, urgent.first_link(), wanted, false)) return found;
  }
  return find_from(cell_.messages(), start_of(wanted), wanted, !wanted.all);
}

bool process_core::looks_new_to(const wanted_messages& wanted) noexcept {
  if (*start_of(wanted) != nullptr) return true;
  if (!urgent_) return false;
  bool any = false;
  cell_.urgent_messages().for_each(
      [&](const envelope& each) { any = any || wanted.contain(each.info); });
  return any;
}

envelope* process_core::try_take(const wanted_messages& wanted) {
  expect_process();
  return may_receive() ? find(wanted) : nullptr;
}

void process_core::begin(coro<> body) {
  left_ = cell_.home().turn_limit();
  auto* const made = new process_task(*this, std::move(body));
  task_ = made;
  cell_.begin_process(*this, *made);
}

template <class Error>
void process_core::fail_orphans(Error error_of) noexcept {
  while (orphans_ != nullptr) {
    const owned<orphan> first(orphans_);
    orphans_ = first->next;
    first->reply->fail(error_of(*first->reply->as_ask()));
  }
}

void process_core::turn(internal::cell& owner, process_core& self) noexcept {
  if (owner.needs_attention()) [[unlikely]] {
    if (!owner.begin_process_turn()) return;
    self.look_up();
  }
  // What was thrown when these were dropped has been caught.
  if (self.orphans_ != nullptr) [[unlikely]]
    self.fail_orphans([](const open_ask& ask) { return no_reply_error(ask); });
  self.left_ = owner.home().turn_limit();
  if (receive_wait* const waiting = self.waiting_) {
    waiting->found_ = self.find(*waiting->wanted_);
    if (waiting->found_ != nullptr) {
      waiting->leave();
      waiting->resume_now();
    }
  }
  using enum cell::process_state;
  const receive_wait* const waits = self.waiting_;
  if (waits == nullptr) return owner.end_process_turn(busy);
  if (owner.needs_attention()) [[unlikely]]
    self.look_up();
  owner.end_process_turn(self.has_news_for(*waits->wanted_) ? more : idle);
}

void process_core::ended(future_base::status how, std::exception_ptr error) noexcept {
  task_ = nullptr;
  if (how == future_base::status::cancelled && !cell_.stop_wanted()) {
    error = std::make_exception_ptr(std::runtime_error(
        cell_.description() + " let a `cancelled` escape that was not meant for it"));
  }
  cell_.process_ended(error);
  if (orphans_ == nullptr) return;
  fail_orphans([&](const open_ask& ask) { return error != nullptr ? error : stopped_error(ask); });
}

bool process_core::drop(reply_slot& dropped) noexcept {
  if (std::uncaught_exceptions() == 0) {
    if (!cell_.stop_wanted()) return false;
    dropped.fail(stopped_error(*dropped.as_ask()));
    return true;
  }
  orphans_ = new orphan{{}, &dropped, orphans_};
  cell_.make_ready();
  return true;
}

bool drop_in_process(reply_slot& dropped) noexcept {
  auto* const running = dynamic_cast<process_task*>(task_base::current());
  return running != nullptr && loop::current() == &running->core().cell().home() &&
         running->core().drop(dropped);
}

// --- the cell's side --------------------------------------------------------------------------------------------------

std::string_view cell::name() const noexcept {
  const cell_extra* const known = known_extra();
  return known != nullptr ? std::string_view(known->name) : std::string_view();
}

void cell::end_process_turn_slowly(process_state how) noexcept {
  if (attention_ && !attend_to_life()) return;
  if (how == process_state::more) {
    home_->push(*this);
    return;
  }
  if (draining_ && how == process_state::idle) [[unlikely]] {
    // Nothing new comes, and of what there is nothing is wanted.
    stop_wanted_ = true;
    static_cast<void>(attend_to_life());
    return;
  }
  scheduled_ = false;
  if (mailbox_.empty()) {
    backlog_ = no_backlog;
  } else if (++backlog_ == 0) {
    backlog_grows();
  }
}

void cell::begin_process(process_core& core, task_base& body) noexcept {
  extra().process = &core;
  if (traced()) trace_enter(0);
  tasks().add(body);
  body.start_now();
  body.release();  // the list holds it
}

void cell::tell_process_of(const envelope& removed) noexcept {
  if (has_process()) extra().process->forget(removed);
}

void cell::process_ended(const std::exception_ptr& error) noexcept {
  extra().process = nullptr;
  if (life_ == life::dead) return;  // abandoned
  if (error != nullptr) {
    stop_after_crash(error);
  } else if (!stop_wanted()) {
    stop_wanted_ = true;
    ended_as_ = exit_reason::kind::stopped;
  }
  pay_attention();
}

void cell::stop_process() noexcept {
  if (!has_process()) return;
  task_base& body = extra().process->body();
  if (ended_as_ == exit_reason::kind::killed || actor_roots::of_current_loop().insists()) {
    body.cancel_for_good();
  } else {
    body.cancel();
  }
}

}  // namespace troupe::internal
