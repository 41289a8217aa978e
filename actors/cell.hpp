#pragma once

#include <troupe/actors/actor_class.hpp>
#include <troupe/actors/cell_extra.hpp>
#include <troupe/actors/envelope.hpp>
#include <troupe/actors/exit_reason.hpp>
#include <troupe/actors/mailbox_options.hpp>
#include <troupe/actors/message_queue.hpp>
#include <troupe/runtime/callable.hpp>
#include <troupe/runtime/calls.hpp>
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/loop.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/ref_count.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/work.hpp>

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe {
struct trace_event;
}

namespace troupe::internal {

class activity_base;
class actor_roots;
class trace;
struct awaited_request;

/// What the runtime keeps of an actor: count, home loop, mailbox, family, life. The user's object follows it in the same
/// block.
///
/// Life: starting, running, stopping, dead. A stop lets a plain handler finish and cancels a coroutine handler, refuses what is queued,
/// waits for the coroutine of a process, ends the actor's tasks, stops its children one after the other, the youngest first, calls
/// on_stop and destroys the object. A supervised actor may fall: it goes through stopping as far as to the end of its object, and back
/// to starting, where it rests until it is told to construct another (restart.cpp); its mailbox is kept, and takes messages. The cell's
/// memory stays until the last ref is gone.
/// Invariants: one count belongs to the life; `scheduled_` is true while the cell is in the ready chain or a coroutine
/// handler runs, so that a message that arrives need not make it ready; a mailbox is empty unless running or starting; with a bound,
/// or an urgent message, `attention_` is set, so that each message is a turn of its own.
/// `previous_` and `next_` belong to the parent's loop.
/// Threads: `retain`, `release`, `description`, `traced_as`, and what begins with enqueue or request, from any thread, everything else on
/// the home loop.
class cell : public work {
 public:
  enum class life : std::uint8_t { starting, running, stopping, dead };

  cell(work::function run_function, const actor_class& type, loop& home, cell* parent) noexcept
      : work(run_function), home_(&home), class_(&type), parent_(parent) {
    home.moves_in();
  }
  ~cell() { delete known_extra(); }

  void retain() noexcept { count_.add(); }
  void release() noexcept {
    if (count_.drop()) free();
  }
  /// Whether nobody can reach it any more, beside itself: there is no ref, and nobody waits for an answer or for its end.
  bool unreachable() const noexcept { return count_.value() == 1 && mailbox_.empty(); }
  /// Somebody ends it in time who has no ref of it: a simulation does not take it for one that is left behind.
  void look_after() noexcept { looked_after_ = true; }

  /// Makes it one that is restarted, by `construct`, when its parent decides so. Before `begin`.
  void supervised_as(restart when, callable<void(cell&)> construct);
  void not_supervised() noexcept { supervised_ = false; }
  /// Has the message in hand tried again, once, when this one falls. Before `begin`.
  void retries(const message_copies& copies);
  /// That has failed, or is to go, with `reply` waiting for it. False when it is not tried again, and ends with the actor.
  bool try_again(reply_slot* reply) noexcept;
  /// Constructs its object; what it throws is thrown.
  void construct_supervised();
  /// What it knows of the children that it supervises.
  keeper& supervisor();
  /// For its supervisor: to go down, to rest there; to start again. Any thread.
  void request_fall() noexcept;
  void request_revival() noexcept;
  /// Crashes outside a handler.
  void crash(const std::exception_ptr& error) noexcept;
  /// Pre: it has ended, or rests.
  exit_reason reason() const noexcept;

  /// Delivers a message, or disposes of it when the actor takes none any more.
  void enqueue(envelope& item) noexcept { deliver<&cell::accept>(item); }
  /// Delivers it before all that waits, but behind other urgent ones.
  void enqueue_urgent(envelope& item) noexcept { deliver<&cell::accept_urgent>(item); }
  /// Delivers the message of a `sending`, which is told when it has room.
  void enqueue_sent(envelope& item) noexcept { deliver<&cell::accept_sent>(item); }

  /// With what is to be drained, once it is.
  void request_stop(exit_reason::kind why = exit_reason::kind::stopped) noexcept;
  /// On the home loop.
  void request_stop_now(exit_reason::kind why) noexcept {
    if (supervised_ && stop_supervised(why)) [[unlikely]]
      return;
    if (life_ >= life::stopping || stop_wanted_) return;
    stop_wanted_ = true;
    ended_as_ = why;
    pay_attention();
  }
  void request_drain(exit_reason::kind why, duration within) noexcept;
  void request_kill() noexcept;

