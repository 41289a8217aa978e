#include <troupe/actors/trace.hpp>

#include <troupe/actors/actor_roots.hpp>
#include <troupe/actors/internal/counted.hpp>
#include <troupe/actors/internal/each_loop.hpp>
#include <troupe/actors/internal/early_trace.hpp>
#include <troupe/actors/open_ask.hpp>
#include <troupe/actors/order.hpp>
#include <troupe/actors/process.hpp>
#include <troupe/actors/tracer.hpp>
#include <troupe/runtime/memory.hpp>

#include <mutex>
#include <unordered_map>
#include <utility>

namespace troupe {

std::string_view to_string(trace_event::kind what) noexcept {
  using enum trace_event::kind;
  switch (what) {
    case spawned:
      return "spawned";
    case sent:
      return "sent";
    case delivered:
      return "delivered";
    case replied:
      return "replied";
    case failed:
      return "failed";
    case lost:
      return "lost";
    case crashed:
      return "crashed";
    case restarted:
      return "restarted";
    case stopped:
      break;
  }
  return "stopped";
}

namespace internal {

constinit std::atomic<bool> traced_anywhere{false};

namespace {

using kind = trace_event::kind;

/// Whether the tracer runs on this thread: what it does is not traced.
constinit thread_local bool seeing = false;

/// What is being handled: a value of the context.
struct trace_point final : context_value {
  trace_point(cell& given, std::uint64_t actor_number, std::uint64_t message_number) noexcept
      : who(any_actor::of(given)), actor(actor_number), message(message_number) {}
  any_actor who;
  std::uint64_t actor;
  std::uint64_t message;
};
constexpr char trace_point_key = 0;

const trace_point* current_point() noexcept {
  return static_cast<const trace_point*>(context_data::find(current_context(), &trace_point_key));
}

void set_point(context_data*& in, trace_point* point) {
  context_data::release(std::exchange(in, context_data::with(in, &trace_point_key, point)));
}

}  // namespace

class trace {
 public:
  explicit trace(tracer& to) noexcept : to_(to) {}

  /// Tells it from other traces of this program.
  std::uint32_t serial() const noexcept { return serial_; }

  void keep() noexcept { count_.add(); }
  void let_go() noexcept {
    if (count_.drop()) delete this;
  }
  /// That of the running loop; null when nothing is to be traced.
  static trace* here() noexcept {
    return loop::current() != nullptr && !seeing ? actor_roots::of_current_loop().traced_by
                                                 : nullptr;
  }

  /// It has been stopped, or replaced, on one loop at least: no other begins with it now.
  void end() noexcept { ended_.store(true, std::memory_order_relaxed); }
  bool ended() const noexcept { return ended_.load(std::memory_order_relaxed); }

  std::uint64_t next_actor() noexcept {
    return actors_.fetch_add(1, std::memory_order_relaxed) + 1;
  }

  /// Has the tracer see what is done by who runs now, unless the event names another.
  void tell(trace_event& event) noexcept {
    if (const trace_point* const now = event.by == 0 ? current_point() : nullptr) {
      event.by = now->actor;
      event.cause = now->message;
    }
    tell_as_it_is(event);
  }
  /// The same for what somebody has done before. Completes what is the same for all events.
  void tell_as_it_is(trace_event& event) noexcept {
    loop& at = *loop::current();
    event.when = at.time();
    event.on_loop = at.index();
    seeing = true;
    event.number = events_.fetch_add(1, std::memory_order_relaxed) + 1;
    to_.see(event);
    seeing = false;
  }

  struct message {
    std::uint64_t number = 0;
    std::uint64_t by = 0;
    std::uint64_t cause = 0;
    any_actor sender = {};
    bool under_way = false;  ///< to another loop
    bool watched = false;    ///< its end will be told of
    bool answered = false;   ///< that has been told already
  };

