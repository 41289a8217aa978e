#include <troupe/actors/caf/internal/doubles.hpp>

#include <troupe/actors/caf/facade.hpp>

#include <caf/exit_reason.hpp>

namespace troupe::internal {

::caf::strong_actor_ptr caf_doubles::find(const cell& real) const {
  const std::scoped_lock lock(mutex_);
  const auto found = by_cell_.find(&real);
  return found != by_cell_.end() ? found->second : nullptr;
}

::caf::strong_actor_ptr caf_doubles::put(const cell& real, ::caf::strong_actor_ptr facade) {
  const std::scoped_lock lock(mutex_);
  return by_cell_.try_emplace(&real, std::move(facade)).first->second;
}

void caf_doubles::erase(const cell& real) noexcept {
  ::caf::strong_actor_ptr last;  // its end may come back here
  const std::scoped_lock lock(mutex_);
  const auto found = by_cell_.find(&real);
  if (found == by_cell_.end()) return;
  last = std::move(found->second);
  by_cell_.erase(found);
}

cell* caf_doubles::find_stand_in(const ::caf::strong_actor_ptr& real,
                                 const caf_table& messages) const {
  const std::scoped_lock lock(mutex_);
  const auto found = stand_ins_.find({real.get(), &messages});
  if (found == stand_ins_.end()) return nullptr;
  found->second->retain();
  return found->second;
}

cell* caf_doubles::find_any_stand_in(const ::caf::strong_actor_ptr& real) const {
  const std::scoped_lock lock(mutex_);
  const auto found = stand_ins_.lower_bound({real.get(), nullptr});
  if (found == stand_ins_.end() || found->first.first != real.get()) return nullptr;
  found->second->retain();
  return found->second;
}

void caf_doubles::put_stand_in(const ::caf::strong_actor_ptr& real, const caf_table& messages,
                               cell& made) {
  const std::scoped_lock lock(mutex_);
  stand_ins_.try_emplace({real.get(), &messages}, &made);
  by_cell_.try_emplace(&made, real);
}

void caf_doubles::erase_stand_in(const ::caf::strong_actor_ptr& real, const caf_table& messages,
                                 const cell& made) noexcept {
  erase(made);
  const std::scoped_lock lock(mutex_);
  const auto found = stand_ins_.find({real.get(), &messages});
  if (found != stand_ins_.end() && found->second == &made) stand_ins_.erase(found);
}

void caf_doubles::close() noexcept {
  std::unordered_map<const cell*, ::caf::strong_actor_ptr> ended;
  {
    const std::scoped_lock lock(mutex_);
    ended.swap(by_cell_);
    stand_ins_.clear();
  }
  for (const auto& each : ended) {
    if (auto* const facade = dynamic_cast<caf_facade*>(each.second->get()))
      facade->cleanup(::caf::make_error(::caf::exit_reason::user_shutdown), nullptr);
  }
}

}  // namespace troupe::internal