  loop& home() const noexcept { return *home_; }
  life state() const noexcept { return life_; }
  bool stop_wanted() const noexcept { return stop_wanted_ || life_ >= life::stopping; }
  /// Whether it takes messages: it neither stops nor drains.
  bool takes_messages() const noexcept { return !closed() && !stop_wanted_; }
  cell* parent() const noexcept { return parent_; }
  const actor_class& type() const noexcept { return *class_; }
  /// "account" or "account 'main'".
  std::string description() const;
  /// The state of the actor, for the message of a failed ask: "alive, 3 messages queued, handling deposit".
  std::string condition() const;
  void set_name(std::string_view name) { extra().name = name; }
  /// What `set_name` was given, or nothing. On the home loop.
  std::string_view name() const noexcept;

  /// Pre: the actor is not dead, which its object is while it is destroyed.
  task_list& tasks() {
    expects(life_ != life::dead,
            "an actor created a task in its destructor: nobody would wait for it");
    return extra().tasks;
  }

  /// The object exists: joins the family and becomes ready.
  void begin() noexcept;
  /// Its constructor threw: joins the family, for the sake of the children it may have spawned, and stops.
  void begin_without_object(const std::exception_ptr& error) noexcept;
  /// Puts this under its parent. On the parent's loop, before `begin`.
  void join_parent() noexcept;

  /// A handler threw: `rejected` goes to the asker, anything else to the asker and is a crash.
  void handler_failed(reply_slot* reply, std::exception_ptr error) noexcept;
  /// A task of this actor that the actor waits for has ended: a coroutine handler, on_start or on_stop.
  void activity_ended() noexcept;
  /// Runs a coroutine handler up to its first suspension. Pre: on the home loop, outside any task.
  void run_activity(task_base& activity, const message_info* message) noexcept;
  void stop_after_crash(const std::exception_ptr& error) noexcept;
  void crashed(const std::exception_ptr& error) noexcept;
  /// What stands for a `cancelled` that a handler let escape without being cancelled: passed on as it is, it would look like
  /// a cancellation of whoever asked.
  std::exception_ptr stray_cancellation() const;

  /// The part of a turn that every class shares: true when the cell may handle messages.
  bool begin_turn() noexcept { return !attention_ || attend(); }
  message_queue& messages() noexcept { return mailbox_; }
  /// Limits the mailbox. Before `begin`.
  void bound(const mailbox_options& whole);
  /// Limits the mailbox of one that goes on, and has no limits: what waits there counts. On the home loop.
  void bound_meanwhile(const mailbox_options& whole);
  /// Ends that when nothing waits any more.
  void unbound() noexcept;
  /// Has it limited meanwhile, with `overflow::suspend`, whenever `default_high_water` messages wait: that costs nothing before.
  void bound_when_long() noexcept { bounded_when_long_ = true; }
  /// A message has left the mailbox of an actor whose `counted()` says so: makes room for another.
  void taken(const envelope& item) noexcept;
  bool counted() const noexcept { return (gate_ & gate_counted) != 0; }
  /// Whether something is to be done for each message that leaves the mailbox: `notice`.
  bool noticed() const noexcept { return (gate_ & gate_noticed) != 0; }
  void notice(const envelope& item) noexcept;
  bool has_urgent() const noexcept {
    const cell_extra* const known = known_extra();
    return known != nullptr && !known->urgent.empty();
  }
  /// After each message: whether the turn goes on.
  bool turn_goes_on() const noexcept { return !attention_ && !busy_; }
  void end_turn() noexcept;

  /// For a process, whose messages wait until it wants them. On the home loop.
  bool begin_process_turn() noexcept { return !attention_ || attend_to_life(); }
  /// What follows the turn: another, because there is more to look at; nothing, because it waits for messages that are not there;
  /// nothing, because it waits for something else.
  enum class process_state : std::uint8_t { more, idle, busy };
  void end_process_turn(process_state how) noexcept {
    if (attention_ || !mailbox_.empty() || how == process_state::more) {
      end_process_turn_slowly(how);
    } else {
      scheduled_ = false;
      backlog_ = no_backlog;
    }
  }
  bool needs_attention() const noexcept { return attention_; }
  /// Whether a process may receive: it is not to stop.
  bool may_receive() const noexcept { return life_ == life::running && !stop_wanted_; }
  /// It stops, or drains.
  bool closed() const noexcept { return (gate_ & gate_closed) != 0; }
  /// The urgent messages, which wait in a line of their own.
  message_queue& urgent_messages() noexcept { return extra().urgent; }
  void make_ready() noexcept {
    if (scheduled_) return;
    scheduled_ = true;
    home_->push(*this);
  }
  /// Runs the coroutine of a process up to its first suspension, as the task that the actor is.
  void begin_process(process_core& core, task_base& body) noexcept;
  /// It has ended, by an error or by null: so has the actor.
  void process_ended(const std::exception_ptr& error) noexcept;

