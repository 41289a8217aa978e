#include <troupe/actors/watch.hpp>

#include <troupe/actors/cell.hpp>
#include <troupe/actors/errors.hpp>
#include <troupe/actors/internal/belongings.hpp>
#include <troupe/actors/monitor.hpp>
#include <troupe/actors/order.hpp>

#include <utility>

namespace troupe {

std::string exit_reason::text() const {
  switch (what_) {
    case kind::stopped:
      return "stopped";
    case kind::parent:
      return "stopped with its parent";
    case kind::shutdown:
      return "stopped by the end of the runtime";
    case kind::killed:
      return "killed";
    case kind::crashed:
      break;
  }
  return error_ ? "crashed: " + describe(error_) : "crashed";
}

namespace internal {

void watchers::add(watcher& added) noexcept {
  added.linked_ = true;
  if (added.first_ && first_ != nullptr) {
    added.previous_ = nullptr;
    added.next_ = first_;
    first_ = first_->previous_ = &added;
    return;
  }
  added.previous_ = last_;
  added.next_ = nullptr;
  (last_ != nullptr ? last_->next_ : first_) = &added;
  last_ = &added;
}

void watchers::unlink(watcher& left) noexcept {
  (left.previous_ != nullptr ? left.previous_->next_ : first_) = left.next_;
  (left.next_ != nullptr ? left.next_->previous_ : last_) = left.previous_;
  left.linked_ = false;
}

void watchers::remove(watcher& left) noexcept {
  if (!left.linked_) return;
  unlink(left);
  left.let_go();
}

void watchers::tell_all(const exit_reason& why) noexcept {
  while (watcher* const next = first_) {
    unlink(*next);
    next->told(why);
  }
}

void watch(cell& watched, watcher& added) noexcept {
  if (!carry_out(watched, [&added](cell& to) noexcept { to.add_watcher(added); }))
    added.told(exit_reason(exit_reason::kind::shutdown));
}

namespace {
/// Takes `left` out of a list of the watched actor's, where it lives.
template <void (cell::*Remove)(watcher&) noexcept>
void take_out(cell& watched, watcher& left) noexcept {
  left.keep();
  const bool arrived = carry_out(watched, [&left](cell& to) noexcept {
    (to.*Remove)(left);
    left.let_go();
  });
  if (!arrived) left.let_go();
}
}  // namespace

void unwatch(cell& watched, watcher& left) noexcept {
  take_out<&cell::remove_watcher>(watched, left);
}

// --- futures ----------------------------------------------------------------------------------------------------------

stopped_state::stopped_state(loop& home, cell& watched) noexcept
    : arriving<exit_reason>(home), watched_(watched) {
  watched_.retain();
}

stopped_state::~stopped_state() { watched_.release(); }

bool stopped_state::cancel(std::string_view reason) noexcept {
  if (!end_as_cancelled(reason)) return false;
  unwatch(watched_, *this);
  return true;
}

void stopped_state::told(const exit_reason& why) noexcept {
  arrived_.set_value(why);
  deliver();
}

future<exit_reason> when_stopped(cell& watched) {
  loop& home = running_loop("stopped");
  auto* const made = new stopped_state(home, watched);
  future<exit_reason> result(*made);
  watch(watched, *made);
  return result;
}

started_state::started_state(loop& home, cell& watched) noexcept
    : arriving<void>(home), watched_(watched) {
  watched_.retain();
}

started_state::~started_state() { watched_.release(); }

bool started_state::cancel(std::string_view reason) noexcept {
  if (!end_as_cancelled(reason)) return false;
  take_out<&cell::remove_start_watcher>(watched_, *this);
  return true;
}

void started_state::told(const exit_reason& why) noexcept {
  if (watched_.is_up()) {
    arrived_.set_value();
  } else if (why.error() != nullptr) {
    arrived_.set_error(why.error());
  } else {
    arrived_.set_error(std::make_exception_ptr(
        actor_dead(watched_.description() + " was to be ready, but has ended: " + why.text())));
  }
  deliver();
}

future<void> when_started(cell& watched) {
  loop& home = running_loop("started");
  auto* const made = new started_state(home, watched);
  future<void> result(*made);
  const bool arrived =
      carry_out(watched, [made](cell& to) noexcept { to.add_start_watcher(*made); });
  if (!arrived) made->told(exit_reason(exit_reason::kind::shutdown));
  return result;
}

namespace {
void free_unwanted(envelope& item) noexcept { envelope_of<down>::free_told(item); }
/// A `down` that is not wanted any more: in no protocol, so a turn passes it over; and no message, so nobody misses it.
constexpr message_info unwanted_down{.name = type_name<down>(),
                                     .free = &envelope_of<down>::free_told,
                                     .reached = &free_unwanted,
                                     .always_fits = is_news<down>};
}  // namespace

// --- monitors ---------------------------------------------------------------------------------------------------------

/// A monitor. Three may own it: the watched actor's list, or the news of its end on the way; the observer, while it may still be
/// told; handles.
class monitor_watch final : public watcher, public work, public pooled {
 public:
  monitor_watch(cell& observer, cell& target) noexcept
      : work(&monitor_watch::arrive), observer_(observer), target_(target) {
    observer_.retain();
    target_.retain();
  }

