#pragma once

#include <troupe/runtime/testing/commands.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

namespace troupe::testing::internal {

/// What is counted over the runs of a model test.
struct counts {
  std::uint64_t commands = 0;
  std::uint64_t refused = 0;
  bool each_once =
      false;  ///< all that can be drawn is tried, so nothing is to be drawn in two ways
};

/// Explores, with the length of a run found out, since the natural run has no commands.
/// Errors: std::logic_error when nothing was ever allowed.
model_test_result explore_commands(explore_options options,
                                   const std::function<void(simulation&, counts&)>& run);

template <class Model, class Real>
using command_plan = std::vector<std::unique_ptr<any_command<Model, Real>>>;

template <class Model, class Real>
struct branched_plan {
  command_plan<Model, Real> before;
  std::vector<command_plan<Model, Real>> branches;
  command_plan<Model, Real> after;
};

struct branched_sizes {
  std::size_t before;
  std::size_t branches;
  std::size_t each;
  std::size_t after;
};

/// The kinds of commands of a model test; makes lists of them.
///
/// All commands of a run are drawn before it begins. One draw says which, or by 0 that there are no more; its arguments follow. Together they are a part
/// of the choices, which may be left out: then the others stay what they are, but for those that the model does not allow any more.
template <class Model, class Real>
class command_kinds {
 public:
  using plan = command_plan<Model, Real>;

  void add(generator<Model, Real> made, std::size_t weight) {
    if (weight == 0) throw std::invalid_argument("a command with weight 0 would never be drawn");
    for (std::size_t each = 0; each < weight; ++each) which_.push_back(kinds_.size());
    kinds_.push_back(std::move(made));
  }

  template <class Run>
  model_test_result explore(const explore_options& options, Run run) const {
    if (kinds_.empty()) throw std::logic_error("a model test has no commands");
    return explore_commands(options, run);
  }

  plan plan_for(simulation& world, Model model, std::size_t most, counts& all) const {
    plan made;
    draw_some(world, model, most, all, made, [](const auto&) { return true; });
    return made;
  }

  branched_plan<Model, Real> branched_plan_for(simulation& world, const Model& initial,
                                               const branched_sizes& sizes, counts& all) const {
    branched_plan<Model, Real> made;
    Model common = initial;
    draw_some(world, common, sizes.before, all, made.before, [](const auto&) { return true; });
    const Model parted = common;
    const auto in_every_order = [&](const auto&) {
      std::vector<std::size_t> done(made.branches.size());
      std::size_t left = most_orders;
      return !conditional(made) || allowed(made, parted, done, left);
    };
    for (std::size_t each = 0; each < sizes.branches; ++each) {
      made.branches.emplace_back();
      Model own = parted;
      draw_some(world, own, sizes.each, all, made.branches.back(), in_every_order);
      for (const auto& command : made.branches.back()) command->pretend(common);
    }
    draw_some(world, common, sizes.after, all, made.after, in_every_order);
    return made;
  }

 private:
  // Of steps, when it is looked whether a command is allowed after any order of those of other branches; too many count as no.
  static constexpr std::size_t most_orders = 20'000;

  /// Draws commands onto the end of `made`, and does them to the model. `may_stay` is asked when one has been added.
  template <class MayStay>
  void draw_some(simulation& world, Model& model, std::size_t most, counts& all, plan& made,
                 MayStay may_stay) const {
    draw from(world);
    // As many as `most` on average, if there were no such limit.
    const std::size_t ways = all.each_once ? 1 : std::max<std::size_t>(most / which_.size(), 1);
    for (std::size_t drawn = 0;; ++drawn) {
      // That there are no more is drawn also where there may be no more: else the draw of what follows would change its meaning when a
      // command is left out.
      if (drawn == most && all.each_once) return;
      const std::size_t begin = world.choices().size();
      const std::size_t which = from.below(1 + ways * which_.size());
      if (which == 0 || drawn == most) return;
      auto next = kinds_[which_[(which - 1) / ways]](from, model);
      world.mark_part(begin);
      bool fits = next != nullptr && next->allowed(model);
      if (fits) {
        made.push_back(std::move(next));
        fits = may_stay(made);
        if (fits) made.back()->pretend(model);
        if (!fits) made.pop_back();
      }
      ++(fits ? all.commands : all.refused);
    }
  }

  static bool conditional(const branched_plan<Model, Real>& made) {
    const auto any = [](const plan& some) {
      return std::any_of(some.begin(), some.end(),
                         [](const auto& each) { return each->conditional(); });
    };
    return any(made.after) || std::any_of(made.branches.begin(), made.branches.end(), any);
  }

  /// Whether each command is allowed in every order of those that are left.
  static bool allowed(const branched_plan<Model, Real>& made, const Model& now,
                      std::vector<std::size_t>& done, std::size_t& left) {
    bool over = true;
    for (std::size_t branch = 0; branch < made.branches.size(); ++branch) {
      if (done[branch] == made.branches[branch].size()) continue;
      over = false;
      const auto& next = *made.branches[branch][done[branch]];
      if (left == 0 || !next.allowed(now)) return false;
      --left;
      Model then = now;
      next.pretend(then);
      ++done[branch];
      const bool holds = allowed(made, then, done, left);
      --done[branch];
      if (!holds) return false;
    }
    if (!over) return true;
    Model then = now;
    for (const auto& each : made.after) {
      if (!each->allowed(then)) return false;
      each->pretend(then);
    }
    return true;
  }

  std::vector<generator<Model, Real>> kinds_;
  std::vector<std::size_t> which_;  ///< each as often as its weight
};

}  // namespace troupe::testing::internal
