#include <troupe/actors/testing/interception.hpp>

#include <troupe/actors/cell.hpp>
#include <troupe/actors/internal/interceptor.hpp>
#include <troupe/actors/order.hpp>
#include <troupe/actors/reply_to.hpp>
#include <troupe/actors/trace.hpp>
#include <troupe/runtime/check.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/testing/simulation.hpp>

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

namespace troupe::testing {

namespace internal {

struct rule_state {
  selection about;
  treatment what;
  std::function<void()> touch;  ///< tells the search that it is changed
  bool counts_itself = false;
  std::optional<moment> crash_when = {};
  bool at_each_wait = false;  ///< each step in which its handler waits is a choice of its own
  std::size_t met = 0;        ///< messages that it is about
  std::size_t applied = 0;    ///< to how many of them
  std::size_t count = 0;
  bool ended = false;
};

}  // namespace internal

namespace {

using internal::passage;
using internal::rule_state;
using internal::selection;
using internal::treatment;
using troupe::internal::cell;
using troupe::internal::envelope;

// Between the least and the most delay of a rule.
constexpr std::size_t delays_tried = 9;

bool is_injected(const failure_report& report) {
  if (report.error == nullptr) return false;
  try {
    std::rethrow_exception(report.error);
  } catch (const injected_crash&) {
    return true;
  } catch (...) {
    return false;
  }
}

void crash_now(cell& who) {
  troupe::internal::carry_out(
      who, [](cell& at) noexcept { at.crash(std::make_exception_ptr(injected_crash())); });
}

}  // namespace

std::size_t rule::count() const noexcept { return state_->count; }
void rule::end() noexcept {
  state_->ended = true;
  if (state_->touch) state_->touch();
}

/// The rules, and the messages and actors that they are at work on.
class rules_at_work final : public internal::interception_core,
                            public troupe::internal::interceptor {
 public:
  explicit rules_at_work(simulation& world) : world_(world), known_as_(world.number_object()) {}
  ~rules_at_work() = default;

  rule add(selection about, treatment what) override {
    return add(std::move(about), std::move(what), false);
  }
  rule add_drop(selection about) override;
  rule add_delay(selection about, duration least, duration most) override;
  rule add_reorder(selection about, std::size_t others, duration patience) override;
  rule add_crash(selection about, moment when) override;
  rule add_partition(std::vector<any_actor> one, std::vector<any_actor> other);
  rule add_crash_at_any_step(const any_actor& who);

  void pass_on(const passage& on, envelope& item) override;
  void send_later(const passage& on, envelope& item) override {
    send_after(duration::zero(), on, item);
  }
  void later(duration delay, callable<void()> act) override {
    if (ended_) return act();
    wait(delay, std::move(act));
  }
  void keep_unanswered(troupe::internal::reply_slot& asked) override {
    if (ended_) return end_unanswered(asked);
    unanswered_.push_back(&asked);
  }

  bool take(cell& to, envelope& item, work::function arrival) noexcept override;
  void begins(cell& who, const envelope& item) noexcept override;
  void ends(const envelope& item) noexcept override;
  /// Pre: it is not asked any more.
  void end();

 private:
  /// Waits to be done: at its time, or when the interception ends.
  struct pending {
    std::uint64_t number;
    timer_handle timer;
    callable<void()> act;
  };
  /// A message that lets others go first.
  struct behind {
    any_actor to;
    std::size_t others;
    std::uint64_t pending;
  };
  /// Who is to crash, or may.
  struct victim {
    any_actor who;
    std::shared_ptr<rule_state> by;
    const envelope* message;  ///< only compared; null once it is being handled, or for none
    moment when;
    bool maybe;
    bool at_any_step;
  };
  enum class fate : std::uint8_t { waits, crashes, spared };

  rule add(selection about, treatment what, bool counts_itself);
  void crash_at(victim&& met, cell& to);
  bool is_met(rule_state& by, const cell& to, const envelope& item);
  void let_pass(const cell& to);
  void lose(const passage& on);
  static void put(cell& to, envelope& item, work::function arrival);
  std::uint64_t send_after(duration delay, const passage& on, envelope& item);
  std::uint64_t wait(duration delay, callable<void()> act);
  void do_now(std::uint64_t number);
  static void end_unanswered(troupe::internal::reply_slot& asked);
  void watch_steps();
  void stepped();
  fate fate_of(const victim& each);
  void touch(bool changes) { world_.touch(known_as_, changes); }
  bool may() { return world_.choose(2, choice::kind::fault) == 1; }

  simulation& world_;
  std::uint64_t known_as_;
  std::vector<std::shared_ptr<rule_state>> rules_;
  std::deque<pending> pending_;
  std::uint64_t last_pending_ = 0;
  std::vector<behind> behind_;
  std::vector<victim> victims_;
  std::vector<troupe::internal::reply_slot*> unanswered_;
  bool watches_steps_ = false;
  bool ended_ = false;
};

// --- rules ------------------------------------------------------------------------------------------------------------

rule rules_at_work::add(selection about, treatment what, bool counts_itself) {
  if (about.times == 0) throw std::invalid_argument("a rule that is about no message at all");
  const auto made = std::make_shared<rule_state>();
  made->about = std::move(about);
  made->what = std::move(what);
  made->counts_itself = counts_itself;
  made->touch = [self = weak_from_this(), this] {
    if (const auto held = self.lock()) touch(true);
  };
  std::erase_if(rules_, [](const auto& each) { return each->ended; });
  rules_.push_back(made);
  touch(true);
  return rule(made);
}

rule rules_at_work::add_drop(selection about) {
  return add(std::move(about), [this](passage& on) {
    lose(on);
    return true;
  });
}

rule rules_at_work::add_delay(selection about, duration least, duration most) {
  if (least < duration::zero() || most < least || most == infinite)
    throw std::invalid_argument("a delay of messages cannot be negative, and has to end");
  return add(std::move(about), [this, least, range = most - least](passage& on) {
    duration delay = least;
    if (range > duration::zero()) {
      const std::size_t chosen = world_.choose(delays_tried, choice::kind::value);
      delay += range / static_cast<int>(delays_tried - 1) * static_cast<int>(chosen);
    }
    send_after(delay, on, on.item);
    return true;
  });
}

rule rules_at_work::add_reorder(selection about, std::size_t others, duration patience) {
  if (others == 0) throw std::invalid_argument("a message that no other is to overtake");
  return add(
      std::move(about),
      [this, others, patience](passage& on) {
        // One at a time, or there would be nobody to overtake it.
        const bool waits = std::any_of(behind_.begin(), behind_.end(), [&](const behind& each) {
          return each.to.cell() == &on.to;
        });
        if (waits) return false;
        ++on.by->count;
        behind_.push_back({any_actor::of(on.to), others, send_after(patience, on, on.item)});
        return true;
      },
      true);
}

rule rules_at_work::add_partition(std::vector<any_actor> one, std::vector<any_actor> other) {
  for (const auto& side : {one, other}) {
    for (const any_actor& each : side)
      expects(static_cast<bool>(each), "nobody was to be on a side of a partition");
  }
  selection about;
  about.between = [first = std::move(one), second = std::move(other)](const cell& to) {
    const auto sends = [](const any_actor& each) { return each.cell()->acts_now(); };
    const auto gets = [&](const any_actor& each) { return each.cell() == &to; };
    const auto crosses = [&](const auto& from, const auto& into) {
      return std::any_of(into.begin(), into.end(), gets) &&
             std::any_of(from.begin(), from.end(), sends);
    };
    return crosses(first, second) || crosses(second, first);
  };
  return add_drop(std::move(about));
}

rule rules_at_work::add_crash(selection about, moment when) {
  const bool at_each_wait = about.maybe && when == moment::during;
  if (at_each_wait) about.maybe = false;
  rule made = add(std::move(about), {}, true);
  rules_.back()->crash_when = when;
  rules_.back()->at_each_wait = at_each_wait;
  return made;
}

/// It gets the message now, since no rule has taken that.
void rules_at_work::crash_at(victim&& met, cell& to) {
  if (met.when == moment::before) {
    ++met.by->count;
    crash_now(to);
    return;
  }
  victims_.push_back(std::move(met));
  watch_steps();
}

rule rules_at_work::add_crash_at_any_step(const any_actor& who) {
  const auto made = std::make_shared<rule_state>();
  victims_.push_back({who, made, nullptr, moment::during, true, true});
  watch_steps();
  return rule(made);
}

// --- messages ---------------------------------------------------------------------------------------------------------

bool rules_at_work::is_met(rule_state& by, const cell& to, const envelope& item) {
  const selection& about = by.about;
  if (by.ended || by.applied == about.times) return false;
  if ((about.type != nullptr && about.type != item.info)) return false;
  if (about.to && about.to.cell() != &to) return false;
  if (about.from && !about.from.cell()->acts_now()) return false;
  if (about.between && !about.between(to)) return false;
  if (about.fits && !about.fits(item)) return false;
  touch(true);
  if (by.met++ < about.skip) return false;
  if (about.maybe && !may()) return false;
  ++by.applied;
  return true;
}

bool rules_at_work::take(cell& to, envelope& item, work::function arrival) noexcept {
  if (item.is_place()) return false;
  // What a rule calls may end the interception.
  const auto held = shared_from_this();
  try {
    if (!rules_.empty() || !behind_.empty()) touch(false);
    std::vector<victim> found;
    // By number: what is done may add a rule.
    for (std::size_t each = 0; each < rules_.size(); ++each) {
      const std::shared_ptr<rule_state> by = rules_[each];
      if (!is_met(*by, to, item)) continue;
      if (!by->counts_itself) ++by->count;
      passage on{to, item, arrival, by};
      if (by->crash_when) {
        found.push_back({any_actor::of(to), by, &item, *by->crash_when, by->at_each_wait, false});
      } else if (by->what(on)) {
        return true;
      }
    }
    for (victim& each : found) crash_at(std::move(each), to);
    let_pass(to);
  } catch (...) {
    to.home().report({"a rule of an interception threw", std::current_exception()});
  }
  return false;
}

void rules_at_work::let_pass(const cell& to) {
  if (!behind_.empty()) touch(true);
  for (std::size_t each = 0; each < behind_.size();) {
    if (behind_[each].to.cell() != &to || --behind_[each].others != 0) {
      ++each;
      continue;
    }
    const std::uint64_t number = behind_[each].pending;
    behind_.erase(behind_.begin() + static_cast<std::ptrdiff_t>(each));
    // Behind the one that passes now.
    const auto held = std::find_if(pending_.begin(), pending_.end(),
                                   [&](const pending& one) { return one.number == number; });
    if (held == pending_.end()) continue;
    held->timer.cancel();
    held->timer = loop::current()->call_later(
        duration::zero(), [self = shared_from_this(), this, number] { do_now(number); });
  }
}

/// As if it had been sent, and nothing more.
void rules_at_work::lose(const passage& on) {
  if (on.to.traced()) {
    on.to.trace_sent(on.item);
    on.to.trace_lost(on.item);
  }
  if (on.is_ask()) {
    unanswered_.push_back(on.item.reply);
  } else if (on.item.reply == nullptr || on.item.reply->admitted(on.item)) {
    on.item.info->free(on.item);  // who only waited for room believes that it is there
  }
}

void rules_at_work::put(cell& to, envelope& item, work::function arrival) {
  to.retain();
  item.target = &to;
  item.run = arrival;
  if (to.home().post(item)) return;
  to.refuse(item);
  to.release();
}

/// The answer alone is a rule's matter: the request goes its way as it would have.
void rules_at_work::pass_on(const passage& on, envelope& item) {
  if (&on.to.home() != loop::current()) {
    if (troupe::internal::maybe_traced()) troupe::internal::trace_posted(item, on.to);
    put(on.to, item, on.arrival);
    return;
  }
  on.to.retain();
  item.target = &on.to;
  item.run = on.arrival;
  on.arrival(item);
}

std::uint64_t rules_at_work::send_after(duration delay, const passage& on, envelope& item) {
  // It is sent now, by who acts now.
  if (troupe::internal::maybe_traced()) troupe::internal::trace_posted(item, on.to);
  return wait(delay, [to = any_actor::of(on.to), &item, arrival = on.arrival] {
    put(*to.cell(), item, arrival);
  });
}

std::uint64_t rules_at_work::wait(duration delay, callable<void()> act) {
  const std::uint64_t number = ++last_pending_;
  pending_.push_back({number, {}, std::move(act)});
  pending_.back().timer = loop::current()->call_later(
      delay, [self = shared_from_this(), this, number] { do_now(number); });
  return number;
}

void rules_at_work::do_now(std::uint64_t number) {
  const auto held = std::find_if(pending_.begin(), pending_.end(),
                                 [&](const pending& one) { return one.number == number; });
  if (held == pending_.end()) return;
  touch(true);
  const callable<void()> act = std::move(held->act);
  pending_.erase(held);
  std::erase_if(behind_, [&](const behind& each) { return each.pending == number; });
  act();
}

void rules_at_work::end() {
  ended_ = true;
  touch(true);
  victims_.clear();
  behind_.clear();
  while (!pending_.empty()) {
    pending_.front().timer.cancel();
    do_now(pending_.front().number);
  }
  for (troupe::internal::reply_slot* const each : std::exchange(unanswered_, {}))
    end_unanswered(*each);
}

void rules_at_work::end_unanswered(troupe::internal::reply_slot& asked) {
  if (asked.withdrawn()) {
    asked.skip();
  } else {
    asked.fail(troupe::internal::no_reply_error(*asked.as_ask()));
  }
}

// --- crashes ----------------------------------------------------------------------------------------------------------

void rules_at_work::ends(const envelope& item) noexcept {
  std::erase_if(victims_, [&](const victim& each) { return each.message == &item; });
}

void rules_at_work::begins(cell& who, const envelope& item) noexcept {
  for (victim& each : victims_) {
    if (each.message == &item && each.who.cell() == &who) each.message = nullptr;
  }
}

void rules_at_work::watch_steps() {
  if (std::exchange(watches_steps_, true)) return;
  world_.each_step([self = weak_from_this(), this] {
    if (const auto held = self.lock()) stepped();
  });
}

void rules_at_work::stepped() {
  for (std::size_t at = 0; at < victims_.size();) {
    const fate what = fate_of(victims_[at]);
    if (what == fate::waits) {
      ++at;
      continue;
    }
    const victim met = victims_[at];
    victims_.erase(victims_.begin() + static_cast<std::ptrdiff_t>(at));
    if (what == fate::spared) continue;
    ++met.by->count;
    crash_now(*met.who.cell());
  }
}

rules_at_work::fate rules_at_work::fate_of(const victim& each) {
  if (each.by->ended) return fate::spared;
  if (each.message != nullptr) {
    if (!each.who.cell()->has_process()) return fate::waits;
    throw invalid_state(
        "a rule is to crash " + each.who.cell()->description() +
        " during or after a message: a process has no handlers; crash it before the "
        "message, or at any step");
  }
  const cell& who = *each.who.cell();
  if (who.state() >= cell::life::stopping && !each.at_any_step) return fate::spared;
  if (each.at_any_step) {
    if (who.state() == cell::life::dead) return fate::spared;
    return who.is_up() && may() ? fate::crashes : fate::waits;
  }
  const bool goes_on = who.busy() || who.works_beside();
  if (each.when == moment::after) return goes_on ? fate::waits : fate::crashes;
  if (!goes_on) return fate::spared;
  return !each.maybe || may() ? fate::crashes : fate::waits;
}

// --- the public side --------------------------------------------------------------------------------------------------

interception::interception() {
  simulation* const world = simulation::current();
  if (world == nullptr || loop::current() == nullptr)
    throw invalid_state("an interception is made inside a simulation that runs");
  if (troupe::internal::intercepting != nullptr)
    throw invalid_state("there is an interception already in this simulation");
  const auto made = std::make_shared<rules_at_work>(*world);
  world->expect_failures(is_injected);
  troupe::internal::intercepting = made.get();
  core_ = made;
}

interception::~interception() {
  troupe::internal::intercepting = nullptr;
  static_cast<rules_at_work&>(*core_).end();
}

rule interception::partition(std::vector<any_actor> one, std::vector<any_actor> other) {
  return static_cast<rules_at_work&>(*core_).add_partition(std::move(one), std::move(other));
}

void interception::crash(const any_actor& who) {
  expects(static_cast<bool>(who), "nobody was to crash");
  crash_now(*who.cell());
}

rule interception::crash_at_any_step(const any_actor& who) {
  expects(static_cast<bool>(who), "nobody was to crash");
  return static_cast<rules_at_work&>(*core_).add_crash_at_any_step(who);
}

}  // namespace troupe::testing