  void keep() noexcept override { count_.add(); }
  void let_go() noexcept override {
    if (count_.drop()) delete this;
  }
  void told(const exit_reason& why) noexcept override {
    why_ = why;
    if (&observer_.home() == loop::current()) {
      arrive(*this);
    } else if (!observer_.home().post(*this)) {
      let_go();
    }
  }
  /// On the observer's loop, as what follows.
  void begin() noexcept {
    active_ = true;
    observer_.add_monitor(*this);
    keep();
    watch(target_, *this);
  }
  void cancel() noexcept {
    if (!std::exchange(active_, false)) {
      observer_.take_up_waiting();
      work** const told = observer_.messages().find([this](const envelope& item) {
        return item.info == &envelope_of<down>::type &&
               static_cast<const envelope_of<down>&>(item).message.monitor == handle();
      });
      if (told != nullptr) observer_.take_back(told, unwanted_down);
      return;
    }
    observer_.remove_monitor(*this);
    unwatch(target_, *this);
    let_go();
  }
  monitor_handle handle() noexcept {
    keep();
    return monitor_handle(*this);
  }

  monitor_watch* previous = nullptr;  ///< neighbours in the observer's list
  monitor_watch* next = nullptr;

 private:
  ~monitor_watch() {
    observer_.release();
    target_.release();
  }
  static void arrive(work& item) noexcept {
    auto& self = static_cast<monitor_watch&>(item);
    if (std::exchange(self.active_, false)) {
      self.observer_.remove_monitor(self);
      self.observer_.put_news(
          *new envelope_of<down>(down{any_actor::of(self.target_), self.why_, self.handle()}));
      self.let_go();
    }
    self.let_go();
  }

  cell& observer_;
  cell& target_;
  exit_reason why_;
  bool active_ = false;  ///< the observer has neither been told nor cancelled it
  ref_count count_{1};
};

void keep(monitor_watch& held) noexcept { held.keep(); }
void let_go(monitor_watch& held) noexcept { held.let_go(); }
void cancel(monitor_watch& watch) noexcept { watch.cancel(); }

monitor_handle monitor(cell& observer, const any_actor& target) {
  expects(target.cell() != nullptr, "an actor was to monitor nobody");
  auto* const made = new monitor_watch(observer, *target.cell());
  // First: who is dead already is told of at once, and that may be the end of it.
  monitor_handle result = made->handle();
  made->begin();
  return result;
}

// --- the cell's side --------------------------------------------------------------------------------------------------

void cell::add_watcher(watcher& added) noexcept {
  if (life_ == life::dead) {
    added.told(reason());
  } else {
    extra().watched_by.add(added);
  }
}

void cell::add_start_watcher(watcher& added) noexcept {
  if (life_ == life::dead || is_up()) {
    added.told(reason());
  } else {
    extra().start_watched_by.add(added);
    coming_up_ = attention_ = begins_slowly_ = true;
  }
}

void cell::remove_watcher(watcher& left) noexcept {
  if (cell_extra* const known = known_extra()) known->watched_by.remove(left);
}

void cell::remove_start_watcher(watcher& left) noexcept {
  if (cell_extra* const known = known_extra()) known->start_watched_by.remove(left);
}

void cell::add_monitor(monitor_watch& added) noexcept {
  monitor_watch*& first = extra().monitors;
  added.next = first;
  if (first != nullptr) first->previous = &added;
  first = &added;
}

void cell::remove_monitor(monitor_watch& left) noexcept {
  (left.previous != nullptr ? left.previous->next : extra().monitors) = left.next;
  if (left.next != nullptr) left.next->previous = left.previous;
  left.previous = left.next = nullptr;
}

void cell::cancel_monitors() noexcept {
  cell_extra& known = extra();
  while (known.monitors != nullptr) known.monitors->cancel();
  if (known.kept != nullptr) known.kept->drop();
}

void cell::tell_watchers() noexcept {
  cell_extra& known = extra();
  if (!known.start_watched_by.empty()) known.start_watched_by.tell_all(reason());
  if (!known.watched_by.empty()) known.watched_by.tell_all(reason());
}

exit_reason cell::reason() const noexcept {
  const cell_extra* const known = known_extra();
  return exit_reason(ended_as_, known != nullptr ? known->crash : nullptr);
}

}  // namespace internal
}  // namespace troupe
