// The search for circles of handlers that wait for each other's answers; docs/decisions/0016.
//
// What waits is an activity: the coroutine of a handler, or of a process. It waits for the open asks that it awaits, each of them for
// the activity that has its request in hand, or behind which the request is queued; a send, which is an open ask too, for the one behind
// which its message waits for room. A process has nothing in hand: who answers what it has received is not known. A circle is closed by the ask that was seen to be awaited
// last, the one with the highest number, and only that one's search ends well. The search follows the asks from loop to loop. Where
// it comes back to the ask that it set out from, it goes the same way once more and looks closely: an ask that was open and awaited
// both times was so all the time between, hence there was a moment, between the two rounds, when all of them were.
//
// Seen last need not be sent last, so what is failed is an ask whose request nobody has begun with: the one that was sent last is one
// of those, and mostly the only one, for what has begun has gone on to ask.
//
// Between loops a search knows asks and requests by address and number only, and follows no pointer that may have died.
#include <troupe/actors/activity.hpp>
#include <troupe/actors/ask.hpp>
#include <troupe/actors/bounds.hpp>
#include <troupe/actors/cell.hpp>
#include <troupe/actors/errors.hpp>
#include <troupe/actors/process_core.hpp>
#include <troupe/runtime/awaiting.hpp>
#include <troupe/runtime/memory.hpp>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

namespace troupe::internal {

namespace {

constinit std::atomic<std::uint64_t> next_number{open_ask::first_number};
constinit std::atomic<std::uint64_t> last_search{0};

/// One ask on the way of a search.
struct step {
  const void* ask;
  std::uint64_t number;
  const envelope* request;  ///< what stands for the ask: its own, or what it was delegated as
  const message_info* info;
  cell* target;
  bool for_room;
  bool queued = false;      ///< nobody has begun with the request
  bool by_process = false;  ///< who asks is one
  std::string text = {};
};

void give_number(open_ask& waited_for) { waited_for.set_number(next_number.fetch_add(1)); }

template <class T>
using list_of = std::vector<T, pool_allocator<T>>;

class search;
using searches = list_of<std::unique_ptr<search>>;

class search final : public work, public pooled {
 public:
  explicit search(open_ask& closing, list_of<std::uint64_t> passed_over = {})
      : work(&search::arrive),
        home_(loop::current()),
        origin_(&closing),
        number_(closing.number()),
        search_(last_search.fetch_add(1) + 1),
        passed_over_(std::move(passed_over)) {
    go_on(closing);
  }
  search(const search& other)
      : work(&search::arrive),
        home_(other.home_),
        origin_(other.origin_),
        number_(other.number_),
        search_(other.search_),
        way_(other.way_),
        passed_over_(other.passed_over_) {
    for (const step& each : way_) each.target->retain();
  }
  ~search() {
    for (const step& each : way_) each.target->release();
  }

  /// Sends it, or has it carried out here with the others in `todo`.
  static void deliver(std::unique_ptr<search> sent, loop& to, searches& todo) {
    if (&to == loop::current()) {
      todo.push_back(std::move(sent));
    } else if (to.post(*sent)) {
      static_cast<void>(sent.release());
    } else {
      sent->give_up_for_good();
    }
  }
  static void carry_out(searches& todo) {
    while (!todo.empty()) {
      std::unique_ptr<search> next = std::move(todo.back());
      todo.pop_back();
      if (next->returns_) {
        end_at_home(std::move(next), todo);
      } else if (next->failing_ != 0) {
        fail_other(std::move(next), todo);
      } else if (next->verifying_) {
        verify(std::move(next), todo);
      } else {
        explore(std::move(next), todo);
      }
    }
  }
  loop& next_loop() const noexcept { return way_[at_].target->home(); }

 private:
  static void arrive(work& item) noexcept {
    searches todo;
    todo.emplace_back(static_cast<search*>(&item));
    carry_out(todo);
  }