  /// Who is told of its end. On the home loop; these take over or give up a count of the watcher.
  void add_watcher(watcher& added) noexcept;
  void remove_watcher(watcher& left) noexcept;
  void add_start_watcher(watcher& added) noexcept;
  void remove_start_watcher(watcher& left) noexcept;
  /// Whether its on_start has ended, and its end has not begun.
  bool is_up() const noexcept { return life_ == life::running && !in_on_start_; }
  void add_monitor(monitor_watch& added) noexcept;
  void remove_monitor(monitor_watch& left) noexcept;
  /// Those it is linked with. On the home loop; whether there was something to do.
  bool add_link(cell& peer);
  bool remove_link(cell& peer) noexcept;
  void link_ended(cell& peer, const exit_reason& why) noexcept;
  /// Its timers, stash and idle time-out, made when first asked for. On the home loop.
  belongings& kept();
  /// The same, or null while it has none.
  belongings* kept_already() const noexcept {
    const cell_extra* const known = known_extra();
    return known != nullptr ? known->kept : nullptr;
  }
  /// Puts a message before those that wait, or refuses it when the actor has stopped. It had its place already: there is no limit.
  void put_first(envelope& item) noexcept;
  /// Puts what keeps a place for something of the actor's own behind them, whatever the limit. False when it takes nothing any more;
  /// `item` is the caller's then.
  bool put_last(envelope& item) noexcept;
  /// Delivers news that its present object has asked for, which do not come to another. Threads: any.
  void put_news(envelope& item) noexcept;
  /// Takes out of the mailbox what hangs there, and frees it.
  void discard(work** link) noexcept;
  /// The same where it may be the newest, or the mailbox a process's.
  void take_out(work** link) noexcept;
  /// Whether it is taken down for a restart.
  bool falling() const noexcept { return falling_; }
  /// Whether it is a process whose coroutine goes on.
  bool has_process() const noexcept {
    const cell_extra* const known = known_extra();
    return known != nullptr && known->process != nullptr;
  }
  /// Whether it does the step that runs: its turn, or one of a task of its own. In a simulation, on the loop of that step.
  bool acts_now() const noexcept;
  /// Whether a coroutine handler, on_start or on_stop goes on.
  bool busy() const noexcept { return busy_; }
  /// Whether one goes on for which no message waits.
  bool works_beside() const noexcept {
    const cell_extra* const known = known_extra();
    return known != nullptr && known->beside != 0;
  }
  /// The handler or process that has to end, or go on, before the request is answered or has room; see deadlock.cpp. With the number of
  /// its ask, that one is looked for closely; without, with 0, it may have been answered, and is not touched.
  activity_base* holder_of(const awaited_request& sought);

  // Of classes that interleave; see interleave.hpp. While a handler waits, `scheduled_` is true only in the ready chain.
  /// Runs a handler for which no message waits.
  void run_beside(task_base& activity) noexcept;
  void beside_ended() noexcept;
  void interleaved_activity_ended() noexcept;
  /// Has a message wait for the handler, unless it stands for one that does not: that of a timer.
  void pass_over(envelope& item) noexcept;
  /// An urgent message that waits for no handler, or null.
  envelope* pop_urgent_beside() noexcept;
  void take_up_waiting() noexcept;
  void end_turn_beside() noexcept;
  /// The message that hangs there is not to be handled. A turn, which may know the places of others, passes it over as `unwanted`; from
  /// a process it is taken.
  void take_back(work** link, const message_info& unwanted) noexcept;
  /// Ends an unhandled message: dead letter for a tell, an error for an ask.
  void refuse(envelope& item) noexcept;

