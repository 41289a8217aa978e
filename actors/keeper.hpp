#pragma once

#include <troupe/actors/supervision.hpp>
#include <troupe/runtime/calls.hpp>
#include <troupe/runtime/memory.hpp>
#include <troupe/runtime/time.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace troupe::internal {

class cell;

/// What an actor that supervises knows of its children, and decides. See supervision.hpp for the rules.
///
/// Life: made by the actor's first `supervise`; gone with its object, so a supervisor that is restarted begins anew.
/// Invariants: at most one child is being taken down at a time, and one started, but for one_for_one; a child with `waits` is down.
/// Threads: its actor's loop. Children on other loops are told by orders (order.hpp), and tell what became of them likewise.
class keeper : public pooled {
 public:
  explicit keeper(cell& owner) noexcept;
  ~keeper();
  keeper(const keeper&) = delete;
  keeper& operator=(const keeper&) = delete;

  void set(const supervision& rules) noexcept { rules_ = rules; }
  /// Keeps a count of `child`. Errors: std::bad_alloc.
  void add(cell& child, const child_options& options);

  /// It is down and rests.
  void fell(cell& child);
  /// It has been started again, and its on_start has ended.
  void came_up(cell& child);
  /// It has ended for good.
  void gone(cell& child) noexcept;
  /// Its parent has told it to stop, and waits for it.
  void limit_stop(cell& child);
  /// Takes it down, and starts it anew, without counting a fall.
  void restart_by_hand(cell& child);

 private:
  enum class status : unsigned char { up, going_down, down, coming_up };
  struct record {
    cell* child;
    restart when;
    duration shutdown;
    status now = status::up;
    bool must_go_down = false;
    bool waits = false;   ///< for its delay to pass
    unsigned delays = 0;  ///< in a row
    time_point up_since{};
    timer_handle timer{};  ///< of the delay, or of its shutdown
  };

  record* find(const cell& child) noexcept;
  /// The next steps of taking down and starting.
  void step();
  void take_down(record& of);
  void kill_after(record& of, duration limit);
  /// Notes a fall; false when there have been too many.
  bool one_more_fall();
  duration next_delay(record& of);
  void give_up(cell& child);
  double random() noexcept;

  cell& owner_;
  supervision rules_;
  std::vector<record> records_;    ///< in the order in which they were started
  std::vector<time_point> falls_;  ///< within the last `within`
  std::uint64_t random_;
};

}  // namespace troupe::internal