  struct begun {
    std::uint64_t number = 0;  ///< 0: it has been told of
    bool watches = false;      ///< its end is to be waited for
  };
  /// A message that is sent now. `comes_from_here`: it is an ask of this loop's, or a tell; an ask of another that is not known has
  /// ended before it arrived.
  begun begin(const envelope& item, bool posted, bool is_ask, bool comes_from_here) {
    const std::scoped_lock guard(mutex_);
    const auto found = messages_.find(&item);
    const bool is_new = found == messages_.end();
    if (is_new && !comes_from_here) return {};
    message& known = is_new ? messages_[&item] : found->second;
    if (known.under_way && !posted) {
      known.under_way = false;
      return {};
    }
    // An ask that is passed on keeps its number; anything else at the same address is another.
    if (is_new || !is_ask) known = {};
    if (known.number == 0) known.number = ++numbered_;
    known.under_way = posted;
    if (const trace_point* const now = current_point()) {
      known.by = now->actor;
      known.cause = now->message;
      if (!known.sender) known.sender = now->who;
    }
    return {known.number, is_ask && comes_from_here && !std::exchange(known.watched, is_ask)};
  }
  /// What is known of it; forgotten unless it is an ask.
  message delivered(const envelope& item, bool is_ask) {
    const std::scoped_lock guard(mutex_);
    const auto at = messages_.find(&item);
    if (at == messages_.end()) return {.number = ++numbered_};
    message known = at->second;
    if (!is_ask) messages_.erase(at);
    return known;
  }
  /// Notes that the answer has been told of. Number 0 when it is known already, or not at all.
  message answered(const envelope& item) {
    const std::scoped_lock guard(mutex_);
    const auto at = messages_.find(&item);
    if (at == messages_.end() || std::exchange(at->second.answered, true)) return {};
    return at->second;
  }
  message forget(const envelope& item) {
    const std::scoped_lock guard(mutex_);
    const auto at = messages_.find(&item);
    if (at == messages_.end()) return {};
    message known = std::move(at->second);
    messages_.erase(at);
    return known;
  }

  void tell_of_answer(const message& of, const message_info& type, kind what,
                      std::exception_ptr error) noexcept {
    trace_event event{.what = what};
    // Whom it happens to, by whom it was asked.
    if (of.sender) event.actor = of.sender.cell()->traced_as();
    event.message = of.number;
    event.who = of.sender;
    event.type = type.name;
    event.ask = true;
    event.error = std::move(error);
    tell(event);
  }

 private:
  static std::uint32_t next_serial() noexcept {
    static std::atomic<std::uint32_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
  }

  tracer& to_;
  const std::uint32_t serial_ = next_serial();
  ref_count count_{1};
  std::atomic<bool> ended_{false};
  std::atomic<std::uint64_t> actors_{0};
  std::atomic<std::uint64_t> events_{0};
  std::mutex mutex_;
  std::uint64_t numbered_ = 0;
  std::unordered_map<const envelope*, message> messages_;
};

namespace {

/// Waits for the end of an ask that was sent on this loop.
class ask_watch final : public observer, private loop_bound, public pooled {
 public:
  ask_watch(trace& by, open_ask& ask)
      : observer(&ask_watch::on_done),
        by_(by),
        answer_(ask.answer_to_come()),
        request_(ask.request()),
        type_(*ask.request().info) {
    by_.keep();
    answer_.retain();
    answer_.add_observer(*this);
    bind(answer_.home());
  }
  ~ask_watch() {
    answer_.release();
    by_.let_go();
  }

 private:
  static void on_done(observer& self) noexcept {
    const owned<ask_watch> mine(&static_cast<ask_watch&>(self));
    const trace::message known = mine->by_.forget(mine->request_);
    trace* const tracing = trace::here();
    if (tracing != &mine->by_ || known.number == 0 || known.answered) return;
    future_base& answer = mine->answer_;
    tracing->tell_of_answer(
        known, mine->type_, answer.succeeded() ? kind::replied : kind::failed,
        answer.succeeded() || answer.was_cancelled() ? std::exception_ptr() : answer.error());
  }
  void home_closes() noexcept override {
    answer_.remove_observer(*this);
    by_.forget(request_);
    delete this;
  }