  void go_on(open_ask& through) {
    open_ask& standing = through.standing();
    if (&standing != &through) standing.set_number(through.number());
    way_.push_back({&through, through.number(), &standing.request(), &standing.message_type(),
                    &standing.target(), standing.only_for_room()});
    standing.target().retain();
    at_ = way_.size() - 1;
  }

  /// Looks what the last ask of the way waits for, and goes on from there.
  static void explore(std::unique_ptr<search> self, searches& todo);
  /// The way led round. On the home loop.
  void begin_to_verify(activity_base& closer);
  static void verify(std::unique_ptr<search> self, searches& todo);
  bool passes_over(const open_ask& asked) const {
    return std::find(passed_over_.begin(), passed_over_.end(), asked.number()) !=
           passed_over_.end();
  }
  /// The ask of a step, when `from` still awaits it.
  open_ask* find(const step& of, activity_base& from) const;
  bool note_step(activity_base& from);
  /// All has been seen twice: fails one ask.
  static void fail_one(std::unique_ptr<search> self, searches& todo);
  static void fail_other(std::unique_ptr<search> self, searches& todo);
  void fail(open_ask& closing, std::size_t at) const;
  static void go_home(std::unique_ptr<search> self, searches& todo) {
    search& returning = *self;
    returning.returns_ = true;
    deliver(std::move(self), *returning.home_, todo);
  }
  static void end_at_home(std::unique_ptr<search> self, searches& todo);
  void give_up_for_good() noexcept {
    if (verifying_) std::exchange(origin_, nullptr)->answer_to_come().release();
  }

