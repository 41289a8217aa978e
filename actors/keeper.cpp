#include <troupe/actors/keeper.hpp>

#include <troupe/actors/cell.hpp>
#include <troupe/actors/errors.hpp>
#include <troupe/actors/internal/in_seconds.hpp>

#include <algorithm>
#include <exception>
#include <random>
#include <string>
#include <utility>

namespace troupe::internal {

keeper::keeper(cell& owner) noexcept
    : owner_(owner), random_(owner.home().is_virtual() ? 1 : std::random_device()()) {}

keeper::~keeper() {
  for (record& each : records_) {
    each.timer.cancel();
    each.child->release();
  }
}

void keeper::add(cell& child, const child_options& options) {
  records_.push_back({.child = &child, .when = options.when, .shutdown = options.shutdown});
  child.retain();
  records_.back().up_since = owner_.home().time();
}

keeper::record* keeper::find(const cell& child) noexcept {
  const auto found = std::find_if(records_.begin(), records_.end(),
                                  [&](const record& each) { return each.child == &child; });
  return found != records_.end() ? &*found : nullptr;
}

// --- what children tell -----------------------------------------------------------------------------------------------

void keeper::fell(cell& child) {
  record* const its = find(child);
  if (its == nullptr || owner_.stop_wanted()) return;
  its->timer.cancel();
  const bool expected = its->now == status::going_down;
  its->now = status::down;
  its->must_go_down = false;
  if (!expected) {
    if (!one_more_fall()) return give_up(child);
    for (record& each : records_) {
      const bool together = rules_.how == strategy::one_for_all ||
                            (rules_.how == strategy::rest_for_one && &each > its);
      if (together && (each.now == status::up || each.now == status::coming_up))
        each.must_go_down = true;
    }
    const duration delay = next_delay(*its);
    const exit_reason why = child.reason();
    owner_.home().report(
        {child.description() + " " +
             (why.what() == exit_reason::kind::crashed ? "crashed" : why.text()) +
             " and is restarted" + (delay != duration{} ? " in " + in_seconds(delay) : "") +
             " (restart " + std::to_string(falls_.size()) + " within " + in_seconds(rules_.within) +
             ", " + std::to_string(rules_.max_restarts) + " are allowed)",
         why.error()});
    if (delay != duration{}) {
      its->waits = true;
      its->timer = owner_.home().call_later(delay, [this, &child] {
        find(child)->waits = false;
        step();
      });
    }
  }
  step();
}

void keeper::came_up(cell& child) {
  record* const its = find(child);
  if (its == nullptr) return;
  // An order to go down may have crossed this on its way.
  if (its->now != status::coming_up) return;
  its->now = status::up;
  its->up_since = owner_.home().time();
  if (!owner_.stop_wanted()) step();
}

void keeper::gone(cell& child) noexcept {
  record* const its = find(child);
  if (its == nullptr) return;
  its->timer.cancel();
  records_.erase(records_.begin() + (its - records_.data()));
  child.release();
  if (!owner_.stop_wanted()) step();
}

// --- what is done -----------------------------------------------------------------------------------------------------

void keeper::step() {
  const auto going_down = [](const record& each) { return each.now == status::going_down; };
  if (std::any_of(records_.begin(), records_.end(), going_down)) return;
  const auto youngest = std::find_if(records_.rbegin(), records_.rend(),
                                     [](const record& each) { return each.must_go_down; });
  if (youngest != records_.rend()) return take_down(*youngest);

  const bool one_by_one = rules_.how != strategy::one_for_one;
  for (record& each : records_) {
    if (each.now == status::coming_up && one_by_one) return;
    if (each.now != status::down) continue;
    if (!each.waits) {
      each.now = status::coming_up;
      each.child->request_revival();
    }
    if (one_by_one) return;
  }
}

void keeper::take_down(record& of) {
  of.must_go_down = false;
  of.now = status::going_down;
  if (of.when == restart::temporary) {
    of.child->request_stop(exit_reason::kind::parent);
  } else {
    of.child->request_fall();
  }
  kill_after(of, of.shutdown);
}

void keeper::kill_after(record& of, duration limit) {
  if (limit == infinite) return;
  of.timer.cancel();
  if (limit == duration{}) {
    of.child->request_kill();
    return;
  }
  of.timer = owner_.home().call_later(limit, [this, child = of.child] {
    owner_.home().report({child->description() + " did not stop within its `shutdown` of " +
                              in_seconds(find(*child)->shutdown) + " and is killed",
                          nullptr});
    child->request_kill();
  });
}

void keeper::limit_stop(cell& child) {
  if (record* const its = find(child)) kill_after(*its, its->shutdown);
}

void keeper::restart_by_hand(cell& child) {
  record* const its = find(child);
  if (its == nullptr || its->now == status::down) return;
  its->must_go_down = true;
  step();
}

// --- limits and delays ------------------------------------------------------------------------------------------------

bool keeper::one_more_fall() {
  const time_point now = owner_.home().time();
  std::erase_if(falls_, [&](time_point each) { return now - each > rules_.within; });
  falls_.push_back(now);
  return falls_.size() <= rules_.max_restarts;
}

void keeper::give_up(cell& child) {
  const exit_reason why = child.reason();
  owner_.crash(std::make_exception_ptr(restarts_exhausted(
      owner_.description() + " gives up: the last of " + std::to_string(falls_.size()) +
      " falls within " + in_seconds(rules_.within) + ", where " +
      std::to_string(rules_.max_restarts) + " are allowed, is that of " + child.description() +
      ": " + why.text())));
}

duration keeper::next_delay(record& of) {
  const backoff& rules = rules_.delay;
  if (rules.first == duration{}) return {};
  if (owner_.home().time() - of.up_since > std::max(rules.most, rules_.within)) of.delays = 0;
  auto delay = std::chrono::duration<double, std::nano>(rules.first);
  for (unsigned times = 0; times < of.delays && delay < rules.most; ++times) delay *= rules.factor;
  ++of.delays;
  delay = std::min(delay, std::chrono::duration<double, std::nano>(rules.most));
  delay *= 1 + rules.jitter * (2 * random() - 1);
  return duration(static_cast<duration::rep>(delay.count()));
}

/// Between 0 and 1; Vigna's splitmix64.
double keeper::random() noexcept {
  random_ += 0x9e3779b97f4a7c15;
  std::uint64_t mixed = random_;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return static_cast<double>((mixed ^ (mixed >> 31)) >> 11) * 0x1p-53;
}

}  // namespace troupe::internal
