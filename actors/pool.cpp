#include <troupe/actors/pool.hpp>

#include <troupe/actors/cell.hpp>
#include <troupe/actors/dispatch.hpp>
#include <troupe/actors/internal/counted.hpp>
#include <troupe/actors/internal/in_seconds.hpp>
#include <troupe/runtime/event.hpp>
#include <troupe/runtime/timer.hpp>

#include <deque>
#include <string>
#include <vector>

namespace troupe::internal {

namespace {

/// One worker of a pool. First of all, and behind each message, it is sent a mark, which comes out of its mailbox when the worker has
/// started, or the message has been handled.
///
/// Counted: by the crew, by the worker's list of watchers or the news of its end, by the mark while it is on its way.
/// Threads: the pool's loop, but for what the worker's loop says: that the mark came out, and that the worker has ended.
class worker_slot final : public watcher, public work, public pooled {
 public:
  worker_slot(crew& of, loop& home, any_actor given) noexcept
      : work(&worker_slot::ended), who(std::move(given)), owner(&of), home_(home), mark_(*this) {}

  void told(const exit_reason& why) noexcept override {
    failed = why.failed();
    if (&home_ == loop::current()) {
      home_.push(*this);  // not now: it is in the middle of its end
    } else if (!home_.post(*this)) {
      let_go();
    }
  }
  void keep() noexcept override { count_.add(); }
  void let_go() noexcept override {
    if (count_.drop()) delete this;
  }

  void give(envelope& item) noexcept {
    who.cell()->enqueue(item);
    send_mark();
  }
  /// Pre: none is on its way.
  void send_mark() noexcept {
    keep();
    who.cell()->enqueue(mark_);
  }

  const any_actor who;
  crew* owner;  ///< null when it is one of the crew no more
  bool started = false;
  bool failed = false;  ///< written on the worker's loop, before the news of its end
  time_point idle_since{};

 private:
  /// A message that is in no protocol, so a turn passes it over.
  struct mark final : envelope, reply_slot {
    explicit mark(worker_slot& given) noexcept : envelope(passed_over, this), of(given) {}
    /// Never: so that a mark which is refused is no dead letter.
    bool withdrawn() const noexcept override { return false; }
    /// The worker ends, and its mailbox with it; the news of that is on its way.
    void fail(std::exception_ptr) noexcept override { of.let_go(); }
    static void come_out(envelope& item) noexcept {
      auto& self = static_cast<mark&>(item);
      if (&self.of.home_ == loop::current()) return arrive(self);
      self.run = &mark::arrive;
      if (!self.of.home_.post(self)) self.of.let_go();
    }
    static void arrive(work& item) noexcept;
    static void reached(envelope& item) noexcept {
      come_out(item);
    }  // and not the same, for it is no message
    static constexpr message_info passed_over{.name = "the word that a message has been handled",
                                              .free = &mark::come_out,
                                              .reached = &mark::reached,
                                              .always_fits = true};
    worker_slot& of;
  };

  ~worker_slot() = default;
  static void ended(work& item) noexcept;

  loop& home_;
  mark mark_;
  ref_count count_{2};
};

}  // namespace

/// The workers of a pool. Messages wait in the pool's mailbox; one that has come out of it and finds nobody idle has the pool wait, as for a
/// handler that is a coroutine.
/// Invariants: a worker starts, is idle, or has a message; those that are idle are in the order in which they became so.
class crew final : public pooled {
 public:
  crew(cell& owner, const pool_options& options, callable<any_actor()> hire)
      : owner_(owner), options_(options), hire_(std::move(hire)) {
    if (options.most == 0 || options.least > options.most)
      throw std::invalid_argument(
          "a pool needs room for a worker, and most is not less than least");
  }
  ~crew() {
    owner_.home().timers().cancel(idle_over_);
    owner_.home().timers().cancel(hire_again_);
    for (const auto& each : workers_) each->owner = nullptr;
  }

  /// Errors: what the constructor of a worker throws.
  void start_least() {
    while (workers_.size() < options_.least) add(hire_());
  }

  void take(envelope& item) noexcept {
    if (worker_slot* const chosen = take_idle()) return chosen->give(item);
    waiting_ = true;
    refill();
    if (owner_.stop_wanted()) {  // it has just given up
      waiting_ = false;
      owner_.refuse(item);
    } else {
      start_activity(owner_, wait_for_worker(*this), wait_end{*this, item}, item.info);
    }
  }

  /// It has started, or handled a message.
  void ready(worker_slot& by) noexcept {
    if (!std::exchange(by.started, true)) --starting_;
    become_idle(by);
    if (waiting_) somebody_idle_.set();
  }

  void worker_ended(worker_slot& gone) noexcept {
    const bool started = gone.started;
    const bool failed = gone.failed || !started;
    remove(gone);
    if (failed) count_failure(nullptr);
    if (!started) pause_hiring();
    refill();
  }

 private:
  /// Ends the wait of a message for a worker.
  struct wait_end {
    crew& by;
    envelope& item;

    const envelope* in_hand() const noexcept { return &item; }
    void succeeded(outcome<worker_slot*>& result) const noexcept {
      by.waiting_ = false;
      worker_slot& chosen = *result.get();
      if (item.reply != nullptr && item.reply->withdrawn()) {
        item.reply->skip();
        by.become_idle(chosen);
      } else {
        chosen.give(item);
      }
    }
    void failed(cell& owner, std::exception_ptr error) const noexcept {
      by.waiting_ = false;
      fail_handler(owner, item, std::move(error));
    }
    void stopped(cell& owner) const noexcept {
      by.waiting_ = false;
      owner.refuse(item);
    }
  };
  static coro<worker_slot*> wait_for_worker(crew& by) {
    for (;;) {
      if (worker_slot* const chosen = by.take_idle()) co_return chosen;
      by.somebody_idle_.clear();
      co_await by.somebody_idle_.wait();
    }
  }