  loop* home_;
  open_ask* origin_;  ///< used on its home loop only; counted while it is verified
  std::uint64_t number_;
  std::uint64_t search_;  ///< of this search, and those it has parted into
  list_of<step> way_;
  list_of<std::uint64_t>
      passed_over_;     ///< numbers of asks that, looked at closely, wait for nobody
  std::size_t at_ = 0;  ///< the step that it stands at
  bool verifying_ = false;
  std::size_t failing_ = 0;  ///< the step whose ask is to fail, when that is not the first
  bool returns_ = false;     ///< on its way home
};

/// The open asks that an activity awaits.
list_of<open_ask*> awaited_by(activity_base& waiting) {
  list_of<open_ask*> found;
  each_awaited_future(waiting.as_activity(), [&found](const future_base& each) {
    if (auto* const asked = dynamic_cast<const open_ask*>(&each))
      found.push_back(const_cast<open_ask*>(asked));
  });
  return found;
}

/// The activity that has to end before the request is answered: the one that has it in hand or, as far as can be told at a
/// glance, the one that keeps it in the queue. `closely` looks whether it is there.
activity_base* holder_of(const step& asked, bool closely) {
  return asked.target->holder_of(
      {*asked.request, *asked.info, closely ? asked.number : 0, asked.for_room});
}

void search::explore(std::unique_ptr<search> self, searches& todo) {
  activity_base* const holder = internal::holder_of(self->way_.back(), false);
  if (holder == nullptr || !holder->first_visit(self->search_)) return;
  const list_of<open_ask*> awaited = awaited_by(*holder);
  list_of<open_ask*> further;
  for (open_ask* const each : awaited) {
    if (each == self->origin_ && each->number() == self->number_) {
      self->begin_to_verify(*holder);
      verify(std::move(self), todo);
      return;
    }
    if (each->number() < open_ask::first_number) {
      // Seen to be awaited for the first time, by this: what it closes it finds itself.
      give_number(*each);
      auto later = std::make_unique<search>(*each);
      loop& to = later->next_loop();
      deliver(std::move(later), to, todo);
    } else if (each->number() < self->number_ && !self->passes_over(*each)) {
      further.push_back(each);
    }
  }
  for (std::size_t index = 0; index != further.size(); ++index) {
    const bool last = index + 1 == further.size();
    auto next = last ? std::move(self) : std::make_unique<search>(*self);
    next->go_on(*further[index]);
    loop& to = next->next_loop();
    deliver(std::move(next), to, todo);
  }
}

void search::begin_to_verify(activity_base& closer) {
  verifying_ = true;
  origin_->answer_to_come().retain();
  at_ = 0;
  note_step(closer);
}

open_ask* search::find(const step& of, activity_base& from) const {
  for (open_ask* const each : awaited_by(from)) {
    if (each == of.ask && each->number() == of.number) return each;
  }
  return nullptr;
}

/// Says in the present step what `from` does, if it still awaits the ask.
bool search::note_step(activity_base& from) {
  step& now = way_[at_];
  const open_ask* const asked = find(now, from);
  if (asked == nullptr) return false;
  const envelope* const hand = from.in_hand();
  now.by_process = from.owner().has_process();
  if (hand != nullptr) {
    now.text = "handling " + std::string(hand->info->name) + " ";
  } else if (!now.by_process) {
    now.text = from.owner().state() == cell::life::stopping ? "in on_stop " : "in on_start ";
  }
  now.text += (now.for_room ? "waits for room to send " : "asks ") + asked->target().description() +
              " (" + std::string(asked->message_type().name) + ")";
  if (now.request != &asked->request())
    now.text +=
        ", delegated to " + now.target->description() + " (" + std::string(now.info->name) + ")";
  return true;
}

void search::verify(std::unique_ptr<search> self, searches& todo) {
  // At the first step the closing ask has just been looked at.
  for (;;) {
    step& now = self->way_[self->at_];
    loop& there = now.target->home();
    if (&there != loop::current()) {
      deliver(std::move(self), there, todo);
      return;
    }
    activity_base* const holder = internal::holder_of(now, true);
    if (holder == nullptr) {
      self->passed_over_.push_back(now.number);
      break;
    }
    now.queued = holder->in_hand() != now.request;
    if (++self->at_ == self->way_.size()) {
      self->at_ = 0;
      if (self->find(self->way_.front(), *holder) == nullptr) {
        self->passed_over_.push_back(self->number_);
        break;
      }
      fail_one(std::move(self), todo);
      return;
    }
    if (!self->note_step(*holder)) {
      self->passed_over_.push_back(self->way_[self->at_].number);
      break;
    }
  }
  go_home(std::move(self), todo);
}

void search::fail_one(std::unique_ptr<search> self, searches& todo) {
  std::size_t last = self->way_.size();
  for (std::size_t at = 0; at != self->way_.size(); ++at) {
    const bool later = last == self->way_.size() || self->way_[at].number > self->way_[last].number;
    if (self->way_[at].queued && later) last = at;
  }
  if (last == 0 || last == self->way_.size()) {
    self->fail(*self->origin_, 0);
    go_home(std::move(self), todo);
    return;
  }
  // It lives where the request before it is held.
  self->failing_ = last;
  self->at_ = last - 1;
  loop& there = self->next_loop();
  deliver(std::move(self), there, todo);
}

void search::fail_other(std::unique_ptr<search> self, searches& todo) {
  activity_base* const holder = internal::holder_of(self->way_[self->at_], true);
  open_ask* const closing =
      holder != nullptr ? self->find(self->way_[self->failing_], *holder) : nullptr;
  if (closing != nullptr) {
    self->fail(*closing, self->failing_);
  } else {
    self->passed_over_.push_back(self->way_[self->failing_].number);
  }
  go_home(std::move(self), todo);
}

void search::fail(open_ask& closing, std::size_t at) const {
  const cell& target = closing.target();
  failed_ask ask{target.description(), std::string(closing.message_type().name), target.condition(),
                 closing.waited(), &closing};
  // Who asks in a step is who was asked in the one before.
  std::string text =
      "deadlock: " + way_[(at + way_.size() - 1) % way_.size()].target->description();
  for (std::size_t count = 0; count != way_.size(); ++count) {
    const step& each = way_[(at + count) % way_.size()];
    text += (count == 0 ? " " : ", which ") + each.text;
  }
  text += way_.size() == 1 ? ", which waits for this " : ", which waits for the first ";
  text += way_[at].by_process ? "process to receive" : "handler to end";
  closing.end_with(std::make_exception_ptr(ask_deadlock(std::move(ask), text)));
}

void search::end_at_home(std::unique_ptr<search> self, searches& todo) {
  open_ask& closing = *std::exchange(self->origin_, nullptr);
  // There may be another circle: behind what has turned out to be none, or where a handler waits for several and one has been failed.
  // None is sought twice on the same way, so this ends. The number stays: what has been closed since is for those to find whose numbers are higher.
  if (!closing.answer_to_come().done() && !self->passes_over(closing)) {
    auto again = std::make_unique<search>(closing, std::move(self->passed_over_));
    loop& to = again->next_loop();
    deliver(std::move(again), to, todo);
  }
  closing.answer_to_come().release();
}

}  // namespace

namespace {
/// The handler whose task it is, or null. To find that a task is no handler's takes a comparison of names all the way up, on each ask of a
/// task that has to wait; so the sort of task that was last seen to be none is kept in mind.
activity_base* handler_of(const task_base& task) noexcept {
  thread_local const std::type_info* no_handler = nullptr;
  const std::type_info* const sort = &typeid(task);
  if (sort == no_handler) return nullptr;
  auto* const found = dynamic_cast<const activity_base*>(&task);
  if (found == nullptr) no_handler = sort;
  return const_cast<activity_base*>(found);
}
}  // namespace

bool search_deadlock(open_ask& closing) noexcept {
  if (closing.number() >= open_ask::first_number) return true;  // by a search that met it
  bool waits = false;
  each_waiting_task(closing.answer_to_come(), [&](const task_base& task) {
    if (waits) return;
    activity_base* const activity = handler_of(task);
    if (activity == nullptr) return;
    for (const open_ask* const each : awaited_by(*activity)) waits |= each == &closing;
  });
  if (!waits) return false;
  give_number(closing);
  searches todo;
  auto made = std::make_unique<search>(closing);
  loop& to = made->next_loop();
  search::deliver(std::move(made), to, todo);
  search::carry_out(todo);
  return true;
}

// --- the cell's side --------------------------------------------------------------------------------------------------

namespace {
/// Whether `held`, at the address of the request that is looked for, is that one, and none in the same place.
bool is_same(const envelope& held, std::uint64_t number) noexcept {
  const open_ask* const asked = held.reply != nullptr ? held.reply->as_ask() : nullptr;
  return asked != nullptr && asked->number() == number;
}
}  // namespace

activity_base* cell::holder_of(const awaited_request& sought) {
  cell_extra* const known = known_extra();
  if (known == nullptr || life_ == life::dead) return nullptr;
  auto* const exclusive =
      dynamic_cast<activity_base*>(has_process() ? &known->process->body() : known->at_work);
  const envelope* const request = &sought.request;
  if (exclusive != nullptr && exclusive->in_hand() == request)
    return sought.number == 0 || is_same(*request, sought.number) ? exclusive : nullptr;
  const auto is_interleaved = [this](const envelope& each) noexcept {
    return class_->interleaves(*each.info);
  };
  if (class_->interleaves != nullptr && sought.for_room) {
    // Those are handled while the others wait, and make room.
    if (mailbox_.find(is_interleaved) != nullptr || known->urgent.find(is_interleaved) != nullptr)
      return nullptr;
  } else if (class_->interleaves != nullptr && class_->interleaves(sought.info)) {
    activity_base* beside = nullptr;
    known->tasks.for_each([&](task_base& each) {
      auto* const other = dynamic_cast<activity_base*>(&each);
      if (other != nullptr && other->in_hand() == request) beside = other;
    });
    return beside != nullptr && (sought.number == 0 || is_same(*request, sought.number)) ? beside
                                                                                         : nullptr;
  }
  if (exclusive == nullptr || sought.number == 0) return exclusive;
  bool queued = false;
  const auto look = [&](const envelope& each) {
    queued |= &each == request && is_same(each, sought.number);
  };
  mailbox_.for_each(look);
  known->kept_waiting.for_each(look);
  known->urgent.for_each(look);
  if (known->limits != nullptr) known->limits->parked.for_each(look);
  return queued ? exclusive : nullptr;
}

}  // namespace troupe::internal
