#pragma once

#include <troupe/runtime/testing/sequential_model.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

namespace troupe::testing::internal {

/// An operation as the search sees it: `seen` is whether its answer is known, which comes at `end`; otherwise it may happen at any time
/// after `begin`, or never.
struct interval {
  const any_call* call;
  std::uint64_t begin;
  std::uint64_t end;
  bool seen;
};

/// Looks for an order in which the operations may have happened one by one. Depth first, after Wing and Gong, Lowe (see `history::check`):
/// next is any operation that was called before the first answer of those that are left. A set of operations that leads to a state that it has led to
/// before is not gone on with. Besides:
///
/// - One that only reads, and was answered rightly, is taken at once and nothing else is tried instead: in any order of the others it may
///   as well come first. (Not so one that happens to leave the state as it is: later it may change it.)
/// - One without an answer is tried last, and only where it changes the state.
class order_search {
 public:
  enum class verdict : std::uint8_t { found, none, undecided };

  /// `all` is in the order of calls.
  order_search(std::vector<interval> all, const any_state& initial, std::size_t most);
  verdict run();
  /// After `found`: places in `all`. What has no answer and is not needed is left out.
  std::vector<std::size_t> order() const;
  /// How many were looked at.
  std::size_t configurations() const noexcept { return configurations_; }

 private:
  using state = std::shared_ptr<const any_state>;
  struct candidate {
    std::uint32_t place;
    state then;  ///< null: not known yet
  };
  struct frame {
    state now;
    std::uint32_t taken;  ///< by which it was reached
    std::vector<candidate> next;
    std::size_t tried = 0;
  };
  /// Sets of operations are compared by 128 random bits, of which each operation has its own: of a million sets two have the same with a
  /// probability of 10^-26.
  struct bits {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
  };
  struct remembered {
    std::uint64_t set;
    state reached;
  };

  std::vector<std::uint32_t> open_places() const;
  void enter(state now, std::uint32_t taken);
  state after(const any_state& now, std::uint32_t place) const;
  bool is_new(const state& reached);
  void take(std::uint32_t place) noexcept;
  void put_back(std::uint32_t place) noexcept;
  void flip(std::uint32_t place) noexcept;

  std::vector<interval> all_;
  std::vector<bits> marks_;
  std::vector<std::uint32_t>
      after_;  ///< the list of those that are left; the last place is its head
  std::vector<std::uint32_t> before_;
  state initial_;
  std::size_t most_;
  std::size_t left_ = 0;  ///< with an answer
  std::size_t configurations_ = 0;
  bits set_;  ///< of those that are taken
  std::vector<frame> frames_;
  std::unordered_map<std::uint64_t, std::vector<remembered>> seen_;
};

}  // namespace troupe::testing::internal