  // For the tracer; see trace.hpp. The first three, and trace_family, are called anywhere, the others where it is `traced`.
  bool traced() const noexcept { return (gate_ & gate_traced) != 0; }
  /// Its number; 0 when it has none. Threads: any.
  std::uint64_t traced_as() const noexcept;
  void trace_begin() noexcept;
  void trace_sent(envelope& item) noexcept;
  void trace_put_first(envelope& item) noexcept;
  void trace_delivered(const envelope& item) noexcept;
  void trace_lost(const envelope& item) noexcept;
  void trace_crash(const std::exception_ptr& error) noexcept;
  void trace_restart() noexcept;
  void trace_end() noexcept;
  /// From now on what runs is caused by that message, or by none.
  void trace_enter(std::uint64_t message) noexcept;
  void trace_leave() noexcept;
  /// Begins to trace it and its descendants.
  void trace_family() noexcept;

 private:
  friend class actor_roots;
  /// Somebody acts on it: a simulation may want to know.
  void touched() noexcept {
    if ((gate_ & gate_simulated) != 0) [[unlikely]]
      tell_touched();
  }
  void tell_touched() noexcept;
  /// Whether somebody has taken a message over that has been sent now; see interceptor.
  bool intercepted(envelope& item, bool urgent) noexcept {
    return (gate_ & gate_simulated) != 0 && ask_interceptor(item, urgent);
  }
  bool ask_interceptor(envelope& item, bool urgent) noexcept;
  /// A message that somebody watches ends unhandled.
  void tell_interceptor(const envelope& item) noexcept;
  trace* tracing() noexcept;
  void trace_life(trace_event& event) noexcept;
  void accept(envelope& item) noexcept {
    if (gate_ != 0) [[unlikely]] {
      accept_slowly(item);
      return;
    }
    put(item);
  }
  void put(envelope& item) noexcept {
    mailbox_.push(item);
    if (!scheduled_) {
      make_ready();
    } else if (++backlog_ == 0) [[unlikely]] {
      backlog_grows();
    }
  }
  /// Where it is not simply put into the mailbox: the actor stops, or its mailbox has limits. Puts it there, parks it, or ends it.
  void accept_slowly(envelope& item) noexcept;
  void accept_urgent(envelope& item) noexcept;
  void accept_sent(envelope& item) noexcept;
  /// Puts it into a mailbox with limits.
  void admit(envelope& item) noexcept;
  /// Ends a message for which there is no room: refused, or lost without a word to who only sends.
  void overflowed(envelope& item, bool lost) noexcept;
  void backlog_grows() noexcept;
  void refuse_waiting() noexcept {
    take_up_waiting();
    while (envelope* const left = mailbox_.pop()) refuse(*left);
    if (known_extra() != nullptr) [[unlikely]]
      refuse_set_aside();
  }
  void refuse_set_aside() noexcept;
  /// Whether the end that is wanted is to be followed by a restart. Pre: it is supervised.
  bool will_fall() const noexcept;
  /// A stop of a supervised actor. Whether nothing more is to be done.
  bool stop_supervised(exit_reason::kind why) noexcept;
  void begin_fall() noexcept;
  void rest() noexcept;
  void drop_news() noexcept;
  void came_up() noexcept;
  /// What `notice` has begun is over, unless a coroutine goes on with it.
  void handled() noexcept;
  bool retries() const noexcept { return (gate_ & gate_retries) != 0; }
  void keep_copy(const envelope& item) noexcept;
  void drop_copy() noexcept;
  using news = void (*)(cell& to, cell* about) noexcept;
  void tell_parent(news what) noexcept {
    if (&parent_->home() == home_) {
      what(*parent_, this);
    } else {
      tell_parent_elsewhere(what);
    }
  }
  void tell_parent_elsewhere(news what) noexcept;
  bool attentive() const noexcept { return noticed() || draining_; }
  /// Whether all is done that a draining actor still has to do.
  bool drained() const noexcept {
    return draining_ && mailbox_.empty() && !has_urgent() && !has_process() && !works_beside();
  }
  /// Has a message accepted, on the home loop.
  template <void (cell::*Accept)(envelope&) noexcept>
  void deliver(envelope& item) noexcept {
    if (home_ == this_thread.current_loop) [[likely]] {
      (this->*Accept)(item);
    } else {
      post_sent(item, &cell::arrive<Accept>);
    }
  }
  void post_sent(envelope& item, work::function arrival) noexcept;
  void post(envelope& item, work::function arrival) noexcept;
  template <void (cell::*Accept)(envelope&) noexcept>
  static void arrive(work& item) noexcept {
    auto& delivered = static_cast<envelope&>(item);
    cell& target = *std::exchange(delivered.target, nullptr);
    (target.*Accept)(delivered);
    target.release();
  }