  trace& by_;
  future_base& answer_;
  const envelope& request_;
  const message_info& type_;
};

/// The message as an ask; null for a tell, and for what only waits for room.
open_ask* ask_of(const envelope& item) noexcept {
  auto* const ask = item.reply != nullptr ? const_cast<open_ask*>(item.reply->as_ask()) : nullptr;
  return ask != nullptr && !ask->only_for_room() ? ask : nullptr;
}

void tell_of_sending(trace& by, envelope& item, cell& to, bool posted) noexcept {
  if (item.is_place()) return;
  open_ask* const ask = ask_of(item);
  const bool comes_from_here = ask == nullptr || &ask->answer_to_come().home() == loop::current();
  if (ask != nullptr && comes_from_here && ask->answer_to_come().done()) return;
  const trace::begun known = by.begin(item, posted, ask != nullptr, comes_from_here);
  if (known.number == 0) return;
  trace_event event{.what = kind::sent};
  event.actor = to.traced_as();
  event.message = known.number;
  event.who = any_actor::of(to);
  event.type = item.info->name;
  event.ask = ask != nullptr;
  event.carried = &item;
  by.tell(event);
  if (known.watches) new ask_watch(by, *ask);
}

/// Of a message that leaves the mailbox. Returns its number.
std::uint64_t tell_of_end(trace& by, const envelope& item, cell& at, kind what) noexcept {
  const bool is_ask = ask_of(item) != nullptr;
  const trace::message known = by.delivered(item, is_ask);
  trace_event event{.what = what};
  event.actor = at.traced_as();
  event.message = known.number;
  event.by = known.by;
  event.cause = known.cause;
  event.who = any_actor::of(at);
  event.type = item.info->name;
  event.ask = is_ask;
  event.carried = &item;
  by.tell_as_it_is(event);
  return known.number;
}

}  // namespace

void trace_posted(envelope& item, cell& to) noexcept {
  if (trace* const by = trace::here()) tell_of_sending(*by, item, to, true);
}

void trace_answered(open_ask& ask, const std::exception_ptr& error) noexcept {
  trace* const by = trace::here();
  if (by == nullptr) return;
  const trace::message known = by->answered(ask.request());
  if (known.number == 0) return;
  by->tell_of_answer(known, *ask.request().info, error == nullptr ? kind::replied : kind::failed,
                     error);
}

// --- the cell's side --------------------------------------------------------------------------------------------------

trace* cell::tracing() noexcept { return trace::here(); }

std::uint64_t cell::traced_as() const noexcept {
  const cell_extra* const known = extra_.load(std::memory_order_acquire);
  return known != nullptr ? known->traced_as.load(std::memory_order_relaxed) : 0;
}

void cell::trace_begin() noexcept {
  trace* const by = trace::here();
  if (by == nullptr || extra().traced_in == by->serial()) return;
  // The parent's constructor may run still: it comes first.
  if (parent_ != nullptr && parent_->home_ == home_) parent_->trace_begin();
  gate_ |= gate_traced;
  attention_ = true;
  extra().traced_in = by->serial();
  extra().traced_as.store(by->next_actor(), std::memory_order_relaxed);
  trace_event event{.what = kind::spawned};
  if (parent_ != nullptr && current_point() == nullptr) event.by = parent_->traced_as();
  trace_life(event);
}

void cell::trace_family() noexcept {
  if (life_ != life::dead) trace_begin();
  const internal::counted<trace> by = actor_roots::of_current_loop().counted_trace();
  if (!by) return;
  for (cell* child = last_child_; child != nullptr; child = child->previous_)
    // The order may be there before that loop has heard of the tracer, or after it has heard that it is gone.
    carry_out(*child, [by](cell& to) noexcept {
      if (by->ended()) return;
      actor_roots::of_current_loop().trace_by(by.get());
      to.trace_family();
    });
}

void cell::trace_life(trace_event& event) noexcept {
  trace* const by = tracing();
  if (by == nullptr) return;
  event.actor = traced_as();
  event.who = any_actor::of(*this);
  by->tell(event);
}

void cell::trace_crash(const std::exception_ptr& error) noexcept {
  trace_event event{.what = kind::crashed};
  event.error = error;
  trace_life(event);
}

void cell::trace_restart() noexcept {
  trace_event event{.what = kind::restarted};
  trace_life(event);
}

void cell::trace_end() noexcept {
  trace_event event{.what = kind::stopped};
  event.error = reason().error();
  trace_life(event);
}

void cell::trace_sent(envelope& item) noexcept {
  if (trace* const by = tracing()) tell_of_sending(*by, item, *this, false);
}

/// The message of a timer is new; one from the stash, or to be tried again, is sent by the actor to itself, unless it is an ask, which
/// keeps its number.
void cell::trace_put_first(envelope& item) noexcept {
  trace* const by = tracing();
  if (by != nullptr && item.reply == nullptr) tell_of_sending(*by, item, *this, false);
}

void cell::trace_delivered(const envelope& item) noexcept {
  trace* const by = tracing();
  if (by == nullptr) {
    // Nobody traces any more: here, where nothing is to be left.
    if (!seeing) gate_ &= static_cast<std::uint8_t>(~gate_traced);
    return;
  }
  const bool is_none = item.is_place() || (item.reply != nullptr && item.reply->withdrawn());
  trace_enter(is_none ? 0 : tell_of_end(*by, item, *this, kind::delivered));
}

void cell::trace_lost(const envelope& item) noexcept {
  trace* const by = tracing();
  // An ask ends by its error.
  if (by != nullptr && !item.is_place() && ask_of(item) == nullptr)
    static_cast<void>(tell_of_end(*by, item, *this, kind::lost));
}

void cell::trace_enter(std::uint64_t message) noexcept {
  set_point(has_process() ? context_of(extra().process->body()) : current_context(),
            new trace_point(*this, traced_as(), message));
}

void cell::trace_leave() noexcept {
  if (current_point() != nullptr) set_point(current_context(), nullptr);
}

counted<trace> actor_roots::counted_trace() const noexcept {
  if (traced_by != nullptr) traced_by->keep();
  return counted<trace>(traced_by);
}

void actor_roots::trace_by(trace* by) noexcept {
  if (by == traced_by) return;
  if (by != nullptr) by->keep();
  if (trace* const before = std::exchange(traced_by, by)) {
    before->end();
    before->let_go();
  }
  if (by == nullptr || last_ == nullptr) return;
  cell* root = last_;
  while (root->previous_ != nullptr) root = root->previous_;
  for (; root != nullptr; root = root->next_) root->trace_family();
}

early_trace::early_trace(tracer& by) : trace_(new trace(by)) {
  traced_anywhere.store(true, std::memory_order_relaxed);
}

early_trace::~early_trace() { trace_->let_go(); }

void early_trace::add(loop& home) { home.service<actor_roots>().trace_by(trace_); }

}  // namespace internal

// --- for users --------------------------------------------------------------------------------------------------------

future<void> trace_actors(tracer& by) {
  static_cast<void>(internal::running_loop("trace_actors"));
  internal::traced_anywhere.store(true, std::memory_order_relaxed);
  const internal::counted<internal::trace> made(new internal::trace(by));
  return internal::on_each_loop(
      [made] { internal::actor_roots::of_current_loop().trace_by(made.get()); });
}

future<void> stop_tracing() {
  static_cast<void>(internal::running_loop("stop_tracing"));
  return internal::on_each_loop([] { internal::actor_roots::of_current_loop().trace_by(nullptr); });
}

}  // namespace troupe
