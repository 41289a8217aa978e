#include <troupe/runtime/testing/exhaustive.hpp>

#include <algorithm>

namespace troupe::testing {

namespace {

bool contains(const std::vector<std::uint32_t>& all, std::uint32_t who) {
  return std::find(all.begin(), all.end(), who) != all.end();
}

bool dependent(const std::vector<touch>& one, const std::vector<touch>& other) {
  for (const touch& each : one) {
    for (const touch& its : other) {
      if (each.what == its.what && (each.changes || its.changes)) return true;
    }
  }
  return false;
}

void join(std::vector<std::size_t>& into, const std::vector<std::size_t>& other) {
  if (into.size() < other.size()) into.resize(other.size());
  for (std::size_t who = 0; who < other.size(); ++who) into[who] = std::max(into[who], other[who]);
}

constexpr auto none = static_cast<std::size_t>(-1);

std::size_t at(const std::vector<std::size_t>& of, std::uint32_t who) {
  return who < of.size() ? of[who] : 0;
}

}  // namespace

struct exhaustive::node {
  bool is_value = false;
  // Of a value: its answers.
  std::size_t count = 0;
  std::size_t answer = 0;
  // Of a step: who could be next, who is to be tried, who was; who came, and what that touched.
  std::vector<std::uint32_t> enabled;
  std::vector<std::uint32_t> wanted;
  std::vector<std::uint32_t> tried;
  std::vector<sleeper>
      sleep;  ///< those whom to try is nothing new, among them those who were tried
  std::uint32_t who = 0;
  std::vector<touch> touched;
  bool has_values =
      false;  ///< it made choices: what it touches may be something else the next time
  std::size_t ready_by = none;  ///< the step that made it so
  clock before;                 ///< the steps that have to come before it, and itself
};

exhaustive::exhaustive() : last_step_(none) {}
exhaustive::~exhaustive() = default;

std::size_t exhaustive::choose(const choice& open) {
  return open.what == choice::kind::next ? choose_next(open) : choose_value(open);
}

std::size_t exhaustive::choose_value(const choice& open) {
  if (depth_ == nodes_.size()) {
    nodes_.push_back(std::make_unique<node>());
    nodes_.back()->is_value = true;
    nodes_.back()->count = open.count;
  }
  for (std::size_t back = depth_; back > 0; --back) {
    if (nodes_[back - 1]->is_value) continue;
    nodes_[back - 1]->has_values = true;
    break;
  }
  return nodes_[depth_++]->answer;
}

std::size_t exhaustive::choose_next(const choice& open) {
  const std::vector<std::uint32_t> enabled(open.who, open.who + open.count);
  const auto place = [&](std::uint32_t who) {
    return static_cast<std::size_t>(std::find(enabled.begin(), enabled.end(), who) -
                                    enabled.begin());
  };
  note_ready(enabled);
  if (depth_ < nodes_.size()) {
    node& known = *nodes_[depth_++];
    sleep_ = known.sleep;
    begin(known);
    return std::min(place(known.who), open.count - 1);
  }
  const auto found = std::find_if(enabled.begin(), enabled.end(), [&](std::uint32_t who) {
    return std::none_of(sleep_.begin(), sleep_.end(),
                        [&](const sleeper& each) { return each.who == who; });
  });
  if (found == enabled.end()) {
    pruned_ = true;
    throw nothing_new{};
  }
  auto made = std::make_unique<node>();
  made->enabled = enabled;
  made->who = *found;
  made->wanted = {*found};
  made->sleep = sleep_;
  begin(*made);
  nodes_.push_back(std::move(made));
  ++depth_;
  return place(*found);
}

/// Who is ready now and was not before has been made so by the last step.
void exhaustive::note_ready(const std::vector<std::uint32_t>& enabled) {
  for (const std::uint32_t who : enabled) {
    const bool known = std::any_of(ready_.begin(), ready_.end(),
                                   [&](const readiness& each) { return each.who == who; });
    if (!known) ready_.push_back({who, last_step_});
  }
}

void exhaustive::begin(node& chosen) {
  const auto found = std::find_if(ready_.begin(), ready_.end(),
                                  [&](const readiness& each) { return each.who == chosen.who; });
  chosen.ready_by = found != ready_.end() ? found->by : none;
  if (found != ready_.end()) ready_.erase(found);
}

void exhaustive::stepped(const std::vector<touch>& touched) {
  // The choices that it made lie behind it.
  std::size_t step = depth_ - 1;
  while (nodes_[step]->is_value) --step;
  node& made = *nodes_[step];
  made.touched = touched;
  last_step_ = step;
  find_races(step);
  // Who sleeps goes on sleeping as long as nothing happens that it depends on.
  std::erase_if(sleep_, [&](const sleeper& each) {
    return each.who == made.who || dependent(each.touched, touched);
  });
}

void exhaustive::time_went_on() { barrier_ = depth_; }

/// Looks for earlier steps that could have come after this one, and has the other order tried.
void exhaustive::find_races(std::size_t step) {
  node& made = *nodes_[step];
  const std::uint32_t who = made.who;
  // What has to come before: the last step of the same, and the one that made it ready.
  clock before;
  for (std::size_t back = step; back-- > barrier_;) {
    if (nodes_[back]->is_value || nodes_[back]->who != who) continue;
    join(before, nodes_[back]->before);
    break;
  }
  if (made.ready_by != none && made.ready_by >= barrier_)
    join(before, nodes_[made.ready_by]->before);
  std::vector<std::size_t> races;
  for (std::size_t back = step; back-- > barrier_;) {
    const node& earlier = *nodes_[back];
    if (earlier.is_value || earlier.who == who || !dependent(earlier.touched, made.touched))
      continue;
    // What comes before it in any case, by way of others, is no race.
    if (at(before, earlier.who) <= back) races.push_back(back);
    join(before, earlier.before);
  }
  if (before.size() <= who) before.resize(who + 1);
  before[who] = step + 1;
  made.before = std::move(before);
  for (const std::size_t earlier : races) want_reversed(earlier, step);
}

/// Has `later` tried before `earlier`: those who could begin the steps between them that do not follow from `earlier`, and then `later`, make
/// a source set (Abdulla, Aronis, Jonsson, Sagonas, "Optimal dynamic partial order reduction", 2014); one of them has to be wanted there.
void exhaustive::want_reversed(std::size_t earlier, std::size_t later) {
  node& there = *nodes_[earlier];
  const auto follows = [&](std::size_t first, std::size_t second) {
    return at(nodes_[second]->before, nodes_[first]->who) > first;
  };
  std::vector<std::size_t> between;
  std::vector<std::uint32_t> beginners;
  std::vector<std::uint32_t> seen;
  for (std::size_t each = earlier + 1; each <= later; ++each) {
    if (nodes_[each]->is_value || (each != later && follows(earlier, each))) continue;
    const std::uint32_t who = nodes_[each]->who;
    if (!contains(seen, who)) {
      seen.push_back(who);
      const bool begins = std::none_of(between.begin(), between.end(),
                                       [&](std::size_t other) { return follows(other, each); });
      if (begins) beginners.push_back(who);
    }
    between.push_back(each);
  }
  for (const std::uint32_t each : beginners) {
    if (contains(there.wanted, each)) return;
  }
  for (const std::uint32_t each : beginners) {
    if (!contains(there.enabled, each)) continue;
    there.wanted.push_back(each);
    return;
  }
  there.wanted = there.enabled;  // somebody who was not ready there
}

bool exhaustive::next() {
  (pruned_ ? given_up_ : orders_) += 1;
  pruned_ = false;
  depth_ = 0;
  barrier_ = 0;
  last_step_ = none;
  ready_.clear();
  sleep_.clear();
  while (!nodes_.empty()) {
    node& last = *nodes_.back();
    if (last.is_value) {
      if (++last.answer < last.count) return true;
      nodes_.pop_back();
      continue;
    }
    last.tried.push_back(last.who);
    if (!last.has_values) last.sleep.push_back({last.who, last.touched});
    const auto found = std::find_if(last.wanted.begin(), last.wanted.end(), [&](std::uint32_t who) {
      return !contains(last.tried, who) &&
             std::none_of(last.sleep.begin(), last.sleep.end(),
                          [&](const sleeper& each) { return each.who == who; });
    });
    if (found != last.wanted.end()) {
      last.who = *found;
      last.touched.clear();
      last.has_values = false;
      return true;
    }
    nodes_.pop_back();
  }
  return false;
}

}  // namespace troupe::testing