  cell_extra* known_extra() const noexcept { return extra_.load(std::memory_order_relaxed); }
  cell_extra& extra() {
    cell_extra* known = known_extra();
    if (known == nullptr) extra_.store(known = new cell_extra, std::memory_order_release);
    return *known;
  }
  // These four need a cell_extra.
  void break_links() noexcept;
  void cancel_monitors() noexcept;
  void tell_watchers() noexcept;
  void drop_keeper() noexcept;
  void pay_attention() noexcept;
  /// Ends what the stop of this actor waits for: the coroutine in hand, its own or that of its youngest descendant.
  void insist() noexcept;
  /// What comes before messages. Whether the turn may handle one then.
  bool attend() noexcept;
  /// Start, stop, and the end of children. Whether the actor may handle messages.
  bool attend_to_life() noexcept;
  void begin_stop() noexcept;
  void advance_stop() noexcept;
  void run_on_stop() noexcept;
  void end_process_turn_slowly(process_state how) noexcept;
  /// Asks the coroutine of a process to end.
  void stop_process() noexcept;
  /// Tells a process that a message has been taken out of its mailbox.
  void tell_process_of(const envelope& removed) noexcept;
  void finish() noexcept;
  void child_gone(cell& child) noexcept;
  /// Left behind by a shutdown that did not end in time: a later loop in the memory of this one must not run it.
  void abandon() noexcept;
  /// Its tasks and those of its descendants on this loop.
  void each_task(const callable<void(task_base&)>& visit) const;
  /// After `abandon`, when no chain holds it any more: destroys the object, and gives up the count of its life.
  void let_go() noexcept;
  void free() noexcept;

  ref_count count_{2};                             // its life, and whoever makes it
  static constexpr std::uint8_t gate_closed = 1;   ///< the actor takes no more messages
  static constexpr std::uint8_t gate_counted = 2;  ///< the mailbox has limits
  static constexpr std::uint8_t gate_traced = 4;   ///< a tracer may want to see what happens
  static constexpr std::uint8_t gate_retries = 8;  ///< a message that fails may be tried again
  static constexpr std::uint8_t gate_simulated =
      16;  ///< a simulation wants to know of each message that comes
  static constexpr std::uint8_t gate_watched =
      32;  ///< an interceptor wants to know of each message that is handled
  static constexpr std::uint8_t gate_noticed =
      gate_counted | gate_traced | gate_retries | gate_watched;
  static constexpr std::uint32_t no_backlog = 0 - static_cast<std::uint32_t>(default_high_water);

  life life_ = life::starting;
  std::uint8_t gate_ = 0;
  bool scheduled_ : 1 = true;  ///< in the ready chain, or busy
  bool busy_ : 1 = false;      ///< a coroutine handler, on_start or on_stop goes on
  bool entering_ : 1 = false;  ///< inside run_activity
  bool attention_ : 1 = true;  ///< something comes before messages: start, stop, a child's end
  bool stop_wanted_ : 1 = false;
  bool constructed_ : 1 = false;
  bool begins_slowly_ : 1 = false;  ///< there is something to attend to before its first message
  bool draining_ : 1 = false;       ///< stops when the mailbox is empty
  bool on_stop_done_ : 1 = false;
  bool supervised_ : 1 = false;
  bool for_good_ : 1 = false;      ///< its parent stops it: no restart
  bool fall_ordered_ : 1 = false;  ///< by its supervisor
  bool falling_ : 1 = false;       ///< being taken down for a restart
  bool resting_ : 1 = false;       ///< down, until it is told to start again
  bool coming_up_ : 1 = false;     ///< somebody wants to know when it is up
  bool in_on_start_ : 1 = false;   ///< on_start goes on, as a coroutine
  bool looked_after_ : 1 = false;
  bool bounded_when_long_ : 1 = false;
  /// To this one, by its parent, on whose loop it is written: no bit field.
  bool stop_sent_ = false;
  exit_reason::kind ended_as_ = exit_reason::kind::stopped;
  /// Counts what arrives while others wait, up to zero, when it is looked how many there are.
  std::uint32_t backlog_ = no_backlog;
  loop* home_;
  message_queue mailbox_;
  const actor_class* class_;
  cell* parent_;
  cell* previous_ = nullptr;
  cell* next_ = nullptr;
  cell* last_child_ = nullptr;
  /// Owned; made on the home loop, its name read from any thread.
  std::atomic<cell_extra*> extra_{nullptr};
};

}  // namespace troupe::internal
