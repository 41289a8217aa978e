#pragma once

#include <troupe/actors/cell.hpp>

#include <caf/actor_control_block.hpp>

#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace troupe::internal {

struct caf_table;

/// Which actors of one world stand for which of the other, so that each has one double only.
/// Threads: any.
class caf_doubles {
 public:
  /// What CAF knows the actor as: a facade, or, of an actor that stands in, the real one. Null for none.
  ::caf::strong_actor_ptr find(const cell& real) const;
  /// Errors: none; what was put before stays, and is returned.
  ::caf::strong_actor_ptr put(const cell& real, ::caf::strong_actor_ptr facade);
  void erase(const cell& real) noexcept;

  /// The actor that stands for one of CAF's, with a count, or null.
  cell* find_stand_in(const ::caf::strong_actor_ptr& real, const caf_table& messages) const;
  /// The same, whatever its protocol.
  cell* find_any_stand_in(const ::caf::strong_actor_ptr& real) const;
  void put_stand_in(const ::caf::strong_actor_ptr& real, const caf_table& messages, cell& made);
  void erase_stand_in(const ::caf::strong_actor_ptr& real, const caf_table& messages,
                      const cell& made) noexcept;

  /// The system ends: terminates the facades.
  void close() noexcept;

 private:
  using stand_in_key = std::pair<const ::caf::actor_control_block*, const caf_table*>;

  mutable std::mutex mutex_;
  std::unordered_map<const cell*, ::caf::strong_actor_ptr> by_cell_;
  std::map<stand_in_key, cell*> stand_ins_;
};

}  // namespace troupe::internal