  /// An idle worker, not among the idle ones any more, or null.
  worker_slot* take_idle() noexcept {
    while (!idle_.empty()) {
      // The one that was idle last: the others may go.
      worker_slot* const chosen = idle_.back();
      idle_.pop_back();
      const cell& worker = *chosen->who.cell();
      if (&worker.home() != loop::current() || worker.takes_messages()) return chosen;
    }
    return nullptr;
  }
  void become_idle(worker_slot& left) noexcept {
    left.idle_since = owner_.home().time();
    idle_.push_back(&left);
    watch_idle();
  }

  void add(any_actor who) {
    cell& worker = *who.cell();
    const counted<worker_slot> made(new worker_slot(*this, owner_.home(), std::move(who)));
    workers_.push_back(made);
    ++starting_;
    made->send_mark();
    watch(worker, *made);  // takes over the second count
  }
  bool try_hire() noexcept {
    if (owner_.stop_wanted() || workers_.size() >= options_.most || hire_again_.armed())
      return false;
    try {
      add(hire_());
      return true;
    } catch (...) {
      const std::exception_ptr error = std::current_exception();
      owner_.home().report({"a worker of " + owner_.description() + " could not start", error});
      count_failure(error);
      pause_hiring();
      return false;
    }
  }
  /// Starts as many as are missing, and as have something to do at once.
  void refill() noexcept {
    const std::size_t waiting = waiting_ ? owner_.messages().length(options_.most) + 1 : 0;
    while ((workers_.size() < options_.least || starting_ < waiting) && try_hire()) {
    }
  }
  /// One that fails before it has done anything would do so again at once.
  void pause_hiring() noexcept {
    if (hire_again_.armed() || owner_.stop_wanted()) return;
    owner_.home().timers().arm(hire_again_,
                               saturating_add(owner_.home().time(), pause_after_failure));
  }
  void remove(worker_slot& gone) noexcept {
    gone.owner = nullptr;
    if (!gone.started) --starting_;
    std::erase(idle_, &gone);
    std::erase_if(workers_, [&](const auto& each) { return each.get() == &gone; });
  }

  void count_failure(const std::exception_ptr& error) noexcept {
    const time_point now = owner_.home().time();
    while (!failures_.empty() && now - failures_.front() >= options_.within) failures_.pop_front();
    failures_.push_back(now);
    if (failures_.size() <= options_.failures || owner_.stop_wanted()) return;
    std::string text = owner_.description() + " gives up: " + std::to_string(failures_.size()) +
                       " workers have failed within " + in_seconds(options_.within);
    if (error) text += ", the last by " + describe(error);
    owner_.crash(std::make_exception_ptr(pool_gave_up(text)));
  }

  /// Sees to it that the one that has been idle longest is looked at when its time is over.
  void watch_idle() noexcept {
    if (idle_over_.armed() || idle_.empty() || workers_.size() <= options_.least ||
        options_.idle_time == infinite)
      return;
    owner_.home().timers().arm(idle_over_,
                               saturating_add(idle_.front()->idle_since, options_.idle_time));
  }
  static void on_idle(timer& due) noexcept {
    crew& self = static_cast<crew_timer&>(due).of;
    const time_point now = self.owner_.home().time();
    while (self.workers_.size() > self.options_.least && !self.idle_.empty() &&
           now - self.idle_.front()->idle_since >= self.options_.idle_time) {
      const any_actor left = self.idle_.front()->who;
      self.remove(*self.idle_.front());
      left.stop();
    }
    self.watch_idle();
  }
  static void on_hire_again(timer& due) noexcept { static_cast<crew_timer&>(due).of.refill(); }

  struct crew_timer : timer {
    crew_timer(timer::function on_due, crew& given) noexcept : timer(on_due), of(given) {}
    crew& of;
  };
  static constexpr duration pause_after_failure = std::chrono::milliseconds(100);

  cell& owner_;
  const pool_options options_;
  const callable<any_actor()> hire_;
  std::vector<counted<worker_slot>> workers_;
  std::deque<worker_slot*> idle_;
  std::deque<time_point> failures_;
  std::size_t starting_ = 0;  ///< workers that have not said that they have started
  bool waiting_ = false;      ///< a message waits for one that is idle
  event somebody_idle_;
  crew_timer idle_over_{&crew::on_idle, *this};
  crew_timer hire_again_{&crew::on_hire_again, *this};
};

namespace {

void worker_slot::mark::arrive(work& item) noexcept {
  worker_slot& slot = static_cast<mark&>(item).of;
  if (slot.owner != nullptr) slot.owner->ready(slot);
  slot.let_go();
}

void worker_slot::ended(work& item) noexcept {
  auto& slot = static_cast<worker_slot&>(item);
  if (slot.owner != nullptr) slot.owner->worker_ended(slot);
  slot.let_go();
}

}  // namespace

crew& make_crew(cell& owner, const pool_options& options, callable<any_actor()> hire) {
  owned<crew> made(new crew(owner, options, std::move(hire)));
  made->start_least();
  return *made.release();
}

void take(crew& by, envelope& item) noexcept { by.take(item); }

void dismiss(crew& gone) noexcept { delete &gone; }

}  // namespace troupe::internal
